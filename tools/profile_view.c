/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_view.c - looking at a stream that was added up, see profile.h.
 */
#include <stdio.h>
#include <string.h>

#include "tools/profile.h"
#include "tools/text.h"

const Profiler__Header *profile_header(const struct profile *p)
{
	const Profiler__Header *header = reader_header(p->reader);

	return header ? header : &p->no_header;
}

const Profiler__Ledger *profile_ledger(const struct profile *p)
{
	return reader_ledger(p->reader);
}

const struct reader_damage *profile_damage(const struct profile *p)
{
	return reader_damaged(p->reader) ? reader_damage(p->reader) : NULL;
}

uint64_t profile_duration_ns(const struct profile *p)
{
	const Profiler__Ledger *ledger = profile_ledger(p);
	uint64_t start = profile_header(p)->start_ns;
	uint64_t end = p->last_ns;

	if (ledger && ledger->time_ns > end)
		end = ledger->time_ns;
	return end > start ? end - start : 0;
}

uint64_t profile_realtime_ns(const struct profile *p, uint64_t boottime_ns)
{
	const Profiler__Clock *clock = profile_header(p)->clock;

	return clock && clock->realtime_ns ? clock->realtime_ns + boottime_ns - clock->boottime_ns
					   : 0;
}

const char *profile_event_name(const struct profile *p, uint32_t event, char ret[EVENT_NAME_MAX])
{
	const Profiler__Event *e = profile_header(p)->event[event];
	char raw[EVENT_NAME_MAX / TEXT_CLEAN_GROWTH];

	snprintf(raw, sizeof(raw), *e->modifier ? "%s:%s" : "%s", e->name, e->modifier);
	ret[text_clean(ret, raw, strlen(raw))] = 0;
	return ret;
}

static bool is_time(const struct profile *p, uint32_t event)
{
	return !strcmp(profile_header(p)->event[event]->unit, "nanoseconds");
}

const char *profile_value_name(const struct profile *p, uint32_t event, char ret[EVENT_NAME_MAX])
{
	bool is_first_time = is_time(p, event);

	for (uint32_t i = 0; i < event; i++)
		if (is_time(p, i))
			is_first_time = false;
	return is_first_time ? "cpu" : profile_event_name(p, event, ret);
}

const char *profile_value_unit(const struct profile *p, uint32_t event)
{
	return is_time(p, event) ? "nanoseconds" : "count";
}

uint64_t profile_period(const struct profile *p, uint32_t event)
{
	const Profiler__Event *e = profile_header(p)->event[event];
	const struct profile_total *total = &p->event[event];

	if (!e->asked_in_hz)
		return e->granted;
	if (is_time(p, event) && e->granted)
		return 1000000000 / e->granted;
	return total->count ? total->weight / total->count : 0;
}

uint32_t profile_leader(const struct profile *p, uint32_t event)
{
	const Profiler__Header *header = profile_header(p);
	uint32_t leader = event < header->n_event ? header->event[event]->leader : 0;

	return leader ? leader - 1 : event;
}

struct profile_total profile_row_total(const struct profile *p, const struct profile_row *row,
				       uint32_t event)
{
	struct profile_total total = { 0 };

	if (event == PROFILE_ALL_EVENTS || event == row->event) {
		total = (struct profile_total){ row->count, row->weight };
	} else if (row->sums && profile_leader(p, event) == row->event) {
		const union sums_word *sums = sums_at(&p->sums, row->sums);

		total.count = sums_samples(sums);
		total.weight = sums_count(sums, group_place(&p->groups.of[row->event], event));
	}
	return total;
}

const char *profile_text(const struct profile *p, uint32_t string)
{
	return strtab_text(&p->strings, string);
}

const struct stretch *profile_stretch(const struct profile *p, uint32_t mapping, uint64_t offset)
{
	const struct profile_mapping *m = idmap_at(&p->mappings, mapping);

	return m->is_orphan ? NULL : stretches_find(&p->stretches, m->file, offset);
}

const struct profile_thread *profile_thread(const struct profile *p, uint32_t who)
{
	return who && p->by == PROFILE_BY_THREAD ? idmap_at(&p->threads, who) : NULL;
}

const struct profile_process *profile_process(const struct profile *p, uint32_t who)
{
	const struct profile_thread *thread = profile_thread(p, who);

	if (thread)
		who = thread->process;
	return who && p->by != PROFILE_BY_NOBODY ? idmap_at(&p->processes, who) : NULL;
}

/* Appends one of the two stacks, the innermost frame being a return address or not. */
static size_t append_stack(const struct profile *p, uint32_t node, bool is_return, uint32_t *ret)
{
	const struct profile_node *n;
	size_t length = 0;

	for (; node; node = n->parent) {
		if (length == PROFILE_DEPTH_MAX) {
			ret[length++] = frame_ref(PSEUDO_TRUNCATED, false);
			break;
		}
		n = idmap_at(&p->nodes, node);
		ret[length++] = frame_ref(n->frame, is_return);
		is_return = true;
	}
	return length;
}

/*
 * Was the kernel called, rather than that it took over? Then the innermost user frame is behind the
 * instruction that did, else at the very one that was interrupted: by a page fault, say, and that
 * can be a function's first.
 */
static bool in_syscall(const struct profile *p, uint32_t node)
{
	while (node) {
		const struct profile_node *n = idmap_at(&p->nodes, node);
		const struct profile_frame *frame = idmap_at(&p->frames, n->frame);
		const char *function = profile_text(p, frame->function);

		/* entry_SYSCALL_64_after_hwframe, entry_INT80_compat; arm64 */
		if (*function == 'e' && (!strncmp(function, "entry_", strlen("entry_")) ||
					 !strcmp(function, "el0_svc")))
			return true;
		node = n->parent;
	}
	return false;
}

size_t profile_stack(const struct profile *p, const struct profile_row *row, uint32_t *ret)
{
	bool in_kernel = row->flags & PROFILER__SAMPLE_FLAG__IN_KERNEL;
	size_t length = append_stack(p, row->kernel, !in_kernel, ret);

	if (row->flags & PROFILER__SAMPLE_FLAG__KERNEL_LOST)
		ret[length++] = frame_ref(PSEUDO_STACK_LOST, false);
	else if (row->kernel && row->flags & PROFILER__SAMPLE_FLAG__KERNEL_TRUNCATED)
		ret[length++] = frame_ref(PSEUDO_TRUNCATED, false);
	length += append_stack(p, row->user, in_syscall(p, row->kernel), ret + length);
	if (row->flags & PROFILER__SAMPLE_FLAG__USER_LOST)
		ret[length++] = frame_ref(PSEUDO_STACK_LOST, false);
	else if (row->flags & PROFILER__SAMPLE_FLAG__USER_FAILED)
		ret[length++] = frame_ref(PSEUDO_UNREADABLE, false);
	else if (row->flags & PROFILER__SAMPLE_FLAG__USER_TRUNCATED)
		ret[length++] = frame_ref(PSEUDO_TRUNCATED, false);
	if (!length)
		ret[length++] = frame_ref(PSEUDO_NO_STACK, false);
	return length;
}

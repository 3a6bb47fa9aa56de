/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_merge.c - the ledger of several streams, see ledger_merge.h. */
#include "tools/ledger_merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct place {
	uint32_t cpu;
	uint32_t event;
	/* up to here the key */
	Profiler__LedgerRow sum; /* of streams that have ended */
	Profiler__LedgerRow now;
	uint64_t left_out;
	uint64_t left_count;
	uint64_t is_in_ledger;
};

void ledger_merge_init(struct ledger_merge *l)
{
	*l = (struct ledger_merge){ 0 };
	idmap_init(&l->places, sizeof(struct place), offsetof(struct place, sum));
	for (size_t i = 0; i < READER_MAX_EVENTS; i++)
		profiler__program_runs__init(&l->sum.program[i]);
}

void ledger_merge_release(struct ledger_merge *l)
{
	idmap_release(&l->places);
	free(l->row);
}

static struct place *get_place(struct ledger_merge *l, uint32_t cpu, uint32_t event)
{
	const struct place key = { .cpu = cpu, .event = event };
	struct place *place;
	uint32_t id;
	int is_new = idmap_get(&l->places, &key, &id);

	if (is_new < 0)
		return NULL;
	place = idmap_at(&l->places, id);
	if (is_new) {
		profiler__ledger_row__init(&place->sum);
		place->sum.cpu = cpu;
		place->sum.event = event;
	}
	return place;
}

int ledger_merge_leave_out(struct ledger_merge *l, uint32_t cpu, uint32_t event, uint64_t samples)
{
	struct place *place = get_place(l, cpu, event);

	if (!place)
		return -ENOMEM;
	place->left_out += samples;
	return 0;
}

int ledger_merge_leave_count(struct ledger_merge *l, uint32_t cpu, uint32_t event, uint64_t count)
{
	struct place *place = get_place(l, cpu, event);

	if (!place)
		return -ENOMEM;
	place->left_count += count;
	return 0;
}

/* All fields of a row but its CPU and event are numbers of 64 bits that add up. */
static void add_row(Profiler__LedgerRow *to, const Profiler__LedgerRow *from)
{
	const ProtobufCMessageDescriptor *d = &profiler__ledger_row__descriptor;

	for (unsigned int i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		uint64_t a;
		uint64_t b;

		if (f->type != PROTOBUF_C_TYPE_UINT64 && f->type != PROTOBUF_C_TYPE_SINT64)
			continue;
		memcpy(&a, (const char *)to + f->offset, sizeof(a));
		memcpy(&b, (const char *)from + f->offset, sizeof(b));
		a += b;
		memcpy((char *)to + f->offset, &a, sizeof(a));
	}
}

/* The rows of the whole, not yet told of what was left out. */
static int add_rows(struct ledger_merge *l, const struct merge_input *in,
		    const Profiler__Ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_row; i++) {
		const Profiler__LedgerRow *row = ledger->row[i];
		struct place *place =
			get_place(l, row->cpu + in->first_cpu, in->event_of[row->event]);

		if (!place)
			return -ENOMEM;
		place->is_in_ledger = true;
	}
	for (uint32_t id = 1; id <= l->places.count; id++) {
		struct place *place = idmap_at(&l->places, id);

		place->now = place->sum;
	}
	for (size_t i = 0; i < ledger->n_row; i++) {
		const Profiler__LedgerRow *row = ledger->row[i];
		struct place *place =
			get_place(l, row->cpu + in->first_cpu, in->event_of[row->event]);

		add_row(&place->now, row);
	}
	return 0;
}

static void add_stacks(struct ledger_totals *t, const Profiler__Ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_stacks; i++) {
		const Profiler__StackCount *from = ledger->stacks[i];
		size_t k = 0;

		while (k < t->stacks &&
		       (t->stack[k].how != from->how || t->stack[k].end != from->end))
			k++;
		if (k == LEDGER_STACKS_MAX)
			continue;
		if (k == t->stacks) {
			profiler__stack_count__init(&t->stack[k]);
			t->stack[k].how = from->how;
			t->stack[k].end = from->end;
			t->stacks++;
		}
		t->stack[k].samples += from->samples;
	}
}

static void add_totals(struct ledger_totals *t, const struct merge_input *in,
		       const Profiler__Ledger *ledger)
{
	add_stacks(t, ledger);
	for (size_t i = 0; i < ledger->n_rate_limit && t->limits < LEDGER_LIMITS_MAX; i++) {
		Profiler__RateLimit *limit = &t->limit[t->limits++];

		profiler__rate_limit__init(limit);
		limit->time_ns = ledger->rate_limit[i]->time_ns + in->shift_ns;
		limit->max_sample_rate = ledger->rate_limit[i]->max_sample_rate;
	}
	for (size_t i = 0; i < ledger->n_program && i < reader_header(in->reader)->n_event; i++) {
		uint32_t event = in->event_of[i];

		t->program[event].runs += ledger->program[i]->runs;
		t->program[event].run_time_ns += ledger->program[i]->run_time_ns;
		if (event >= t->programs)
			t->programs = event + (size_t)1;
	}
	t->sideband_lost += ledger->sideband_lost;
	t->stacks_unresolved += ledger->stacks_unresolved;
	t->unknown_process += ledger->unknown_process;
	t->packets_dropped += ledger->packets_dropped;
}

static int add_up(struct ledger_merge *l, const struct merge_input *in,
		  const Profiler__Ledger *ledger)
{
	l->now = l->sum;
	add_totals(&l->now, in, ledger);
	return add_rows(l, in, ledger);
}

static void leave_out(struct place *place)
{
	Profiler__LedgerRow *row = &place->now;
	uint64_t samples = place->left_out < row->written ? place->left_out : row->written;
	uint64_t count = place->left_count < row->counted ? place->left_count : row->counted;

	row->written -= samples;
	row->filtered_target += samples;
	row->counted -= count;
	row->uncounted += count;
}

static int list_rows(struct ledger_merge *l, Profiler__Ledger *ret)
{
	Profiler__LedgerRow **larger =
		reallocarray(l->row, l->places.count + (size_t)1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	l->row = ret->row = larger;
	ret->n_row = 0;
	for (uint32_t id = 1; id <= l->places.count; id++) {
		struct place *place = idmap_at(&l->places, id);

		if (!place->is_in_ledger)
			continue;
		leave_out(place);
		ret->row[ret->n_row++] = &place->now;
	}
	return 0;
}

static void list_totals(struct ledger_merge *l, Profiler__Ledger *ret)
{
	struct ledger_totals *t = &l->now;

	for (size_t i = 0; i < t->stacks; i++)
		l->stacks[i] = &t->stack[i];
	for (size_t i = 0; i < t->limits; i++)
		l->limits[i] = &t->limit[i];
	for (size_t i = 0; i < t->programs; i++)
		l->programs[i] = &t->program[i];
	ret->stacks = l->stacks;
	ret->n_stacks = t->stacks;
	ret->rate_limit = l->limits;
	ret->n_rate_limit = t->limits;
	ret->program = l->programs;
	ret->n_program = t->programs;
	ret->sideband_lost = t->sideband_lost;
	ret->stacks_unresolved = t->stacks_unresolved;
	ret->unknown_process = t->unknown_process;
	ret->packets_dropped = t->packets_dropped;
}

int ledger_merge_make(struct ledger_merge *l, const struct merge_input *in,
		      const Profiler__Ledger *ledger, bool is_last, Profiler__Ledger *ret)
{
	int err = add_up(l, in, ledger);

	if (err)
		return err;
	*ret = *ledger; /* what is of this moment */
	ret->time_ns += in->shift_ns;
	ret->final = ledger->final && is_last && !l->is_unended;
	if (ledger->clock) {
		l->clock = *ledger->clock;
		l->clock.boottime_ns += in->shift_ns;
		ret->clock = &l->clock;
	}
	list_totals(l, ret);
	return list_rows(l, ret);
}

int ledger_merge_end(struct ledger_merge *l, const struct merge_input *in,
		     const Profiler__Ledger *ledger)
{
	int err = ledger ? add_up(l, in, ledger) : 0;

	l->is_unended |= !ledger || !ledger->final;
	if (err || !ledger)
		return err;
	l->sum = l->now;
	for (uint32_t id = 1; id <= l->places.count; id++) {
		struct place *place = idmap_at(&l->places, id);

		place->sum = place->now;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat_text.c - a stream as text, see cat.h.
 *
 * A line a thing, in the order of the stream; times are seconds since the recording's start.
 * Addresses are as recorded; names are shown where the stream tells them, in lines of their own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cat.h"
#include "tools/text.h"

/* Longest text that is shown of a string. */
#define SHOWN_BYTES 512

struct printer {
	struct reader *r;
	struct sample_choice *choice;
	uint32_t epoch;
	uint32_t done[TABLE_COUNT];
};

static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{ PROFILER__SAMPLE_FLAG__IN_KERNEL, "in-kernel" },
	{ PROFILER__SAMPLE_FLAG__USER_TRUNCATED, "user-truncated" },
	{ PROFILER__SAMPLE_FLAG__KERNEL_TRUNCATED, "kernel-truncated" },
	{ PROFILER__SAMPLE_FLAG__USER_LOST, "user-lost" },
	{ PROFILER__SAMPLE_FLAG__KERNEL_LOST, "kernel-lost" },
	{ PROFILER__SAMPLE_FLAG__USER_FAILED, "user-failed" },
	{ PROFILER__SAMPLE_FLAG__IDLE, "idle" },
	{ PROFILER__SAMPLE_FLAG__COUNTED, "counted" },
	{ PROFILER__SAMPLE_FLAG__SHARED, "shared" },
};

static void print_clean(const char *text)
{
	char clean[SHOWN_BYTES * TEXT_CLEAN_GROWTH];
	size_t bytes = strnlen(text, SHOWN_BYTES);

	fwrite(clean, 1, text_clean(clean, text, bytes), stdout);
}

static void print_string(const struct tables *t, uint32_t id)
{
	const char *text = tables_string(t, id, NULL);

	print_clean(text ? text : id ? "[lost in damage]" : "[unknown]");
}

static double since_start(const struct printer *p, uint64_t time_ns)
{
	const Profiler__Header *h = reader_header(p->r);

	return (double)(int64_t)(time_ns - (h ? h->start_ns : 0)) / 1e9;
}

static void print_field(const char *name, const char *text)
{
	if (!*text)
		return;
	printf("  %s ", name);
	print_clean(text);
	putchar('\n');
}

static void print_event(uint32_t number, const Profiler__Event *e)
{
	printf("  event %" PRIu32 " ", number);
	print_clean(e->name);
	if (*e->modifier) {
		putchar(':');
		print_clean(e->modifier);
	}
	if (e->leader)
		printf(" counted at samples of event %" PRIu32 "\n", e->leader - 1);
	else
		printf(" %s %" PRIu64 " (asked %" PRIu64 ")\n", e->asked_in_hz ? "Hz" : "period",
		       e->granted, e->asked);
}

static void print_header(const Profiler__Header *h)
{
	printf("header version %" PRIu32 " run ", h->version);
	for (size_t i = 0; i < h->run_id.len; i++)
		printf("%02x", h->run_id.data[i]);
	putchar('\n');
	print_field("recorder", h->recorder);
	print_field("host", h->hostname);
	print_field("kernel", h->kernel_release);
	print_field("machine", h->machine);
	print_field("cpu", h->cpu_model);
	print_field("target", h->target);
	printf("  cpus %" PRIu32 " online, %" PRIu32 " possible\n", h->cpus_online,
	       h->cpus_possible);
	printf("  start %" PRIu64 " ns\n", h->start_ns);
	if (h->clock)
		printf("  clock %" PRIu64 " ns is %" PRIu64 " ns since 1970\n",
		       h->clock->boottime_ns, h->clock->realtime_ns);
	for (uint32_t i = 0; i < h->n_event; i++)
		print_event(i, h->event[i]);
	for (size_t i = 0; i < h->n_notice; i++)
		print_field("notice", h->notice[i]);
}

static void print_mapping(const struct tables *t, uint32_t id)
{
	const struct table_mapping *m = tables_mapping(t, id);
	const ProtobufCEnumValue *kind;

	if (!m) {
		printf("[lost in damage]");
		return;
	}
	kind = protobuf_c_enum_descriptor_get_value(&profiler__mapping__kind__descriptor,
						    (int)m->kind);
	if (m->path)
		print_string(t, m->path);
	else
		printf("[%s]", kind ? kind->name : "?");
}

static void print_place(const struct tables *t, const struct table_frame *f)
{
	if (!f) {
		printf("[lost in damage]");
		return;
	}
	if (f->function)
		print_string(t, f->function);
	else {
		print_mapping(t, f->mapping);
		printf("+0x%" PRIx64, f->offset);
	}
}

static void print_processes(struct printer *p, const struct tables *t)
{
	for (uint32_t id = p->done[TABLE_PROCESSES]; id < tables_end(t, TABLE_PROCESSES); id++) {
		const struct table_process *process = tables_process(t, id);

		if (!process)
			continue;
		printf("process %" PRIu32 " parent %" PRIu32 " ", process->pid,
		       process->parent_pid);
		print_string(t, process->comm);
		if (process->cgroup) {
			printf(" cgroup ");
			print_string(t, process->cgroup);
		}
		putchar('\n');
	}
}

static void print_mappings(struct printer *p, const struct tables *t)
{
	for (uint32_t id = p->done[TABLE_MAPPINGS]; id < tables_end(t, TABLE_MAPPINGS); id++) {
		const struct table_mapping *m = tables_mapping(t, id);

		if (!m)
			continue;
		printf("mapping ");
		print_mapping(t, id);
		printf(" offset 0x%" PRIx64 " size 0x%" PRIx64, m->file_offset, m->size);
		if (m->build_id_bytes)
			printf(" build id ");
		for (uint32_t i = 0; i < m->build_id_bytes; i++)
			printf("%02x", m->build_id[i]);
		putchar('\n');
	}
}

static void print_names(struct printer *p, const struct tables *t)
{
	for (uint32_t i = p->done[TABLE_NAMES]; i < tables_end(t, TABLE_NAMES); i++) {
		const struct table_name *name = tables_name(t, i);

		printf("name ");
		print_mapping(t, name->mapping);
		printf("+0x%" PRIx64 " to 0x%" PRIx64 " ", name->start, name->start + name->size);
		if (name->function)
			print_string(t, name->function);
		else
			printf("unknown, reason %" PRIu32, name->unknown);
		putchar('\n');
	}
}

/* Definitions that samples do not show by themselves. */
static void print_definitions(struct printer *p)
{
	const struct tables *t = reader_tables(p->r);

	if (p->epoch != tables_epoch(t))
		for (int i = 0; i < TABLE_COUNT; i++)
			p->done[i] = 1;
	p->epoch = tables_epoch(t);
	print_processes(p, t);
	print_mappings(p, t);
	print_names(p, t);
	for (int i = 0; i < TABLE_COUNT; i++)
		p->done[i] = tables_end(t, (enum table)i);
}

static void print_stack(const struct tables *t, const char *title, uint32_t id)
{
	const struct table_node *node;

	if (id)
		printf("    %s ", title);
	for (uint32_t at = id; at; at = node->parent) {
		if (at != id)
			printf(" < ");
		node = tables_node(t, at);
		print_place(t, node ? tables_frame(t, node->frame) : NULL);
		if (!node)
			break;
	}
	if (id)
		putchar('\n');
}

static void print_counts(const struct printer *p, const Profiler__SampleBlock *b, uint32_t place)
{
	const Profiler__Header *h = reader_header(p->r);

	for (size_t i = 0; i < b->n_counter; i++) {
		const Profiler__Counter *c = b->counter[i];

		printf("%s", i ? ", " : "    counts ");
		print_clean(h->event[c->event]->name);
		printf(" %" PRIu64, sample_wide(c->count, c->n_count, place));
	}
	if (b->n_counter)
		putchar('\n');
}

static void print_sample(const struct printer *p, const Profiler__SampleBlock *b,
			 const struct reader_sample *s)
{
	const struct tables *t = reader_tables(p->r);
	const struct table_thread *thread = tables_thread(t, s->thread);
	const struct table_process *process = thread ? tables_process(t, thread->process) : NULL;

	printf("sample %.9f cpu %" PRIu32 " ", since_start(p, s->time_ns), s->cpu);
	print_clean(reader_header(p->r)->event[s->event]->name);
	printf(" weight %" PRIu64 " ", s->weight);
	print_string(t, thread ? thread->comm : 0);
	printf(" %" PRIu32 "/%" PRIu32, process ? process->pid : 0, thread ? thread->tid : 0);
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
		if (s->flags & flag_names[i].flag)
			printf(" %s", flag_names[i].name);
	putchar('\n');
	print_stack(t, "kernel", s->kernel_stack);
	print_stack(t, "user", s->user_stack);
	if (s->flags & PROFILER__SAMPLE_FLAG__COUNTED)
		print_counts(p, b, s->place);
}

static void print_block(const struct printer *p, const Profiler__SampleBlock *b)
{
	const Profiler__Header *h = reader_header(p->r);
	struct reader_sample s;
	struct sample_iter it;

	reader_samples(p->r, b, &it);
	while (sample_iter_next(&it, &s))
		if (sample_choice_wants(p->choice, reader_tables(p->r), &s, h->start_ns))
			print_sample(p, b, &s);
}

static void print_row(const Profiler__LedgerRow *r)
{
	const ProtobufCMessageDescriptor *d = &profiler__ledger_row__descriptor;

	printf(" ");
	for (unsigned int i = 0; i < d->n_fields; i++) {
		const char *at = (const char *)r + d->fields[i].offset;
		bool is_place = d->fields[i].type == PROTOBUF_C_TYPE_UINT32;
		int64_t value;

		if (is_place) {
			uint32_t place;

			memcpy(&place, at, sizeof(place));
			value = place;
		} else {
			memcpy(&value, at, sizeof(value));
		}
		if (value || is_place)
			printf(" %s %" PRId64, d->fields[i].name, value);
	}
	putchar('\n');
}

static void print_ledger(const struct printer *p, const Profiler__Ledger *l)
{
	printf("ledger %.9f%s\n", since_start(p, l->time_ns), l->final ? " final" : "");
	print_field("stopped by", l->stopped_by);
	for (size_t i = 0; i < l->n_row; i++)
		print_row(l->row[i]);
}

static void print_packet(struct printer *p, const Profiler__Packet *packet)
{
	printf("packet %" PRIu64 " epoch %" PRIu32 " first sample %" PRIu64 "\n", packet->sequence,
	       packet->epoch, packet->first_sample);
	if (packet->header)
		print_header(packet->header);
	print_definitions(p);
	for (size_t i = 0; i < packet->n_samples; i++)
		print_block(p, packet->samples[i]);
	if (packet->ledger)
		print_ledger(p, packet->ledger);
}

int cat_text(struct reader *r, struct sample_choice *choice)
{
	struct printer p = { .r = r, .choice = choice };
	const Profiler__Packet *packet;
	int got;

	for (int i = 0; i < TABLE_COUNT; i++)
		p.done[i] = 1; /* a stream may begin without an epoch */
	while ((got = reader_next(r, &packet)) > 0 && !ferror(stdout))
		print_packet(&p, packet);
	return got < 0 ? got : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat_check.c - does a stream keep all that stream.proto promises? See cat.h.
 *
 * The reader has looked at bytes, checksums, numbers and bounds already, and counts what it did not
 * like. Here is what only the whole shows: that all ids are defined when they are used, the order
 * of samples, that epochs begin with a header, and that every sum of the ledger comes out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cat.h"
#include "tools/idmap.h"
#include "tools/json.h"
#include "tools/text.h"

/* Findings that are printed; of more only the number is told. */
#define FINDINGS_MAX 20

/* Samples whose stack was walked later come at most so much late (stream.proto, rule 6). */
#define LATEST_NS UINT64_C(2000000000)

#define RUN_ID_BYTES 16

/* What was seen of a CPU and event. */
struct seen {
	uint32_t cpu;
	uint32_t event;
	/* up to here the key */
	uint64_t newest_ns;
	uint64_t samples;
	uint64_t carried; /* of the event's counter, by samples of its group */
	uint64_t without; /* samples of a group without counts */
	uint64_t has_row;
};

struct check {
	const char *name;
	struct reader *r;
	struct idmap seen;
	uint64_t findings;
	uint64_t packet; /* number of the one that is being looked at */
	uint64_t samples;
	uint64_t late;
	uint32_t epochs;
	uint32_t done[TABLE_COUNT]; /* of the epoch, ids below were looked at */
	uint8_t run_id[RUN_ID_BYTES];
	size_t run_id_bytes;
	bool has_run;
	bool ended; /* a final ledger was there */
	bool json;
};

static void finding(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void finding(struct check *c, const char *format, ...)
{
	char text[256];
	va_list args;

	if (c->findings++ >= FINDINGS_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!c->json) {
		printf("%s: %s\n", c->name, text);
		return;
	}
	fputs(c->findings > 1 ? ",\n    " : "\n    ", stdout);
	json_string(text);
}

static void in_packet(struct check *c, const char *what, uint32_t id)
{
	finding(c, "packet %" PRIu64 ": %s %" PRIu32 " is not defined", c->packet, what, id);
}

static bool has_string(const struct tables *t, uint32_t id)
{
	return !id || tables_string(t, id, NULL);
}

static void check_processes(struct check *c, const struct tables *t)
{
	for (uint32_t id = c->done[TABLE_PROCESSES]; id < tables_end(t, TABLE_PROCESSES); id++) {
		const struct table_process *p = tables_process(t, id);

		if (p && (!has_string(t, p->comm) || !has_string(t, p->cgroup)))
			in_packet(c, "a string of process", id);
	}
	for (uint32_t id = c->done[TABLE_THREADS]; id < tables_end(t, TABLE_THREADS); id++) {
		const struct table_thread *thread = tables_thread(t, id);

		if (thread && !tables_process(t, thread->process))
			in_packet(c, "the process of thread", id);
		if (thread && !has_string(t, thread->comm))
			in_packet(c, "the name of thread", id);
	}
}

static void check_code(struct check *c, const struct tables *t)
{
	for (uint32_t id = c->done[TABLE_MAPPINGS]; id < tables_end(t, TABLE_MAPPINGS); id++) {
		const struct table_mapping *m = tables_mapping(t, id);

		if (m && !has_string(t, m->path))
			in_packet(c, "the path of mapping", id);
		if (m && m->process && !tables_process(t, m->process))
			in_packet(c, "the process of mapping", id);
	}
	for (uint32_t id = c->done[TABLE_FRAMES]; id < tables_end(t, TABLE_FRAMES); id++) {
		const struct table_frame *f = tables_frame(t, id);

		if (f && !tables_mapping(t, f->mapping))
			in_packet(c, "the mapping of frame", id);
		if (f && !has_string(t, f->function))
			in_packet(c, "the function of frame", id);
	}
	for (uint32_t id = c->done[TABLE_NODES]; id < tables_end(t, TABLE_NODES); id++) {
		const struct table_node *n = tables_node(t, id);

		if (n && n->parent && !tables_node(t, n->parent))
			in_packet(c, "the parent of node", id);
		if (n && !tables_frame(t, n->frame))
			in_packet(c, "the frame of node", id);
	}
}

static void check_names(struct check *c, const struct tables *t)
{
	for (uint32_t i = c->done[TABLE_NAMES]; i < tables_end(t, TABLE_NAMES); i++) {
		const struct table_name *name = tables_name(t, i);

		if (!tables_mapping(t, name->mapping))
			in_packet(c, "the mapping of name", i);
		if (!has_string(t, name->function))
			in_packet(c, "the function of name", i);
		if (!name->function == !name->unknown)
			finding(c,
				"packet %" PRIu64 ": name %" PRIu32
				" has a function and a reason to have none, or neither",
				c->packet, i);
	}
}

static void check_definitions(struct check *c)
{
	const struct tables *t = reader_tables(c->r);

	check_processes(c, t);
	check_code(c, t);
	check_names(c, t);
	for (int i = 0; i < TABLE_COUNT; i++)
		c->done[i] = tables_end(t, (enum table)i);
}

static struct seen *get_seen(struct check *c, uint32_t cpu, uint32_t event)
{
	const struct seen key = { .cpu = cpu, .event = event };
	uint32_t id;

	return idmap_get(&c->seen, &key, &id) < 0 ? NULL : idmap_at(&c->seen, id);
}

static void check_ids(struct check *c, const struct reader_sample *s)
{
	const struct tables *t = reader_tables(c->r);

	if (!tables_thread(t, s->thread))
		in_packet(c, "a sample's thread", s->thread);
	if (s->user_stack && !tables_node(t, s->user_stack))
		in_packet(c, "a sample's stack", s->user_stack);
	if (s->kernel_stack && !tables_node(t, s->kernel_stack))
		in_packet(c, "a sample's stack", s->kernel_stack);
}

static void check_time(struct check *c, struct seen *seen, const struct reader_sample *s)
{
	if (s->time_ns < seen->newest_ns) {
		c->late++;
		if (seen->newest_ns - s->time_ns > LATEST_NS)
			finding(c, "packet %" PRIu64 ": a sample of CPU %" PRIu32 " is %.3f s late",
				c->packet, s->cpu, (double)(seen->newest_ns - s->time_ns) / 1e9);
	} else {
		seen->newest_ns = s->time_ns;
	}
}

static int check_block(struct check *c, const Profiler__SampleBlock *b)
{
	uint64_t carried[READER_MAX_COUNTERS] = { 0 };
	struct seen *seen = get_seen(c, b->cpu, b->event);
	struct reader_sample s;
	struct sample_iter it;

	if (!seen)
		return -ENOMEM;
	reader_samples(c->r, b, &it);
	while (sample_iter_next(&it, &s)) {
		bool counted = s.flags & PROFILER__SAMPLE_FLAG__COUNTED;

		check_ids(c, &s);
		check_time(c, seen, &s);
		seen->without += !counted;
		if (counted && !b->n_counter)
			finding(c, "packet %" PRIu64 ": a sample is counted, without counters",
				c->packet);
		for (size_t i = 0; i < b->n_counter; i++) {
			uint64_t count =
				sample_wide(b->counter[i]->count, b->counter[i]->n_count, s.place);

			carried[i] += count;
			if (count && !counted)
				finding(c,
					"packet %" PRIu64
					": counts in a sample that is not counted",
					c->packet);
		}
	}
	seen->samples += b->count;
	c->samples += b->count;
	for (size_t i = 0; i < b->n_counter; i++) {
		seen = get_seen(c, b->cpu, b->counter[i]->event);
		if (!seen)
			return -ENOMEM;
		seen->carried += carried[i];
	}
	return 0;
}

static void check_header(struct check *c, const Profiler__Header *h)
{
	size_t bytes = h->run_id.len < RUN_ID_BYTES ? h->run_id.len : RUN_ID_BYTES;

	if (c->has_run &&
	    (bytes != c->run_id_bytes || (bytes && memcmp(c->run_id, h->run_id.data, bytes) != 0)))
		finding(c, "packet %" PRIu64 ": the header is of another run", c->packet);
	c->has_run = true;
	c->run_id_bytes = bytes;
	if (bytes)
		memcpy(c->run_id, h->run_id.data, bytes);
}

static void check_row(struct check *c, const Profiler__LedgerRow *r, bool is_final)
{
	uint64_t went = r->idle + r->filtered_target + r->filtered_mode + r->ring_full +
			r->ring_busy + r->handoff + r->output + r->written + r->in_flight +
			(uint64_t)r->unaccounted;

	if (r->expected != (uint64_t)r->blind + r->throttled + r->entries)
		finding(c,
			"ledger, CPU %" PRIu32 ", event %" PRIu32
			": expected is not blind + throttled + entries",
			r->cpu, r->event);
	if (r->entries != went)
		finding(c,
			"ledger, CPU %" PRIu32 ", event %" PRIu32 ": %" PRIu64
			" entries, and %" PRIu64 " where they went",
			r->cpu, r->event, r->entries, went);
	if (r->unaccounted || (is_final && r->in_flight))
		finding(c,
			"ledger, CPU %" PRIu32 ", event %" PRIu32 ": %" PRId64
			" samples unaccounted for, %" PRIu64 " in flight",
			r->cpu, r->event, r->unaccounted, r->in_flight);
	if (r->counted + r->uncounted > r->count)
		finding(c,
			"ledger, CPU %" PRIu32 ", event %" PRIu32
			": samples carry more than was counted",
			r->cpu, r->event);
}

/* What the last ledger says of a CPU and event, against what was there. */
static int check_final_row(struct check *c, const Profiler__LedgerRow *r)
{
	const Profiler__Header *h = reader_header(c->r);
	struct seen *seen = get_seen(c, r->cpu, r->event);
	bool is_led = h && r->event < h->n_event && h->event[r->event]->leader;

	if (!seen)
		return -ENOMEM;
	seen->has_row = true;
	if (!is_led && r->written != seen->samples)
		finding(c,
			"CPU %" PRIu32 ", event %" PRIu32 ": the ledger has %" PRIu64
			" samples written, the stream %" PRIu64,
			r->cpu, r->event, r->written, seen->samples);
	if (seen->carried > r->counted ||
	    (!is_led && !r->handoff && !r->output && seen->carried != r->counted))
		finding(c,
			"CPU %" PRIu32 ", event %" PRIu32 ": samples carry %" PRIu64
			" counts, the ledger says %" PRIu64,
			r->cpu, r->event, seen->carried, r->counted);
	return 0;
}

static int check_final(struct check *c)
{
	const Profiler__Ledger *ledger = reader_ledger(c->r);
	uint64_t snapshots = 0;
	int err = 0;

	if (!ledger || !ledger->final) {
		finding(c, "no final ledger: the recording did not end in order, or is cut");
		return 0;
	}
	for (size_t i = 0; !err && i < ledger->n_row; i++)
		err = check_final_row(c, ledger->row[i]);
	for (uint32_t id = 1; id <= c->seen.count; id++) {
		const struct seen *seen = idmap_at(&c->seen, id);

		if (!seen->has_row && (seen->samples || seen->carried))
			finding(c, "CPU %" PRIu32 ", event %" PRIu32 ": no row in the ledger",
				seen->cpu, seen->event);
	}
	for (size_t i = 0; i < ledger->n_stacks; i++)
		if (ledger->stacks[i]->how == PROFILER__STACK_COUNT__HOW__SNAPSHOT ||
		    ledger->stacks[i]->end == PROFILER__STACK_COUNT__END__NO_ANSWER)
			snapshots += ledger->stacks[i]->samples;
	if (c->late > snapshots)
		finding(c,
			"%" PRIu64 " samples come late, and %" PRIu64
			" had stacks that were walked later",
			c->late, snapshots);
	return err;
}

static int check_packet(struct check *c, const Profiler__Packet *packet)
{
	bool is_new = packet->epoch > c->epochs;
	int err = 0;

	c->packet = packet->sequence;
	if (c->ended)
		finding(c, "packet %" PRIu64 " follows the final ledger", c->packet);
	if (packet->header)
		check_header(c, packet->header);
	if (is_new) {
		c->epochs = packet->epoch;
		for (int i = 0; i < TABLE_COUNT; i++)
			c->done[i] = 1;
		if (!packet->header)
			finding(c, "packet %" PRIu64 ": epoch %" PRIu32 " begins without a header",
				c->packet, packet->epoch);
	}
	check_definitions(c);
	for (size_t i = 0; !err && i < packet->n_samples; i++)
		err = check_block(c, packet->samples[i]);
	for (size_t i = 0; packet->ledger && i < packet->ledger->n_row; i++)
		check_row(c, packet->ledger->row[i], packet->ledger->final);
	c->ended = packet->ledger && packet->ledger->final;
	return err;
}

static void check_damage(struct check *c)
{
	const struct reader_damage *d = reader_damage(c->r);
	const struct {
		uint64_t count;
		const char *what;
	} counts[] = {
		{ d->packets_damaged, "packets with a wrong length, checksum or content" },
		{ d->packets_lost, "packets are missing" },
		{ d->samples_lost, "samples are missing" },
		{ d->packets_strayed, "packets of another stream behind this one" },
		{ d->samples_strange, "samples of events that no header tells of" },
		{ d->bytes_skipped, "bytes are no packet" },
		{ d->truncated_bytes, "bytes of a last packet that is cut" },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].count)
			finding(c, "%" PRIu64 " %s", counts[i].count, counts[i].what);
	if (!reader_packets(c->r))
		finding(c, "no whole packet of a profiler stream");
}

static void print_end(const struct check *c)
{
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];

	if (c->json) {
		printf("%s],\n  \"findings\": %" PRIu64 ",\n  \"packets\": %" PRIu64
		       ",\n  \"samples\": %" PRIu64 ",\n  \"bytes\": %" PRIu64
		       ",\n  \"ok\": %s\n}\n",
		       c->findings ? "\n  " : "", c->findings, reader_packets(c->r), c->samples,
		       reader_bytes(c->r), c->findings ? "false" : "true");
		return;
	}
	if (c->findings > FINDINGS_MAX)
		printf("%s: and %s more\n", c->name, text_count(a, c->findings - FINDINGS_MAX));
	if (!c->findings)
		printf("%s: %s packets, %s samples: all right, and the ledger closes\n", c->name,
		       text_count(a, reader_packets(c->r)), text_count(b, c->samples));
}

int cat_check(struct reader *r, const char *name, bool json)
{
	struct check c = { .name = name, .r = r, .json = json };
	const Profiler__Packet *packet;
	int err = 0;
	int got;

	idmap_init(&c.seen, sizeof(struct seen), offsetof(struct seen, newest_ns));
	for (int i = 0; i < TABLE_COUNT; i++)
		c.done[i] = 1; /* a stream may begin without an epoch */
	if (json) {
		printf("{\n  ");
		json_text("file", name);
		printf("\n  \"wrong\": [");
	}
	while (!err && (got = reader_next(r, &packet)) != 0)
		err = got < 0 ? got : check_packet(&c, packet);
	if (!err) {
		check_damage(&c);
		err = check_final(&c);
	}
	if (!err || json)
		print_end(&c);
	idmap_release(&c.seen);
	return err ? err : c.findings != 0;
}

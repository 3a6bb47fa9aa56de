/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_world.h - a small world of threads, stacks and counters, that stands in for the resolver.
 *
 * Every sample is remembered until its packet is known to be in the hand-off or dropped, and
 * what the reader gives must be exactly the former, each with the thread, the stacks and the
 * numbers it went in with. Event 1 leads event 2.
 */
#ifndef PROFILER_STREAM_WORLD_H
#define PROFILER_STREAM_WORLD_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/event.h"
#include "profiler/calltree.h"
#include "profiler/handoff.h"
#include "profiler/stream.h"
#include "proto/packet.h"
#include "proto/reader.h"
#include "tests/unit/random.h"

#define CPUS	     3
#define EVENTS	     2
#define INTERVAL     1000000
#define THREADS	     20
#define STACKS	     300
#define DEPTH	     12
#define NONE	     UINT32_MAX /* no thread, no stack */
#define SAMPLES_MAX  200000
#define HANDOFF_SIZE (1u << 20)

struct input {
	uint64_t time_ns;
	uint32_t thread; /* number in the world, as the stacks are */
	uint32_t user;
	uint32_t kernel;
	uint32_t weight;
	uint32_t flags;
	struct counts_record counts; /* of event 1, which leads event 2; type 0: none */
};

/* The samples of a CPU and event: those in the hand-off, then those in the packet being filled. */
struct lane {
	struct input *sample;
	uint32_t count;
	uint64_t dropped;
	uint32_t read;
};

static struct handoff *handoff;
static struct stream *stream;
static Profiler__Header header;
static struct lane lane[CPUS][EVENTS];
static uint64_t sequence, first_sample;
static uint8_t *written;
static size_t written_bytes;

/* Ids of the world's things in the current epoch, 0 when not defined yet. */
static struct {
	uint32_t epoch;
	uint32_t mapping[2];
	uint32_t process[THREADS];
	uint32_t thread[THREADS];
} ids;

static inline void setup_sized(size_t handoff_bytes)
{
	static Profiler__Event clock, cycles, instructions;
	static Profiler__Event *events[] = { &clock, &cycles, &instructions };
	static char name[] = "cpu-clock", other[] = "cycles", led[] = "instructions",
		    recorder[] = "a test";
	const uint64_t interval_ns[MAX_EVENTS] = { INTERVAL, 0 };

	profiler__event__init(&clock);
	profiler__event__init(&cycles);
	clock.name = name;
	cycles.name = other;
	cycles.weight_shift = 4;
	profiler__event__init(&instructions);
	instructions.name = led;
	instructions.leader = 2;
	profiler__header__init(&header);
	header.version = STREAM_VERSION;
	header.recorder = recorder;
	header.n_event = EVENTS + 1;
	header.event = events;
	cr_assert(zero(int, handoff_new(&handoff, handoff_bytes)));
	cr_assert(zero(int, stream_new(&stream, handoff, &header, interval_ns, CPUS)));
	for (int i = 0; i < CPUS * EVENTS; i++)
		lane[i / EVENTS][i % EVENTS].sample = malloc(SAMPLES_MAX * sizeof(struct input));
}

static inline void setup(void)
{
	setup_sized(HANDOFF_SIZE);
}

static inline void teardown(void)
{
	stream_free(stream);
	handoff_free(handoff);
	free(written);
	for (int i = 0; i < CPUS * EVENTS; i++)
		free(lane[i / EVENTS][i % EVENTS].sample);
}

/* What the world's things are called. */
static inline uint32_t pid_of(uint32_t thread)
{
	return 1000 + thread / 2;
}

static inline uint32_t stack_depth(uint32_t stack)
{
	return 1 + stack % DEPTH;
}

/* Frame @i of a stack, from the root: stacks share their outer frames. */
static inline uint64_t frame_offset(uint32_t stack, uint32_t i)
{
	return i < 3 ? i * 64 : ((uint64_t)stack << 20) + i;
}

static inline uint32_t define_process(uint32_t pid)
{
	const struct stream_process p = { .pid = pid,
					  .parent_pid = 1,
					  .inner_pid = 7,
					  .comm = "process",
					  .cgroup = "/box",
					  .start_ns = 5 };

	return stream_process(stream, &p);
}

static inline uint32_t define_thread(uint32_t t)
{
	uint32_t *process;
	char comm[24];

	if (t == NONE)
		return 0;
	process = &ids.process[pid_of(t) - 1000];
	snprintf(comm, sizeof(comm), "thread %u", t);
	if (!*process)
		*process = define_process(pid_of(t));
	if (!ids.thread[t])
		ids.thread[t] = stream_thread(stream, 5000 + t, *process, comm);
	return ids.thread[t];
}

static inline uint32_t define_stack(uint32_t stack, bool kernel)
{
	static const uint8_t build_id[] = { 1, 2, 3 };
	const struct stream_mapping m = {
		.kind = kernel ? PROFILER__MAPPING__KIND__KERNEL : PROFILER__MAPPING__KIND__FILE,
		.path = kernel ? "[kernel]" : "/bin/true",
		.build_id = build_id,
		.build_id_bytes = kernel ? 0 : sizeof(build_id),
		.file_offset = kernel ? 0 : 4096,
		.size = 8192,
	};
	uint32_t *mapping = &ids.mapping[kernel], node = 0;

	if (stack == NONE)
		return 0;
	if (!*mapping)
		*mapping = stream_mapping(stream, &m);
	for (uint32_t i = 0; i < stack_depth(stack); i++) {
		uint32_t name = kernel ? stream_string(stream, i ? "inner" : "outer") : 0;
		uint32_t frame = calltree_frame(stream_calltree(stream), *mapping,
						frame_offset(stack, i), name);

		node = calltree_node(stream_calltree(stream), node, frame);
	}
	return node;
}

/* Forgets what was dropped since: the newest samples of the lane, those of the open packet. */
static inline void settle(struct lane *l, uint32_t cpu, uint32_t event)
{
	uint64_t dropped = stream_dropped(stream, cpu, event) - l->dropped;

	cr_assert(le(u64, dropped, l->count));
	l->dropped += dropped;
	l->count -= (uint32_t)dropped;
}

static inline void settle_all(void)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		for (uint32_t event = 0; event < EVENTS; event++)
			settle(&lane[cpu][event], cpu, event);
}

static inline void put(uint32_t cpu, uint32_t event, struct input in)
{
	struct stream_sample s = { .time_ns = in.time_ns,
				   .cpu = cpu,
				   .event = event,
				   .weight = in.weight,
				   .flags = in.flags };
	struct lane *l = &lane[cpu][event];

	if (ids.epoch != stream_epoch(stream)) {
		memset(&ids, 0, sizeof(ids));
		ids.epoch = stream_epoch(stream);
	}
	s.thread = define_thread(in.thread);
	s.user_stack = define_stack(in.user, false);
	s.kernel_stack = define_stack(in.kernel, true);
	cr_assert(lt(u32, l->count, SAMPLES_MAX));
	l->sample[l->count++] = in;
	s.counts = in.counts.type ? &in.counts : NULL;
	stream_sample(stream, &s);
	settle_all();
}

/* What the writer thread does: number, seal, write. */
static inline void write_packets(void)
{
	while (!handoff_empty(handoff)) {
		struct handoff_packet *p = handoff_wait(handoff);
		uint8_t *packet = handoff_bytes(p);
		size_t bytes = packet_seal(packet, p->bytes - PACKET_PREFIX - PACKET_SUFFIX,
					   sequence++, first_sample);
		uint32_t samples = 0;

		for (uint32_t i = 0; i < p->rows; i++)
			samples += p->row[i].samples;
		cr_assert(eq(u32, samples, p->samples));
		first_sample += p->samples;
		written = realloc(written, written_bytes + bytes);
		memcpy(written + written_bytes, packet, bytes);
		written_bytes += bytes;
		handoff_done(handoff, p);
	}
}

static inline void check_string(const struct tables *t, uint32_t id, const char *expected)
{
	const char *s = tables_string(t, id, NULL);

	cr_assert(s != NULL, "string %u is not defined", id);
	cr_assert(eq(str, (char *)(uintptr_t)s, (char *)(uintptr_t)expected));
}

static inline void check_thread(const struct tables *t, uint32_t id, uint32_t expected)
{
	const struct table_thread *thread = tables_thread(t, id);
	const struct table_process *process;
	char comm[24];

	if (expected == NONE) {
		cr_assert(zero(u32, id));
		return;
	}
	cr_assert(thread != NULL, "thread %u is not defined", id);
	cr_assert(eq(u32, thread->tid, 5000 + expected));
	snprintf(comm, sizeof(comm), "thread %u", expected);
	check_string(t, thread->comm, comm);
	process = tables_process(t, thread->process);
	cr_assert(process != NULL, "process %u is not defined", thread->process);
	cr_assert(eq(u32, process->pid, pid_of(expected)));
	cr_assert(eq(u32, process->parent_pid, 1));
	cr_assert(eq(u64, process->start_ns, 5));
	cr_assert(eq(u32, process->inner_pid, 7));
	check_string(t, process->comm, "process");
	check_string(t, process->cgroup, "/box");
}

static inline void check_mapping(const struct tables *t, uint32_t id, bool kernel)
{
	const struct table_mapping *m = tables_mapping(t, id);

	cr_assert(m != NULL, "mapping %u is not defined", id);
	check_string(t, m->path, kernel ? "[kernel]" : "/bin/true");
	cr_assert(eq(u32, m->kind,
		     kernel ? PROFILER__MAPPING__KIND__KERNEL : PROFILER__MAPPING__KIND__FILE));
	cr_assert(eq(u32, m->build_id_bytes, kernel ? 0 : 3));
	cr_assert(eq(u64, m->file_offset, kernel ? 0 : 4096));
	cr_assert(eq(u64, m->size, 8192));
	if (!kernel)
		cr_assert(eq(u8, m->build_id[2], 3));
}

static inline void check_stack(const struct tables *t, uint32_t id, uint32_t stack, bool kernel)
{
	if (stack == NONE) {
		cr_assert(zero(u32, id));
		return;
	}
	for (uint32_t i = stack_depth(stack); i-- > 0;) {
		const struct table_node *node = tables_node(t, id);
		const struct table_frame *frame;

		cr_assert(node != NULL, "node %u is not defined", id);
		frame = tables_frame(t, node->frame);
		cr_assert(frame != NULL, "frame %u is not defined", node->frame);
		cr_assert(eq(u64, frame->offset, frame_offset(stack, i)));
		check_mapping(t, frame->mapping, kernel);
		if (kernel)
			check_string(t, frame->function, i ? "inner" : "outer");
		id = node->parent;
	}
	cr_assert(zero(u32, id));
}

static inline uint64_t in_column(const uint64_t *column, size_t n, uint32_t i)
{
	return n ? column[n == 1 ? 0 : i] : 0;
}

/* Sample number @i of a block against what went in. */
static inline void check_counts(const Profiler__SampleBlock *b, uint32_t i, const struct input *in)
{
	const struct counts_record *c = &in->counts;
	bool always = c->enabled_ns == c->running_ns;

	if (b->event != 1) {
		cr_assert(zero(sz, b->n_counter));
		return;
	}
	cr_assert(eq(sz, b->n_counter, 2));
	for (uint32_t k = 0; k < 2; k++) {
		const Profiler__Counter *of = b->counter[k];

		cr_assert(eq(u32, of->event, 1 + k));
		cr_assert(eq(u64, in_column(of->count, of->n_count, i), c->count[k]));
	}
	cr_assert(
		eq(u64, in_column(b->enabled_ns, b->n_enabled_ns, i), always ? 0 : c->enabled_ns));
	cr_assert(
		eq(u64, in_column(b->running_ns, b->n_running_ns, i), always ? 0 : c->running_ns));
}

static inline uint32_t flags_of(const struct input *in)
{
	return in->flags | (in->counts.type ? PROFILER__SAMPLE_FLAG__COUNTED : 0) |
	       (in->counts.shared ? PROFILER__SAMPLE_FLAG__SHARED : 0);
}

static inline const struct input *check_sample(const struct tables *t,
					       const struct reader_sample *s)
{
	struct lane *l = &lane[s->cpu][s->event];
	const struct input *in = &l->sample[l->read++];

	cr_assert(le(u32, l->read, l->count));
	cr_assert(eq(u64, s->time_ns, in->time_ns));
	cr_assert(eq(u64, s->weight, (uint64_t)in->weight << (s->event ? 4 : 0)));
	cr_assert(eq(u32, s->flags, flags_of(in)));
	check_thread(t, s->thread, in->thread);
	check_stack(t, s->user_stack, in->user, false);
	check_stack(t, s->kernel_stack, in->kernel, true);
	return in;
}

/* Reads all that was written from @offset on; every sample must be one that went in. */
static inline uint64_t read_from(size_t offset)
{
	const Profiler__Packet *packet;
	struct reader *reader;
	uint32_t epoch = 0;
	uint64_t packets;
	int more;

	cr_assert(zero(int, reader_open_memory(&reader, written + offset, written_bytes - offset)));
	while ((more = reader_next(reader, &packet)) == 1) {
		/* The first packet of an epoch, and no other, has a header. */
		cr_assert(eq(int, packet->header != NULL, packet->epoch != epoch));
		cr_assert(ge(u32, packet->epoch, epoch));
		epoch = packet->epoch;
		for (size_t i = 0; i < packet->n_samples; i++) {
			struct sample_iter it;
			struct reader_sample s;

			reader_samples(reader, packet->samples[i], &it);
			for (uint32_t n = 0; sample_iter_next(&it, &s); n++)
				check_counts(packet->samples[i], n,
					     check_sample(reader_tables(reader), &s));
		}
	}
	cr_assert(zero(int, more));
	if (!offset)
		cr_assert(not(reader_damaged(reader)));
	packets = reader_packets(reader);
	reader_free(reader);
	return packets;
}

static inline uint64_t read_all(void)
{
	uint64_t packets;

	write_packets();
	settle_all();
	packets = read_from(0);
	for (int i = 0; i < CPUS * EVENTS; i++)
		cr_assert(eq(u32, lane[i / EVENTS][i % EVENTS].read,
			     lane[i / EVENTS][i % EVENTS].count));
	cr_assert(eq(u64, packets, sequence));
	return packets;
}

static inline struct input random_input(uint64_t *random, uint64_t *time_ns)
{
	/* Mostly on time, now and then late, early or far off. */
	*time_ns += INTERVAL + random_below(random, 2000) - 1000;
	if (random_below(random, 100) == 0)
		*time_ns += next_random(random) >> (24 + random_below(random, 40));
	return (struct input){
		.time_ns = *time_ns,
		.thread = random_below(random, 10) ? random_below(random, THREADS) : NONE,
		.user = random_below(random, 3) ? random_below(random, STACKS) : NONE,
		.kernel = random_below(random, 3) ? NONE : random_below(random, STACKS),
		.weight = random_below(random, 5) ? INTERVAL : (uint32_t)next_random(random),
		.flags = random_below(random, 4) ? 0 : random_below(random, 128),
	};
}

/* Most samples of a group have counts, and most counters run all of the time. */
static inline struct counts_record random_counts(uint64_t *random)
{
	struct counts_record c = { 0 };

	if (!random_below(random, 10))
		return c;
	c.type = RECORD_COUNTS;
	c.shared = random_below(random, 4) ? 0 : random_below(random, 9);
	c.enabled_ns = next_random(random) >> 40;
	c.running_ns = random_below(random, 9) ? c.enabled_ns : c.enabled_ns / 2;
	c.count[0] = random_below(random, 4) ? INTERVAL : next_random(random);
	c.count[1] = next_random(random) >> random_below(random, 64);
	return c;
}

static inline void put_random(uint64_t *random, uint32_t samples)
{
	static uint64_t time_ns[CPUS][EVENTS];

	while (samples--) {
		uint32_t cpu = random_below(random, CPUS), event = random_below(random, EVENTS);

		struct input in = random_input(random, &time_ns[cpu][event]);

		if (event == 1)
			in.counts = random_counts(random);
		put(cpu, event, in);
	}
}

#endif /* PROFILER_STREAM_WORLD_H */

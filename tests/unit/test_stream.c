// SPDX-License-Identifier: Apache-2.0
/*
 * test_stream.c - samples in, packets out, and read again.
 *
 * A small world of threads and stacks stands in for the resolver. Every sample is remembered
 * until its packet is known to be in the hand-off or dropped, and what the reader gives must be
 * exactly the former, each with the thread, the stacks and the numbers it went in with.
 */
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

static void setup_sized(size_t handoff_bytes)
{
	static Profiler__Event clock, cycles;
	static Profiler__Event *events[] = { &clock, &cycles };
	static char name[] = "cpu-clock", other[] = "cycles", recorder[] = "a test";
	const uint64_t interval_ns[MAX_EVENTS] = { INTERVAL, 0 };

	profiler__event__init(&clock);
	profiler__event__init(&cycles);
	clock.name = name;
	cycles.name = other;
	cycles.weight_shift = 4;
	profiler__header__init(&header);
	header.version = STREAM_VERSION;
	header.recorder = recorder;
	header.n_event = EVENTS;
	header.event = events;
	cr_assert(zero(int, handoff_new(&handoff, handoff_bytes)));
	cr_assert(zero(int, stream_new(&stream, handoff, &header, interval_ns, CPUS)));
	for (int i = 0; i < CPUS * EVENTS; i++)
		lane[i / EVENTS][i % EVENTS].sample = malloc(SAMPLES_MAX * sizeof(struct input));
}

static void setup(void)
{
	setup_sized(HANDOFF_SIZE);
}

static void teardown(void)
{
	stream_free(stream);
	handoff_free(handoff);
	free(written);
	for (int i = 0; i < CPUS * EVENTS; i++)
		free(lane[i / EVENTS][i % EVENTS].sample);
}

TestSuite(stream, .init = setup, .fini = teardown);

/* What the world's things are called. */
static uint32_t pid_of(uint32_t thread)
{
	return 1000 + thread / 2;
}

static uint32_t stack_depth(uint32_t stack)
{
	return 1 + stack % DEPTH;
}

/* Frame @i of a stack, from the root: stacks share their outer frames. */
static uint64_t frame_offset(uint32_t stack, uint32_t i)
{
	return i < 3 ? i * 64 : ((uint64_t)stack << 20) + i;
}

static uint32_t define_process(uint32_t pid)
{
	const struct stream_process p = { .pid = pid,
					  .parent_pid = 1,
					  .inner_pid = 7,
					  .comm = "process",
					  .cgroup = "/box",
					  .start_ns = 5 };

	return stream_process(stream, &p);
}

static uint32_t define_thread(uint32_t t)
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

static uint32_t define_stack(uint32_t stack, bool kernel)
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
static void settle(struct lane *l, uint32_t cpu, uint32_t event)
{
	uint64_t dropped = stream_dropped(stream, cpu, event) - l->dropped;

	cr_assert(le(u64, dropped, l->count));
	l->dropped += dropped;
	l->count -= (uint32_t)dropped;
}

static void settle_all(void)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		for (uint32_t event = 0; event < EVENTS; event++)
			settle(&lane[cpu][event], cpu, event);
}

static void put(uint32_t cpu, uint32_t event, struct input in)
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
	stream_sample(stream, &s);
	settle_all();
}

/* What the writer thread does: number, seal, write. */
static void write_packets(void)
{
	while (!handoff_empty(handoff)) {
		struct handoff_packet *p = handoff_wait(handoff);
		uint8_t *packet = handoff_bytes(p);
		size_t bytes = packet_seal(packet, p->content_bytes, sequence++, first_sample);
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

static void check_string(const struct tables *t, uint32_t id, const char *expected)
{
	const char *s = tables_string(t, id, NULL);

	cr_assert(s != NULL, "string %u is not defined", id);
	cr_assert(eq(str, (char *)(uintptr_t)s, (char *)(uintptr_t)expected));
}

static void check_thread(const struct tables *t, uint32_t id, uint32_t expected)
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

static void check_mapping(const struct tables *t, uint32_t id, bool kernel)
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

static void check_stack(const struct tables *t, uint32_t id, uint32_t stack, bool kernel)
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

static void check_sample(const struct tables *t, const struct reader_sample *s)
{
	struct lane *l = &lane[s->cpu][s->event];
	const struct input *in = &l->sample[l->read++];

	cr_assert(le(u32, l->read, l->count));
	cr_assert(eq(u64, s->time_ns, in->time_ns));
	cr_assert(eq(u64, s->weight, (uint64_t)in->weight << (s->event ? 4 : 0)));
	cr_assert(eq(u32, s->flags, in->flags));
	check_thread(t, s->thread, in->thread);
	check_stack(t, s->user_stack, in->user, false);
	check_stack(t, s->kernel_stack, in->kernel, true);
}

/* Reads all that was written from @offset on; every sample must be one that went in. */
static uint64_t read_from(size_t offset)
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
			while (sample_iter_next(&it, &s))
				check_sample(reader_tables(reader), &s);
		}
	}
	cr_assert(zero(int, more));
	if (!offset)
		cr_assert(not(reader_damaged(reader)));
	packets = reader_packets(reader);
	reader_free(reader);
	return packets;
}

static uint64_t read_all(void)
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

static struct input random_input(uint64_t *random, uint64_t *time_ns)
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

static void put_random(uint64_t *random, uint32_t samples)
{
	static uint64_t time_ns[CPUS][EVENTS];

	while (samples--) {
		uint32_t cpu = random_below(random, CPUS), event = random_below(random, EVENTS);

		put(cpu, event, random_input(random, &time_ns[cpu][event]));
	}
}

Test(stream, random_samples_come_back)
{
	uint64_t random = 1, packets;

	for (int i = 0; i < 500; i++) {
		put_random(&random, 100);
		if (random_below(&random, 50) == 0)
			stream_next_epoch(stream);
		if (random_below(&random, 20) == 0)
			stream_flush(stream, NULL);
		write_packets();
	}
	stream_flush(stream, NULL);
	packets = read_all();
	cr_assert(zero(u64, stream_packets_dropped(stream)));
	cr_assert(gt(u64, packets, 20));
	cr_assert(eq(u64, first_sample, 50000));
}

Test(stream, packets_close_by_themselves_at_64_kib)
{
	uint64_t random = 2;

	while (handoff_empty(handoff))
		put_random(&random, 1);
	write_packets();
	/* About: what definitions will take is estimated. */
	cr_assert(ge(sz, written_bytes, 48u << 10));
	cr_assert(le(sz, written_bytes, 80u << 10));
	cr_assert(zero(u64, stream_age_ns(stream, UINT64_MAX)));
}

static Profiler__Packet *unpack_first(void)
{
	const size_t frame = PACKET_FRAME;
	Profiler__Packet *packet;
	ssize_t bytes;

	write_packets();
	bytes = packet_check(written, written_bytes);
	cr_assert(gt(long, bytes, 0));
	packet = profiler__packet__unpack(NULL, (size_t)bytes - frame, written + frame);
	cr_assert(packet != NULL);
	return packet;
}

/* A regular profile: nothing per sample but what differs. */
Test(stream, constant_columns_are_one_entry)
{
	Profiler__Packet *packet;
	Profiler__SampleBlock *b;

	for (uint64_t i = 0; i < 10; i++)
		put(1, 0, (struct input){ i * INTERVAL + 7, 3, i % 2, NONE, 1000, 0 });
	cr_assert(stream_flush(stream, NULL));
	packet = unpack_first();
	cr_assert(eq(u32, packet->epoch, 1));
	cr_assert(packet->header != NULL);
	cr_assert(ne(u64, packet->header->clock->boottime_ns, 0));
	cr_assert(gt(u64, packet->header->clock->realtime_ns, packet->header->clock->boottime_ns));
	cr_assert(eq(sz, packet->n_samples, 1));
	b = packet->samples[0];
	cr_assert(eq(u32, b->cpu, 1));
	cr_assert(eq(u32, b->count, 10));
	cr_assert(eq(u64, b->first_time_ns, 7));
	cr_assert(eq(u64, b->interval_ns, INTERVAL));
	cr_assert(eq(sz, b->n_time_deviation, 10));
	for (int i = 0; i < 10; i++)
		cr_assert(zero(i64, b->time_deviation[i]));
	cr_assert(eq(sz, b->n_thread, 1));
	cr_assert(eq(sz, b->n_user_stack, 10));
	cr_assert(eq(sz, b->n_kernel_stack, 0));
	cr_assert(eq(sz, b->n_weight, 1));
	cr_assert(eq(sz, b->n_flags, 0));
	profiler__packet__free_unpacked(packet, NULL);
	read_all();
}

Test(stream, a_lone_sample_has_no_deviations)
{
	Profiler__Packet *packet;

	put(0, 1, (struct input){ 99, NONE, NONE, NONE, 1, SAMPLE_IN_KERNEL });
	stream_flush(stream, NULL);
	packet = unpack_first();
	cr_assert(zero(sz, packet->samples[0]->n_time_deviation));
	cr_assert(eq(u64, packet->samples[0]->first_time_ns, 99));
	cr_assert(packet->definitions == NULL);
	profiler__packet__free_unpacked(packet, NULL);
	read_all();
}

Test(stream, an_empty_packet_is_not_made)
{
	Profiler__Ledger ledger;
	Profiler__Packet *packet;

	cr_assert(stream_flush(stream, NULL));
	cr_assert(handoff_empty(handoff));
	profiler__ledger__init(&ledger);
	ledger.time_ns = 17;
	ledger.final = true;
	cr_assert(stream_flush(stream, &ledger));
	packet = unpack_first();
	cr_assert(eq(u64, packet->ledger->time_ns, 17));
	cr_assert(packet->ledger->final);
	cr_assert(packet->header != NULL);
	profiler__packet__free_unpacked(packet, NULL);
}

Test(stream, age_is_that_of_the_oldest_sample)
{
	cr_assert(zero(u64, stream_age_ns(stream, 1000)));
	put(0, 0, (struct input){ 100, NONE, NONE, NONE, 1, 0 });
	put(1, 0, (struct input){ 900, NONE, NONE, NONE, 1, 0 });
	cr_assert(eq(u64, stream_age_ns(stream, 1000), 900));
	cr_assert(zero(u64, stream_age_ns(stream, 50)));
	stream_flush(stream, NULL);
	cr_assert(zero(u64, stream_age_ns(stream, 1000)));
}

/* The second sample is the first with a deviation. */
Test(stream, two_samples_are_enough_for_deviations)
{
	put(0, 0, (struct input){ 1000, NONE, NONE, NONE, 1, 0 });
	put(0, 0, (struct input){ 1000 + INTERVAL + 3, NONE, NONE, NONE, 1, 0 });
	stream_flush(stream, NULL);
	read_all();
}

Test(stream, ids_begin_at_one_in_every_epoch)
{
	const struct stream_mapping m = { .kind = PROFILER__MAPPING__KIND__ANON, .path = "//anon" };

	for (uint32_t epoch = 1; epoch < 4; epoch++) {
		cr_assert(eq(u32, stream_epoch(stream), epoch));
		cr_assert(eq(u32, stream_mapping(stream, &m), 1));
		cr_assert(eq(u32, stream_mapping(stream, &m), 2));
		cr_assert(eq(u32, define_process(5), 1));
		cr_assert(eq(u32, stream_thread(stream, 6, 1, "six"), 1));
		cr_assert(eq(u32, stream_thread(stream, 7, 1, "seven"), 2));
		cr_assert(eq(u32, stream_string(stream, "//anon"), 1));
		cr_assert(eq(u32, stream_string(stream, "eight"), 6));
		stream_next_epoch(stream);
	}
}

/* Names may come when there is nothing else to say: after the last sample, or with an epoch's end.
 */
Test(stream, names_alone_make_a_packet)
{
	const struct stream_mapping m = { .kind = PROFILER__MAPPING__KIND__FILE, .path = "/bin/x" };
	struct stream_name name = { .start = 16, .end = 32, .function = "main" };

	name.mapping = stream_mapping(stream, &m);
	cr_assert(stream_name(stream, &name));
	stream_flush(stream, NULL);
	cr_assert(not(handoff_empty(handoff)));
	read_all();
	cr_assert(handoff_empty(handoff));
	cr_assert(stream_name(stream, &name));
	stream_next_epoch(stream);
	cr_assert(not(handoff_empty(handoff)));
	read_all();
}

/* Samples of several events and CPUs are not in order of time, nor need one CPU's be. */
Test(stream, time_may_go_backwards)
{
	put(0, 0, (struct input){ UINT64_C(1) << 62, NONE, NONE, NONE, 1, 0 });
	put(0, 0, (struct input){ 5, NONE, NONE, NONE, 1, 0 });
	put(0, 0, (struct input){ UINT64_C(1) << 63, NONE, NONE, NONE, 1, 0 });
	put(0, 0, (struct input){ 0, NONE, NONE, NONE, 1, 0 });
	stream_flush(stream, NULL);
	read_all();
}

Test(stream, every_epoch_decodes_alone)
{
	size_t begin[5];
	uint64_t random = 3;

	for (int i = 0; i < 5; i++) {
		write_packets();
		begin[i] = written_bytes;
		put_random(&random, 1000);
		stream_flush(stream, NULL);
		put_random(&random, 1000);
		stream_next_epoch(stream);
		cr_assert(eq(u32, stream_epoch(stream), (uint32_t)i + 2));
	}
	read_all();
	for (int i = 1; i < 5; i++) { /* a suffix: skip what was before it */
		for (int k = 0; k < CPUS * EVENTS; k++)
			lane[k / EVENTS][k % EVENTS].read = 0;
		for (size_t at = 0; at < begin[i];) {
			ssize_t n = packet_check(written + at, written_bytes - at);
			Profiler__Packet *p = profiler__packet__unpack(
				NULL, (size_t)n - PACKET_FRAME, written + at + PACKET_FRAME);

			for (size_t k = 0; k < p->n_samples; k++)
				lane[p->samples[k]->cpu][p->samples[k]->event].read +=
					p->samples[k]->count;
			profiler__packet__free_unpacked(p, NULL);
			at += (size_t)n;
		}
		read_from(begin[i]);
	}
}

/*
 * A stalled writer: packets are dropped whole, their samples counted where they belong, and what
 * comes through later needs nothing of what was lost.
 */
Test(stall, drops_are_counted_and_leave_no_hole, .fini = teardown)
{
	uint64_t random = 4, passed = 0, dropped = 0;
	uint32_t epoch;

	setup_sized(1u << 18);
	for (int round = 0; round < 30; round++) {
		put_random(&random, 4000);
		if (round % 15 == 14) /* the writer comes now and then */
			write_packets();
	}
	cr_assert(gt(u64, stream_packets_dropped(stream), 5));
	epoch = stream_epoch(stream);
	cr_assert(ge(u64, epoch, 1 + stream_packets_dropped(stream)));
	write_packets();
	cr_assert(stream_flush(stream, NULL));
	cr_assert(eq(u32, stream_epoch(stream), epoch));
	read_all();
	for (int i = 0; i < CPUS * EVENTS; i++) {
		passed += lane[i / EVENTS][i % EVENTS].count;
		dropped += lane[i / EVENTS][i % EVENTS].dropped;
	}
	cr_assert(eq(u64, passed + dropped, 30 * 4000));
	cr_assert(eq(u64, passed, first_sample));
	cr_assert(gt(u64, dropped, 0));
}

/* A ledger that finds no room says so, and takes the samples beside it along. */
Test(stall, a_ledger_without_room_is_refused, .fini = teardown)
{
	Profiler__Ledger ledger;
	uint64_t random = 5;

	profiler__ledger__init(&ledger);
	setup_sized(1u << 12);
	put_random(&random, 1000);
	cr_assert(not(stream_flush(stream, &ledger)));
	settle_all();
	cr_assert(eq(u64, stream_packets_dropped(stream), 1));
	cr_assert(eq(u32, stream_epoch(stream), 2));
	cr_assert(stream_flush(stream, &ledger));
	cr_assert(eq(u64, read_all(), 1));
}

/*
 * A program that never takes the same way twice: definitions alone fill the packets. They must
 * not grow beyond what a packet and the hand-off can take.
 */
Test(stream, packets_stay_small_whatever_they_define)
{
	const struct stream_mapping m = { .kind = PROFILER__MAPPING__KIND__UNKNOWN, .path = "" };
	uint64_t random = 6;
	uint32_t mapping = 0, epoch = 0;

	for (uint32_t i = 0; i < 3000; i++) {
		struct stream_sample s = { .time_ns = i };

		if (calltree_full(stream_calltree(stream)))
			stream_next_epoch(stream);
		if (epoch != stream_epoch(stream))
			mapping = stream_mapping(stream, &m);
		epoch = stream_epoch(stream);
		for (uint32_t k = 0; k < 2 * MAX_FRAMES; k++) {
			uint32_t frame = calltree_frame(stream_calltree(stream), mapping,
							next_random(&random), 0);

			s.user_stack = calltree_node(stream_calltree(stream), s.user_stack, frame);
		}
		stream_sample(stream, &s);
		while (!handoff_empty(handoff)) {
			struct handoff_packet *p = handoff_wait(handoff);

			cr_assert(le(u32, p->content_bytes, 256u << 10));
			handoff_done(handoff, p);
		}
		cr_assert(zero(u64, stream_packets_dropped(stream)));
	}
	for (uint32_t i = 0; i < 3000; i++) { /* and names alone */
		struct stream_sample s = { .time_ns = i };
		char name[512];

		memset(name, 'x', sizeof(name));
		snprintf(name + 400, 100, "%u", i);
		stream_string(stream, name);
		stream_sample(stream, &s);
		while (!handoff_empty(handoff)) {
			struct handoff_packet *p = handoff_wait(handoff);

			cr_assert(le(u32, p->content_bytes, 256u << 10));
			handoff_done(handoff, p);
		}
	}
	cr_assert(zero(u64, stream_packets_dropped(stream)));
}

// SPDX-License-Identifier: Apache-2.0
/* test_stream.c - samples in, packets out, and read again. */
#include "tests/unit/stream_world.h"

TestSuite(stream, .init = setup, .fini = teardown);

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
		put(1, 0, (struct input){ i * INTERVAL + 7, 3, i % 2, NONE, 1000, 0, { 0 } });
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

	put(0, 1, (struct input){ 99, NONE, NONE, NONE, 1, SAMPLE_IN_KERNEL, { 0 } });
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
	put(0, 0, (struct input){ 100, NONE, NONE, NONE, 1, 0, { 0 } });
	put(1, 0, (struct input){ 900, NONE, NONE, NONE, 1, 0, { 0 } });
	cr_assert(eq(u64, stream_age_ns(stream, 1000), 900));
	cr_assert(zero(u64, stream_age_ns(stream, 50)));
	stream_flush(stream, NULL);
	cr_assert(zero(u64, stream_age_ns(stream, 1000)));
}

/* The second sample is the first with a deviation. */
Test(stream, two_samples_are_enough_for_deviations)
{
	put(0, 0, (struct input){ 1000, NONE, NONE, NONE, 1, 0, { 0 } });
	put(0, 0, (struct input){ 1000 + INTERVAL + 3, NONE, NONE, NONE, 1, 0, { 0 } });
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
	put(0, 0, (struct input){ UINT64_C(1) << 62, NONE, NONE, NONE, 1, 0, { 0 } });
	put(0, 0, (struct input){ 5, NONE, NONE, NONE, 1, 0, { 0 } });
	put(0, 0, (struct input){ UINT64_C(1) << 63, NONE, NONE, NONE, 1, 0, { 0 } });
	put(0, 0, (struct input){ 0, NONE, NONE, NONE, 1, 0, { 0 } });
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

			cr_assert(le(u32, p->bytes, 256u << 10));
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

			cr_assert(le(u32, p->bytes, 256u << 10));
			handoff_done(handoff, p);
		}
	}
	cr_assert(zero(u64, stream_packets_dropped(stream)));
}

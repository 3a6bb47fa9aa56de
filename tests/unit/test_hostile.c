/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile.c - the reader on packets that were made to hurt: their CRC is right.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/resource.h>

#include "outcome.h"
#include "packets.h"
#include "proto/packet.h"
#include "proto/reader.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/*
 * How to spoil a packet. Each result is put in place of packet 5 of the made stream; all the others
 * have to come through, and nothing of it.
 */
static void no_version(Profiler__Packet *p)
{
	static Profiler__Header header = PROFILER__HEADER__INIT;

	p->header = &header;
}

static void huge_shift(Profiler__Packet *p)
{
	static Profiler__Header header = PROFILER__HEADER__INIT;
	static Profiler__Event event = PROFILER__EVENT__INIT, *events[] = { &event };

	header.version = STREAM_VERSION;
	event.weight_shift = 64;
	header.n_event = 1;
	header.event = events;
	p->header = &header;
}

static void too_many_events(Profiler__Packet *p)
{
	static Profiler__Header header = PROFILER__HEADER__INIT;
	static Profiler__Event event = PROFILER__EVENT__INIT, *events[READER_MAX_EVENTS + 1];

	for (size_t i = 0; i < LENGTH(events); i++)
		events[i] = &event;
	header.version = STREAM_VERSION;
	header.n_event = LENGTH(events);
	header.event = events;
	p->header = &header;
}

static Profiler__SampleBlock block;
static Profiler__SampleBlock *blocks[700000];

static void one_block(Profiler__Packet *p, uint32_t count)
{
	block = (Profiler__SampleBlock)PROFILER__SAMPLE_BLOCK__INIT;
	block.count = count;
	blocks[0] = &block;
	p->n_samples = 1;
	p->samples = blocks;
}

static void no_samples(Profiler__Packet *p)
{
	one_block(p, 0);
}

static void more_samples_than_bytes(Profiler__Packet *p)
{
	one_block(p, UINT32_MAX);
}

static void huge_cpu(Profiler__Packet *p)
{
	one_block(p, 1);
	block.cpu = READER_MAX_CPUS;
}

static uint32_t column[20];
static int64_t deviation[20];

static void short_time(Profiler__Packet *p)
{
	one_block(p, 20);
	block.time_deviation = deviation;
	block.n_time_deviation = 1;
}

static void short_thread(Profiler__Packet *p)
{
	one_block(p, 20);
	block.thread = column;
	block.n_thread = 19;
}

static void short_user_stack(Profiler__Packet *p)
{
	one_block(p, 20);
	block.user_stack = column;
	block.n_user_stack = 19;
}

static void long_kernel_stack(Profiler__Packet *p)
{
	one_block(p, 19);
	block.kernel_stack = column;
	block.n_kernel_stack = 20;
}

static void short_weight(Profiler__Packet *p)
{
	one_block(p, 20);
	block.weight = column;
	block.n_weight = 2;
}

static void short_flags(Profiler__Packet *p)
{
	one_block(p, 20);
	block.flags = column;
	block.n_flags = 2;
}

/* Two bytes each in the packet, a hundred unpacked: stopped by the arena. */
static void many_blocks(Profiler__Packet *p)
{
	one_block(p, 0);
	for (size_t i = 0; i < LENGTH(blocks); i++)
		blocks[i] = &block;
	p->n_samples = 500000;
}

static void samples_of_no_epoch(Profiler__Packet *p)
{
	one_block(p, 1);
	p->epoch = 0;
}

static void epoch_come_back(Profiler__Packet *p)
{
	p->epoch = 1;
}

static void id_defined_again(Profiler__Packet *p)
{
	static Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	static Profiler__Process process = PROFILER__PROCESS__INIT, *processes[] = { &process };

	process.id = 1; /* packet 4 has defined it */
	d.n_process = 1;
	d.process = processes;
	p->definitions = &d;
}

static void cyclic_node(Profiler__Packet *p)
{
	static Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	static Profiler__Nodes nodes = PROFILER__NODES__INIT;
	static uint32_t back[] = { 0 };
	static int32_t frame[] = { 1 };

	nodes.first_id = 3;
	nodes.n_parent_back = nodes.n_frame_delta = 1;
	nodes.parent_back = back;
	nodes.frame_delta = frame;
	d.nodes = &nodes;
	p->definitions = &d;
}

static void huge_ledger_cpu(Profiler__Packet *p)
{
	static Profiler__Ledger ledger = PROFILER__LEDGER__INIT;
	static Profiler__LedgerRow row = PROFILER__LEDGER_ROW__INIT, *rows[] = { &row };

	row.cpu = UINT32_MAX;
	ledger.n_row = 1;
	ledger.row = rows;
	p->ledger = &ledger;
}

/* The same field again behind the prefix, with another value: protobuf takes the last. */
static void other_sequence(Profiler__Packet *p)
{
	p->sequence = 1000;
}

static void no_sync(Profiler__Packet *p)
{
	(void)p; /* see put_hostile(): not a message at all */
}

static size_t put_hostile(uint8_t *to, void (*spoil)(Profiler__Packet *))
{
	Profiler__Packet packet = PROFILER__PACKET__INIT;

	packet.epoch = packet_epoch(5);
	spoil(&packet);
	if (spoil == no_sync) {
		memset(to + PACKET_PREFIX, 0xFF, 64);
		return packet_seal(to, 64, 5, samples_before(5));
	}
	return make_packet(to, &packet, 5, samples_before(5));
}

Test(hostile, hostile_packets_leave_no_trace)
{
	static void (*const spoils[])(Profiler__Packet *) = {
		no_version,
		huge_shift,
		too_many_events,
		no_samples,
		huge_cpu,
		short_time,
		short_thread,
		short_user_stack,
		long_kernel_stack,
		short_weight,
		short_flags,
		many_blocks,
		samples_of_no_epoch,
		epoch_come_back,
		id_defined_again,
		cyclic_node,
		huge_ledger_cpu,
		other_sequence,
		no_sync,
		more_samples_than_bytes,
	};
	struct made_stream s = make_stream();
	uint8_t *data = malloc(s.bytes + PACKET_TOTAL_MAX);

	for (size_t i = 0; i < LENGTH(spoils); i++) {
		size_t size, rest = s.bytes - s.offset[6];
		struct outcome out;

		memcpy(data, s.data, s.offset[5]);
		size = put_hostile(data + s.offset[5], spoils[i]);
		cr_assert(eq(long, packet_check(data + s.offset[5], size), (long)size));
		memcpy(data + s.offset[5] + size, s.data + s.offset[6], rest);
		out = read_memory(data, s.offset[5] + size + rest);
		cr_expect(zero(int, out.result), "hostile %zu", i);
		cr_expect(eq(u64, out.packets, MADE_PACKETS - 1), "hostile %zu", i);
		cr_expect(eq(u64, out.damage.packets_damaged, 1), "hostile %zu", i);
		cr_expect(eq(u64, out.damage.bytes_skipped, size), "hostile %zu", i);
		check_gaps(&out);
	}
	free(data);
	free(s.data);
}

/* An event that the header does not know: its samples are left out, the packet is not. */
Test(hostile, an_event_out_of_range_is_left_out)
{
	uint8_t data[2048];
	size_t size = make_kth(data, 0);
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	const Profiler__Packet *got;
	struct reader *r;

	one_block(&packet, 1);
	packet.epoch = 1;
	block.event = 2;
	size += make_packet(data + size, &packet, 1, samples_before(1));
	cr_assert(zero(int, reader_open_memory(&r, data, size)));
	cr_assert(eq(int, reader_next(r, &got), 1));
	cr_assert(eq(int, reader_next(r, &got), 1));
	cr_expect(zero(sz, got->n_samples));
	cr_expect(eq(u64, reader_damage(r)->samples_strange, 1));
	cr_expect(zero(u64, reader_damage(r)->samples_lost));
	reader_free(r);
}

/*
 * Small packets with a wrong CRC whose lengths reach far over one another. Unbounded, the search
 * for the next packet would run the CRC over a hundred thousand times the input.
 */
Test(hostile, sown_markers_cost_bounded_time)
{
	enum { STEP = PACKET_PREFIX + PACKET_SUFFIX, COUNT = 100000 };
	uint32_t length = (PACKET_MAX / STEP) * STEP - PACKET_FRAME;
	uint8_t *data = malloc((size_t)STEP * COUNT), *at = data;
	struct rusage before, after;
	struct outcome out;

	for (int i = 0; i < COUNT; i++, at += STEP) {
		packet_seal(at, 0, 0, 0);
		at[1] = (length & 0x7F) | 0x80;
		at[2] = (length >> 7 & 0x7F) | 0x80;
		at[3] = (length >> 14 & 0x7F) | 0x80;
		at[STEP - 1] ^= 1;
	}
	getrusage(RUSAGE_SELF, &before);
	out = read_memory(data, (size_t)STEP * COUNT);
	getrusage(RUSAGE_SELF, &after);
	cr_expect(zero(int, out.result));
	cr_expect(zero(u64, out.packets));
	cr_expect(le(long, after.ru_utime.tv_sec - before.ru_utime.tv_sec, 2));
	free(data);
}

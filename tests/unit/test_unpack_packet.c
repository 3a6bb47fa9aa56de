// SPDX-License-Identifier: Apache-2.0
/*
 * test_unpack_packet.c - unpack_packet() and protobuf-c make the same message of the same bytes,
 * whatever they are, and refuse the same.
 *
 * Messages are the same when they pack to the same bytes, unknown fields included.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/unpack_packet.h"
#include "tests/unit/random.h"

#define PACKED_MAX 65536
#define ROOM_MAX   4096 /* allocations */
#define COLUMN_MAX 40
#define BLOCKS_MAX 5

/* What was given out; each by itself, so that the sanitizer sees who writes behind it. */
struct room {
	void *given[ROOM_MAX];
	uint32_t count;
};

static void *room_alloc(void *data, size_t size)
{
	struct room *r = data;

	cr_assert(lt(u32, r->count, ROOM_MAX));
	r->given[r->count] = malloc(size ? size : 1);
	return r->given[r->count++];
}

static void room_free(void *data, void *pointer)
{
	(void)data, (void)pointer;
}

static void room_clear(struct room *r)
{
	while (r->count)
		free(r->given[--r->count]);
}

/* The bytes of a message, 0 of none: a packet that is empty has to be told from one refused. */
static size_t pack(const Profiler__Packet *packet, uint8_t *to)
{
	size_t bytes;

	if (!packet)
		return 0;
	bytes = profiler__packet__get_packed_size(packet);
	cr_assert(lt(sz, bytes, PACKED_MAX));
	to[0] = 'p';
	return 1 + profiler__packet__pack(packet, to + 1);
}

/* Returns whether it was a packet. */
static bool expect_same(const uint8_t *data, size_t bytes)
{
	static uint8_t ours[PACKED_MAX + 1], theirs[PACKED_MAX + 1];
	static struct room room;
	ProtobufCAllocator allocator = { room_alloc, room_free, &room };
	uint8_t *exact = malloc(bytes ? bytes : 1); /* nothing behind it may be read */
	size_t ours_bytes, theirs_bytes;

	memcpy(exact, data, bytes);
	ours_bytes = pack(unpack_packet(&allocator, exact, bytes), ours);
	theirs_bytes = pack(profiler__packet__unpack(&allocator, bytes, exact), theirs);
	cr_assert(eq(sz, ours_bytes, theirs_bytes));
	cr_assert(zero(int, memcmp(ours, theirs, ours_bytes)));
	room_clear(&room);
	free(exact);
	return theirs_bytes != 0;
}

/* Values of all lengths, short ones more often. */
static uint64_t random_value(uint64_t *random)
{
	return next_random(random) >> random_below(random, 4) * 16 >> random_below(random, 16);
}

static size_t random_length(uint64_t *random)
{
	uint32_t kind = random_below(random, 4);

	return kind < 2 ? kind : random_below(random, COLUMN_MAX);
}

static size_t fill(uint64_t *random, uint32_t *column)
{
	size_t n = random_length(random);
	bool is_short = random_below(random, 2);

	for (size_t i = 0; i < n; i++)
		column[i] = is_short ? random_below(random, 300) : (uint32_t)random_value(random);
	return n;
}

struct made {
	Profiler__Packet packet;
	Profiler__Header header;
	Profiler__Ledger ledger;
	Profiler__Definitions definitions;
	Profiler__Nodes nodes;
	uint32_t parent[COLUMN_MAX];
	Profiler__SampleBlock *blocks[BLOCKS_MAX];
	Profiler__SampleBlock block[BLOCKS_MAX];
	Profiler__Counter counter[BLOCKS_MAX];
	Profiler__Counter *counters[BLOCKS_MAX];
	uint64_t wide[BLOCKS_MAX][COLUMN_MAX];
	int64_t deviation[BLOCKS_MAX][COLUMN_MAX];
	uint32_t column[BLOCKS_MAX][5][COLUMN_MAX];
};

static void make_block(uint64_t *random, struct made *m, uint32_t i)
{
	Profiler__SampleBlock *b = m->blocks[i] = &m->block[i];
	uint32_t(*column)[COLUMN_MAX] = m->column[i];

	profiler__sample_block__init(b);
	b->cpu = random_below(random, 3) * 100;
	b->event = random_below(random, 3);
	b->count = (uint32_t)random_value(random);
	b->first_time_ns = random_value(random);
	b->interval_ns = random_value(random);
	b->n_thread = fill(random, b->thread = column[0]);
	b->n_user_stack = fill(random, b->user_stack = column[1]);
	b->n_kernel_stack = fill(random, b->kernel_stack = column[2]);
	b->n_weight = fill(random, b->weight = column[3]);
	b->n_flags = fill(random, b->flags = column[4]);
	b->n_time_deviation = random_length(random);
	b->time_deviation = m->deviation[i];
	for (size_t k = 0; k < b->n_time_deviation; k++)
		m->deviation[i][k] = (int64_t)random_value(random) * (k & 1 ? -1 : 1);
	if (random_below(random, 3))
		return;
	profiler__counter__init(&m->counter[i]);
	m->counter[i].n_count = random_length(random);
	m->counter[i].count = m->wide[i];
	for (size_t k = 0; k < m->counter[i].n_count; k++)
		m->wide[i][k] = random_value(random);
	m->counters[i] = &m->counter[i];
	b->n_counter = 1;
	b->counter = &m->counters[i];
}

/* A packet with what packets have; returns its bytes. */
static size_t make_packet(uint64_t *random, uint8_t *to)
{
	static char name[] = "a name";
	static struct made m;

	profiler__packet__init(&m.packet);
	m.packet.sync = random_value(random);
	m.packet.sequence = random_value(random);
	m.packet.epoch = random_below(random, 3);
	m.packet.crc = (uint32_t)random_value(random);
	if (random_below(random, 2)) {
		profiler__header__init(&m.header);
		m.header.hostname = name;
		m.packet.header = &m.header;
	}
	if (random_below(random, 2)) {
		profiler__ledger__init(&m.ledger);
		m.ledger.time_ns = random_value(random);
		m.packet.ledger = &m.ledger;
	}
	if (random_below(random, 2)) {
		profiler__definitions__init(&m.definitions);
		profiler__nodes__init(&m.nodes);
		m.nodes.n_parent_back = fill(random, m.nodes.parent_back = m.parent);
		m.definitions.nodes = &m.nodes;
		m.packet.definitions = &m.definitions;
	}
	m.packet.n_samples = random_below(random, BLOCKS_MAX + 1);
	m.packet.samples = m.blocks;
	for (uint32_t i = 0; i < m.packet.n_samples; i++)
		make_block(random, &m, i);
	return pack(&m.packet, to) - 1;
}

Test(unpack_packet, packets_of_any_content)
{
	static uint8_t bytes[PACKED_MAX + 1];
	uint64_t random = 1;

	for (int i = 0; i < 3000; i++)
		cr_assert(expect_same(bytes + 1, make_packet(&random, bytes)));
}

Test(unpack_packet, packets_that_are_cut)
{
	static uint8_t bytes[PACKED_MAX + 1];
	uint64_t random = 2;

	for (int i = 0; i < 30; i++) {
		size_t n = make_packet(&random, bytes);

		for (size_t end = 0; end < n; end++)
			expect_same(bytes + 1, end);
	}
}

/* The tags and lengths too, so that fields come twice, in pieces, with other types, unknown. */
Test(unpack_packet, packets_that_are_damaged)
{
	static uint8_t bytes[PACKED_MAX + 1];
	uint64_t random = 3;
	uint32_t packets = 0;

	for (int i = 0; i < 3000; i++) {
		size_t n = make_packet(&random, bytes);

		for (int k = 0; k < 10; k++) {
			bytes[1 + random_below(&random, (uint32_t)n)] =
				(uint8_t)next_random(&random);
			packets += expect_same(bytes + 1, n);
		}
	}
	cr_assert(gt(u32, packets, 3000)); /* many are still packets, others than before */
}

#define EXPECT_SAME(is_packet, ...)                                                 \
	do {                                                                        \
		const uint8_t bytes_[] = { __VA_ARGS__ };                           \
                                                                                    \
		cr_assert(eq(int, expect_same(bytes_, sizeof(bytes_)), is_packet)); \
	} while (0)

Test(unpack_packet, what_the_recorder_never_writes)
{
	EXPECT_SAME(1, 0x3A, 6, 0x3A, 1, 5, 0x3A, 1, 6);    /* a column in two pieces */
	EXPECT_SAME(1, 0x3A, 4, 0x38, 5, 0x38, 6);	    /* one that is not packed */
	EXPECT_SAME(1, 0x3A, 5, 0x3A, 1, 5, 0x38, 6);	    /* half and half */
	EXPECT_SAME(1, 0x3A, 3, 0xF8, 0x01, 1);		    /* an unknown field in a block */
	EXPECT_SAME(1, 0x78, 1);			    /* in the packet */
	EXPECT_SAME(1, 0x2A, 2, 0x08, 1, 0x2A, 2, 0x38, 5); /* two headers are joined */
	EXPECT_SAME(1, 0x3A, 0, 0x20, 1, 0x3A, 0);	    /* blocks apart, and empty */
	EXPECT_SAME(1, 0x3A, 2, 0x3A, 0);		    /* an empty column */
	EXPECT_SAME(1, 0x3A, 4, 0x3A, 2, 0x85, 0);	    /* a number longer than it has to be */
	EXPECT_SAME(1, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1); /* more than 32 bits */
	EXPECT_SAME(1, 0x3A, 8, 0x3A, 6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1);
	EXPECT_SAME(0, 0x3A, 3, 0x3A, 1, 0x85); /* one that does not end */
	EXPECT_SAME(0, 0x3A, 4, 0x3A, 2, 1, 0x85);
	EXPECT_SAME(0, 0x3A, 3, 0x3A, 2, 1); /* a column beyond its block */
	EXPECT_SAME(0, 0x3D, 1, 2, 3, 4);    /* a block of another type */
	EXPECT_SAME(0, 0x00);
}

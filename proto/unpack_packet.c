// SPDX-License-Identifier: Apache-2.0
/*
 * unpack_packet.c - a packet's message out of its bytes.
 *
 * Nearly all of a stream is columns of samples, numbers of one or two bytes. Here they are
 * decoded several bytes at a time, with no branch on how long each is: to take them one by one, as
 * protobuf-c does, is most of what reading a stream costs.
 *
 * Invariant: the result is protobuf-c's. What is not as the recorder writes it (an unknown field, a
 * column in two pieces, a wrong wire type, an end too early) is left to protobuf-c, the block or
 * the whole packet from its beginning, and so are headers, definitions, ledgers and the counts of
 * groups.
 */
#include "proto/unpack_packet.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#define WIRE_VARINT  0
#define WIRE_FIXED64 1
#define WIRE_BYTES   2
#define WIRE_FIXED32 5

#define TAG(field, wire) ((field) << 3 | (wire))

#define VARINT_MAX 10
#define LENGTH_MAX 5 /* bytes of the varint in front of a message or a column */

/* Field numbers of Packet and SampleBlock in stream.proto. */
enum {
	PACKET_SYNC = TAG(1, WIRE_FIXED64),
	PACKET_SEQUENCE = TAG(2, WIRE_FIXED64),
	PACKET_FIRST_SAMPLE = TAG(3, WIRE_FIXED64),
	PACKET_EPOCH = TAG(4, WIRE_VARINT),
	PACKET_HEADER = TAG(5, WIRE_BYTES),
	PACKET_DEFINITIONS = TAG(6, WIRE_BYTES),
	PACKET_SAMPLES = TAG(7, WIRE_BYTES),
	PACKET_LEDGER = TAG(8, WIRE_BYTES),
	PACKET_CRC = TAG(2047, WIRE_FIXED32),
	BLOCK_CPU = TAG(1, WIRE_VARINT),
	BLOCK_EVENT = TAG(2, WIRE_VARINT),
	BLOCK_COUNT = TAG(3, WIRE_VARINT),
	BLOCK_FIRST_TIME_NS = TAG(4, WIRE_VARINT),
	BLOCK_INTERVAL_NS = TAG(5, WIRE_VARINT),
	BLOCK_TIME_DEVIATION = TAG(6, WIRE_BYTES),
	BLOCK_THREAD = TAG(7, WIRE_BYTES),
	BLOCK_USER_STACK = TAG(8, WIRE_BYTES),
	BLOCK_KERNEL_STACK = TAG(9, WIRE_BYTES),
	BLOCK_WEIGHT = TAG(10, WIRE_BYTES),
	BLOCK_FLAGS = TAG(11, WIRE_BYTES),
};

/* Bytes still to be read. */
struct span {
	const uint8_t *at;
	const uint8_t *end;
};

static size_t span_bytes(const struct span *s)
{
	return (size_t)(s->end - s->at);
}

static bool get_varint(struct span *s, uint32_t bytes_max, uint64_t *ret)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < bytes_max && s->at < s->end; i++) {
		uint8_t byte = *s->at++;

		value |= (uint64_t)(byte & 0x7F) << (7 * i);
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool get_uint32(struct span *s, uint32_t *ret)
{
	uint64_t value;

	if (!get_varint(s, VARINT_MAX, &value))
		return false;
	*ret = (uint32_t)value; /* as protobuf has it */
	return true;
}

static bool get_uint64(struct span *s, uint64_t *ret)
{
	return get_varint(s, VARINT_MAX, ret);
}

static bool get_fixed64(struct span *s, uint64_t *ret)
{
	if (span_bytes(s) < sizeof(*ret))
		return false;
	memcpy(ret, s->at, sizeof(*ret));
	*ret = le64toh(*ret);
	s->at += sizeof(*ret);
	return true;
}

static bool get_fixed32(struct span *s, uint32_t *ret)
{
	if (span_bytes(s) < sizeof(*ret))
		return false;
	memcpy(ret, s->at, sizeof(*ret));
	*ret = le32toh(*ret);
	s->at += sizeof(*ret);
	return true;
}

static bool get_span(struct span *s, struct span *ret)
{
	uint64_t bytes;

	if (!get_varint(s, LENGTH_MAX, &bytes) || bytes > span_bytes(s))
		return false;
	*ret = (struct span){ s->at, s->at + bytes };
	s->at += bytes;
	return true;
}

/* Stores value number @i; the compiler makes two functions of this, one without the question. */
static inline void put_value(void *values, bool is_signed, size_t i, uint64_t value)
{
	if (is_signed)
		((int64_t *)values)[i] = (int64_t)(value >> 1 ^ (0 - (value & 1)));
	else
		((uint32_t *)values)[i] = (uint32_t)value;
}

/*
 * The values of a column, of which there are at most as many as bytes. Nearly all are of one or
 * two, and those of a column tend to be alike, so a branch is right more often than not.
 */
static inline __attribute__((always_inline)) bool get_values(struct span c, void *values,
							     bool is_signed, size_t *ret)
{
	uint64_t value;
	size_t n = 0;

	while (c.at + 1 < c.end) {
		if (c.at[0] < 0x80) {
			value = *c.at++;
		} else if (c.at[1] < 0x80) {
			value = (c.at[0] & 0x7Fu) | (uint32_t)c.at[1] << 7;
			c.at += 2;
		} else if (!get_varint(&c, VARINT_MAX, &value)) {
			return false;
		}
		put_value(values, is_signed, n++, value);
	}
	if (c.at < c.end) { /* one is left, or else a piece of one */
		if (c.at[0] >= 0x80)
			return false;
		put_value(values, is_signed, n++, c.at[0]);
	}
	*ret = n;
	return true;
}

/* A column of numbers. *n is not 0 when there was such a column before: then in pieces. */
static bool get_column(struct span *s, ProtobufCAllocator *allocator, size_t *n, uint32_t **ret)
{
	struct span c;

	if (*n || !get_span(s, &c))
		return false;
	*ret = allocator->alloc(allocator->allocator_data, span_bytes(&c) * sizeof(**ret));
	return *ret && get_values(c, *ret, false, n);
}

/* The same with signs. */
static bool get_signed(struct span *s, ProtobufCAllocator *allocator, size_t *n, int64_t **ret)
{
	struct span c;

	if (*n || !get_span(s, &c))
		return false;
	*ret = allocator->alloc(allocator->allocator_data, span_bytes(&c) * sizeof(**ret));
	return *ret && get_values(c, *ret, true, n);
}

static bool get_block_field(struct span *s, uint64_t tag, ProtobufCAllocator *allocator,
			    Profiler__SampleBlock *b)
{
	switch (tag) {
	case BLOCK_CPU:
		return get_uint32(s, &b->cpu);
	case BLOCK_EVENT:
		return get_uint32(s, &b->event);
	case BLOCK_COUNT:
		return get_uint32(s, &b->count);
	case BLOCK_FIRST_TIME_NS:
		return get_uint64(s, &b->first_time_ns);
	case BLOCK_INTERVAL_NS:
		return get_uint64(s, &b->interval_ns);
	case BLOCK_TIME_DEVIATION:
		return get_signed(s, allocator, &b->n_time_deviation, &b->time_deviation);
	case BLOCK_THREAD:
		return get_column(s, allocator, &b->n_thread, &b->thread);
	case BLOCK_USER_STACK:
		return get_column(s, allocator, &b->n_user_stack, &b->user_stack);
	case BLOCK_KERNEL_STACK:
		return get_column(s, allocator, &b->n_kernel_stack, &b->kernel_stack);
	case BLOCK_WEIGHT:
		return get_column(s, allocator, &b->n_weight, &b->weight);
	case BLOCK_FLAGS:
		return get_column(s, allocator, &b->n_flags, &b->flags);
	default:
		return false;
	}
}

static bool get_block(struct span s, ProtobufCAllocator *allocator, Profiler__SampleBlock *b)
{
	uint64_t tag;

	profiler__sample_block__init(b);
	while (s.at < s.end)
		if (!get_varint(&s, LENGTH_MAX, &tag) || !get_block_field(&s, tag, allocator, b))
			return false;
	return true;
}

static bool add_block(struct span *s, ProtobufCAllocator *allocator, Profiler__Packet *packet)
{
	Profiler__SampleBlock *b = allocator->alloc(allocator->allocator_data, sizeof(*b));
	struct span block;

	if (!b || !get_span(s, &block))
		return false;
	if (!get_block(block, allocator, b))
		b = profiler__sample_block__unpack(allocator, span_bytes(&block), block.at);
	if (!b)
		return false;
	packet->samples[packet->n_samples++] = b;
	return true;
}

/* A message in a message, there once. */
#define GET_MESSAGE(s, allocator, to, unpack) \
	(!*(to) && get_span(s, &message) &&   \
	 (*(to) = unpack(allocator, span_bytes(&message), message.at)))

static bool get_packet_field(struct span *s, uint64_t tag, ProtobufCAllocator *allocator,
			     Profiler__Packet *p)
{
	struct span message;

	switch (tag) {
	case PACKET_SYNC:
		return get_fixed64(s, &p->sync);
	case PACKET_SEQUENCE:
		return get_fixed64(s, &p->sequence);
	case PACKET_FIRST_SAMPLE:
		return get_fixed64(s, &p->first_sample);
	case PACKET_EPOCH:
		return get_uint32(s, &p->epoch);
	case PACKET_HEADER:
		return GET_MESSAGE(s, allocator, &p->header, profiler__header__unpack);
	case PACKET_DEFINITIONS:
		return GET_MESSAGE(s, allocator, &p->definitions, profiler__definitions__unpack);
	case PACKET_SAMPLES:
		return add_block(s, allocator, p);
	case PACKET_LEDGER:
		return GET_MESSAGE(s, allocator, &p->ledger, profiler__ledger__unpack);
	case PACKET_CRC:
		return get_fixed32(s, &p->crc);
	default:
		return false;
	}
}

/* How many blocks of samples there are; all that is in front of each has a length or is fixed. */
static bool count_blocks(struct span s, size_t *ret)
{
	uint64_t tag, value;
	struct span skipped;
	size_t count = 0;

	while (s.at < s.end) {
		bool whole;

		if (!get_varint(&s, LENGTH_MAX, &tag))
			return false;
		if ((tag & 7) == WIRE_BYTES)
			whole = get_span(&s, &skipped);
		else if ((tag & 7) == WIRE_VARINT)
			whole = get_varint(&s, VARINT_MAX, &value);
		else if ((tag & 7) == WIRE_FIXED64)
			whole = get_fixed64(&s, &value);
		else
			whole = (tag & 7) == WIRE_FIXED32 && get_fixed32(&s, &(uint32_t){ 0 });
		if (!whole)
			return false;
		count += tag == PACKET_SAMPLES;
	}
	*ret = count;
	return true;
}

static Profiler__Packet *get_packet(struct span s, ProtobufCAllocator *allocator)
{
	void *memory = allocator->allocator_data;
	Profiler__Packet *p;
	uint64_t tag;
	size_t blocks;

	if (!count_blocks(s, &blocks))
		return NULL;
	p = allocator->alloc(memory, sizeof(*p));
	if (!p)
		return NULL;
	profiler__packet__init(p);
	if (blocks)
		p->samples = allocator->alloc(memory, blocks * sizeof(*p->samples));
	if (blocks && !p->samples)
		return NULL;
	while (s.at < s.end)
		if (!get_varint(&s, LENGTH_MAX, &tag) || !get_packet_field(&s, tag, allocator, p))
			return NULL;
	return p;
}

Profiler__Packet *unpack_packet(ProtobufCAllocator *allocator, const uint8_t *data, size_t bytes)
{
	Profiler__Packet *p = get_packet((struct span){ data, data + bytes }, allocator);

	return p ? p : profiler__packet__unpack(allocator, bytes, data);
}

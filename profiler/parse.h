/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h - a ring record's bytes as what they are, checked and in place.
 *
 * No copy, no allocation, no I/O: a few comparisons a record, inlined where records are read.
 * The writer is our own BPF program, but a record is still checked before anything in it is
 * used as an index.
 */
#ifndef PROFILER_PARSE_H
#define PROFILER_PARSE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/event.h"

/*
 * A sample is checked two fields at a time, with one branch: with one a field, the branches cost
 * more than reading the sample does. Both stack ids lie in word 2. One of up to STACK_SLOTS has no
 * bit from BEYOND on, not even when UP is added; a larger one has, before or after.
 */
#define PARSE_BOTH(half)    ((uint64_t)(half) << 32 | (half))
#define PARSE_STACKS_BEYOND PARSE_BOTH(~(2 * STACK_SLOTS - 1u))
#define PARSE_STACKS_UP	    PARSE_BOTH(STACK_SLOTS - 1u)

_Static_assert((STACK_SLOTS & (STACK_SLOTS - 1)) == 0, "a power of two");

/* In word 3 are the CPU, all of whose bits must be right, and the event, of which the high ones. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PARSE_CPU(cpu)	  ((uint64_t)(cpu) << 32)
#define PARSE_PLACE_WRONG (UINT64_C(0xffff) << 32 | (uint64_t)(0xff & ~(MAX_EVENTS - 1u)) << 48)
#else
#error "word 3 of a sample: where are its CPU and event?"
#endif

_Static_assert((MAX_EVENTS & (MAX_EVENTS - 1)) == 0, "a power of two");

/**
 * parse_sample() - a record as a sample
 * @record: from ring_peek(), 8-byte aligned
 * @bytes: its length
 * @cpu: CPU of the ring, below 65536
 *
 * Returns @record, or NULL when it is not a sample, or not a valid one.
 */
static inline const struct sample_event *parse_sample(const void *record, uint32_t bytes,
						      uint32_t cpu)
{
	uint64_t stacks, place;

	if (bytes != sizeof(struct sample_event))
		return NULL;
	memcpy(&stacks, (const uint8_t *)record + 16, sizeof(stacks));
	memcpy(&place, (const uint8_t *)record + 24, sizeof(place));
	place ^= PARSE_CPU(cpu);
	if (((stacks | (stacks + PARSE_STACKS_UP)) & PARSE_STACKS_BEYOND) |
	    (place & PARSE_PLACE_WRONG))
		return NULL;
	return record;
}

/**
 * parse_stack() - a record as a stack's frames
 * @record: from ring_peek(), 8-byte aligned
 * @bytes: its length
 * @ret_frames: set to the number of frames, at least 1
 *
 * Returns @record, or NULL when it is not a stack, or not a valid one.
 */
static inline const struct stack_record *parse_stack(const void *record, uint32_t bytes,
						     uint32_t *ret_frames)
{
	const struct stack_record *s = record;
	uint32_t n;

	if (bytes < STACK_RECORD_MIN || bytes > sizeof(*s) || s->type != RECORD_STACK ||
	    s->size != bytes || s->slot >= STACK_SLOTS || bytes % 8)
		return NULL;
	n = (bytes - STACK_RECORD_HEADER) / 8;
	if (n == 2 && s->frames[1] == 0) /* a lone frame travels with a 0 beside it */
		n = 1;
	*ret_frames = n;
	return s;
}

/**
 * parse_snapshot() - a record as a snapshot of a user stack
 * @record: from ring_peek(), 8-byte aligned
 * @bytes: its length
 *
 * Returns @record, or NULL when it is not a snapshot, or not a valid one.
 */
static inline const struct snapshot_record *parse_snapshot(const void *record, uint32_t bytes)
{
	const struct snapshot_record *s = record;

	if (bytes < SNAPSHOT_RECORD_HEADER || bytes > sizeof(*s) || s->type != RECORD_SNAPSHOT ||
	    s->size != bytes || s->stack_bytes != bytes - SNAPSHOT_RECORD_HEADER)
		return NULL;
	return s;
}

/**
 * parse_counts() - a record as the counts of a group
 * @record: from ring_peek(), 8-byte aligned
 * @bytes: its length
 * @ret_counters: set to the number of counters
 *
 * Returns @record, or NULL when it is not one of counts, or not a valid one.
 */
static inline const struct counts_record *parse_counts(const void *record, uint32_t bytes,
						       uint32_t *ret_counters)
{
	const struct counts_record *c = record;

	if (bytes <= COUNTS_RECORD_HEADER || bytes > sizeof(*c) || c->type != RECORD_COUNTS ||
	    c->size != bytes || bytes % 8 || c->event >= MAX_EVENTS)
		return NULL;
	*ret_counters = (bytes - COUNTS_RECORD_HEADER) / 8;
	return c;
}

#endif /* PROFILER_PARSE_H */

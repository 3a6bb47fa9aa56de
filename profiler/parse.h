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

#include "bpf/event.h"

/**
 * parse_sample() - a record as a sample
 * @record: from ring_peek(), 8-byte aligned
 * @bytes: its length
 * @cpu: CPU of the ring
 *
 * Returns @record, or NULL when it is not a sample, or not a valid one.
 */
static inline const struct sample_event *parse_sample(const void *record, uint32_t bytes,
						      uint32_t cpu)
{
	const struct sample_event *s = record;

	if (bytes != sizeof(*s) || s->cpu != cpu || s->event >= MAX_EVENTS ||
	    s->user_stack > STACK_SLOTS || s->kernel_stack > STACK_SLOTS)
		return NULL;
	return s;
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

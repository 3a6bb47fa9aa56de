/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_copy.h - blocks of samples again, of those that are wanted and with other numbers.
 *
 * Ids stay what they are. What was left out is added up by CPU and event, so that a ledger can be
 * told of it.
 */
#ifndef PROFILER_BLOCK_COPY_H
#define PROFILER_BLOCK_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/reader.h"
#include "tools/sample_choice.h"

struct block_work;
struct stream_out;

/* What is to become of the blocks of one stream. */
struct block_plan {
	struct sample_choice *choice;	      /* asked about every sample */
	const bool *event_wanted;	      /* by event; NULL: all */
	uint64_t start_ns;		      /* of the stream, for the filter */
	uint64_t shift_ns;		      /* added to times, modulo 2^64 */
	uint32_t first_cpu;		      /* added to CPUs */
	uint32_t event_of[READER_MAX_EVENTS]; /* numbers in the output */
	/* Told before the first wanted sample of a block is written. */
	int (*prepare)(void *ctx);
	/* Told of what is not: how many samples of an event, and what they carried of each. */
	int (*left_out)(void *ctx, uint32_t cpu, uint32_t event, uint64_t samples);
	int (*left_out_count)(void *ctx, uint32_t cpu, uint32_t event, uint64_t count);
	void *ctx;
};

struct block_copy {
	struct block_work *work;
	uint64_t newest_ns; /* latest time of a sample, in the output's time */
};

/** block_copy_open() - 0 or -ENOMEM */
int block_copy_open(struct block_copy *c) __attribute__((warn_unused_result));

/** block_copy_release() - free what it owns */
void block_copy_release(struct block_copy *c);

/**
 * block_copy_write() - write what is wanted of a block
 * @c: work space
 * @r: the stream; the block is of the packet that it gave last
 * @block: the block
 * @plan: what is wanted, and under which numbers
 * @out: where to
 *
 * Return: 0, what stream_out_block() or a function of the plan gives.
 */
int block_copy_write(struct block_copy *c, const struct reader *r,
		     const Profiler__SampleBlock *block, const struct block_plan *plan,
		     struct stream_out *out) __attribute__((warn_unused_result));

#endif /* PROFILER_BLOCK_COPY_H */

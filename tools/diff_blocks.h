/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_blocks.h - what each row of a profile has in each block of time.
 *
 * A recording is cut into 20 to 40 blocks of one length, 10 ms doubled as often as it takes. That
 * is known at the end only, so whenever there would be a 41st block, pairs of them become one.
 * Memory follows the number of rows, not of samples.
 */
#ifndef PROFILER_DIFF_BLOCKS_H
#define PROFILER_DIFF_BLOCKS_H

#include "tools/profile.h"

/* Enough for the slowest six cosines (stats.h): each has six blocks a wave or more. */
#define DIFF_BLOCKS	   40
#define DIFF_BLOCK_NS	   UINT64_C(10000000) /* at first */
#define DIFF_BLOCKS_ENOUGH 16		      /* fewer, and intervals are of little worth */

struct diff_block_row {
	uint64_t before; /* what the row had when it was last looked at */
	uint64_t part[DIFF_BLOCKS];
};

struct diff_blocks {
	const struct profile *profile;
	const struct filter *filter;
	uint32_t event;	    /* to look at; PROFILE_ALL_EVENTS: whatever a row is of */
	uint32_t norm;	    /* event that makes the whole; PROFILE_ALL_EVENTS: none */
	uint64_t origin_ns; /* CLOCK_BOOTTIME */
	uint64_t length_ns; /* of a block */
	uint64_t norm_before;
	uint64_t norm_part[DIFF_BLOCKS];
	struct diff_block_row *row; /* by row id */
	uint32_t room;
};

/**
 * diff_blocks_open() - empty blocks
 * @b: the blocks
 * @p: a profile whose header is known; must outlive them
 * @filter: of its samples; likewise
 * @event: index in its header, or PROFILE_ALL_EVENTS
 * @norm: name of the event that makes the whole; NULL: none
 */
void diff_blocks_open(struct diff_blocks *b, const struct profile *p, const struct filter *filter,
		      uint32_t event, const char *norm);

/** diff_blocks_add() - a sample that was added to a row of the profile; 0 or -ENOMEM */
int diff_blocks_add(struct diff_blocks *b, const struct reader_sample *sample, uint32_t row)
	__attribute__((warn_unused_result));

/** diff_blocks_release() - free what it owns */
void diff_blocks_release(struct diff_blocks *b);

/**
 * diff_blocks_time() - how much of each block was recorded and wanted
 * @b: the blocks, of a profile that was read
 * @ret: nanoseconds by block
 *
 * Return: the sum of all.
 */
uint64_t diff_blocks_time(const struct diff_blocks *b, uint64_t ret[DIFF_BLOCKS]);

/**
 * diff_event_find() - the index of an event with that name, with or without ":u";
 * PROFILE_ALL_EVENTS where there is none
 */
uint32_t diff_event_find(const struct profile *p, const char *name);

#endif /* PROFILER_DIFF_BLOCKS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_count.h - the functions of a stream that is still being read: their samples in the last
 * seconds and since the start.
 *
 * Time is that of the samples, not of the one who looks. What is counted for a stack whose names
 * come later gets them then: functions are added up anew at each update.
 */
#ifndef PROFILER_TOP_COUNT_H
#define PROFILER_TOP_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/profile.h"

/* Longest window. */
#define TOP_SECONDS_MAX 60

/* Seconds that are kept: of the window, and those that late samples may belong to. */
#define TOP_SECONDS_KEPT (TOP_SECONDS_MAX + 4)

/* Weights in the window, and since the start. */
struct top_weight {
	uint64_t recent;
	uint64_t all;
};

struct top_function {
	uint32_t label; /* string of the profile */
	uint32_t where; /* string: short name of its file, 0 when it has none */
	/* up to here the key */
	struct top_weight self;
	struct top_weight total;
	uint64_t last_row; /* that was added to its total */
};

/* What a second's samples were of. */
struct top_second {
	uint64_t number; /* since the clock's start, + 1; 0: none */
	struct idmap rows;
};

struct top_counts {
	struct profile *profile; /* the listener of which feeds this */
	struct top_second second[TOP_SECONDS_KEPT];
	uint32_t window_s;
	uint64_t newest; /* number of the newest second */

	/* of the last update */
	struct idmap functions;
	struct top_weight weight; /* of the event */
	struct profile_total all; /* of the event, since the start */
	uint64_t recent_count;	  /* samples in the window */
	uint64_t recent_ns;	  /* how long the window is by now */
	uint64_t elapsed_ns;	  /* since the start */

	uint32_t *function_of_ref; /* by frame ref, 0 = not looked up yet */
	bool *is_named;		   /* likewise: more names change nothing */
	uint32_t refs;
	uint64_t *recent; /* by row, weight in the window */
	uint32_t rows;
	uint32_t names; /* known when the functions were looked up */
	uint32_t *stack;
};

/** top_counts_open() - counts of a profile, which is to be empty yet; 0 or -ENOMEM */
int top_counts_open(struct top_counts *c, struct profile *p, uint32_t window_s)
	__attribute__((warn_unused_result));

/** top_counts_release() - free what it owns */
void top_counts_release(struct top_counts *c);

/**
 * top_counts_update() - add up what was read so far
 * @c: the counts
 * @event: index of one that takes samples
 *
 * Return: 0 or -ENOMEM.
 */
int top_counts_update(struct top_counts *c, uint32_t event) __attribute__((warn_unused_result));

/** top_function() - a function of the last update, by id */
static inline const struct top_function *top_function(const struct top_counts *c, uint32_t id)
{
	return idmap_at(&c->functions, id);
}

#endif /* PROFILER_TOP_COUNT_H */

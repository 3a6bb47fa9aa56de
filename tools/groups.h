/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups.h - the groups of counters in a stream: which events a sample carries counts of.
 *
 * The header says which they are, and never anything else later in a stream.
 */
#ifndef PROFILER_GROUPS_H
#define PROFILER_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/reader.h"

/* Of the samples of one event. */
struct group {
	uint64_t counted; /* samples with counts */
	uint64_t shared;  /* of these, samples whose counts are of several tasks */
	uint64_t
		absent; /* of these, samples whose counts are none: not on the hardware meanwhile */
	uint32_t counters;		     /* 0: the event leads none */
	uint32_t event[READER_MAX_COUNTERS]; /* by place: the leader itself, then those it leads */
};

/* By event. */
struct groups {
	struct group of[READER_MAX_EVENTS];
	uint32_t largest; /* most counters of one group, 0 where there is none */
};

/** groups_find() - the groups that a header tells of, without samples */
void groups_find(struct groups *g, const Profiler__Header *header);

/**
 * group_counts() - what a sample carries, as if the group had been on the hardware all of the time
 * @g: the group of the block's event, with counters
 * @block: from the reader, with counters
 * @place: of the sample in it; it is COUNTED
 * @ret: by place in the group, g->counters of them
 *
 * Return: false where the group was never on the hardware, so that nothing is known.
 */
bool group_counts(const struct group *g, const Profiler__SampleBlock *block, uint32_t place,
		  uint64_t ret[READER_MAX_COUNTERS]);

/** group_place() - an event's place in a group, or UINT32_MAX where it is not in it */
uint32_t group_place(const struct group *g, uint32_t event);

#endif /* PROFILER_GROUPS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* place_set.h - places in code that are to be asked for. */
#ifndef PROFILER_PLACE_SET_H
#define PROFILER_PLACE_SET_H

#include <stdbool.h>
#include <stdint.h>

/* Different places in a set, at most. */
#define PLACE_SET_MAX 4096

/* All zero is an empty set. */
struct place_set {
	uint64_t *place;
	uint32_t count;
	uint32_t room;
	bool full; /* nothing goes in any more */
};

/** place_set_release() - free what it holds; it is empty then */
void place_set_release(struct place_set *set);

/** place_set_drop() - take out the first @count, with its room kept */
void place_set_drop(struct place_set *set, uint32_t count);

/** place_set_add() - one more; false, and it stays out, when the set is full */
bool place_set_add(struct place_set *set, uint64_t place);

/** place_set_sort() - in ascending order, no two alike; until the next place_set_add() */
void place_set_sort(struct place_set *set);

#endif /* PROFILER_PLACE_SET_H */

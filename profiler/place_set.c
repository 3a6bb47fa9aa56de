// SPDX-License-Identifier: Apache-2.0
/*
 * place_set.c - places in code that are to be asked for.
 *
 * The same place is often added again; it is taken out only when there is no room, or to be asked
 * for.
 */
#include "profiler/place_set.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

void place_set_release(struct place_set *set)
{
	free(set->place);
	*set = (struct place_set){ 0 };
}

void place_set_drop(struct place_set *set, uint32_t count)
{
	set->count -= count;
	set->full = false;
	if (set->count)
		memmove(set->place, set->place + count, set->count * sizeof(*set->place));
}

static bool grow(struct place_set *set)
{
	uint32_t room = set->room ? set->room * 2 : FIRST_ROOM;
	uint64_t *place;

	if (room > PLACE_SET_MAX)
		return false;
	place = realloc(set->place, room * sizeof(*place));
	if (!place)
		return false;
	set->place = place;
	set->room = room;
	return true;
}

bool place_set_add(struct place_set *set, uint64_t place)
{
	if (set->full)
		return false;
	if (set->count == set->room) {
		place_set_sort(set);
		if (set->count >= set->room / 2)
			(void)grow(set);
		set->full = set->count == set->room;
		if (set->full)
			return false;
	}
	set->place[set->count++] = place;
	return true;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void place_set_sort(struct place_set *set)
{
	uint32_t n = 0;

	if (!set->count)
		return;
	qsort(set->place, set->count, sizeof(*set->place), ascending);
	for (uint32_t i = 0; i < set->count; i++)
		if (!n || set->place[i] != set->place[n - 1])
			set->place[n++] = set->place[i];
	set->count = n;
}

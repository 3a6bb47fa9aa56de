/* SPDX-License-Identifier: Apache-2.0 */
/* names_promises.h - what every answer to a question for names keeps, whatever the input. */
#ifndef PROFILER_NAMES_PROMISES_H
#define PROFILER_NAMES_PROMISES_H

#include <stdbool.h>
#include <string.h>

#include "jail/places.h"

/** names_keep_promises() - the stretches answer the first of the places, and names are names */
static inline bool names_keep_promises(const struct name_answer *a, const uint64_t *places,
				       uint32_t count)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < a->count; i++) {
		const struct jail_stretch *s = &a->stretches[i];

		if (s->reserved || s->start >= s->end || (i && s->start < a->stretches[i - 1].end))
			return false;
		if (next == count || places[next] < s->start || places[next] >= s->end)
			return false;
		while (next < count && places[next] < s->end)
			next++;
		if (s->name == JAIL_NO_NAME || s->name == JAIL_CHANGED)
			continue;
		if (s->name >= a->text_bytes || !a->text[s->name] ||
		    strlen(a->text + s->name) >= JAIL_NAME_BYTES_MAX)
			return false;
	}
	return a->count && a->text_bytes <= JAIL_NAME_TEXT_MAX &&
	       (!a->text_bytes || !a->text[a->text_bytes - 1]);
}

/** names_are_equal() - does a place alone have the same stretch and name as among others? */
static inline bool names_are_equal(const struct name_answer *alone, const struct name_answer *all,
				   uint64_t place)
{
	const struct jail_stretch *a = &alone->stretches[0], *b = NULL;

	for (uint32_t i = 0; i < all->count; i++) {
		if (place >= all->stretches[i].start && place < all->stretches[i].end)
			b = &all->stretches[i];
	}
	if (!b)
		return true; /* of an answer that was full before it */
	if (a->start != b->start || a->end != b->end ||
	    (a->name == JAIL_NO_NAME) != (b->name == JAIL_NO_NAME) ||
	    (a->name == JAIL_CHANGED) != (b->name == JAIL_CHANGED))
		return false;
	return a->name == JAIL_NO_NAME || a->name == JAIL_CHANGED ||
	       strcmp(alone->text + a->name, all->text + b->name) == 0;
}

#endif /* PROFILER_NAMES_PROMISES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.h - places that a name is asked for, between the boundaries of all that has a name; and
 * the answer that is made of it.
 *
 * Whatever a symbol table or a map of code names, be it much more than what is asked for, goes
 * through places_add() one by one. A place is in the stretch between the greatest boundary at or
 * before it and the least one behind it: nothing begins or ends inside of a stretch, so what names
 * one place of it names all. Memory follows the places, not the table.
 */
#ifndef PROFILER_PLACES_H
#define PROFILER_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jail/jailwire.h"

/* Boundaries behind one place and up to the next one. None yet: first > last. */
struct places_gap {
	uint64_t first;
	uint64_t last;
};

struct places {
	uint32_t count;
	uint64_t at[JAIL_NAMES_MAX];		   /* ascending */
	struct places_gap gap[JAIL_NAMES_MAX + 1]; /* gap[i] ends at at[i], that included */
};

/* Places first up to, but not with, last; also: gap[first] has the start, gap[last] the end. */
struct places_span {
	uint32_t first;
	uint32_t last;
};

/* Names of stretches, as they are sent. */
struct name_answer {
	uint32_t count;
	uint32_t text_bytes;
	uint32_t last_text; /* where the last name begins */
	struct jail_stretch stretches[JAIL_NAMES_MAX];
	char text[JAIL_NAME_TEXT_MAX];
};

/**
 * places_init() - begin with these places and no boundaries
 * @at:	   ascending; copied
 * @count: 1 to JAIL_NAMES_MAX
 */
void places_init(struct places *p, const uint64_t *at, uint32_t count);

/**
 * places_add() - something lies at start up to end: both are boundaries
 * @end: not before start; the same for what has no size
 *
 * Return: the places that it covers.
 */
struct places_span places_add(struct places *p, uint64_t start, uint64_t end);

/**
 * places_settle() - no more boundaries: afterwards gap[i].last is where the stretch of place i
 * begins (0: at nothing), and gap[i + 1].first where it ends (UINT64_MAX: at nothing).
 */
void places_settle(struct places *p);

/** name_answer_init() - empty it */
void name_answer_init(struct name_answer *a);

/**
 * name_answer_add() - one more stretch, behind all others
 * @name: `size` bytes without a 0; longer ones than are sent are cut; 0 bytes: no name
 *
 * Return: false if there is no room for it.
 */
__attribute__((warn_unused_result)) bool
name_answer_add(struct name_answer *a, uint64_t start, uint64_t end, const char *name, size_t size);

/** name_answer_add_changed() - the same for code that had more than one name */
__attribute__((warn_unused_result)) bool name_answer_add_changed(struct name_answer *a,
								 uint64_t start, uint64_t end);

#endif /* PROFILER_PLACES_H */

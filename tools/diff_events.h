/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_events.h - what each row of a profile has in each block of time, of one event or of all.
 *
 * A stream is read once, and which events it has is known with its first sample only.
 */
#ifndef PROFILER_DIFF_EVENTS_H
#define PROFILER_DIFF_EVENTS_H

#include "tools/diff_blocks.h"

/* All zero but for the first four. */
struct diff_events {
	bool all;	   /* blocks for every event, not for one */
	const char *event; /* the one; NULL: whatever a row is of */
	const char *norm;  /* event that makes the whole; NULL: none */
	const struct filter *filter;
	const struct profile *profile;
	struct diff_blocks *of; /* by event; just one unless all are wanted */
	uint32_t count;		/* 0 until there was a sample */
};

/** diff_events_listener() - what makes a profile that is read fill the blocks */
struct profile_listener diff_events_listener(struct diff_events *e);

/** diff_events_release() - free what it owns */
void diff_events_release(struct diff_events *e);

/** diff_events_blocks() - the blocks of an event of the profile; there was a sample */
static inline const struct diff_blocks *diff_events_blocks(const struct diff_events *e,
							   uint32_t event)
{
	return &e->of[e->all ? event : 0];
}

#endif /* PROFILER_DIFF_EVENTS_H */

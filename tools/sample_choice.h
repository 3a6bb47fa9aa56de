/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_choice.h - which samples of a stream are wanted, for who reads it packet by packet: those
 * that a filter wants, and that have a wanted function in their stack.
 *
 * What a function is called is known at the end of a stream only, so for the latter the stream is
 * read twice: first into a profile, of which each sample's row is noted, then to be asked about its
 * samples in the same order. That takes 4 bytes a sample while it is read first, and a bit
 * afterwards.
 */
#ifndef PROFILER_SAMPLE_CHOICE_H
#define PROFILER_SAMPLE_CHOICE_H

#include "tools/filter.h"
#include "tools/profile.h"

/* All zero wants everything. */
struct sample_choice {
	const struct filter *filter; /* NULL: all samples */
	uint32_t *row;		     /* by sample that the filter wants; while it is read first */
	uint8_t *wanted;	     /* likewise, a bit each, from then on; NULL: all of these */
	size_t count;
	size_t room;
	size_t next; /* to be asked about */
};

/** sample_choice_listener() - what notes the rows of a profile that is read */
struct profile_listener sample_choice_listener(struct sample_choice *c);

/** sample_choice_end() - wanted is what rows of the profile still have; 0 or -ENOMEM */
int sample_choice_end(struct sample_choice *c, const struct profile *p)
	__attribute__((warn_unused_result));

/** sample_choice_is_set() - does it want less than everything? */
static inline bool sample_choice_is_set(const struct sample_choice *c)
{
	return c->filter || c->wanted;
}

/** sample_choice_wants() - is the next sample wanted? Asked once about each; as filter_wants() */
bool sample_choice_wants(struct sample_choice *c, const struct tables *t,
			 const struct reader_sample *s, uint64_t start_ns);

/** sample_choice_release() - free what it owns */
void sample_choice_release(struct sample_choice *c);

#endif /* PROFILER_SAMPLE_CHOICE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - which samples of a stream are wanted, by what they say of themselves.
 *
 * What is given more than once, or as a list, is wanted in any of its values; different things have
 * to hold together.
 */
#ifndef PROFILER_FILTER_H
#define PROFILER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/reader.h"

#define FILTER_ERROR_BYTES 160
#define FILTER_TEXT_BYTES  256

/* What a filter may look at. */
enum filter_by {
	FILTER_BY_COMM,	  /* NAME[,NAME...], of the process or the thread */
	FILTER_BY_PID,	  /* N[-N][,...] */
	FILTER_BY_TID,	  /* likewise */
	FILTER_BY_CPU,	  /* likewise */
	FILTER_BY_CGROUP, /* PATH, and what is below it */
	FILTER_BY_TIME,	  /* FROM..TO since the start: "2.5s..4s", "300ms..", "..1" (seconds) */
	FILTER_BY_USER,	  /* sampled in user mode */
	FILTER_BY_KERNEL, /* sampled in the kernel */
	FILTER_BYS,
};

struct filter_range {
	uint64_t first;
	uint64_t last; /* included */
};

struct filter_values {
	struct filter_range *range;
	char **text;
	size_t count;
};

/* All zero wants everything. */
struct filter {
	struct filter_values by[FILTER_BYS]; /* none: any will do */
};

/**
 * filter_add() - want less
 * @f: the filter
 * @by: what to look at
 * @text: as on the command line; not used for FILTER_BY_USER and _KERNEL
 * @err: on failure what was expected
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int filter_add(struct filter *f, enum filter_by by, const char *text, char err[FILTER_ERROR_BYTES])
	__attribute__((warn_unused_result));

/** filter_release() - free what it owns; it wants everything afterwards */
void filter_release(struct filter *f);

/** filter_is_set() - does it want less than everything? */
bool filter_is_set(const struct filter *f);

/**
 * filter_wants() - is this sample wanted?
 * @f: the filter
 * @t: the tables of the sample's packet
 * @s: the sample
 * @start_ns: when the recording began
 */
bool filter_wants(const struct filter *f, const struct tables *t, const struct reader_sample *s,
		  uint64_t start_ns);

/** filter_text() - what is wanted, in words: "comm a or b, in the kernel"; "" for everything */
const char *filter_text(const struct filter *f, char ret[FILTER_TEXT_BYTES]);

#endif /* PROFILER_FILTER_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.h - several streams as one: which of their events are the same, where in time and on which
 * CPUs their samples come to lie, and what the common header says.
 *
 * Events are the same where their names, modes, rates and groups are. Each host has CPU numbers of
 * its own, one host's behind another's. Times are those of the first stream's clock, the others
 * told by their wall clocks; on one host a stream never begins before another one has ended. So
 * rule 6 of stream.proto holds for the whole, and no two machines' CPUs are taken for one.
 */
#ifndef PROFILER_MERGE_H
#define PROFILER_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/reader.h"
#include "tools/sample_choice.h"

struct merge_input {
	const char *path; /* NULL: stdin */
	struct reader *reader;
	const Profiler__Packet *first; /* the one that had the first header; NULL: there is none */
	int fd;
	uint64_t start_ns;    /* in its own time */
	uint64_t realtime_ns; /* the same, 0 when not known */
	uint64_t shift_ns;    /* from its time to the common one */
	uint32_t order;	      /* on the command line */
	uint32_t host;
	uint32_t first_cpu;
	uint32_t event_of[READER_MAX_EVENTS];
	struct sample_choice choice; /* which of its samples are wanted */
};

/** merge_input_name() - what to call a stream */
static inline const char *merge_input_name(const struct merge_input *in)
{
	return in->path ? in->path : "stdin";
}

struct merge {
	struct merge_input *input;
	size_t inputs;
	uint64_t *host_end_ns; /* by host, in the common time; 0: nothing yet */
	uint32_t hosts;
	bool end_to_end;	  /* no time between the streams of a host */
	Profiler__Header *header; /* of several */
};

/**
 * merge_open() - look at the streams' headers, and decide
 * @m: inputs that have been read up to their first header; they are sorted by time here
 *
 * Return: 0, -E2BIG when there are more events or CPUs than a stream can have, -ENOMEM.
 */
int merge_open(struct merge *m) __attribute__((warn_unused_result));

/** merge_release() - free what merge_open() made; the inputs stay */
void merge_release(struct merge *m);

/**
 * merge_begin() - an input's samples follow
 *
 * Return: how much later than its clock says it comes to lie, as it would have begun before the end
 * of another one of the same host; 0: where it belongs.
 */
uint64_t merge_begin(struct merge *m, size_t input);

/** merge_end() - an input has ended, at this time of the common clock at the latest */
void merge_end(struct merge *m, size_t input, uint64_t time_ns);

/**
 * merge_header() - the header of an epoch of an input
 * @m: the streams
 * @input: which one; its latest header says what the clocks showed
 * @notice: one more, or NULL
 *
 * Return: to be freed with profiler__header__free_unpacked(); NULL without memory.
 */
Profiler__Header *merge_header(const struct merge *m, size_t input, const char *notice)
	__attribute__((warn_unused_result));

#endif /* PROFILER_MERGE_H */

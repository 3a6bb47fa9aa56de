/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_log.h - the samples of a profile one by one, in order of time, for formats that want them.
 *
 * Names come in a stream when the recorder finds them, often after the samples that need them, and
 * CPUs are not in order; so nothing can be written before the end of the stream. A sample takes 24
 * bytes here, and as many for each other event of a group that it carries counts of.
 */
#ifndef PROFILER_SAMPLE_LOG_H
#define PROFILER_SAMPLE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "tools/cli.h"
#include "tools/profile.h"

/* A sample, or what it carries of another event of its group. */
struct logged_sample {
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	uint64_t weight;
	uint32_t row;	/* of the profile */
	uint32_t event; /* index in the header's events */
};

/* What comes first; within it time decides. */
enum log_order {
	LOG_BY_TIME,
	LOG_BY_EVENT,
	LOG_BY_THREAD, /* and then by event; the profile was read with PROFILE_BY_THREAD */
};

/* All zero is an empty one. */
struct sample_log {
	struct logged_sample *sample;
	size_t count;
	size_t room;
	const struct profile *profile;
	uint64_t carried[READER_MAX_COUNTERS]; /* by the sample that comes next, by place */
	uint32_t carries;
	uint32_t reserved;
};

/** sample_log_listener() - what fills a log; it stays where it is until all is read */
struct profile_listener sample_log_listener(struct sample_log *log);

/**
 * sample_log_sort() - leave out what the profile has left out since, and put the rest in order
 * @log: filled
 * @order: what comes first
 * @event: the only one to keep, or PROFILE_ALL_EVENTS
 */
void sample_log_sort(struct sample_log *log, enum log_order order, uint32_t event);

/**
 * sample_log_end() - where those that belong together end
 * @log: sorted
 * @order: as it was sorted
 * @first: index of one of them
 *
 * Return: index of the first that is of another event or thread, as far as @order tells them apart.
 */
size_t sample_log_end(const struct sample_log *log, enum log_order order, size_t first);

/**
 * sample_log_read() - all of cli_read() and of the above for a tool
 * @program: the tool
 * @input: from cli_parse(); its listener is set
 * @order: what comes first
 * @event: what the user asked for, NULL: all events
 * @ret: an empty log, to be released in any case
 * @ret_names: the names, whose profile keeps threads and CPUs apart; both to be freed by the caller
 *	       when 0 is returned
 *
 * Return: 0, or the exit status after an error line.
 */
int sample_log_read(const struct cli_program *program, struct cli_input *input,
		    enum log_order order, const char *event, struct sample_log *ret,
		    struct names **ret_names) __attribute__((warn_unused_result));

/** sample_log_release() - free what it owns */
void sample_log_release(struct sample_log *log);

#endif /* PROFILER_SAMPLE_LOG_H */

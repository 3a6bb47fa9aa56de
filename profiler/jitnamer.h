/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitnamer.h - functions of code made at run time, by the maps that its makers write.
 *
 * Such code may give its place to other code at any time, and only the map tells. So it is named
 * window by window: a Mapping.generation of the stream is one window of one process. See
 * jitnamer.c. Nothing here waits.
 */
#ifndef PROFILER_JITNAMER_H
#define PROFILER_JITNAMER_H

#include <stdbool.h>
#include <stdint.h>

struct jitnamer;
struct process;
struct procmap;
struct stream;
struct unwind_job;
struct unwinder;

/** jitnamer_open() - nothing known yet; 0 or -ENOMEM. One thread (the drain thread). */
__attribute__((warn_unused_result)) int jitnamer_open(struct jitnamer **ret,
						      struct unwinder *unwinder,
						      struct stream *stream,
						      const struct procmap *procmap);

/** jitnamer_close() - NULL is fine; after the unwinder has stopped */
void jitnamer_close(struct jitnamer *n);

/**
 * jitnamer_generation() - what Mapping.generation of a process's memory without a file is now
 *
 * Another one than before: the same address may be other code. Never that of another process; 0
 * before jitnamer_begin().
 */
uint32_t jitnamer_generation(const struct jitnamer *n, const struct process *process);

/** jitnamer_begin() - the same, when a frame is in such memory; 0 only without memory of our own */
uint32_t jitnamer_begin(struct jitnamer *n, const struct process *process);

/**
 * jitnamer_place() - an address in memory without a file is in a stack
 * @stream_mapping: id of this epoch, with jitnamer_generation()
 */
void jitnamer_place(struct jitnamer *n, const struct process *process, uint32_t stream_mapping,
		    uint64_t address);

/** jitnamer_take() - a JOB_NAMES of code made at run time is back; takes it over */
void jitnamer_take(struct jitnamer *n, struct unwind_job *job);

/** jitnamer_tick() - once a round, after the jobs that are back were taken */
void jitnamer_tick(struct jitnamer *n, uint64_t now_ns);

/** jitnamer_waits() - there is code whose names depend on jitnamer_tick() in time */
bool jitnamer_waits(const struct jitnamer *n);

/**
 * jitnamer_finish() - sampling is off: jitnamer_tick() asks for all that is left
 *
 * Returns false as long as something waits or is on its way.
 */
bool jitnamer_finish(struct jitnamer *n);

#endif /* PROFILER_JITNAMER_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namer.h - functions of user code: what is known of them, and asking for what is not.
 *
 * The resolver tells of every place in user code that a stack has; what is known of it goes into
 * the stream at once, the rest is asked of the jail by the unwinder thread, file by file, and goes
 * into the stream when it is back. Code without a file is looked up in the map that its maker has
 * written, which is read again as it grows. Nothing here waits. See namer.c.
 */
#ifndef PROFILER_NAMER_H
#define PROFILER_NAMER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/image.h"
#include "profiler/procmap.h"

struct namer;
struct stream;
struct unwind_job;
struct unwinder;

/** namer_open() - nothing known yet; 0 or -ENOMEM. One thread (the drain thread). */
__attribute__((warn_unused_result)) int namer_open(struct namer **ret, struct unwinder *unwinder,
						   struct stream *stream,
						   const struct procmap *procmap);

/** namer_close() - NULL is fine; after the unwinder has stopped */
void namer_close(struct namer *n);

/**
 * namer_file() - a place in a file is in a stack
 * @pid: that has it mapped
 * @m: where; not of kind MAPPED_ANON
 * @stream_mapping: id of this epoch
 * @offset: as in the stream, of the instruction in question
 */
void namer_file(struct namer *n, uint32_t pid, const struct mapping *m, uint32_t stream_mapping,
		uint64_t offset);

/** namer_code() - the same for an address in memory without a file */
void namer_code(struct namer *n, const struct process *process, uint32_t stream_mapping,
		uint64_t address);

/**
 * namer_generation() - what Mapping.generation of a process's memory without a file is now
 *
 * Another one than before means that code may have taken the place of other code. Never 0, and
 * never that of another process.
 */
uint32_t namer_generation(struct namer *n, const struct process *process);

/** namer_take() - a JOB_NAMES is back; takes it over */
void namer_take(struct namer *n, struct unwind_job *job);

/** namer_tick() - once a round, after the jobs that are back were taken; asks what is due */
void namer_tick(struct namer *n, uint64_t now_ns);

/**
 * namer_finish() - sampling is off: namer_tick() asks for all that is left, whatever the time
 *
 * Returns false as long as something waits or is on its way.
 */
bool namer_finish(struct namer *n);

#endif /* PROFILER_NAMER_H */

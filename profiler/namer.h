/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namer.h - functions in program files: what is known of them, and asking for what is not.
 *
 * The resolver tells of every place in a file that a stack has; what is known of it goes into the
 * stream at once, the rest is asked of the jail by the unwinder thread, file by file, and goes
 * into the stream when it is back. Nothing here waits. Code without a file is jitnamer.h's.
 */
#ifndef PROFILER_NAMER_H
#define PROFILER_NAMER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/image.h"

struct namer;
struct stream;
struct unwind_job;
struct unwinder;

/** namer_open() - nothing known yet; 0 or -ENOMEM. One thread (the drain thread). */
__attribute__((warn_unused_result)) int namer_open(struct namer **ret, struct unwinder *unwinder,
						   struct stream *stream);

/** namer_close() - NULL is fine; after the unwinder has stopped */
void namer_close(struct namer *n);

/**
 * namer_place() - a place in a file is in a stack
 * @pid: that has it mapped
 * @m: where; not of kind MAPPED_ANON
 * @stream_mapping: id of this epoch
 * @offset: as in the stream, of the instruction in question
 */
void namer_place(struct namer *n, uint32_t pid, const struct mapping *m, uint32_t stream_mapping,
		 uint64_t offset);

/** namer_take() - a JOB_NAMES of a file is back; takes it over */
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

/* SPDX-License-Identifier: Apache-2.0 */
/* unwind_maps.h - mappings of the sampled processes, for the walker. See unwind_maps.c. */
#ifndef PROFILER_UNWIND_MAPS_H
#define PROFILER_UNWIND_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/image.h"
#include "profiler/retire.h"
#include "profiler/unwind_files.h"
#include "profiler/unwind_memory.h"

struct unwind_maps;

struct unwind_maps_stats {
	uint64_t published;    /* times that a process got its mappings */
	uint64_t shared;       /* of them with the mappings of another process */
	uint64_t put_off;      /* no room now; a later sample asks again */
	uint64_t too_many;     /* processes refused for UNWIND_PROCESS_MAPPINGS */
	uint64_t evicted;      /* processes that made room for others */
	uint64_t idle;	       /* processes forgotten because no sample named them */
	uint64_t unknown_file; /* mappings published without their file, for want of room */
	uint32_t processes;    /* now */
	uint32_t images;       /* now: different lists of mappings */
	uint32_t mappings;     /* now, those that wait to be used again included */
	uint64_t bytes;	       /* of bookkeeping */
};

/** unwind_maps_open() - nothing published; 0 or -ENOMEM. One thread (the drain thread). */
__attribute__((warn_unused_result)) int unwind_maps_open(struct unwind_maps **ret,
							 const struct unwind_memory *memory,
							 struct unwind_files *files,
							 struct retire *retire);

/** unwind_maps_free() - NULL is fine; before unwind_files_free() */
void unwind_maps_free(struct unwind_maps *maps);

/**
 * unwind_maps_publish() - a sample of this process asks for the walker's tables
 * @image: as it is now; not kept
 *
 * Cheap when they are there already. Returns 0; -EAGAIN when there is no room now: ask again with a
 * later sample; -E2BIG for a process with too many mappings; -ENOMEM.
 */
int unwind_maps_publish(struct unwind_maps *maps, uint32_t pid, const struct image *image);

/**
 * unwind_maps_update() - a record of the side-band about this process was applied
 * @image: as it is now, NULL for none; not kept
 *
 * Nothing for a process that is not published or whose image has the same id. A process is
 * published again at most once a round: more changes make it unknown until a sample asks.
 */
void unwind_maps_update(struct unwind_maps *maps, uint32_t pid, const struct image *image);

/** unwind_maps_forget() - the process has ended */
void unwind_maps_forget(struct unwind_maps *maps, uint32_t pid);

/**
 * unwind_maps_want() - this address was met in a stack of the process
 *
 * The process and the file count as used. Returns true when a page of the file should be asked
 * for, see unwind_files_want(); false too for a process that is not published.
 */
bool unwind_maps_want(struct unwind_maps *maps, uint32_t pid, uint64_t addr,
		      struct unwind_want *ret);

/**
 * unwind_maps_tick() - once a round, after retire_poll()
 * @now_ns: CLOCK_BOOTTIME
 *
 * Forgets processes that no sample has named for long, so that an end nobody told of costs nothing.
 */
void unwind_maps_tick(struct unwind_maps *maps, uint64_t now_ns);

/** unwind_maps_stats() - counts since the opening and sizes now */
void unwind_maps_stats(const struct unwind_maps *maps, struct unwind_maps_stats *ret);

#endif /* PROFILER_UNWIND_MAPS_H */

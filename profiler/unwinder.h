/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwinder.h - the thread that waits for the jail, so that the drain thread never does.
 *
 * The drain thread makes jobs; the unwinder thread opens the files, asks the jail, and gives each
 * job back with its answer. Every job comes back, whatever happens to the jail.
 */
#ifndef PROFILER_UNWINDER_H
#define PROFILER_UNWINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "jail/jailwire.h"
#include "profiler/image.h"
#include "profiler/jail.h"
#include "profiler/jitfile.h"
#include "profiler/unwind_files.h"
#include "profiler/unwind_tables.h"

struct unwinder;

enum unwind_job_kind {
	JOB_WALK,  /* walk a snapshot */
	JOB_PAGE,  /* compile a page of tables */
	JOB_SHARD, /* make or drop a shard of the walker's memory */
	JOB_NAMES, /* look functions up */
};

/* A mapping to be opened, self-contained: nothing of the drain thread's is touched. */
struct unwind_source {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	enum mapped_kind kind;
	bool gone;	      /* the unwinder thread's: the file cannot be had */
	uint8_t read_id_size; /* of the build id that the jail has read; 0: none, or not asked */
	uint8_t read_id[BUILD_ID_MAX];
	uint8_t build_id_size;
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t path; /* where it begins in the job's texts */
};

/**
 * struct unwind_names - places in one file, and which functions they are in
 * @place: offsets, or addresses in memory without a file; ascending, no two alike
 * @of_code: the source is what the maker of code at run time has written: a jitdump, or of kind
 * MAPPED_ANON: the perf map of @process, or if there is none of @parent, where that is not all 0
 * @before: the map as it was when the first of the places was met, or sooner: names that have
 * changed since are JAIL_CHANGED; all 0: there was none
 * @map: which map it was, all 0 for none; also asked for without any place
 * @answered: places that have their answer; for the others ask again, unless there is an @unknown
 * @unknown: PROFILER__NAMES__UNKNOWN__*, why there is no answer
 * @lasting: nor will there be another time
 * @timed_out: it took the jail too long
 * @stretch: of the places that are answered, as in jailwire.h; allocated with the answer, as @texts
 */
struct unwind_names {
	uint64_t *place;
	uint32_t places;
	uint32_t stretches;
	bool of_code;
	struct jitfile_process process;
	struct jitfile_process parent;
	struct jitfile_state before;
	struct jitfile_state map;
	uint32_t answered;
	uint32_t unknown;
	bool lasting;
	bool timed_out;
	struct jail_stretch *stretch;
	char *texts;
	uint32_t text_bytes;
};

/**
 * struct unwind_job - a question and its answer
 * @pid: whose mappings @source are
 * @sources: executable mappings by start: of a walk all, otherwise the one
 * @texts: paths, 0-terminated
 * @patient: nobody waits for the answer: it is there for the next unwinder_pop(), and wakes nobody
 *
 * @leaf: address of the leaf; the one in @registers, to look it up by, may be one less
 *
 * Made by the drain thread with room for sources, texts and stack behind it, and freed by it with
 * unwind_job_free(); the unwinder thread's in between.
 */
struct unwind_job {
	enum unwind_job_kind kind;
	uint32_t pid;
	uint32_t sources;
	struct unwind_source *source;
	char *texts;
	bool patient;

	/* JOB_WALK */
	uint64_t registers[SNAPSHOT_REGISTERS];
	uint64_t leaf;
	uint32_t stack_bytes;
	uint8_t *stack;
	uint32_t outcome; /* STACK_OUTCOME(), when it is back */
	uint32_t frames;  /* when it is back; 0: no answer */
	uint64_t *frame;  /* leaf first; room for MAX_FRAMES is allocated with the answer */
	void *sample;	  /* the drain thread's own */

	/* JOB_PAGE */
	struct unwind_want want;
	enum unwind_page_state state; /* of the page, when it is back */
	bool whole_file;	      /* and of all others of its file */
	struct unwind_table table;    /* UNWIND_PAGE_LOADED: allocated with the answer */

	/* JOB_SHARD */
	struct unwind_shard_job shard;

	/* JOB_NAMES: one source, a jitdump's mapping too, or of kind MAPPED_ANON */
	struct unwind_names names;
};

/**
 * unwinder_start() - start the thread; the jail is started with the first job that needs it
 * @shards_fd: of the walker's map of shards
 * @done_fd: an eventfd; written when a job is back that is not patient
 *
 * Returns 0 or -errno; -ENOENT when there is no profiler-jail.
 */
__attribute__((warn_unused_result)) int unwinder_start(struct unwinder **ret, int shards_fd,
						       int done_fd);

/** unwinder_stop() - ends the thread and the jail; jobs that are not back are freed. NULL is fine
 */
void unwinder_stop(struct unwinder *u);

/** unwinder_push() - hand over a job; false, and nothing done, when too many are on their way */
bool unwinder_push(struct unwinder *u, struct unwind_job *job);

/** unwinder_pop() - a job that is back, or NULL */
struct unwind_job *unwinder_pop(struct unwinder *u);

/** unwinder_obstacle() - why there is no jail, in one line; NULL while nothing is known to be wrong
 */
const char *unwinder_obstacle(const struct unwinder *u);

/**
 * unwind_job_new() - a job with room
 * @texts_bytes, @stack_bytes: behind the sources
 *
 * Returns NULL without memory.
 */
struct unwind_job *unwind_job_new(enum unwind_job_kind kind, uint32_t sources, uint32_t texts_bytes,
				  uint32_t stack_bytes);

/** unwind_source_of() - a mapping as a job describes it, all but its path */
struct unwind_source unwind_source_of(const struct mapping *m);

/** unwind_job_free() - with its answer; NULL is fine. The sample stays the drain thread's. */
void unwind_job_free(struct unwind_job *job);

#endif /* PROFILER_UNWINDER_H */

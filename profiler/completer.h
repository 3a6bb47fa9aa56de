/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completer.h - what the drain thread does so that user stacks become whole.
 *
 * A sample whose stack the walker could not finish comes with a snapshot. The process's mappings
 * are published for the walker, the snapshot goes to the unwinder thread, and the sample is held
 * until its stack is back; the tables of all code on that stack are then loaded, so that the next
 * sample of the kind needs no snapshot. Nothing here waits.
 */
#ifndef PROFILER_COMPLETER_H
#define PROFILER_COMPLETER_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "profiler/procmap.h"
#include "profiler/unwind_files.h"
#include "profiler/unwind_maps.h"
#include "profiler/unwind_tables.h"
#include "profiler/unwinder.h"

struct sampler;
struct sideband_record;
struct completer;

/* Frames kept of the walker's own try, in case the snapshot leads nowhere. */
#define HELD_FRAMES 64

/**
 * struct held_sample - a sample that waits for its stack, with all that is needed to resolve it
 * later
 * @counts: of its group; all 0 when there are none
 * @image: the address space as it was; a reference
 * @job: the walk, when it is back
 * @frame: what the walker found, @frames of them, leaf first; @outcome of that
 * @kernel_frame: the kernel stack
 */
struct held_sample {
	struct sample_event event;
	struct counts_record counts;
	uint64_t thread_serial;
	uint64_t start_ns;
	uint32_t parent_pid;
	uint32_t inner_pid;
	struct cgroup *cgroup; /* a reference */
	char comm[PROCMAP_COMM_SIZE];
	char thread_comm[PROCMAP_COMM_SIZE];
	struct image *image;
	struct unwind_job *job;
	uint32_t outcome;
	uint32_t frames;
	uint32_t kernel_frames;
	__u64 frame[HELD_FRAMES];
	__u64 kernel_frame[MAX_KERNEL_FRAMES];
};

/** completer_open() - nothing is loaded yet; 0 or -errno */
__attribute__((warn_unused_result)) int
completer_open(struct completer **ret, struct sampler *sampler, struct procmap *procmap,
	       struct unwinder *unwinder, uint32_t cpus, uint32_t events);

/** completer_close() - NULL is fine; after unwinder_stop(), before sampler_free(), procmap_free()
 */
void completer_close(struct completer *c);

/**
 * completer_snapshot() - a snapshot was read from a ring
 * @process: its process, at that moment
 *
 * Returns a job for completer_hold() or unwind_job_free(), or NULL when it cannot be walked.
 */
struct unwind_job *completer_snapshot(struct completer *c, const struct snapshot_record *snapshot,
				      const struct process *process);

/** completer_held_new() - for the sample of a thread, without stacks; NULL without memory */
struct held_sample *completer_held_new(const struct sample_event *event,
				       const struct thread *thread);

/**
 * completer_hold() - keep a sample until the stack of its snapshot is back
 * @job: of completer_snapshot()
 * @held: of completer_held_new()
 *
 * Both are taken over. Returns false when it cannot be held: resolve the sample as it is.
 */
bool completer_hold(struct completer *c, struct unwind_job *job, struct held_sample *held);

/** completer_want() - the walker lacked the table of this address: load it */
void completer_want(struct completer *c, const struct process *process, uint64_t address);

/** completer_applied() - a record of the side-band was applied to the procmap */
void completer_applied(struct completer *c, const struct sideband_record *record);

/**
 * completer_take() - a job of any kind but JOB_NAMES is back; takes it over
 *
 * Returns a sample whose stack is back, which the caller resolves and gives to completer_release();
 * or NULL.
 */
struct held_sample *completer_take(struct completer *c, struct unwind_job *job);

/** completer_release() - done with a held sample */
void completer_release(struct completer *c, struct held_sample *held);

/** completer_tick() - once a round, before completer_take() */
void completer_tick(struct completer *c, uint64_t now_ns);

/** completer_holds() - samples that still wait for their stack */
uint32_t completer_holds(const struct completer *c);

#endif /* PROFILER_COMPLETER_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procmap.h - processes, threads and their mappings at one moment.
 *
 * The moment is that of the last record applied: the caller resolves all samples
 * earlier than a record, then applies it. So no versions are kept, and a pid
 * that was used again never shows its predecessor's mappings. What ended stays
 * findable for PROCMAP_GRACE_NS, because a thread still runs after its EXIT
 * record, unless its pid is used again first.
 *
 * Pointers are valid until the next call of procmap_thread(), procmap_apply(),
 * procmap_tick() or procmap_scan(); serials are never used again. One thread at a time.
 */
#ifndef PROFILER_PROCMAP_H
#define PROFILER_PROCMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/image.h"

struct cgroup;
struct sideband_record;

#define PROCMAP_COMM_SIZE 16
#define PROCMAP_GRACE_NS  1000000000ULL

#define PROCMAP_NO_UID UINT32_MAX

struct process {
	uint64_t serial; /* of this instance, name and cgroup; unique, never 0, never used again */
	uint32_t pid;
	uint32_t parent_pid;   /* 0 when unknown */
	uint64_t start_ns;     /* CLOCK_BOOTTIME of its FORK, 0 = before the recording or unknown */
	struct image *image;   /* NULL for kernel threads and the idle task */
	struct cgroup *cgroup; /* where it was at its first sample, or the first after an exec; NULL
				* when that is not known */
	uint32_t inner_pid;    /* in its innermost pid namespace; 0: only one, or not known */
	uint32_t uid;	       /* owner of its /proc/PID, PROCMAP_NO_UID when it is not known */
	bool unknown;	       /* neither seen to begin nor found in /proc: name "?", empty image */
	char comm[PROCMAP_COMM_SIZE]; /* of its main thread */
	uint32_t stream_id;	      /* scratch of the stream's encoder; 0 with a new serial */
	uint32_t stream_epoch;	      /* likewise */
};

struct thread {
	uint64_t serial; /* like the process's */
	uint32_t tid;
	struct process *process; /* never NULL */
	char comm[PROCMAP_COMM_SIZE];
	uint32_t stream_id;
	uint32_t stream_epoch;
};

struct procmap_stats {
	uint64_t processes; /* now, the ended ones in their grace included */
	uint64_t threads;
	uint64_t bytes;	    /* of all tables and images now, estimated from object sizes */
	uint64_t unknown;   /* processes that could not be found when a sample named them */
	uint64_t looked_up; /* processes or threads read from /proc because a sample named them */
	uint64_t scans;	    /* of the whole of /proc */
	uint64_t scan_ns;   /* time the last one took */
	uint64_t lost;	    /* LOST records applied */
	uint64_t evicted;   /* ended processes dropped before their grace was over */
	uint64_t maps_refused;	 /* mappings dropped for a limit or want of memory */
	uint64_t build_ids_read; /* by procmap_build_id() */
	uint64_t build_ids_failed;
	uint64_t who_read;	  /* cgroup and inner pid of a process, from /proc */
	uint64_t who_inherited;	  /* only an ancestor's was still to be had */
	uint64_t cgroups_refused; /* for the limit of cgroups.h */
};

struct procmap;

/** procmap_open() - an empty table that knows pid 0 only. Return: 0 or -ENOMEM. */
int procmap_open(struct procmap **ret) __attribute__((warn_unused_result));

/** procmap_free() - NULL is fine. */
void procmap_free(struct procmap *pm);

/**
 * procmap_scan() - read every process from /proc.
 *
 * Call it once after the side-band is enabled. Later calls bring the table in
 * line with /proc (after side-band loss; procmap_tick() does that by itself).
 * Return: 0 or -errno when /proc cannot be read; single processes that cannot
 * be read are no error.
 */
int procmap_scan(struct procmap *pm) __attribute__((warn_unused_result));

/**
 * procmap_apply() - make one record of the side-band happen.
 *
 * Records come in order of time. KSYMBOL is ignored (kallsyms's business). LOST
 * asks for a new scan, which procmap_tick() makes.
 */
void procmap_apply(struct procmap *pm, const struct sideband_record *record);

/**
 * procmap_tick() - once a round, after the records up to @now_ns: forget what ended
 * more than the grace ago, and scan again if records were lost (at most once a second).
 */
void procmap_tick(struct procmap *pm, uint64_t now_ns);

/**
 * procmap_thread() - the thread of a sample.
 *
 * One that is not known is looked up in /proc, once; if it is gone, it becomes a
 * thread of its known process, or of a process marked unknown. At the first call for a process, and
 * the first after it called exec, its cgroup and its inner pid are read from /proc; one that has
 * gone keeps, or takes from its ancestors, the cgroup, as fork hands it down.
 * Return: the thread, or NULL without memory.
 */
struct thread *procmap_thread(struct procmap *pm, uint32_t pid, uint32_t tid);

/**
 * procmap_find() - the mapping of a user address, with its build id when it can be had.
 *
 * image_find(), and on the first use of a file without a build id one attempt to
 * get it from the kernel (PROCMAP_QUERY, 6.11).
 * Return: NULL for an unmapped address and for processes without an image.
 */
const struct mapping *procmap_find(struct procmap *pm, struct process *process, uint64_t addr);

/** procmap_process() - who has this pid now; NULL when that is not known. Never looks at /proc. */
const struct process *procmap_process(const struct procmap *pm, uint32_t pid);

/** procmap_put_image() - drop a reference that was taken with image_get(); NULL is fine */
void procmap_put_image(struct procmap *pm, struct image *image);

/** procmap_put_cgroup() - likewise, of cgroup_get() */
void procmap_put_cgroup(struct procmap *pm, struct cgroup *cgroup);

/**
 * procmap_identify() - the build id of a file that a process has mapped was read
 * @addr: in the mapping
 * @path: of the file, as the mapping has it
 *
 * For kernels that do not tell it; what is known already, or has changed, stays as it is.
 */
void procmap_identify(struct procmap *pm, uint32_t pid, uint64_t addr, const char *path,
		      const uint8_t *build_id, uint8_t size);

/** procmap_stats() - counts since the opening and sizes now. */
void procmap_stats(const struct procmap *pm, struct procmap_stats *ret);

#endif /* PROFILER_PROCMAP_H */

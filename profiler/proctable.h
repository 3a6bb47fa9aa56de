/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proctable.h - the objects of procmap and how long they live.
 *
 * A process lives as long as it has threads. A thread that ended stays findable for its
 * grace, in a queue in order of time, unless something else gets its number first. No I/O and
 * no policy here; procmap decides when things begin and end.
 */
#ifndef PROFILER_PROCTABLE_H
#define PROFILER_PROCTABLE_H

#include "profiler/cgroups.h"
#include "profiler/procmap.h"

/* Ended threads kept for their grace: two seconds' worth at 2,000 a second, about 1.5 MB. */
#define PROCTABLE_MAX_ENDED 4096

struct proc_entry {
	struct process process; /* the image and the cgroup are references */
	struct hlink link;
	struct thread_entry *threads; /* all of them, ended or not */
	uint32_t live;		      /* threads that have not ended */
	uint32_t scan;		      /* number of the last scan that found it */
	uint64_t born_ns;	      /* when it began, as well as it is known */
	uint64_t read_ns;	      /* when it was read from /proc, 0 = never */
	bool asked;		      /* for its cgroup and inner pid, since its last exec */
};

struct thread_entry {
	struct thread thread;
	struct hlink link;
	struct thread_entry *next;  /* in the process's list */
	struct thread_entry **back; /* what points here in that list */
	struct thread_entry *next_ended;
	uint64_t ended_ns;
	uint32_t scan;
	bool ended;   /* and in the queue */
	bool current; /* in the table, so is its process */
	bool named;   /* the name is its own, not yet only the process's */
};

struct proctable {
	struct htable processes; /* by pid; the hash is the pid */
	struct htable threads;	 /* by tid; likewise */
	struct image_set *images;
	struct cgroup_set cgroups;
	struct thread_entry *ended_first;
	struct thread_entry *ended_last;
	uint32_t ended_count;
	uint64_t process_count; /* those no longer in the tables included */
	uint64_t thread_count;
	uint64_t last_serial;
	uint64_t evicted;
};

/** proctable_init() - empty. Return: 0 or -ENOMEM; call proctable_release() in any case. */
int proctable_init(struct proctable *t) __attribute__((warn_unused_result));

/** proctable_release() - frees everything; fine on zeroed memory. */
void proctable_release(struct proctable *t);

/** proctable_process() - who has this pid now, or NULL. */
struct proc_entry *proctable_process(const struct proctable *t, uint32_t pid);

/** proctable_thread() - who has this tid now, or NULL. */
struct thread_entry *proctable_thread(const struct proctable *t, uint32_t tid);

/** proctable_owner() - the process of a thread. */
struct proc_entry *proctable_owner(const struct thread_entry *thread);

/**
 * proctable_add() - a process with its main thread; retires what had the pid.
 * @image: reference that the process takes over, also on failure; NULL for none
 *
 * Return: the process, or NULL without memory.
 */
struct proc_entry *proctable_add(struct proctable *t, uint32_t pid, const char *comm,
				 struct image *image, uint64_t now_ns);

/** proctable_add_thread() - a thread of a current process; retires what had the tid. */
struct thread_entry *proctable_add_thread(struct proctable *t, struct proc_entry *p, uint32_t tid,
					  const char *comm, uint64_t now_ns);

/** proctable_end() - a thread ended; ended ones stay as they are. */
void proctable_end(struct proctable *t, struct thread_entry *thread, uint64_t now_ns);

/** proctable_end_all() - all threads of a process but @except, which may be NULL, ended. */
void proctable_end_all(struct proctable *t, struct proc_entry *p, const struct thread_entry *except,
		       uint64_t now_ns);

/** proctable_retire() - the pid is no longer this process's. */
void proctable_retire(struct proctable *t, struct proc_entry *p, uint64_t now_ns);

/** proctable_rename() - name of the main thread and the process. */
void proctable_rename(struct proctable *t, struct proc_entry *p, const char *comm);

/** proctable_rename_thread() - name of a thread. */
void proctable_rename_thread(struct proctable *t, struct thread_entry *thread, const char *comm);

/** proctable_renew() - it is another program from now on: a new serial, and nothing of it in the
 * stream */
void proctable_renew(struct proctable *t, struct proc_entry *p);

/**
 * proctable_place() - cgroup and inner pid of a process.
 * @cgroup: reference that the process takes over
 */
void proctable_place(struct proctable *t, struct proc_entry *p, struct cgroup *cgroup,
		     uint32_t inner_pid);

/** proctable_reap() - free what ended longer ago than the grace, and what is too much. */
void proctable_reap(struct proctable *t, uint64_t now_ns);

#endif /* PROFILER_PROCTABLE_H */

// SPDX-License-Identifier: Apache-2.0
/*
 * proctable.c - the objects of procmap and how long they live.
 *
 * Invariants: every process has at least one thread in its list and is freed with the last one;
 * everything in the two tables is current, and a current thread's process is current;
 * ended threads, and only they, are in the queue, which is where threads are freed from.
 */
#include "profiler/proctable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int proctable_init(struct proctable *t)
{
	int err;

	memset(t, 0, sizeof(*t));
	err = htable_init(&t->processes);
	if (!err)
		err = htable_init(&t->threads);
	if (!err)
		err = cgroup_set_init(&t->cgroups);
	return err ? err : image_set_open(&t->images);
}

struct proc_entry *proctable_process(const struct proctable *t, uint32_t pid)
{
	struct hlink *link = htable_first(&t->processes, pid);

	return link ? htable_entry(link, struct proc_entry, link) : NULL;
}

struct thread_entry *proctable_thread(const struct proctable *t, uint32_t tid)
{
	struct hlink *link = htable_first(&t->threads, tid);

	return link ? htable_entry(link, struct thread_entry, link) : NULL;
}

struct proc_entry *proctable_owner(const struct thread_entry *thread)
{
	return htable_entry(thread->thread.process, struct proc_entry, process);
}

static void copy_comm(char to[PROCMAP_COMM_SIZE], const char *comm)
{
	snprintf(to, PROCMAP_COMM_SIZE, "%s", comm);
}

static void free_process(struct proctable *t, struct proc_entry *p)
{
	if (proctable_process(t, p->process.pid) == p)
		htable_remove(&t->processes, &p->link);
	image_put(t->images, p->process.image);
	cgroup_put(&t->cgroups, p->process.cgroup);
	free(p);
	t->process_count--;
}

/* The first of the queue. */
static void free_ended(struct proctable *t)
{
	struct thread_entry *thread = t->ended_first;
	struct proc_entry *p = proctable_owner(thread);

	t->ended_first = thread->next_ended;
	t->ended_count--;
	if (thread->current)
		htable_remove(&t->threads, &thread->link);
	*thread->back = thread->next;
	if (thread->next)
		thread->next->back = thread->back;
	free(thread);
	t->thread_count--;
	if (!p->threads)
		free_process(t, p);
}

void proctable_end(struct proctable *t, struct thread_entry *thread, uint64_t now_ns)
{
	if (thread->ended)
		return;
	thread->ended = true;
	thread->ended_ns = now_ns;
	thread->next_ended = NULL;
	if (t->ended_first)
		t->ended_last->next_ended = thread;
	else
		t->ended_first = thread;
	t->ended_last = thread;
	t->ended_count++;
	proctable_owner(thread)->live--;
}

void proctable_end_all(struct proctable *t, struct proc_entry *p, const struct thread_entry *except,
		       uint64_t now_ns)
{
	for (struct thread_entry *thread = p->threads; thread; thread = thread->next) {
		if (thread != except)
			proctable_end(t, thread, now_ns);
	}
}

static void retire_thread(struct proctable *t, struct thread_entry *thread, uint64_t now_ns)
{
	if (thread->current)
		htable_remove(&t->threads, &thread->link);
	thread->current = false;
	proctable_end(t, thread, now_ns);
}

void proctable_retire(struct proctable *t, struct proc_entry *p, uint64_t now_ns)
{
	htable_remove(&t->processes, &p->link);
	for (struct thread_entry *thread = p->threads; thread; thread = thread->next)
		retire_thread(t, thread, now_ns);
}

struct thread_entry *proctable_add_thread(struct proctable *t, struct proc_entry *p, uint32_t tid,
					  const char *comm, uint64_t now_ns)
{
	struct thread_entry *thread = calloc(1, sizeof(*thread));
	struct thread_entry *old = proctable_thread(t, tid);

	if (!thread)
		return NULL;
	if (old)
		retire_thread(t, old, now_ns);
	thread->thread.serial = ++t->last_serial;
	thread->thread.tid = tid;
	thread->thread.process = &p->process;
	copy_comm(thread->thread.comm, comm);
	thread->current = true;
	thread->named = true;
	thread->next = p->threads;
	thread->back = &p->threads;
	if (p->threads)
		p->threads->back = &thread->next;
	p->threads = thread;
	p->live++;
	htable_insert(&t->threads, &thread->link, tid);
	t->thread_count++;
	return thread;
}

struct proc_entry *proctable_add(struct proctable *t, uint32_t pid, const char *comm,
				 struct image *image, uint64_t now_ns)
{
	struct proc_entry *old = proctable_process(t, pid);
	struct proc_entry *p = calloc(1, sizeof(*p));

	if (!p) {
		image_put(t->images, image);
		return NULL;
	}
	if (old)
		proctable_retire(t, old, now_ns);
	p->process.serial = ++t->last_serial;
	p->process.pid = pid;
	p->process.image = image;
	p->process.uid = PROCMAP_NO_UID;
	copy_comm(p->process.comm, comm);
	htable_insert(&t->processes, &p->link, pid);
	t->process_count++;
	if (!proctable_add_thread(t, p, pid, comm, now_ns)) {
		free_process(t, p);
		return NULL;
	}
	return p;
}

static void renew_thread(struct proctable *t, struct thread_entry *thread)
{
	thread->thread.serial = ++t->last_serial;
	thread->thread.stream_id = 0;
	thread->thread.stream_epoch = 0;
}

/* What the stream says of a process is not right any more. */
void proctable_renew(struct proctable *t, struct proc_entry *p)
{
	p->process.serial = ++t->last_serial;
	p->process.stream_id = 0;
	p->process.stream_epoch = 0;
	/* A thread's definition in the stream names that of its process. */
	for (struct thread_entry *thread = p->threads; thread; thread = thread->next)
		renew_thread(t, thread);
}

void proctable_rename(struct proctable *t, struct proc_entry *p, const char *comm)
{
	if (strncmp(p->process.comm, comm, PROCMAP_COMM_SIZE - 1) == 0)
		return;
	copy_comm(p->process.comm, comm);
	proctable_renew(t, p);
}

void proctable_place(struct proctable *t, struct proc_entry *p, struct cgroup *cgroup,
		     uint32_t inner_pid)
{
	bool same = p->process.cgroup == cgroup && p->process.inner_pid == inner_pid;

	cgroup_put(&t->cgroups, p->process.cgroup);
	p->process.cgroup = cgroup;
	p->process.inner_pid = inner_pid;
	if (!same)
		proctable_renew(t, p);
}

void proctable_rename_thread(struct proctable *t, struct thread_entry *thread, const char *comm)
{
	thread->named = true;
	if (strncmp(thread->thread.comm, comm, PROCMAP_COMM_SIZE - 1) == 0)
		return;
	copy_comm(thread->thread.comm, comm);
	renew_thread(t, thread);
}

void proctable_reap(struct proctable *t, uint64_t now_ns)
{
	while (t->ended_first && now_ns > t->ended_first->ended_ns &&
	       now_ns - t->ended_first->ended_ns > PROCMAP_GRACE_NS)
		free_ended(t);
	while (t->ended_count > PROCTABLE_MAX_ENDED) {
		free_ended(t);
		t->evicted++;
	}
}

void proctable_release(struct proctable *t)
{
	for (uint32_t i = 0; t->processes.buckets && i <= t->processes.mask; i++) {
		for (struct hlink *l = t->processes.buckets[i]; l; l = l->next)
			proctable_end_all(t, htable_entry(l, struct proc_entry, link), NULL, 0);
	}
	while (t->ended_first)
		free_ended(t);
	htable_release(&t->processes);
	htable_release(&t->threads);
	cgroup_set_release(&t->cgroups);
	image_set_free(t->images);
	t->images = NULL;
}

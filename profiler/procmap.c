// SPDX-License-Identifier: Apache-2.0
/*
 * procmap.c - processes, threads and their mappings at one moment.
 *
 * Two sources: records of the side-band, which are of a while ago, and /proc, which is of now. A
 * process that was read from /proc remembers when (read_ns), and records about it up to then are
 * not applied again. /proc is read for all processes at the start and after side-band loss, and for
 * one process when something names a pid that is not known.
 *
 * Invariant: a FORK of a pid makes a new process, unless it is the very FORK of the process that
 * was read from /proc meanwhile. So a pid used again never shows its predecessor.
 */
#include "profiler/procmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/procread.h"
#include "profiler/proctable.h"
#include "profiler/sideband.h"

/* stat tells the start in ticks, mostly of 10 ms, and the FORK record comes up to a few ms later.
 */
#define SAME_START_NS 100000000ULL

#define RESCAN_INTERVAL_NS 1000000000ULL

/* A file whose build id could not be read is asked for again with other processes, so often. */
#define BUILD_ID_TRIES 3

/* Ancestors that are looked at for the cgroup of a process that has gone. */
#define GENERATIONS 8

/* What perf gives for a task that is about to go, and for none. */
#define NO_PID UINT32_MAX

#define UNKNOWN_COMM "?"

struct procmap {
	struct proctable table;
	uint64_t now_ns; /* of the last record or tick */
	uint64_t last_scan_ns;
	uint64_t tick_ns;	/* length of a tick in /proc/PID/stat */
	uint64_t pid_namespace; /* our own */
	uint32_t scan;		/* number of the last scan */
	bool scan_wanted;
	struct procmap_stats stats; /* but for what the table counts */
};

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

int procmap_open(struct procmap **ret)
{
	struct procmap *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return -ENOMEM;
	pm->tick_ns = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
	pm->pid_namespace = procread_namespace();
	if (proctable_init(&pm->table) || !proctable_add(&pm->table, 0, "swapper", NULL, 0)) {
		procmap_free(pm);
		return -ENOMEM;
	}
	*ret = pm;
	return 0;
}

void procmap_free(struct procmap *pm)
{
	if (!pm)
		return;
	proctable_release(&pm->table);
	free(pm);
}

/* Could a process that began at one of the times have been told to begin at the other? */
static bool same_start(uint64_t a_ns, uint64_t b_ns)
{
	return (a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns) <= SAME_START_NS;
}

/* Reading /proc. */

/* Replaces the image by what /proc says, or by an equal one that exists already. */
static void read_image(struct procmap *pm, struct proc_entry *p)
{
	struct image_set *set = pm->table.images;
	struct proc_entry *parent = proctable_process(&pm->table, p->process.parent_pid);
	struct image *image = image_new(set), *old = p->process.image;

	if (!image || procread_maps(p->process.pid, set, &image, &pm->stats.maps_refused)) {
		image_put(set, image);
		if (!old)
			p->process.image = image_new(set);
		return;
	}
	if (old && image_equal(image, old)) {
		image_put(set, image);
		return;
	}
	if (parent && parent->process.image && image_equal(image, parent->process.image)) {
		image_put(set, image);
		image = image_get(parent->process.image);
	}
	image_put(set, old);
	p->process.image = image;
}

/* Notes a thread that /proc shows; without @comm its name is read when it is needed. */
static void see_thread(struct procmap *pm, struct proc_entry *p, uint32_t tid, const char *comm)
{
	struct thread_entry *thread = proctable_thread(&pm->table, tid);

	if (!thread || proctable_owner(thread) != p)
		thread = proctable_add_thread(&pm->table, p, tid, p->process.comm, pm->now_ns);
	if (!thread)
		return;
	thread->scan = pm->scan;
	thread->named = false;
	if (comm)
		proctable_rename_thread(&pm->table, thread, comm);
}

/* Brings the threads in line with /proc; those it does not show have ended. */
static void read_threads(struct procmap *pm, struct proc_entry *p, const struct proctext_stat *stat)
{
	struct thread_entry *thread;
	uint32_t *tids = NULL;
	char path[32];
	int count = 0;

	if (stat->threads > 1) {
		snprintf(path, sizeof(path), "/proc/%u/task", stat->pid);
		count = procread_ids(path, &tids);
	}
	for (int i = 0; i < count; i++)
		see_thread(pm, p, tids[i], NULL);
	see_thread(pm, p, stat->pid, stat->comm);
	free(tids);
	for (thread = p->threads; thread && count >= 0; thread = thread->next) {
		if (thread->scan != pm->scan)
			proctable_end(&pm->table, thread, pm->now_ns);
	}
	/* The main thread may have ended before the others. */
	thread = proctable_thread(&pm->table, stat->pid);
	if (stat->state == 'Z' && thread)
		proctable_end(&pm->table, thread, pm->now_ns);
}

/*
 * Takes a process over from /proc: a new one, or what is different in a known one. Returns
 * -ESRCH if it has ended.
 */
static int read_process(struct procmap *pm, uint32_t pid, struct proc_entry **ret)
{
	struct proc_entry *p = proctable_process(&pm->table, pid);
	uint64_t read_ns = boottime_ns(), born_ns;
	struct proctext_stat stat;
	int err = procread_stat(pid, &stat);

	if (err)
		return err;
	if (stat.state == 'X' || (stat.state == 'Z' && stat.threads <= 1))
		return -ESRCH;
	born_ns = stat.start_ticks * pm->tick_ns;
	if (!p || !same_start(p->born_ns, born_ns)) {
		p = proctable_add(&pm->table, pid, stat.comm, NULL, pm->now_ns);
		if (!p)
			return -ENOMEM;
		p->born_ns = born_ns;
	} else if (!p->live) {
		return -ESRCH;
	}
	p->scan = pm->scan;
	p->read_ns = read_ns;
	p->process.parent_pid = stat.parent_pid;
	p->process.unknown = false;
	p->asked = false;
	proctable_rename(&pm->table, p, stat.comm);
	if (!stat.kernel_thread)
		read_image(pm, p);
	read_threads(pm, p, &stat);
	*ret = p;
	return 0;
}

/* Ends what the scan did not find. What has begun since is not in the table yet. */
static void end_missing(struct procmap *pm)
{
	const struct htable *processes = &pm->table.processes;

	for (uint32_t i = 0; i <= processes->mask; i++) {
		for (struct hlink *l = processes->buckets[i]; l; l = l->next) {
			struct proc_entry *p = htable_entry(l, struct proc_entry, link);

			if (p->scan != pm->scan && p->process.pid != 0)
				proctable_end_all(&pm->table, p, NULL, pm->now_ns);
		}
	}
}

int procmap_scan(struct procmap *pm)
{
	uint64_t begin_ns = boottime_ns();
	uint32_t *pids = NULL;
	int count = procread_ids("/proc", &pids);

	if (count < 0)
		return count;
	pm->scan++;
	pm->scan_wanted = false;
	for (int i = 0; i < count; i++) {
		struct proc_entry *p = proctable_process(&pm->table, pids[i]);
		int err = read_process(pm, pids[i], &p);

		/* One that is there but cannot be read stays as it was. */
		if (p && err && err != -ENOENT && err != -ESRCH)
			p->scan = pm->scan;
	}
	free(pids);
	end_missing(pm);
	pm->last_scan_ns = boottime_ns();
	pm->stats.scans++;
	pm->stats.scan_ns = pm->last_scan_ns - begin_ns;
	return 0;
}

/* Records. */

static void give_name(struct procmap *pm, struct thread_entry *thread)
{
	char comm[PROCMAP_COMM_SIZE];

	if (thread->named)
		return;
	if (procread_comm(thread->thread.process->pid, thread->thread.tid, comm) == 0)
		proctable_rename_thread(&pm->table, thread, comm);
	thread->named = true;
}

/* The name that a new task takes over: that of the thread which made it. */
static const char *parent_comm(struct procmap *pm, const struct proc_entry *parent, uint32_t tid)
{
	struct thread_entry *thread = proctable_thread(&pm->table, tid);

	if (!thread || (parent && proctable_owner(thread) != parent))
		return parent ? parent->process.comm : UNKNOWN_COMM;
	give_name(pm, thread);
	return thread->thread.comm;
}

/* Is this the FORK of what /proc already showed? */
static bool already_read(struct proc_entry *p, const struct sideband_record *r)
{
	if (!p || !p->live || !p->read_ns)
		return false;
	if (same_start(p->born_ns, r->time_ns)) {
		p->process.start_ns = r->time_ns;
		return true;
	}
	return r->time_ns <= p->read_ns;
}

static void fork_process(struct procmap *pm, const struct sideband_record *r)
{
	struct proc_entry *parent = proctable_process(&pm->table, r->fork.parent_pid);
	struct proc_entry *p = proctable_process(&pm->table, r->pid);
	struct image *image;

	if (already_read(p, r))
		return;
	if (!parent && read_process(pm, r->pid, &p) == 0) {
		p->process.start_ns = r->time_ns;
		return;
	}
	image = parent ? image_get(parent->process.image) : image_new(pm->table.images);
	p = proctable_add(&pm->table, r->pid, parent_comm(pm, parent, r->fork.parent_tid), image,
			  r->time_ns);
	if (!p)
		return;
	p->born_ns = r->time_ns;
	p->process.start_ns = r->time_ns;
	p->process.parent_pid = r->fork.parent_pid;
	p->process.unknown = !parent;
	if (parent) {
		p->process.cgroup = cgroup_get(parent->process.cgroup);
		p->process.uid = parent->process.uid;
	}
}

static void fork_thread(struct procmap *pm, const struct sideband_record *r)
{
	struct proc_entry *p = proctable_process(&pm->table, r->pid);

	if (!p)
		(void)read_process(pm, r->pid, &p);
	if (!p || r->time_ns <= p->read_ns)
		return;
	proctable_add_thread(&pm->table, p, r->tid, parent_comm(pm, p, r->fork.parent_tid),
			     r->time_ns);
}

static void apply_exit(struct procmap *pm, const struct sideband_record *r)
{
	struct thread_entry *thread = proctable_thread(&pm->table, r->tid);

	if (!thread || thread->thread.process->pid != r->pid)
		return;
	/* Of one that had the number before what /proc showed. */
	if (r->time_ns < proctable_owner(thread)->born_ns)
		return;
	proctable_end(&pm->table, thread, r->time_ns);
}

/* The process of a record that is about one which should be known. */
static struct proc_entry *process_of(struct procmap *pm, const struct sideband_record *r)
{
	struct proc_entry *p = proctable_process(&pm->table, r->pid);

	if (p || read_process(pm, r->pid, &p) == 0)
		return p;
	p = proctable_add(&pm->table, r->pid, UNKNOWN_COMM, image_new(pm->table.images),
			  r->time_ns);
	if (p) {
		p->born_ns = r->time_ns;
		p->process.unknown = true;
	}
	return p;
}

static void apply_comm(struct procmap *pm, const struct sideband_record *r)
{
	struct proc_entry *p = process_of(pm, r);
	struct thread_entry *thread;

	if (!p || r->time_ns <= p->read_ns)
		return;
	/* The thread that calls exec takes the main thread's number, which may have ended. */
	thread = proctable_thread(&pm->table, r->tid);
	if (!thread || proctable_owner(thread) != p || (thread->ended && r->comm.exec))
		thread = proctable_add_thread(&pm->table, p, r->tid, r->comm.name, r->time_ns);
	if (!thread)
		return;
	if (r->comm.exec) {
		proctable_end_all(&pm->table, p, thread, r->time_ns);
		image_put(pm->table.images, p->process.image);
		p->process.image = image_new(pm->table.images);
		p->asked = false;
		proctable_renew(&pm->table, p);
	}
	proctable_rename_thread(&pm->table, thread, r->comm.name);
	if (r->tid == r->pid) {
		p->process.unknown = false;
		proctable_rename(&pm->table, p, r->comm.name);
	}
}

static void apply_mmap(struct procmap *pm, const struct sideband_record *r)
{
	const struct sideband_mmap *m = &r->mmap;
	const struct map_info info = {
		.start = m->addr,
		.size = m->size,
		.file_offset = m->file_offset,
		.inode = m->inode,
		.dev_major = m->dev_major,
		.dev_minor = m->dev_minor,
		.path = m->path,
		.build_id_size = m->build_id_size,
		.build_id = m->build_id,
	};
	struct proc_entry *p = process_of(pm, r);

	if (!p || r->time_ns <= p->read_ns)
		return;
	if (!p->process.image)
		p->process.image = image_new(pm->table.images);
	if (!p->process.image || image_map(pm->table.images, &p->process.image, &info))
		pm->stats.maps_refused++;
}

void procmap_apply(struct procmap *pm, const struct sideband_record *r)
{
	if (r->time_ns > pm->now_ns)
		pm->now_ns = r->time_ns;
	proctable_reap(&pm->table, pm->now_ns);
	if (r->kind == SIDEBAND_LOST) {
		pm->stats.lost++;
		pm->scan_wanted = true;
		return;
	}
	if (r->pid == NO_PID || r->tid == NO_PID || r->pid == 0)
		return;
	switch (r->kind) {
	case SIDEBAND_FORK:
		if (r->tid == r->pid)
			fork_process(pm, r);
		else
			fork_thread(pm, r);
		break;
	case SIDEBAND_EXIT:
		apply_exit(pm, r);
		break;
	case SIDEBAND_COMM:
		apply_comm(pm, r);
		break;
	case SIDEBAND_MMAP:
		apply_mmap(pm, r);
		break;
	case SIDEBAND_KSYMBOL:
	case SIDEBAND_LOST:
		break;
	}
}

void procmap_tick(struct procmap *pm, uint64_t now_ns)
{
	if (now_ns > pm->now_ns)
		pm->now_ns = now_ns;
	proctable_reap(&pm->table, pm->now_ns);
	/* An unreadable /proc is asked again with the next loss. */
	if (pm->scan_wanted && boottime_ns() - pm->last_scan_ns >= RESCAN_INTERVAL_NS)
		pm->scan_wanted = procmap_scan(pm) != 0;
}

/* Samples. */

static struct proc_entry *add_unknown(struct procmap *pm, uint32_t pid)
{
	struct proc_entry *p = proctable_add(&pm->table, pid, UNKNOWN_COMM,
					     image_new(pm->table.images), pm->now_ns);

	if (!p)
		return NULL;
	p->process.unknown = true;
	p->born_ns = pm->now_ns;
	pm->stats.unknown++;
	proctable_end_all(&pm->table, p, NULL, pm->now_ns);
	return p;
}

/* A thread that no record and no scan has told of. */
static struct thread_entry *look_up(struct procmap *pm, uint32_t pid, uint32_t tid)
{
	struct proc_entry *p;
	struct thread_entry *thread;
	char comm[PROCMAP_COMM_SIZE];

	proctable_reap(&pm->table, pm->now_ns);
	pm->stats.looked_up++;
	p = proctable_process(&pm->table, pid);
	if (!p && read_process(pm, pid, &p))
		p = add_unknown(pm, pid);
	if (!p)
		return NULL;
	thread = proctable_thread(&pm->table, tid);
	if (thread && proctable_owner(thread) == p)
		return thread;
	thread = proctable_add_thread(&pm->table, p, tid, p->process.comm, pm->now_ns);
	if (!thread)
		return NULL;
	if (procread_comm(pid, tid, comm) == 0)
		proctable_rename_thread(&pm->table, thread, comm);
	else
		proctable_end(&pm->table, thread, pm->now_ns);
	return thread;
}

/* Asks /proc who a process is, the first time and again after an exec. */
static void ask_who(struct procmap *pm, struct proc_entry *p)
{
	struct procread_who who;
	struct cgroup *cgroup;

	if (p->asked)
		return;
	p->asked = true;
	/* By the side-band it has ended: it may have gone, and another may have its pid. */
	if (!p->live || procread_who(p->process.pid, pm->pid_namespace, &who))
		return;
	pm->stats.who_read++;
	p->process.uid = who.uid;
	cgroup = *who.cgroup ? cgroup_intern(&pm->table.cgroups, who.cgroup)
			     : cgroup_get(p->process.cgroup);
	proctable_place(&pm->table, p, cgroup, who.inner_pid);
}

/*
 * The parent as far as that is sure: a pid that was used again is somebody's who began after the
 * child.
 */
static struct proc_entry *parent_of(struct procmap *pm, const struct proc_entry *p)
{
	struct proc_entry *parent = proctable_process(&pm->table, p->process.parent_pid);

	return parent && parent->born_ns <= p->born_ns ? parent : NULL;
}

/* The cgroup of the nearest ancestor of which it is known: fork hands it down. */
static void inherit_cgroup(struct procmap *pm, struct proc_entry *p)
{
	struct proc_entry *ancestor = p;

	for (int i = 0; i < GENERATIONS && !ancestor->process.cgroup; i++) {
		ancestor = parent_of(pm, ancestor);
		if (!ancestor)
			return;
		ask_who(pm, ancestor);
	}
	if (!ancestor->process.cgroup)
		return;
	pm->stats.who_inherited++;
	proctable_place(&pm->table, p, cgroup_get(ancestor->process.cgroup), p->process.inner_pid);
}

static void learn_who(struct procmap *pm, struct proc_entry *p)
{
	ask_who(pm, p);
	if (!p->process.cgroup)
		inherit_cgroup(pm, p);
}

struct thread *procmap_thread(struct procmap *pm, uint32_t pid, uint32_t tid)
{
	struct thread_entry *thread = proctable_thread(&pm->table, tid);

	if (!thread || thread->thread.process->pid != pid)
		thread = look_up(pm, pid, tid);
	if (!thread)
		return NULL;
	give_name(pm, thread);
	if (!proctable_owner(thread)->asked)
		learn_who(pm, proctable_owner(thread));
	return &thread->thread;
}

/* One attempt to learn the build id of a mapping's file. */
static void identify(struct procmap *pm, struct process *process, const struct mapping *map)
{
	struct mapped_file *file = map->region->file;
	uint8_t build_id[BUILD_ID_MAX];
	int size = 0;

	if (!file->identified) {
		size = procread_build_id(process->pid, map, build_id);
		if (size <= 0) {
			pm->stats.build_ids_failed++;
			file->build_id_tries +=
				size == -ENODATA || size == -ENOTTY ? BUILD_ID_TRIES : 1;
			return;
		}
		pm->stats.build_ids_read++;
	}
	if (image_identify(pm->table.images, process->image, map, build_id, (uint8_t)size))
		file->build_id_tries++;
}

void procmap_identify(struct procmap *pm, uint32_t pid, uint64_t addr, const char *path,
		      const uint8_t *build_id, uint8_t size)
{
	const struct proc_entry *p = proctable_process(&pm->table, pid);
	struct image *image = p ? p->process.image : NULL;
	const struct mapping *map = image ? image_find(image, addr) : NULL;
	const struct mapped_file *file = map ? map->region->file : NULL;

	if (!file || file->build_id_size || file->identified || strcmp(file->path, path) != 0)
		return;
	if (image_identify(pm->table.images, image, map, build_id, size) == 0)
		pm->stats.build_ids_read++;
}

const struct mapping *procmap_find(struct procmap *pm, struct process *process, uint64_t addr)
{
	const struct mapping *map = process->image ? image_find(process->image, addr) : NULL;
	const struct mapped_file *file;

	if (!map)
		return NULL;
	file = map->region->file;
	if (file->kind == MAPPED_FILE && !file->build_id_size &&
	    (file->identified || file->build_id_tries < BUILD_ID_TRIES))
		identify(pm, process, map);
	return map;
}

const struct process *procmap_process(const struct procmap *pm, uint32_t pid)
{
	const struct proc_entry *p = proctable_process(&pm->table, pid);

	return p ? &p->process : NULL;
}

void procmap_put_image(struct procmap *pm, struct image *image)
{
	image_put(pm->table.images, image);
}

void procmap_put_cgroup(struct procmap *pm, struct cgroup *cgroup)
{
	cgroup_put(&pm->table.cgroups, cgroup);
}

void procmap_stats(const struct procmap *pm, struct procmap_stats *ret)
{
	const struct proctable *t = &pm->table;
	struct image_set_stats images;

	image_set_stats(t->images, &images);
	*ret = pm->stats;
	ret->processes = t->process_count;
	ret->threads = t->thread_count;
	ret->evicted = t->evicted;
	ret->bytes = t->process_count * sizeof(struct proc_entry) +
		     t->thread_count * sizeof(struct thread_entry) + htable_bytes(&t->processes) +
		     htable_bytes(&t->threads) + images.bytes + t->cgroups.bytes +
		     htable_bytes(&t->cgroups.table);
	ret->cgroups_refused = t->cgroups.refused;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * completer.c - what the drain thread does so that user stacks become whole.
 *
 * Invariant: everything here is the drain thread's; what goes to the unwinder thread is a copy. A
 * sample that is held comes back exactly once, with a stack or without.
 */
#include "profiler/completer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/cgroups.h"
#include "profiler/sampler.h"
#include "profiler/sideband.h"

/* Jobs on their way: together no more than a queue holds. A walk takes about 20 KB. */
#define WALKS_MAX 32
#define PAGES_MAX 80

struct completer {
	struct procmap *procmap;
	struct retire *retire;
	struct unwind_tables *tables;
	struct unwind_files *files;
	struct unwind_maps *maps;
	struct unwinder *unwinder;
	int shards_fd;
	uint32_t walks; /* on their way */
	uint32_t pages;
};

static struct event_counters read_counters(void *sampler, uint32_t cpu, uint32_t event)
{
	return sampler_counters(sampler, cpu, event);
}

/* The kernel takes some 10 ms for it; now nobody waits, and the first tables find their room. */
static void make_first_shard(struct completer *c)
{
	struct unwind_shard_job shard;

	if (!unwind_tables_job(c->tables, &shard))
		return;
	if (unwind_memory_make_shard(c->shards_fd, shard.shard, &shard.rows))
		shard.rows = NULL;
	unwind_tables_done(c->tables, &shard);
}

int completer_open(struct completer **ret, struct sampler *sampler, struct procmap *procmap,
		   struct unwinder *unwinder, uint32_t cpus, uint32_t events)
{
	const struct unwind_memory memory = sampler_unwind_memory(sampler);
	struct completer *c = calloc(1, sizeof(*c));
	int error;

	if (!c)
		return -ENOMEM;
	c->procmap = procmap;
	c->unwinder = unwinder;
	c->shards_fd = sampler_shards_fd(sampler);
	error = retire_open(&c->retire, cpus, events, read_counters, sampler);
	if (!error)
		error = unwind_tables_open(&c->tables, &memory, c->retire, UNWIND_TABLES_BYTES);
	if (!error)
		error = unwind_files_open(&c->files, &memory, c->tables, c->retire);
	if (!error)
		error = unwind_maps_open(&c->maps, &memory, c->files, c->retire);
	if (error) {
		completer_close(c);
		return error;
	}
	make_first_shard(c);
	*ret = c;
	return 0;
}

void completer_close(struct completer *c)
{
	struct unwind_shard_job shard;

	if (!c)
		return;
	unwind_maps_free(c->maps);
	unwind_files_free(c->files);
	while (c->tables && unwind_tables_take_shard(c->tables, &shard))
		unwind_memory_unmap_shard(shard.rows);
	unwind_tables_free(c->tables);
	retire_free(c->retire);
	free(c);
}

static bool is_code(const struct mapping *m)
{
	enum mapped_kind kind = m->region->file->kind;

	return kind != MAPPED_VSYSCALL && kind != MAPPED_OTHER;
}

/* What the unwinder thread has to know to open a mapping's file; appends the path to the texts. */
static void describe(struct unwind_job *job, struct unwind_source *to, const struct mapping *m,
		     uint32_t *texts_bytes)
{
	const char *path = m->region->file->path;
	size_t bytes = strlen(path) + 1;

	*to = unwind_source_of(m);
	to->path = *texts_bytes;
	memcpy(job->texts + *texts_bytes, path, bytes);
	*texts_bytes += (uint32_t)bytes;
}

struct unwind_job *completer_snapshot(struct completer *c, const struct snapshot_record *snapshot,
				      const struct process *process)
{
	const struct image *image = process->image;
	uint32_t sources = 0, texts_bytes = 0;
	struct unwind_job *job;

	if (!image)
		return NULL;
	(void)unwind_maps_publish(c->maps, process->pid, image); /* or a later sample asks again */
	if (c->walks == WALKS_MAX || image->count > JAIL_MAPPINGS_MAX)
		return NULL;
	for (uint32_t i = 0; i < image->count; i++) {
		if (!is_code(&image->mappings[i]))
			continue;
		sources++;
		texts_bytes += (uint32_t)strlen(image->mappings[i].region->file->path) + 1;
	}
	job = unwind_job_new(JOB_WALK, sources, texts_bytes, snapshot->stack_bytes);
	if (!job)
		return NULL;
	job->pid = process->pid;
	sources = texts_bytes = 0;
	for (uint32_t i = 0; i < image->count; i++)
		if (is_code(&image->mappings[i]))
			describe(job, &job->source[sources++], &image->mappings[i], &texts_bytes);
	memcpy(job->registers, snapshot->registers, sizeof(job->registers));
	job->leaf = job->registers[SNAPSHOT_IP];
	job->registers[SNAPSHOT_IP] = snapshot->leaf;
	memcpy(job->stack, snapshot->stack, snapshot->stack_bytes);
	return job;
}

struct held_sample *completer_held_new(const struct sample_event *event,
				       const struct thread *thread)
{
	const struct process *process = thread->process;
	struct held_sample *held = process->image ? calloc(1, sizeof(*held)) : NULL;

	if (!held)
		return NULL;
	held->event = *event;
	held->thread_serial = thread->serial;
	held->start_ns = process->start_ns;
	held->parent_pid = process->parent_pid;
	held->inner_pid = process->inner_pid;
	held->cgroup = cgroup_get(process->cgroup);
	memcpy(held->comm, process->comm, sizeof(held->comm));
	memcpy(held->thread_comm, thread->comm, sizeof(held->thread_comm));
	held->image = image_get(process->image);
	return held;
}

bool completer_hold(struct completer *c, struct unwind_job *job, struct held_sample *held)
{
	job->sample = held;
	if (job->pid != held->event.pid || !unwinder_push(c->unwinder, job)) {
		held->job = job;
		completer_release(c, held);
		return false;
	}
	c->walks++;
	return true;
}

void completer_applied(struct completer *c, const struct sideband_record *record)
{
	const struct process *process;

	switch (record->kind) {
	case SIDEBAND_MMAP:
	case SIDEBAND_COMM:
		process = procmap_process(c->procmap, record->pid);
		unwind_maps_update(c->maps, record->pid, process ? process->image : NULL);
		break;
	case SIDEBAND_FORK: /* a pid that is used again */
		if (record->tid == record->pid)
			unwind_maps_forget(c->maps, record->pid);
		break;
	default:
		break;
	}
}

static void ask_page(struct completer *c, uint32_t pid, struct image *image, uint64_t address)
{
	const struct mapping *m = image_find(image, address);
	struct unwind_want want;
	struct unwind_job *job;
	uint32_t texts_bytes = 0;

	if (!m || !unwind_maps_want(c->maps, pid, address, &want))
		return;
	job = c->pages < PAGES_MAX
		      ? unwind_job_new(JOB_PAGE, 1, (uint32_t)strlen(m->region->file->path) + 1, 0)
		      : NULL;
	if (job) {
		job->pid = pid;
		job->want = want;
		describe(job, &job->source[0], m, &texts_bytes);
	}
	if (!job || !unwinder_push(c->unwinder, job)) {
		unwind_job_free(job);
		unwind_files_mark(c->files, &want, UNWIND_PAGE_MISSING);
		return;
	}
	c->pages++;
}

/* Asks for the tables of everything on a stack: the next one like it needs no snapshot. */
static void ask_pages(struct completer *c, struct held_sample *held)
{
	const struct unwind_job *job = held->job;

	for (uint32_t i = 0; i < job->frames; i++)
		ask_page(c, held->event.pid, held->image, job->frame[i] - (i > 0));
	for (uint32_t i = 0; !job->frames && i < held->frames; i++)
		ask_page(c, held->event.pid, held->image, held->frame[i] - (i > 0));
}

void completer_want(struct completer *c, const struct process *process, uint64_t address)
{
	if (process->image)
		ask_page(c, process->pid, process->image, address);
}

static void take_page(struct completer *c, struct unwind_job *job)
{
	c->pages--;
	if (job->whole_file)
		unwind_files_mark_all(c->files, job->want.file, job->state);
	else if (job->state == UNWIND_PAGE_LOADED)
		(void)unwind_files_load(c->files, &job->want, &job->table); /* or asked for again */
	else
		unwind_files_mark(c->files, &job->want, job->state);
	unwind_job_free(job);
}

struct held_sample *completer_take(struct completer *c, struct unwind_job *job)
{
	struct held_sample *held = NULL;

	switch (job->kind) {
	case JOB_PAGE:
		take_page(c, job);
		break;
	case JOB_SHARD:
		unwind_tables_done(c->tables, &job->shard);
		unwind_job_free(job);
		break;
	case JOB_WALK:
		c->walks--;
		held = job->sample;
		held->job = job;
		ask_pages(c, held);
		break;
	case JOB_NAMES: /* the namer's */
		break;
	}
	return held;
}

void completer_release(struct completer *c, struct held_sample *held)
{
	procmap_put_image(c->procmap, held->image);
	procmap_put_cgroup(c->procmap, held->cgroup);
	unwind_job_free(held->job);
	free(held);
}

void completer_tick(struct completer *c, uint64_t now_ns)
{
	struct unwind_shard_job shard;
	struct unwind_job *job;

	retire_poll(c->retire, now_ns);
	unwind_tables_tick(c->tables);
	unwind_files_tick(c->files, now_ns);
	unwind_maps_tick(c->maps, now_ns);
	if (!unwind_tables_job(c->tables, &shard))
		return;
	job = unwind_job_new(JOB_SHARD, 0, 0, 0);
	if (job)
		job->shard = shard;
	if (job && unwinder_push(c->unwinder, job))
		return;
	unwind_job_free(job);
	if (shard.make)
		shard.rows = NULL;
	else
		unwind_memory_drop_shard(c->shards_fd, shard.shard, shard.rows);
	unwind_tables_done(c->tables, &shard);
}

uint32_t completer_holds(const struct completer *c)
{
	return c->walks;
}

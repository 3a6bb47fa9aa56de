// SPDX-License-Identifier: Apache-2.0
/*
 * unwinder.c - the thread that waits for the jail, so that the drain thread never does.
 *
 * Invariant: a job belongs to one thread at a time, and goes there and back by two queues. Files
 * are known by what the kernel said of them (build id, or else path, device and inode); the jail's
 * ids for them are this thread's own.
 */
#include "profiler/unwinder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "profiler/known_files.h"
#include "profiler/name_job.h"
#include "profiler/spsc.h"
#include "profiler/unwind_memory.h"

/* A walk asks for one file after the other. */
#define WALK_FILES_MAX 64

struct unwinder {
	pthread_t thread;
	struct jail *jail;
	int shards_fd;
	int wake_fd;
	int done_fd;
	_Atomic bool stopping;
	struct spsc asked;
	struct spsc done;
	struct known_files *files;
	struct jail_mapping *mappings; /* of the walk that is asked for */
	/* Read by the drain thread. */
	const char *_Atomic obstacle;
};

static int ask_page(struct unwinder *u, struct unwind_job *job, struct known_file *f,
		    struct jail_page *ret)
{
	int error = jail_page(u->jail, f->id, job->want.page, ret);

	if (error != -ENOENT)
		return error;
	error = known_files_send(u->files, job, &job->source[0], f);
	if (error || f->kind != JAIL_KIND_TABLES)
		return error;
	return jail_page(u->jail, f->id, job->want.page, ret);
}

static int copy_table(struct unwind_job *job, const struct jail_page *page)
{
	size_t rules_bytes = page->rule_count * sizeof(*page->rules);
	size_t rows_bytes = page->row_count * sizeof(*page->rows);
	uint8_t *copy = malloc(rules_bytes + rows_bytes);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, page->rules, rules_bytes);
	memcpy(copy + rules_bytes, page->rows, rows_bytes);
	job->table = (struct unwind_table){
		.rules = (const struct unwind_rule *)copy,
		.rows = (const struct unwind_row *)(copy + rules_bytes),
		.rule_count = page->rule_count,
		.row_count = page->row_count,
	};
	return 0;
}

static void do_page(struct unwinder *u, struct unwind_job *job)
{
	struct known_file *f = known_files_get(u->files, job, &job->source[0]);
	struct jail_page page = { 0 };
	int error = 0;

	job->state = UNWIND_PAGE_MISSING;
	if (known_files_wait(f))
		return;
	if (!f->refused && f->kind == JAIL_KIND_TABLES)
		error = ask_page(u, job, f, &page);
	if (error == -ETIMEDOUT)
		known_files_late(f);
	if (error == -EPERM) /* there is no jail: what frame pointers give is all there is */
		f->kind = JAIL_KIND_FRAME_POINTERS;
	job->whole_file = f->refused || f->kind != JAIL_KIND_TABLES;
	if (f->refused) {
		job->state = UNWIND_PAGE_REFUSED;
	} else if (f->kind != JAIL_KIND_TABLES) {
		job->state = f->kind == JAIL_KIND_BARE ? UNWIND_PAGE_UNTOLD : UNWIND_PAGE_BARE;
	} else if (known_files_hopeless(error)) { /* this page, or what the jail did with it */
		job->state = UNWIND_PAGE_REFUSED;
		job->whole_file = error != -ENOEXEC;
		if (job->whole_file)
			f->refused = true;
	} else if (!error) {
		if (!page.row_count)
			job->state = UNWIND_PAGE_BARE;
		else if (!copy_table(job, &page))
			job->state = UNWIND_PAGE_LOADED;
	}
}

static bool has_file(const struct unwind_source *s)
{
	return s->kind == MAPPED_FILE || s->kind == MAPPED_VDSO;
}

/* The mappings as the jail is told them; a file that cannot be had ends the walk. */
static uint32_t list_mappings(struct unwinder *u, const struct unwind_job *job)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < job->sources && n < JAIL_MAPPINGS_MAX; i++) {
		const struct unwind_source *s = &job->source[i];
		const struct known_file *f = has_file(s) ? known_files_get(u->files, job, s) : NULL;

		u->mappings[n++] = (struct jail_mapping){
			.start = s->start,
			.end = s->end,
			.file_offset = s->file_offset,
			.file = !f					       ? JAIL_FILE_NONE
				: s->gone || f->refused || known_files_wait(f) ? JAIL_FILE_UNUSABLE
									       : f->id,
		};
	}
	return n;
}

/* The jail asks for this file. Returns 0 when it makes sense to ask again. */
static int send_by_id(struct unwinder *u, struct unwind_job *job, uint32_t id)
{
	struct known_file *f = known_files_by_id(u->files, id);
	int error = -EPROTO;
	bool sent = false;

	for (uint32_t i = 0; f && i < job->sources; i++) {
		struct unwind_source *s = &job->source[i];

		if (!has_file(s) || !known_files_is(u->files, f, job, s))
			continue;
		if (!sent)
			error = known_files_send(u->files, job, s, f);
		sent = true;
		s->gone = error != 0;
	}
	return error == -EPERM || error == -EAGAIN || !sent ? error : 0;
}

static enum stack_end end_of(enum jail_end end)
{
	switch (end) {
	case JAIL_END_COMPLETE:
		return STACK_COMPLETE;
	case JAIL_END_SHORT:
		return STACK_SHORT;
	case JAIL_END_NO_MAPPING:
		return STACK_NO_MAPPING;
	case JAIL_END_NO_TABLE:
		return STACK_NO_RULE;
	case JAIL_END_FRAMES_FULL:
		return STACK_MAX_FRAMES;
	case JAIL_END_BAD:
		return STACK_BAD_FRAME;
	case JAIL_END_DOUBTFUL:
		return STACK_CHAIN_END;
	default:
		return STACK_REFUSED;
	}
}

static int ask_walk(struct unwinder *u, struct unwind_job *job, struct jail_stack *ret)
{
	struct jail_walk walk = {
		.machine = JAIL_MACHINE,
		.mappings = u->mappings,
		.stack = job->stack,
		.stack_bytes = job->stack_bytes,
		.stack_address = job->registers[SNAPSHOT_SP],
	};
	int error = 0;

	memcpy(walk.registers, job->registers, sizeof(walk.registers));
	for (int i = 0; i < WALK_FILES_MAX && !error; i++) {
		walk.mapping_count = list_mappings(u, job);
		error = jail_walk(u->jail, &walk, ret);
		if (error || ret->end != JAIL_END_FILE)
			return error;
		error = send_by_id(u, job, ret->file);
	}
	return error ? error : -EPROTO;
}

static void do_walk(struct unwinder *u, struct unwind_job *job)
{
	struct jail_stack stack;
	int error = ask_walk(u, job, &stack);

	job->frame = error ? NULL : malloc(stack.count * sizeof(*job->frame));
	if (!job->frame) {
		return;
	}
	memcpy(job->frame, stack.frames, stack.count * sizeof(*job->frame));
	job->frame[0] = job->leaf;
	job->frames = stack.count;
	job->outcome = STACK_OUTCOME(end_of(stack.end), STACK_BY_SNAPSHOT);
}

static void do_shard(struct unwinder *u, struct unwind_job *job)
{
	struct unwind_shard_job *s = &job->shard;

	if (!s->make)
		unwind_memory_drop_shard(u->shards_fd, s->shard, s->rows);
	else if (unwind_memory_make_shard(u->shards_fd, s->shard, &s->rows))
		s->rows = NULL;
}

static void do_job(struct unwinder *u, struct unwind_job *job)
{
	switch (job->kind) {
	case JOB_WALK:
		do_walk(u, job);
		break;
	case JOB_PAGE:
		do_page(u, job);
		break;
	case JOB_SHARD:
		do_shard(u, job);
		break;
	case JOB_NAMES:
		name_job_do(u->jail, u->files, job);
		break;
	}
}

static void *run(void *argument)
{
	struct unwinder *u = argument;
	struct unwind_job *job;
	uint64_t n = 1;
	bool patient;

	while (!atomic_load_explicit(&u->stopping, memory_order_acquire)) {
		job = spsc_pop(&u->asked);
		if (!job) {
			/* The counter keeps a wake-up that comes between looking and waiting. */
			if (read(u->wake_fd, &n, sizeof(n)) < 0 && errno != EINTR)
				break;
			continue;
		}
		do_job(u, job);
		atomic_store_explicit(&u->obstacle, jail_obstacle(u->jail), memory_order_release);
		patient = job->patient; /* then it is not ours any more */
		/* There is room: no more jobs are on their way than a queue holds. */
		(void)spsc_push(&u->done, job);
		n = 1;
		if (!patient)
			(void)!write(u->done_fd, &n, sizeof(n));
	}
	jail_free(u->jail); /* here: the jail belongs to this thread */
	u->jail = NULL;
	return NULL;
}

int unwinder_start(struct unwinder **ret, int shards_fd, int done_fd)
{
	struct unwinder *u = aligned_alloc(64, (sizeof(*u) + 63) & ~(size_t)63);
	int error;

	if (!u)
		return -ENOMEM;
	memset(u, 0, sizeof(*u));
	u->shards_fd = shards_fd;
	u->done_fd = done_fd;
	u->wake_fd = eventfd(0, EFD_CLOEXEC);
	u->mappings = calloc(JAIL_MAPPINGS_MAX, sizeof(*u->mappings));
	error = u->wake_fd < 0 ? -errno : u->mappings ? 0 : -ENOMEM;
	if (!error)
		error = jail_open(&u->jail, NULL);
	if (!error)
		error = known_files_open(&u->files, u->jail);
	if (!error)
		error = -pthread_create(&u->thread, NULL, run, u);
	if (error) {
		jail_free(u->jail);
		if (u->wake_fd >= 0)
			close(u->wake_fd);
		known_files_free(u->files);
		free(u->mappings);
		free(u);
		return error;
	}
	*ret = u;
	return 0;
}

void unwinder_stop(struct unwinder *u)
{
	const uint64_t one = 1;
	struct unwind_job *job;

	if (!u)
		return;
	atomic_store_explicit(&u->stopping, true, memory_order_release);
	(void)!write(u->wake_fd, &one, sizeof(one));
	pthread_join(u->thread, NULL);
	while ((job = spsc_pop(&u->asked)))
		unwind_job_free(job);
	while ((job = spsc_pop(&u->done)))
		unwind_job_free(job);
	close(u->wake_fd);
	known_files_free(u->files);
	free(u->mappings);
	free(u);
}

bool unwinder_push(struct unwinder *u, struct unwind_job *job)
{
	const uint64_t one = 1;

	if (!spsc_push(&u->asked, job))
		return false;
	(void)!write(u->wake_fd, &one, sizeof(one));
	return true;
}

struct unwind_job *unwinder_pop(struct unwinder *u)
{
	return spsc_pop(&u->done);
}

const char *unwinder_obstacle(const struct unwinder *u)
{
	return atomic_load_explicit(&u->obstacle, memory_order_acquire);
}

struct unwind_job *unwind_job_new(enum unwind_job_kind kind, uint32_t sources, uint32_t texts_bytes,
				  uint32_t stack_bytes)
{
	size_t source_bytes = sources * sizeof(struct unwind_source);
	struct unwind_job *job = malloc(sizeof(*job) + source_bytes + stack_bytes + texts_bytes);
	uint8_t *behind = (uint8_t *)(job + 1);

	if (!job)
		return NULL;
	memset(job, 0, sizeof(*job));
	job->kind = kind;
	job->sources = sources;
	job->source = (struct unwind_source *)behind;
	job->stack_bytes = stack_bytes;
	job->stack = behind + source_bytes;
	job->texts = (char *)behind + source_bytes + stack_bytes;
	return job;
}

struct unwind_source unwind_source_of(const struct mapping *m)
{
	const struct mapped_file *file = m->region->file;
	struct unwind_source s = {
		.start = m->start,
		.end = m->end,
		.file_offset = m->file_offset,
		.inode = file->inode,
		.dev_major = file->dev_major,
		.dev_minor = file->dev_minor,
		.kind = file->kind,
		.build_id_size = file->build_id_size,
	};

	memcpy(s.build_id, file->build_id, file->build_id_size);
	return s;
}

void unwind_job_free(struct unwind_job *job)
{
	if (!job)
		return;
	free(job->frame);
	free((void *)(uintptr_t)job->table.rules);
	free(job->names.stretch);
	free(job->names.texts);
	free(job);
}

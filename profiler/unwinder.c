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
#include <sys/random.h>
#include <unistd.h>

#include "profiler/htable.h"
#include "profiler/openfile.h"
#include "profiler/spsc.h"
#include "profiler/unwind_memory.h"

/* Files that the jail was told of and that are remembered here; the oldest makes room. */
#define FILES_KNOWN 512

/* A walk asks for one file after the other. */
#define WALK_FILES_MAX 64

#if defined(__aarch64__)
#define MACHINE	  183 /* EM_AARCH64 */
#define SP_NUMBER 31
#else
#define MACHINE	  62 /* EM_X86_64 */
#define SP_NUMBER 7
#endif

struct known_file {
	uint64_t key; /* 0: unused */
	uint32_t id;  /* of this place: index + 1, and FILES_KNOWN more with each new tenant */
	bool refused;
	enum jail_kind kind; /* once it was sent; JAIL_KIND_TABLES before */
};

struct unwinder {
	pthread_t thread;
	struct jail *jail;
	int shards_fd;
	int wake_fd;
	int done_fd;
	_Atomic bool stopping;
	struct spsc asked;
	struct spsc done;
	uint32_t seeds[2];
	uint32_t next_place;
	struct known_file files[FILES_KNOWN];
	struct jail_mapping *mappings; /* of the walk that is asked for */
	/* Read by the drain thread. */
	const char *_Atomic obstacle;
	_Atomic uint64_t walks, walks_failed, pages, files_refused;
	_Atomic uint64_t jail_counts[sizeof(struct jail_stats) / sizeof(uint64_t)];
};

static void add(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/*
 * What tells a file from all others; seeded, so that nobody can make two alike. A build id is only
 * what a file says of itself, so the path counts too.
 */
static uint64_t file_key(const struct unwinder *u, const struct unwind_job *job,
			 const struct unwind_source *s)
{
	const char *path = job->texts + s->path;
	const uint64_t inode[] = { s->inode, s->dev_major, s->dev_minor, s->kind };
	uint32_t half[2];

	for (int i = 0; i < 2; i++) {
		half[i] = htable_hash(u->seeds[i], path, strlen(path));
		half[i] = htable_hash(half[i], inode, sizeof(inode));
		half[i] = htable_hash(half[i], s->build_id, s->build_id_size);
	}
	return ((uint64_t)half[0] << 32 | half[1]) | 1;
}

static struct known_file *know_file(struct unwinder *u, const struct unwind_job *job,
				    const struct unwind_source *s)
{
	uint64_t key = file_key(u, job, s);
	struct known_file *f;

	for (uint32_t i = 0; i < FILES_KNOWN; i++)
		if (u->files[i].key == key)
			return &u->files[i];
	f = &u->files[u->next_place++ % FILES_KNOWN];
	if (f->key)
		(void)jail_forget(u->jail, f->id);
	*f = (struct known_file){ .key = key, .id = f->id ? f->id + FILES_KNOWN : u->next_place };
	return f;
}

static struct known_file *file_by_id(struct unwinder *u, uint32_t id)
{
	struct known_file *f = &u->files[(id - 1) % FILES_KNOWN];

	return id && f->id == id ? f : NULL;
}

/* After these the same question would have the same end. */
static bool hopeless(int error)
{
	return error == -EPIPE || error == -ETIMEDOUT || error == -EPROTO || error == -ENOEXEC;
}

static void refuse(struct unwinder *u, struct known_file *f)
{
	if (!f->refused)
		add(&u->files_refused);
	f->refused = true;
}

static int open_source(const struct unwind_job *job, const struct unwind_source *s, bool *certain)
{
	const struct openfile_mapping map = {
		.pid = job->pid,
		.start = s->start,
		.end = s->end,
		.path = job->texts + s->path,
		.inode = s->inode,
		.dev_major = s->dev_major,
		.dev_minor = s->dev_minor,
	};

	*certain = true;
	return s->kind == MAPPED_VDSO ? openfile_vdso() : openfile_open(&map, certain);
}

/* Opens the file and gives it to the jail; a file that is not the one that was mapped is refused.
 */
static int send_file(struct unwinder *u, const struct unwind_job *job, struct unwind_source *s,
		     struct known_file *f)
{
	struct jail_file_answer answer;
	bool certain, same;
	int fd = open_source(job, s, &certain), error;

	if (fd < 0)
		return fd;
	error = jail_file(u->jail, f->id, fd, &answer);
	close(fd);
	if (error) {
		if (hopeless(error))
			refuse(u, f);
		return error;
	}
	same = !s->build_id_size || (answer.build_id_size == s->build_id_size &&
				     !memcmp(answer.build_id, s->build_id, s->build_id_size));
	if (!same || (!certain && !s->build_id_size)) {
		/* Another file of the name; the next process that has the right one may be alive.
		 */
		(void)jail_forget(u->jail, f->id);
		return -ENOENT;
	}
	f->kind = (enum jail_kind)answer.kind;
	s->read_id_size = answer.build_id_size;
	memcpy(s->read_id, answer.build_id, answer.build_id_size);
	return 0;
}

static int ask_page(struct unwinder *u, struct unwind_job *job, struct known_file *f,
		    struct jail_page *ret)
{
	int error = jail_page(u->jail, f->id, job->want.page, ret);

	if (error != -ENOENT)
		return error;
	error = send_file(u, job, &job->source[0], f);
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
	struct known_file *f = know_file(u, job, &job->source[0]);
	struct jail_page page = { 0 };
	int error = 0;

	job->state = UNWIND_PAGE_MISSING;
	if (!f->refused && f->kind == JAIL_KIND_TABLES)
		error = ask_page(u, job, f, &page);
	if (error == -EPERM) { /* there is no jail: what frame pointers give is all there is */
		atomic_store_explicit(&u->obstacle, jail_obstacle(u->jail), memory_order_release);
		f->kind = JAIL_KIND_FRAME_POINTERS;
	}
	job->whole_file = f->refused || f->kind != JAIL_KIND_TABLES;
	if (f->refused) {
		job->state = UNWIND_PAGE_REFUSED;
	} else if (f->kind != JAIL_KIND_TABLES) {
		job->state = f->kind == JAIL_KIND_BARE ? UNWIND_PAGE_UNTOLD : UNWIND_PAGE_BARE;
	} else if (hopeless(error)) { /* this page, or what the jail did with it */
		job->state = UNWIND_PAGE_REFUSED;
		job->whole_file = error != -ENOEXEC;
		if (job->whole_file)
			refuse(u, f);
	} else if (!error) {
		add(&u->pages);
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
		const struct known_file *f = has_file(s) ? know_file(u, job, s) : NULL;

		u->mappings[n++] = (struct jail_mapping){
			.start = s->start,
			.end = s->end,
			.file_offset = s->file_offset,
			.file = !f			? JAIL_FILE_NONE
				: s->gone || f->refused ? JAIL_FILE_UNUSABLE
							: f->id,
		};
	}
	return n;
}

/* The jail asks for this file. Returns 0 when it makes sense to ask again. */
static int send_by_id(struct unwinder *u, struct unwind_job *job, uint32_t id)
{
	struct known_file *f = file_by_id(u, id);
	int error = -EPROTO;
	bool sent = false;

	for (uint32_t i = 0; f && i < job->sources; i++) {
		struct unwind_source *s = &job->source[i];

		if (!has_file(s) || file_key(u, job, s) != f->key)
			continue;
		if (!sent)
			error = send_file(u, job, s, f);
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
	default:
		return STACK_REFUSED;
	}
}

static int ask_walk(struct unwinder *u, struct unwind_job *job, struct jail_stack *ret)
{
	struct jail_walk walk = {
		.machine = MACHINE,
		.mappings = u->mappings,
		.stack = job->stack,
		.stack_bytes = job->stack_bytes,
		.stack_address = job->registers[SP_NUMBER],
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

	if (error == -EPERM)
		atomic_store_explicit(&u->obstacle, jail_obstacle(u->jail), memory_order_release);
	job->frame = error ? NULL : malloc(stack.count * sizeof(*job->frame));
	if (!job->frame) {
		add(&u->walks_failed);
		return;
	}
	add(&u->walks);
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
	}
}

static void publish_jail_stats(struct unwinder *u)
{
	const struct jail_stats stats = jail_stats(u->jail);
	uint64_t counts[sizeof(stats) / sizeof(uint64_t)];

	memcpy(counts, &stats, sizeof(stats));
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		atomic_store_explicit(&u->jail_counts[i], counts[i], memory_order_relaxed);
}

static void *run(void *argument)
{
	struct unwinder *u = argument;
	struct unwind_job *job;
	uint64_t n = 1;

	while (!atomic_load_explicit(&u->stopping, memory_order_acquire)) {
		job = spsc_pop(&u->asked);
		if (!job) {
			/* The counter keeps a wake-up that comes between looking and waiting. */
			if (read(u->wake_fd, &n, sizeof(n)) < 0 && errno != EINTR)
				break;
			continue;
		}
		do_job(u, job);
		publish_jail_stats(u);
		/* There is room: no more jobs are on their way than a queue holds. */
		(void)spsc_push(&u->done, job);
		n = 1;
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
	if (!error && getrandom(u->seeds, sizeof(u->seeds), 0) != (ssize_t)sizeof(u->seeds))
		error = -errno;
	if (!error)
		error = jail_open(&u->jail, NULL);
	if (!error)
		error = -pthread_create(&u->thread, NULL, run, u);
	if (error) {
		jail_free(u->jail);
		if (u->wake_fd >= 0)
			close(u->wake_fd);
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

struct unwinder_stats unwinder_stats(const struct unwinder *u)
{
	struct unwinder_stats s = {
		.walks = atomic_load_explicit(&u->walks, memory_order_relaxed),
		.walks_failed = atomic_load_explicit(&u->walks_failed, memory_order_relaxed),
		.pages = atomic_load_explicit(&u->pages, memory_order_relaxed),
		.files_refused = atomic_load_explicit(&u->files_refused, memory_order_relaxed),
	};
	uint64_t counts[sizeof(s.jail) / sizeof(uint64_t)];

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		counts[i] = atomic_load_explicit(&u->jail_counts[i], memory_order_relaxed);
	memcpy(&s.jail, counts, sizeof(counts));
	return s;
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

void unwind_job_free(struct unwind_job *job)
{
	if (!job)
		return;
	free(job->frame);
	free((void *)(uintptr_t)job->table.rules);
	free(job);
}

// SPDX-License-Identifier: Apache-2.0
/* known_files.c - the files that the jail was told of, and telling it of more. */
#include "profiler/known_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "profiler/htable.h"
#include "profiler/openfile.h"

/* Files that are remembered; the oldest makes room. */
#define FILES_KNOWN 512

/* The jail was late: asked again after 1 s, 2 s, 4 s, 8 s; then not any more. */
#define RETRY_NS     UINT64_C(500000000)
#define TIMEOUTS_MAX 5

/*
 * Invariant: the id of a place is its index + 1, and FILES_KNOWN more with each new tenant, so an
 * id is never used again. A key of 0: not used yet.
 */
struct known_files {
	struct jail *jail;
	uint32_t seeds[2];
	uint32_t next_place;
	struct known_file file[FILES_KNOWN];
};

int known_files_open(struct known_files **ret, struct jail *jail)
{
	struct known_files *files = calloc(1, sizeof(*files));

	if (!files)
		return -ENOMEM;
	files->jail = jail;
	if (getrandom(files->seeds, sizeof(files->seeds), 0) != (ssize_t)sizeof(files->seeds)) {
		free(files);
		return -EIO;
	}
	*ret = files;
	return 0;
}

void known_files_free(struct known_files *files)
{
	free(files);
}

/*
 * What tells a file from all others; seeded, so that nobody can make two alike. A build id is only
 * what a file says of itself, so the path counts too.
 */
static uint64_t file_key(const struct known_files *files, const struct unwind_job *job,
			 const struct unwind_source *s)
{
	const char *path = job->texts + s->path;
	const uint64_t inode[] = { s->inode, s->dev_major, s->dev_minor, s->kind };
	uint32_t half[2];

	for (int i = 0; i < 2; i++) {
		half[i] = htable_hash(files->seeds[i], path, strlen(path));
		half[i] = htable_hash(half[i], inode, sizeof(inode));
		half[i] = htable_hash(half[i], s->build_id, s->build_id_size);
	}
	return ((uint64_t)half[0] << 32 | half[1]) | 1;
}

struct known_file *known_files_get(struct known_files *files, const struct unwind_job *job,
				   const struct unwind_source *s)
{
	uint64_t key = file_key(files, job, s);
	struct known_file *f;

	for (uint32_t i = 0; i < FILES_KNOWN; i++)
		if (files->file[i].key == key)
			return &files->file[i];
	f = &files->file[files->next_place++ % FILES_KNOWN];
	if (f->key)
		(void)jail_forget(files->jail, f->id);
	*f = (struct known_file){ .key = key,
				  .id = f->id ? f->id + FILES_KNOWN : files->next_place };
	return f;
}

struct known_file *known_files_by_id(struct known_files *files, uint32_t id)
{
	struct known_file *f = &files->file[(id - 1) % FILES_KNOWN];

	return id && f->id == id ? f : NULL;
}

bool known_files_hopeless(int error)
{
	return error == -EPIPE || error == -EPROTO || error == -ENOEXEC;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool known_files_wait(const struct known_file *f)
{
	return f->timeouts && now_ns() < f->retry_ns;
}

void known_files_late(struct known_file *f)
{
	if (known_files_wait(f))
		return; /* the same request */
	f->refused = ++f->timeouts == TIMEOUTS_MAX;
	f->retry_ns = now_ns() + (RETRY_NS << f->timeouts);
}

int known_files_open_source(const struct unwind_job *job, const struct unwind_source *s,
			    bool *ret_certain)
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

	*ret_certain = true;
	return s->kind == MAPPED_VDSO ? openfile_vdso() : openfile_open(&map, ret_certain);
}

/* The separate debug file of a file that the jail has, if there is one that belongs to it. The jail
 * may die of it, and then does not have the file any more: next time it is without. */
static int send_debug(struct known_files *files, const struct unwind_job *job,
		      const struct unwind_source *s, struct known_file *f,
		      struct jail_file_answer *answer)
{
	const struct openfile_debug wanted = { .pid = job->pid,
					       .path = job->texts + s->path,
					       .build_id = answer->build_id,
					       .build_id_size = answer->build_id_size,
					       .debug_link = answer->debug_link };
	enum jail_kind kind;
	unsigned int at = 0;
	int error, fd;

	if (!answer->lacks || f->no_debug || s->kind != MAPPED_FILE)
		return 0;
	for (;;) {
		fd = openfile_debug(&wanted, &at);
		if (fd < 0)
			return 0;
		error = jail_debug(files->jail, f->id, fd, &kind);
		close(fd);
		if (!error) {
			answer->kind = (uint8_t)kind;
			return 0;
		}
		if (error != -ENOEXEC) /* of another file, or not usable: the next one */
			break;
	}
	f->no_debug = error == -ETIMEDOUT || known_files_hopeless(error);
	return f->no_debug ? -EAGAIN : error;
}

/* Opens a file and gives it to the jail, which is refused if it is not the one that was mapped. */
int known_files_send(struct known_files *files, const struct unwind_job *job,
		     struct unwind_source *s, struct known_file *f)
{
	struct jail_file_answer answer;
	bool certain, same;
	int fd = known_files_open_source(job, s, &certain), error;
	uint64_t start = s->start;

	if (fd < 0)
		return fd;
	error = jail_file(files->jail, f->id, fd, &answer);
	close(fd);
	if (error == -ETIMEDOUT)
		known_files_late(f);
	else if (known_files_hopeless(error))
		f->refused = true;
	if (error)
		return error;
	same = !s->build_id_size || (answer.build_id_size == s->build_id_size &&
				     !memcmp(answer.build_id, s->build_id, s->build_id_size));
	if (!same || (!certain && !s->build_id_size)) {
		(void)jail_forget(files->jail, f->id);
		if (!start || s->kind != MAPPED_FILE)
			return -ENOENT; /* the next process that has it may be alive */
		s->start = 0;		/* the pid may be another process's now: by its path */
		error = known_files_send(files, job, s, f);
		s->start = start;
		return error;
	}
	error = send_debug(files, job, s, f, &answer);
	if (error)
		return error;
	f->kind = (enum jail_kind)answer.kind;
	s->read_id_size = answer.build_id_size;
	memcpy(s->read_id, answer.build_id, answer.build_id_size);
	return 0;
}

bool known_files_is(const struct known_files *files, const struct known_file *f,
		    const struct unwind_job *job, const struct unwind_source *source)
{
	return file_key(files, job, source) == f->key;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * name_job.c - what the unwinder thread does for a JOB_NAMES: opens the file, or the map that the
 * maker of code at run time has written, and asks the jail which functions places in it are in.
 */
#include "profiler/name_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream.pb-c.h"

/* Appends an answer to what the job has; false without memory. */
static bool take_names(struct unwind_names *n, const struct jail_names *answer)
{
	uint32_t text_bytes = 0;
	struct jail_stretch *stretch;
	char *texts;

	for (uint32_t i = 0; i < answer->count; i++) {
		uint32_t name = answer->stretches[i].name;
		uint32_t end = name == JAIL_NO_NAME
				       ? 0
				       : name + (uint32_t)strlen(answer->texts + name) + 1;

		text_bytes = end > text_bytes ? end : text_bytes;
	}
	stretch = realloc(n->stretch, (n->stretches + answer->count) * sizeof(*stretch));
	n->stretch = stretch ? stretch : n->stretch;
	texts = stretch ? realloc(n->texts, n->text_bytes + text_bytes + 1) : NULL;
	if (!texts)
		return false;
	n->texts = texts;
	memcpy(texts + n->text_bytes, answer->texts, text_bytes);
	for (uint32_t i = 0; i < answer->count; i++) {
		stretch[n->stretches] = answer->stretches[i];
		if (stretch[n->stretches].name != JAIL_NO_NAME)
			stretch[n->stretches].name += n->text_bytes;
		n->stretches++;
	}
	n->text_bytes += text_bytes;
	return true;
}

/* One question, by the map @fd if there is one, else of the file @id. */
static int ask_names(struct jail *jail, const struct unwind_job *job, uint32_t id, int fd,
		     uint32_t next, struct jail_names *ret)
{
	const struct unwind_names *n = &job->names;
	uint32_t left = n->places - next;
	uint32_t count = left < JAIL_NAMES_MAX ? left : JAIL_NAMES_MAX;

	if (fd < 0)
		return jail_names(jail, id, n->place + next, count, ret);
	return jail_jit(jail,
			job->source[0].kind == MAPPED_ANON ? JAIL_JIT_PERF_MAP : JAIL_JIT_DUMP, fd,
			n->place + next, count, ret);
}

/* Asks until all places are answered; texts of one answer are limited. */
static int ask_all_names(struct jail *jail, struct unwind_job *job, uint32_t id, int fd)
{
	struct unwind_names *n = &job->names;
	struct jail_names answer;

	for (uint32_t next = 0; next < n->places;) {
		int error = ask_names(jail, job, id, fd, next, &answer);

		if (error)
			return error;
		if (!take_names(n, &answer))
			return -ENOMEM;
		while (next < n->places && n->place[next] < answer.stretches[answer.count - 1].end)
			next++;
	}
	return 0;
}

static int open_perf_map(struct unwind_names *n)
{
	int fd = jitfile_open(&n->process, &n->map);

	if (fd < 0 && n->parent.pid) /* none of its own: the code may be inherited */
		fd = jitfile_open(&n->parent, &n->map);
	return fd;
}

static int open_jitdump(struct unwind_job *job)
{
	struct stat st;
	bool certain;
	int fd = known_files_open_source(job, &job->source[0], &certain);

	if (fd < 0)
		return fd;
	if (!certain || fstat(fd, &st)) {
		close(fd);
		return -ESTALE;
	}
	job->names.map = (struct jitfile_state){ .device = st.st_dev,
						 .inode = st.st_ino,
						 .size = (uint64_t)st.st_size };
	return fd;
}

/* Of code made at run time. */
static int name_code(struct jail *jail, struct unwind_job *job)
{
	int fd =
		job->source[0].kind == MAPPED_ANON ? open_perf_map(&job->names) : open_jitdump(job);
	int error;

	if (fd < 0)
		return fd;
	error = ask_all_names(jail, job, JAIL_FILE_NONE, fd);
	close(fd);
	return error;
}

static int name_file(struct jail *jail, struct known_files *files, struct unwind_job *job)
{
	struct known_file *f = known_files_get(files, job, &job->source[0]);
	int error;

	if (f->refused)
		return -ENOEXEC;
	error = ask_all_names(jail, job, f->id, -1);
	if (error != -ENOENT)
		return error;
	error = known_files_send(files, job, &job->source[0], f);
	return error ? error : ask_all_names(jail, job, f->id, -1);
}

void name_job_do(struct jail *jail, struct known_files *files, struct unwind_job *job)
{
	struct unwind_names *n = &job->names;
	int error = n->of_code ? name_code(jail, job) : name_file(jail, files, job);

	if (error == -EPERM && jail_obstacle(jail)) {
		n->unknown = PROFILER__NAMES__UNKNOWN__HAS_NAME; /* nothing is known of it */
		n->hopeless = true;
	} else if (known_files_hopeless(error)) {
		n->unknown = PROFILER__NAMES__UNKNOWN__BAD_FILE;
		n->hopeless = !n->of_code; /* a map may be better when it is complete */
	} else if (error == -ENOMEM || error == -EAGAIN || error == -EMFILE) {
		n->unknown = PROFILER__NAMES__UNKNOWN__NO_ROOM;
	} else if (error) {
		n->unknown = n->of_code ? PROFILER__NAMES__UNKNOWN__NO_MAP
					: PROFILER__NAMES__UNKNOWN__NO_FILE;
	}
}

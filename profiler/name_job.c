// SPDX-License-Identifier: Apache-2.0
/*
 * name_job.c - asks the jail which functions places are in, of a file, or by the map that the maker
 * of code at run time has written. It is made by the drain thread and done by the unwinder thread.
 */
#include "profiler/name_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/place_set.h"
#include "stream.pb-c.h"

struct unwind_job *name_job_new(uint32_t pid, const struct unwind_source *source, const char *path,
				struct place_set *places)
{
	size_t path_bytes = strlen(path) + 1, place_bytes;
	uint32_t count;
	struct unwind_job *job;

	place_set_sort(places);
	count = places->count < JAIL_NAMES_MAX ? places->count : JAIL_NAMES_MAX;
	place_bytes = count * sizeof(*places->place);
	job = unwind_job_new(JOB_NAMES, 1, (uint32_t)path_bytes, (uint32_t)place_bytes);
	if (!job)
		return NULL;
	job->pid = pid;
	job->source[0] = *source;
	job->source[0].path = 0;
	memcpy(job->texts, path, path_bytes);
	job->names.places = count;
	job->names.place = (uint64_t *)(void *)job->stack;
	if (count)
		memcpy(job->names.place, places->place, place_bytes);
	return job;
}

void name_job_put_back(const struct unwind_job *job, struct place_set *places)
{
	for (uint32_t i = job->names.answered; i < job->names.places; i++)
		(void)place_set_add(places, job->names.place[i]);
}

static bool is_text(uint32_t name)
{
	return name != JAIL_NO_NAME && name != JAIL_CHANGED;
}

/* The answer is the jail's until the next question. */
static int copy_answer(struct unwind_names *n, const struct jail_names *answer)
{
	const struct jail_stretch *last = &answer->stretches[answer->count - 1];
	uint32_t text_bytes = 0;

	for (uint32_t i = 0; i < answer->count; i++) {
		uint32_t name = answer->stretches[i].name;
		uint32_t end =
			is_text(name) ? name + (uint32_t)strlen(answer->texts + name) + 1 : 0;

		text_bytes = end > text_bytes ? end : text_bytes;
	}
	n->stretch = malloc(answer->count * sizeof(*n->stretch));
	n->texts = malloc(text_bytes + 1);
	if (!n->stretch || !n->texts)
		return -ENOMEM;
	memcpy(n->stretch, answer->stretches, answer->count * sizeof(*n->stretch));
	memcpy(n->texts, answer->texts, text_bytes);
	n->stretches = answer->count;
	n->text_bytes = text_bytes;
	while (n->answered < n->places && n->place[n->answered] < last->end)
		n->answered++;
	return 0;
}

/* Of another file than the map was before nothing is known from before. */
static uint64_t known_before(const struct unwind_names *n)
{
	const struct jitfile_state *before = &n->before, *now = &n->map;
	bool same = before->inode == now->inode && before->device == now->device &&
		    before->size <= now->size;

	return same || !before->inode ? before->size : UINT64_MAX;
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
	bool is_dump = job->source[0].kind != MAPPED_ANON;
	struct unwind_names *n = &job->names;
	int fd = is_dump ? open_jitdump(job) : open_perf_map(n);
	struct jail_names answer;
	int error = 0;

	if (fd < 0)
		return fd;
	if (n->places)
		error = jail_jit(jail, is_dump ? JAIL_JIT_DUMP : JAIL_JIT_PERF_MAP, fd,
				 known_before(n), n->place, n->places, &answer);
	close(fd);
	return error || !n->places ? error : copy_answer(n, &answer);
}

static int name_file(struct jail *jail, struct known_files *files, struct unwind_job *job)
{
	struct known_file *f = known_files_get(files, job, &job->source[0]);
	struct unwind_names *n = &job->names;
	struct jail_names answer;
	int error;

	if (f->refused)
		return -ENOEXEC;
	error = jail_names(jail, f->id, n->place, n->places, &answer);
	if (error == -ENOENT) {
		error = known_files_send(files, job, &job->source[0], f);
		if (!error)
			error = jail_names(jail, f->id, n->place, n->places, &answer);
	}
	return error ? error : copy_answer(n, &answer);
}

void name_job_do(struct jail *jail, struct known_files *files, struct unwind_job *job)
{
	struct unwind_names *n = &job->names;
	int error = n->of_code ? name_code(jail, job) : name_file(jail, files, job);

	switch (-error) {
	case 0:
	case EAGAIN: /* the jail pauses; as the rest, this passes */
	case ENOMEM:
	case EMFILE:
		break;
	case ETIMEDOUT: /* perhaps the disk: what was read is in memory the next time */
		n->timed_out = true;
		break;
	case EPERM:
		n->lasting = jail_obstacle(jail) != NULL;
		if (!n->lasting)
			n->unknown = n->of_code ? PROFILER__NAMES__UNKNOWN__NO_MAP
						: PROFILER__NAMES__UNKNOWN__NO_FILE;
		break;
	case ENOEXEC:
		n->unknown = PROFILER__NAMES__UNKNOWN__BAD_FILE;
		n->lasting = jail_refusal(jail) != JAIL_TOO_LARGE; /* too much for these places */
		break;
	case EPIPE:
	case EPROTO:
		n->unknown = PROFILER__NAMES__UNKNOWN__BAD_FILE;
		n->lasting = true;
		break;
	default:
		n->unknown = n->of_code ? PROFILER__NAMES__UNKNOWN__NO_MAP
					: PROFILER__NAMES__UNKNOWN__NO_FILE;
	}
}

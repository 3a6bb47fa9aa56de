/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - which samples of a stream are wanted, see filter.h. */
#include "tools/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tables.h"

static const char *const titles[FILTER_BYS] = { "comm",	  "pid",  "tid",	  "CPU",
						"cgroup", "time", "in user mode", "in the kernel" };

static int add_range(struct filter_values *v, uint64_t first, uint64_t last)
{
	struct filter_range *larger = reallocarray(v->range, v->count + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	v->range = larger;
	v->range[v->count++] = (struct filter_range){ first, last };
	return 0;
}

static int add_text(struct filter_values *v, const char *text, size_t bytes)
{
	char **larger = reallocarray(v->text, v->count + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	v->text = larger;
	v->text[v->count] = strndup(text, bytes);
	return v->text[v->count++] ? 0 : -ENOMEM;
}

static int add_texts(struct filter_values *v, const char *list)
{
	int err = *list ? 0 : -EINVAL;

	while (!err && *list) {
		size_t bytes = strcspn(list, ",");

		err = bytes ? add_text(v, list, bytes) : -EINVAL;
		list += bytes + (list[bytes] == ',');
	}
	return err;
}

/* A number of at most 32 bits; *text goes behind it. */
static bool take_number(const char **text, uint64_t *ret)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret = strtoull(*text, &end, 10);
	*text = end;
	return !errno && *ret <= UINT32_MAX;
}

static int add_numbers(struct filter_values *v, const char *list)
{
	uint64_t first;
	uint64_t last;
	int err = 0;

	do {
		if (!take_number(&list, &first))
			return -EINVAL;
		last = first;
		if (*list == '-') {
			list++;
			if (!take_number(&list, &last) || last < first)
				return -EINVAL;
		}
		err = add_range(v, first, last);
	} while (!err && *list++ == ',');
	return err ? err : list[-1] ? -EINVAL : 0;
}

/* "2.5s", "300ms", "4": seconds without a unit. Up to @end, which is "" or "..". */
static bool take_time(const char **text, const char *end, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	double scale = 1e9;
	double value;
	char *behind;

	if (**text < '0' || **text > '9')
		return false;
	value = strtod(*text, &behind);
	/* "2..4": strtod() takes the first of the two dots. */
	if (behind[0] == '.' && behind[-1] == '.')
		behind--;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t bytes = strlen(units[i].name);

		if (!strncmp(behind, units[i].name, bytes)) {
			scale = units[i].ns;
			behind += bytes;
			break;
		}
	}
	if (value * scale >= 1e19 || strncmp(behind, end, strlen(end)) != 0 || (!*end && *behind))
		return false;
	*ret_ns = (uint64_t)(value * scale);
	*text = behind;
	return true;
}

static int add_time(struct filter_values *v, const char *text)
{
	uint64_t from = 0;
	uint64_t to = UINT64_MAX;

	if (strncmp(text, "..", 2) != 0 && !take_time(&text, "..", &from))
		return -EINVAL;
	text += 2;
	if (*text && (!take_time(&text, "", &to) || to <= from))
		return -EINVAL;
	return add_range(v, from, to == UINT64_MAX ? to : to - 1);
}

int filter_add(struct filter *f, enum filter_by by, const char *text, char err[FILTER_ERROR_BYTES])
{
	static const char *const wanted[FILTER_BYS] = {
		[FILTER_BY_COMM] = "names with commas between them",
		[FILTER_BY_PID] = "numbers and ranges, as 12,20-29",
		[FILTER_BY_TID] = "numbers and ranges, as 12,20-29",
		[FILTER_BY_CPU] = "numbers and ranges, as 0-3,6",
		[FILTER_BY_CGROUP] = "a path in the cgroup hierarchy, as /web.slice",
		[FILTER_BY_TIME] = "a time span since the start, as 2.5s..4s, 300ms.. or ..10",
	};
	struct filter_values *v = &f->by[by];
	int error;

	if (by == FILTER_BY_COMM)
		error = add_texts(v, text);
	else if (by == FILTER_BY_CGROUP)
		error = *text == '/' ? add_text(v, text, strlen(text)) : -EINVAL;
	else if (by == FILTER_BY_TIME)
		error = add_time(v, text);
	else if (by == FILTER_BY_USER || by == FILTER_BY_KERNEL)
		error = add_range(v, 0, 0);
	else
		error = add_numbers(v, text);
	if (error == -EINVAL)
		snprintf(err, FILTER_ERROR_BYTES, "wants %s, not '%.60s'", wanted[by], text);
	else if (error)
		snprintf(err, FILTER_ERROR_BYTES, "%s", strerror(-error));
	return error;
}

void filter_release(struct filter *f)
{
	for (int by = 0; by < FILTER_BYS; by++) {
		struct filter_values *v = &f->by[by];

		for (size_t i = 0; v->text && i < v->count; i++)
			free(v->text[i]);
		free(v->text);
		free(v->range);
	}
	*f = (struct filter){ 0 };
}

bool filter_is_set(const struct filter *f)
{
	for (int by = 0; by < FILTER_BYS; by++)
		if (f->by[by].count)
			return true;
	return false;
}

static bool in_ranges(const struct filter_values *v, uint64_t value)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->range[i].first <= value && value <= v->range[i].last)
			return true;
	return !v->count;
}

static bool has_text(const struct filter_values *v, const char *text)
{
	for (size_t i = 0; text && i < v->count; i++)
		if (!strcmp(v->text[i], text))
			return true;
	return false;
}

/* Is a cgroup one of those named, or below it? */
static bool in_cgroup(const struct filter_values *v, const char *path)
{
	for (size_t i = 0; path && i < v->count; i++) {
		size_t bytes = strlen(v->text[i]);

		while (bytes && v->text[i][bytes - 1] == '/')
			bytes--;
		if (!strncmp(v->text[i], path, bytes) && (!path[bytes] || path[bytes] == '/'))
			return true;
	}
	return false;
}

static bool wants_process(const struct filter *f, const struct tables *t,
			  const struct table_thread *thread)
{
	const struct table_process *process = thread ? tables_process(t, thread->process) : NULL;
	const struct filter_values *comm = &f->by[FILTER_BY_COMM];
	const struct filter_values *cgroup = &f->by[FILTER_BY_CGROUP];

	if (f->by[FILTER_BY_PID].count &&
	    (!process || !in_ranges(&f->by[FILTER_BY_PID], process->pid)))
		return false;
	if (f->by[FILTER_BY_TID].count &&
	    (!thread || !in_ranges(&f->by[FILTER_BY_TID], thread->tid)))
		return false;
	if (comm->count && !(process && has_text(comm, tables_string(t, process->comm, NULL))) &&
	    !(thread && has_text(comm, tables_string(t, thread->comm, NULL))))
		return false;
	return !cgroup->count ||
	       (process && in_cgroup(cgroup, tables_string(t, process->cgroup, NULL)));
}

bool filter_wants(const struct filter *f, const struct tables *t, const struct reader_sample *s,
		  uint64_t start_ns)
{
	bool in_kernel = s->flags & PROFILER__SAMPLE_FLAG__IN_KERNEL;
	uint64_t since = s->time_ns > start_ns ? s->time_ns - start_ns : 0;

	if (f->by[in_kernel ? FILTER_BY_USER : FILTER_BY_KERNEL].count &&
	    !f->by[in_kernel ? FILTER_BY_KERNEL : FILTER_BY_USER].count)
		return false;
	return in_ranges(&f->by[FILTER_BY_CPU], s->cpu) &&
	       in_ranges(&f->by[FILTER_BY_TIME], since) &&
	       wants_process(f, t, tables_thread(t, s->thread));
}

/* Appends to a text that is cut where the room ends. */
static void append(char *text, const char *separator, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, FILTER_TEXT_BYTES - used, "%s%s", used ? separator : "", more);
}

static void describe_range(char ret[64], enum filter_by by, const struct filter_range *r)
{
	if (by == FILTER_BY_TIME && r->last == UINT64_MAX)
		snprintf(ret, 64, "from %.6g s", (double)r->first / 1e9);
	else if (by == FILTER_BY_TIME)
		snprintf(ret, 64, "%.6g to %.6g s", (double)r->first / 1e9,
			 (double)(r->last + 1) / 1e9);
	else if (r->first == r->last)
		snprintf(ret, 64, "%" PRIu64, r->first);
	else
		snprintf(ret, 64, "%" PRIu64 " to %" PRIu64, r->first, r->last);
}

const char *filter_text(const struct filter *f, char ret[FILTER_TEXT_BYTES])
{
	ret[0] = 0;
	for (int by = 0; by < FILTER_BYS; by++) {
		const struct filter_values *v = &f->by[by];

		if (!v->count)
			continue;
		append(ret, ", ", titles[by]);
		for (size_t i = 0; i < v->count && by < FILTER_BY_USER; i++) {
			char range[64];

			if (v->range)
				describe_range(range, (enum filter_by)by, &v->range[i]);
			append(ret, i ? " or " : " ", v->text ? v->text[i] : range);
		}
	}
	return ret;
}

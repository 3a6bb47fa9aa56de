/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_stacks.c - profiler-diff for other programs: stacks with two numbers, and a profile.proto
 * of the difference.
 *
 * The new side's numbers are made comparable with the base's. They are whole numbers in both
 * formats: what rounding takes from a stack is given to the next, so that sums stay.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/diff.h"
#include "tools/pprof_writer.h"

#define GZIP_BUFFER (128 * 1024)

/* A sum of numbers so far, to be told in whole ones. */
struct rounding {
	double sum;
	int64_t told;
};

static int64_t next_whole(struct rounding *r, double value)
{
	int64_t before = r->told;

	r->sum += value;
	r->told = (int64_t)floor(r->sum + 0.5);
	return r->told - before;
}

static void print_name(const char *name, bool is_kernel)
{
	for (; *name; name++)
		putchar(*name == ';' ? ':' : *name);
	if (is_kernel)
		fputs("_[k]", stdout);
}

static uint32_t depth_of(const struct diff *d, uint32_t id)
{
	uint32_t depth = 0;

	for (; id; id = diff_stack(d, id)->caller)
		depth++;
	return depth;
}

static uint32_t deepest(const struct diff *d)
{
	uint32_t most = 0;

	for (size_t i = 0; i < d->kind[DIFF_STACK].count; i++) {
		uint32_t depth = depth_of(d, d->kind[DIFF_STACK].row[i].id);

		most = depth > most ? depth : most;
	}
	return most;
}

int diff_print_folded(const struct diff *d)
{
	uint32_t *path = calloc(deepest(d) + (size_t)1, sizeof(*path));
	struct rounding rounding = { 0 };

	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < d->kind[DIFF_STACK].count; i++) {
		const struct diff_row *row = &d->kind[DIFF_STACK].row[i];
		int64_t new = next_whole(&rounding, (double)row->of[DIFF_NEW].count * d->new_by);
		uint32_t depth = 0;

		if (!row->of[DIFF_BASE].count && !new)
			continue;
		for (uint32_t id = row->id; id; id = diff_stack(d, id)->caller)
			path[depth++] = diff_stack(d, id)->function;
		while (depth--) {
			const struct diff_function *f = diff_function(d, path[depth]);

			print_name(diff_text(d, f->name), f->is_kernel);
			putchar(depth ? ';' : ' ');
		}
		printf("%llu %lld\n", (unsigned long long)row->of[DIFF_BASE].count, (long long)new);
	}
	free(path);
	return 0;
}

static void write_sample(struct pprof_writer *w, int64_t value[2], uint64_t *location, size_t depth,
			 bool is_base)
{
	Perftools__Profiles__Sample sample = PERFTOOLS__PROFILES__SAMPLE__INIT;
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;
	Perftools__Profiles__Label *labels = &label;

	sample.n_location_id = depth;
	sample.location_id = location;
	sample.n_value = 2;
	sample.value = value;
	if (is_base) { /* as pprof marks what it takes away: percents are then of the base */
		label.key = pprof_string(w, "pprof::base");
		label.str = pprof_string(w, "true");
		sample.n_label = 1;
		sample.label = &labels;
	}
	pprof_write_sample(w, &sample);
}

static void write_samples(struct pprof_writer *w, const struct diff *d)
{
	uint64_t *location = calloc(deepest(d) + (size_t)1, sizeof(*location));
	struct rounding count = { 0 };
	struct rounding weight = { 0 };

	if (!location)
		pprof_fail(w, -ENOMEM);
	for (size_t i = 0; !w->err && i < d->kind[DIFF_STACK].count; i++) {
		const struct diff_row *row = &d->kind[DIFF_STACK].row[i];
		int64_t base[2] = { -(int64_t)row->of[DIFF_BASE].count,
				    -(int64_t)row->of[DIFF_BASE].weight };
		int64_t new[2] = {
			next_whole(&count, (double)row->of[DIFF_NEW].count * d->new_by),
			next_whole(&weight, (double)row->of[DIFF_NEW].weight * d->new_by),
		};
		size_t depth = 0;

		for (uint32_t id = row->id; id; id = diff_stack(d, id)->caller)
			location[depth++] = diff_stack(d, id)->function;
		if (row->of[DIFF_BASE].count)
			write_sample(w, base, location, depth, true);
		if (row->of[DIFF_NEW].count)
			write_sample(w, new, location, depth, false);
	}
	free(location);
}

/* Functions have no address here: each is a place of its own. */
static void write_functions(struct pprof_writer *w, const struct diff *d)
{
	for (uint32_t id = 1; id <= d->functions.count; id++) {
		Perftools__Profiles__Function function = PERFTOOLS__PROFILES__FUNCTION__INIT;
		Perftools__Profiles__Location location = PERFTOOLS__PROFILES__LOCATION__INIT;
		Perftools__Profiles__Line line = PERFTOOLS__PROFILES__LINE__INIT;
		Perftools__Profiles__Line *lines = &line;

		function.id = location.id = line.function_id = id;
		function.name = pprof_string(w, diff_text(d, diff_function(d, id)->name));
		function.system_name = function.name;
		location.n_line = 1;
		location.line = &lines;
		pprof_write_field(w, PPROF_FUNCTION, &function.base);
		pprof_write_field(w, PPROF_LOCATION, &location.base);
	}
}

static void write_rest(struct pprof_writer *w, const struct diff *d)
{
	Perftools__Profiles__Profile rest = PERFTOOLS__PROFILES__PROFILE__INIT;
	Perftools__Profiles__ValueType type[2] = {
		PERFTOOLS__PROFILES__VALUE_TYPE__INIT,
		PERFTOOLS__PROFILES__VALUE_TYPE__INIT,
	};
	Perftools__Profiles__ValueType *types[2] = { &type[0], &type[1] };
	const bool is_time = !strcmp(d->unit, "nanoseconds");
	size_t bytes;

	type[0].type = pprof_string(w, "samples");
	type[0].unit = pprof_string(w, "count");
	type[1].type = pprof_string(w, is_time ? "cpu" : d->event_name);
	type[1].unit = pprof_string(w, is_time ? "nanoseconds" : "count");
	rest.n_sample_type = 2;
	rest.sample_type = types;
	rest.period_type = types[1];
	rest.default_sample_type = type[1].type;
	bytes = pprof_pack(w, &rest.base);
	pprof_write_bytes(w, w->buffer, bytes);
	for (uint32_t id = 0; id <= w->strings.count; id++) {
		pprof_write_tag(w, PPROF_STRING, strtab_bytes(&w->strings, id));
		pprof_write_bytes(w, strtab_text(&w->strings, id), strtab_bytes(&w->strings, id));
	}
}

int diff_write_pprof(const struct diff *d, int fd)
{
	struct pprof_writer w = { 0 };

	w.out = gzdopen(fd, "wb");
	if (!w.out) {
		close(fd);
		return -ENOMEM;
	}
	gzbuffer(w.out, GZIP_BUFFER);
	write_samples(&w, d);
	write_functions(&w, d);
	write_rest(&w, d);
	errno = 0;
	if (gzclose(w.out) != Z_OK)
		pprof_fail(&w, errno ? -errno : -EIO);
	pprof_release(&w);
	return w.err;
}

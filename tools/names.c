/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - functions and code addresses of a whole profile, see names.h.
 *
 * All questions about one file are asked at once: they are gathered, sorted by file, and each
 * file is opened a single time.
 */
#include "tools/names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/symbolize.h"

/* A question to a file: the same path and build id, whatever part of it is mapped. */
struct question {
	uint32_t path;
	uint32_t build_id;
	uint32_t location;
	bool is_vdso;
};

static struct location *location_at(const struct names *n, uint32_t id)
{
	return idmap_at(&n->locations, id);
}

static int add_ref(struct names *n, uint32_t ref)
{
	struct profile_frame *frame = idmap_at(&n->profile->frames, frame_ref_frame(ref));
	struct location key = {
		.offset = frame->offset,
		.mapping = frame->mapping,
		.given_name = frame->function,
	};
	int err;

	if (n->location_of_ref[ref])
		return 0;
	if (frame_ref_is_return(ref) && key.offset && !key.given_name)
		key.offset--;
	err = idmap_get(&n->locations, &key, &n->location_of_ref[ref]);
	if (err > 0)
		location_at(n, n->location_of_ref[ref])->address = key.offset;
	return err < 0 ? err : 0;
}

/* Makes locations of all frames that stacks have, each as often as it stands for two places. */
static int add_locations(struct names *n)
{
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	int err = stack ? 0 : -ENOMEM;

	for (uint32_t row = 1; !err && row <= n->profile->rows.count; row++) {
		size_t length = profile_stack(n->profile, idmap_at(&n->profile->rows, row), stack);

		for (size_t i = 0; !err && i < length; i++)
			err = add_ref(n, stack[i]);
	}
	free(stack);
	return err;
}

static bool is_kernel(uint32_t kind)
{
	return kind == PROFILER__MAPPING__KIND__KERNEL || kind == PROFILER__MAPPING__KIND__MODULE ||
	       kind == PROFILER__MAPPING__KIND__BPF;
}

/* What to call a function where there is only one word for it. */
static int set_label(struct names *n, uint32_t id)
{
	struct function *f = idmap_at(&n->functions, id);
	const char *where = profile_text(n->profile, f->where);
	char label[PATH_MAX];

	f->label = f->name;
	if (f->name)
		return 0;
	if (!*where)
		where = "[unknown]";
	snprintf(label, sizeof(label), *where == '[' ? "%s" : "[%s]", where);
	return profile_get_string(n->profile, label, strlen(label), &f->label);
}

/* Gives a location its function. */
static int set_function(struct names *n, struct location *location, uint32_t name)
{
	const struct profile_mapping *mapping =
		location->mapping ? idmap_at(&n->profile->mappings, location->mapping) : NULL;
	struct function key = { .name = name };
	int err;

	if (mapping) {
		key.where = mapping->short_name;
		key.path = mapping->name;
		key.is_kernel = is_kernel(mapping->kind);
	}
	err = idmap_get(&n->functions, &key, &location->function);
	return err > 0 ? set_label(n, location->function) : err;
}

static int compare_questions(const void *a, const void *b)
{
	const struct question *x = a;
	const struct question *y = b;

	if (x->is_vdso != y->is_vdso)
		return x->is_vdso ? 1 : -1;
	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	if (x->build_id != y->build_id)
		return x->build_id < y->build_id ? -1 : 1;
	return (x->location > y->location) - (x->location < y->location);
}

static bool same_file(const struct question *a, const struct question *b)
{
	return a->is_vdso == b->is_vdso && a->path == b->path && a->build_id == b->build_id;
}

/* Takes one answer over and frees it. */
static int take_answer(struct names *n, struct symbol_query *q)
{
	struct location *location = location_at(n, q->id);
	uint32_t name = 0;
	int err = 0;

	if (q->has_address)
		location->address = q->address;
	if (q->name)
		err = profile_get_string(n->profile, q->name, strlen(q->name), &name);
	if (!err && name)
		err = set_function(n, location, name);
	n->has_symbols[location->mapping] = true;
	free(q->name);
	q->name = NULL;
	return err;
}

/* Asks one file all that is in question about it. */
static int ask_file(struct names *n, const struct question *question, size_t count)
{
	const struct strtab *strings = &n->profile->strings;
	struct symbol_file file = {
		.path = question->is_vdso ? NULL : strtab_text(strings, question->path),
		.build_id = strtab_text(strings, question->build_id),
		.build_id_bytes = strtab_bytes(strings, question->build_id),
		.recorded_ns =
			profile_realtime_ns(n->profile, profile_header(n->profile)->start_ns),
	};
	struct symbol_query *query = calloc(count, sizeof(*query));
	int result;
	int err = 0;

	if (!query)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		query[i].offset = location_at(n, question[i].location)->offset;
		query[i].id = question[i].location;
	}
	result = symbolize(&file, query, count);
	n->stats.files++;
	n->stats.unverified += result == 1;
	n->stats.other_build += result == -ESTALE;
	n->stats.missing += result < 0 && result != -ESTALE;
	for (size_t i = 0; i < count; i++) {
		if (result >= 0 && !err)
			err = take_answer(n, &query[i]);
		free(query[i].name);
	}
	free(query);
	return result == -ENOMEM ? result : err;
}

/* Writes down what has to be asked; the rest has its name, or never will. */
static size_t gather_questions(struct names *n, struct question *questions)
{
	size_t count = 0;

	for (uint32_t id = 1; id <= n->locations.count; id++) {
		const struct location *location = location_at(n, id);
		const struct profile_mapping *mapping;

		if (!location->mapping)
			continue;
		mapping = idmap_at(&n->profile->mappings, location->mapping);
		if (location->given_name) {
			n->has_symbols[location->mapping] = true;
			continue;
		}
		if ((mapping->kind != PROFILER__MAPPING__KIND__FILE || !mapping->path) &&
		    mapping->kind != PROFILER__MAPPING__KIND__VDSO)
			continue;
		questions[count++] = (struct question){
			.path = mapping->path,
			.build_id = mapping->build_id,
			.location = id,
			.is_vdso = mapping->kind == PROFILER__MAPPING__KIND__VDSO,
		};
	}
	return count;
}

static int ask_files(struct names *n)
{
	struct question *questions = calloc(n->locations.count + (size_t)1, sizeof(*questions));
	size_t count;
	size_t next;
	int err = 0;

	if (!questions)
		return -ENOMEM;
	count = gather_questions(n, questions);
	qsort(questions, count, sizeof(*questions), compare_questions);
	for (size_t i = 0; !err && i < count; i = next) {
		next = i + 1;
		while (next < count && same_file(&questions[i], &questions[next]))
			next++;
		err = ask_file(n, &questions[i], next - i);
	}
	free(questions);
	return err;
}

int names_open(struct names **ret, struct profile *p)
{
	struct names *n = calloc(1, sizeof(*n));
	int err = -ENOMEM;

	if (!n)
		return err;
	n->profile = p;
	idmap_init(&n->locations, sizeof(struct location), offsetof(struct location, address));
	idmap_init(&n->functions, sizeof(struct function), offsetof(struct function, label));
	n->location_of_ref = calloc(2 * ((size_t)p->frames.count + 1), sizeof(*n->location_of_ref));
	n->has_symbols = calloc(p->mappings.count + (size_t)1, sizeof(*n->has_symbols));
	if (n->location_of_ref && n->has_symbols)
		err = add_locations(n);
	if (!err)
		err = ask_files(n);
	for (uint32_t id = 1; !err && id <= n->locations.count; id++)
		if (!location_at(n, id)->function)
			err = set_function(n, location_at(n, id), location_at(n, id)->given_name);
	if (err) {
		names_free(n);
		return err;
	}
	*ret = n;
	return 0;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	idmap_release(&n->locations);
	idmap_release(&n->functions);
	free(n->location_of_ref);
	free(n->has_symbols);
	free(n);
}

const struct location *names_location(const struct names *n, uint32_t ref)
{
	return location_at(n, n->location_of_ref[ref]);
}

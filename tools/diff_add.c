/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_add.c - runs into one table of functions and stacks, and matching what has another file,
 * see diff.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/diff.h"
#include "tools/stack.h"

#define NAME_MAX_BYTES 4096

/* What compilers add to the names of parts and copies of a function. */
static const char *const clone_marks[] = {
	".isra.",  ".constprop.", ".part.",	   ".cold",    ".lto_priv.", ".llvm.",
	" [clone", " (.isra.",	  " (.constprop.", " (.part.", " (.cold",    " (.llvm.",
};

/* How many bytes of a name make the function. */
static size_t name_bytes(const char *name)
{
	size_t bytes = strnlen(name, NAME_MAX_BYTES);

	for (size_t i = 0; i < sizeof(clone_marks) / sizeof(clone_marks[0]); i++) {
		const char *mark = strstr(name, clone_marks[i]);

		if (mark && mark > name && (size_t)(mark - name) < bytes)
			bytes = (size_t)(mark - name);
	}
	return bytes;
}

/* How many bytes of a file's name are not its version. */
static size_t file_bytes(const char *file)
{
	const char *so = strstr(file, ".so.");

	return so ? (size_t)(so - file) + strlen(".so") : strlen(file);
}

static int get_function(struct diff *d, const struct profile *p, const struct function *f,
			enum diff_side side, uint32_t *ret_id)
{
	const char *label = profile_text(p, f->label);
	const char *where = profile_text(p, f->where);
	struct diff_function key = { .is_kernel = f->is_kernel };
	struct diff_function *function;
	char unknown[NAME_MAX_BYTES];
	int err;

	err = strtab_get(&d->strings, where, file_bytes(where), &key.where);
	if (err)
		return err;
	if (!f->name && f->where && *where != '[') {
		snprintf(unknown, sizeof(unknown), "[%s]", diff_text(d, key.where));
		label = unknown;
	}
	err = strtab_get(&d->strings, label, f->name ? name_bytes(label) : strlen(label),
			 &key.name);
	if (!err)
		err = idmap_get(&d->functions, &key, ret_id);
	if (err < 0)
		return err;
	function = idmap_at(&d->functions, *ret_id);
	function->same_as = *ret_id;
	function->sides |= 1u << side;
	return 0;
}

/* While a run is added. */
struct adding {
	struct diff *d;
	const struct names *names;
	const struct diff_blocks *blocks;
	uint32_t run;
	uint32_t *function; /* by function of the names */
	struct stack stack;
};

static int get_stack(struct adding *a, const struct profile_row *row, uint32_t *ret_id)
{
	const enum diff_side side = a->d->run[a->run].side;
	int err = stack_read(&a->stack, a->names, row);

	*ret_id = 0;
	for (size_t i = a->stack.count; !err && i--;) {
		uint32_t id = a->stack.frame[i].function;
		struct diff_stack key = { .caller = *ret_id };

		if (!a->function[id])
			err = get_function(a->d, a->names->profile, names_function(a->names, id),
					   side, &a->function[id]);
		key.function = a->function[id];
		if (!err)
			err = idmap_get(&a->d->stacks, &key, ret_id);
		err = err > 0 ? 0 : err;
	}
	return err;
}

static struct diff_record *new_record(struct diff *d)
{
	struct diff_record *larger;
	size_t room = d->record_room ? d->record_room * 2 : 1024;

	if (d->records == d->record_room) {
		larger = reallocarray(d->record, room, sizeof(*larger));
		if (!larger)
			return NULL;
		d->record = larger;
		d->record_room = room;
	}
	return &d->record[d->records++];
}

static int add_row(struct adding *a, uint32_t row_id, struct profile_total all)
{
	const struct profile *p = a->names->profile;
	struct diff_record *record;
	uint32_t stack;
	int err = get_stack(a, idmap_at(&p->rows, row_id), &stack);

	if (err)
		return err;
	record = new_record(a->d);
	if (!record)
		return -ENOMEM;
	*record = (struct diff_record){ .stack = stack, .run = a->run, .all = all };
	for (size_t i = 0; i < DIFF_BLOCKS; i++)
		record->part[i] = (float)a->blocks->row[row_id].part[i];
	return 0;
}

/* Has each side several runs? */
static bool has_runs(const struct diff *d)
{
	size_t runs[DIFF_SIDES] = { 0 };

	for (size_t i = 0; i < d->runs; i++)
		runs[d->run[i].side]++;
	return runs[DIFF_BASE] > 1 && runs[DIFF_NEW] > 1;
}

/*
 * How work was spread over a run nobody has told. Where runs can be compared with each other, which
 * shows how far their cost differs, it is taken to be done as samples come. With one run a side the
 * cost of all is as uncertain as it is uneven in time, so work is taken to be done evenly.
 */
static void set_whole(const struct diff *d, struct diff_run *run, const struct diff_blocks *b,
		      const double all[DIFF_BLOCKS])
{
	const bool as_sampled = has_runs(d);
	uint64_t time[DIFF_BLOCKS];

	run->duration_ns = diff_blocks_time(b, time);
	run->block_ns = b->length_ns;
	for (size_t i = 0; i < DIFF_BLOCKS; i++) {
		if (d->norm == DIFF_BY_SAMPLES)
			run->whole[i] = all[i];
		else if (d->norm == DIFF_BY_TIME)
			run->whole[i] = (double)time[i];
		else if (d->norm == DIFF_BY_EVENT)
			run->whole[i] = (double)b->norm_part[i];
		else if (as_sampled && run->all.weight)
			run->whole[i] = run->work * all[i] / (double)run->all.weight;
		else if (run->duration_ns)
			run->whole[i] = run->work * (double)time[i] / (double)run->duration_ns;
	}
}

static int set_machine(struct diff *d, struct diff_run *run, const Profiler__Header *h)
{
	char text[512];

	snprintf(text, sizeof(text), "%s (%s)", h->hostname, h->cpu_model);
	return strtab_get(&d->strings, text, strlen(text), &run->machine);
}

int diff_add(struct diff *d, uint32_t run, const struct names *n, const struct diff_blocks *b,
	     uint32_t event)
{
	const struct profile *p = n->profile;
	struct adding *a = calloc(1, sizeof(*a));
	struct profile_total *all = &d->run[run].all;
	double part[DIFF_BLOCKS] = { 0 };
	int err = a ? set_machine(d, &d->run[run], profile_header(p)) : -ENOMEM;

	if (!a)
		return err;
	*a = (struct adding){ .d = d, .names = n, .blocks = b, .run = run };
	a->function = calloc(n->functions.count + (size_t)1, sizeof(*a->function));
	if (!a->function)
		err = -ENOMEM;
	for (uint32_t id = 1; !err && id <= p->rows.count; id++) {
		struct profile_total total = profile_row_total(p, idmap_at(&p->rows, id), event);
		const size_t before = d->records;

		if (!total.count)
			continue; /* of another event, or left out by a filter */
		err = add_row(a, id, total);
		all->count += total.count;
		all->weight += total.weight;
		for (size_t i = 0; !err && i < DIFF_BLOCKS; i++)
			part[i] += (double)d->record[before].part[i];
	}
	set_whole(d, &d->run[run], b, part);
	stack_release(&a->stack);
	free(a->function);
	free(a);
	return err;
}

/* Functions that only one side has, by name. */
struct leftover {
	uint32_t name;
	uint32_t is_kernel;
	/* up to here the key */
	uint32_t function[DIFF_SIDES]; /* UINT32_MAX: several */
};

/* Files that are one under two names, by that on the new side. */
struct renamed {
	uint32_t new;
	uint32_t is_kernel;
	/* up to here the key */
	uint32_t base;
	uint32_t reserved;
};

static bool is_of_one_side(const struct diff *d, const struct diff_function *f, enum diff_side side)
{
	/* the code of a file without names is not that of another */
	return f->sides == 1u << side && *diff_text(d, f->name) != '[';
}

static int add_leftover(struct idmap *left, const struct diff_function *f, uint32_t id)
{
	const struct leftover key = { .name = f->name, .is_kernel = f->is_kernel };
	uint32_t *function;
	uint32_t at;
	int err;

	err = idmap_get(left, &key, &at);
	if (err < 0)
		return err;
	function = ((struct leftover *)idmap_at(left, at))->function;
	function += f->sides == 1u << DIFF_BASE ? DIFF_BASE : DIFF_NEW;
	*function = *function ? UINT32_MAX : id;
	return 0;
}

static void match_pair(struct diff *d, uint32_t base, uint32_t new)
{
	struct diff_function *of_base = idmap_at(&d->functions, base);
	struct diff_function *of_new = idmap_at(&d->functions, new);

	of_base->sides |= of_new->sides;
	of_new->sides = of_base->sides;
	of_new->same_as = base;
}

/* Finds functions that each side has once, and with them what their files are called. */
static int match_unique(struct diff *d, struct idmap *left, struct idmap *files)
{
	int err = 0;

	for (uint32_t id = 1; err >= 0 && id <= d->functions.count; id++) {
		const struct diff_function *f = idmap_at(&d->functions, id);

		if (is_of_one_side(d, f, DIFF_BASE) || is_of_one_side(d, f, DIFF_NEW))
			err = add_leftover(left, f, id);
	}
	for (uint32_t i = 1; err >= 0 && i <= left->count; i++) {
		const struct leftover *l = idmap_at(left, i);
		const uint32_t base = l->function[DIFF_BASE];
		const uint32_t new = l->function[DIFF_NEW];
		struct renamed key = { .is_kernel = l->is_kernel };
		uint32_t at;

		if (!base || !new || base == UINT32_MAX || new == UINT32_MAX)
			continue;
		match_pair(d, base, new);
		key.new = diff_function(d, new)->where;
		err = idmap_get(files, &key, &at);
		if (err > 0)
			((struct renamed *)idmap_at(files, at))->base =
				diff_function(d, base)->where;
	}
	return err < 0 ? err : 0;
}

/* Of the rest, those in files that were found to be the same: "_start" is in several. */
static void match_in_files(struct diff *d, const struct idmap *files)
{
	for (uint32_t id = 1; id <= d->functions.count; id++) {
		const struct diff_function *f = idmap_at(&d->functions, id);
		const struct renamed file = { .new = f->where, .is_kernel = f->is_kernel };
		struct diff_function key = { .name = f->name, .is_kernel = f->is_kernel };
		uint32_t at = idmap_find(files, &file);

		if (!at || !is_of_one_side(d, f, DIFF_NEW))
			continue;
		key.where = ((const struct renamed *)idmap_at(files, at))->base;
		at = idmap_find(&d->functions, &key);
		if (at && is_of_one_side(d, diff_function(d, at), DIFF_BASE))
			match_pair(d, at, id);
	}
}

static int match_functions(struct diff *d)
{
	struct idmap left, files;
	int err;

	idmap_init(&left, sizeof(struct leftover), offsetof(struct leftover, function));
	idmap_init(&files, sizeof(struct renamed), offsetof(struct renamed, base));
	err = match_unique(d, &left, &files);
	if (!err)
		match_in_files(d, &files);
	idmap_release(&left);
	idmap_release(&files);
	return err;
}

/* The stacks again, of functions that are not the same as others any more. */
static int match_stacks(struct diff *d)
{
	struct idmap stacks;
	int err = 0;

	idmap_init(&stacks, sizeof(struct diff_stack), offsetof(struct diff_stack, same_as));
	for (uint32_t id = 1; err >= 0 && id <= d->stacks.count; id++) {
		struct diff_stack *s = idmap_at(&d->stacks, id);
		struct diff_stack key = {
			.function = diff_function(d, s->function)->same_as,
		};

		if (s->caller)
			key.caller = diff_stack(d, s->caller)->same_as;
		err = idmap_get(&stacks, &key, &s->same_as);
	}
	if (err < 0) {
		idmap_release(&stacks);
		return err;
	}
	for (size_t i = 0; i < d->records; i++)
		d->record[i].stack = diff_stack(d, d->record[i].stack)->same_as;
	idmap_release(&d->stacks);
	d->stacks = stacks;
	return 0;
}

int diff_match(struct diff *d)
{
	int err = match_functions(d);

	return err ? err : match_stacks(d);
}

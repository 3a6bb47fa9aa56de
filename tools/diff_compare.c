/* SPDX-License-Identifier: Apache-2.0 */
/* diff_compare.c - rows of functions and stacks, each with how sure its change is, see diff.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/diff.h"

static double *part_of(const struct diff *d, const struct diff_rows *rows, size_t row, size_t run)
{
	return rows->part + (row * d->runs + run) * DIFF_BLOCKS;
}

static int make_rows(const struct diff *d, enum diff_kind kind, struct diff_rows *rows)
{
	const bool with_part = kind != DIFF_STACK || d->with_stacks;

	rows->row = calloc(rows->count + 1, sizeof(*rows->row));
	if (with_part)
		rows->part = calloc((rows->count + 1) * d->runs, DIFF_BLOCKS * sizeof(*rows->part));
	return rows->row && (!with_part || rows->part) ? 0 : -ENOMEM;
}

static void add(const struct diff *d, struct diff_rows *rows, size_t at,
		const struct diff_record *record)
{
	struct profile_total *of = &rows->row[at].of[d->run[record->run].side];

	of->count += record->all.count;
	of->weight += record->all.weight;
	for (size_t i = 0; rows->part && i < DIFF_BLOCKS; i++)
		part_of(d, rows, at, record->run)[i] += (double)record->part[i];
}

/* Adds a record to the functions of its stack, to each once. */
static void add_functions(struct diff *d, const struct diff_record *record, const uint32_t *row_of,
			  size_t *seen, size_t mark)
{
	uint32_t id = record->stack;

	add(d, &d->kind[DIFF_SELF], row_of[diff_stack(d, id)->function], record);
	for (; id; id = diff_stack(d, id)->caller) {
		uint32_t row = row_of[diff_stack(d, id)->function];

		if (seen[row] == mark)
			continue;
		seen[row] = mark;
		add(d, &d->kind[DIFF_TOTAL], row, record);
	}
}

static int add_records(struct diff *d, const uint32_t *row_of)
{
	struct diff_rows *stacks = &d->kind[DIFF_STACK];
	size_t *seen = calloc(d->kind[DIFF_SELF].count + 1, sizeof(*seen));
	int err = seen ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < d->records; i++) {
		struct diff_stack *s = idmap_at(&d->stacks, d->record[i].stack);

		if (!s->row)
			s->row = (uint32_t)++stacks->count;
	}
	if (!err)
		err = make_rows(d, DIFF_STACK, stacks);
	for (size_t i = 0; !err && i < d->records; i++) {
		const struct diff_record *record = &d->record[i];
		size_t row = diff_stack(d, record->stack)->row - 1;

		add_functions(d, record, row_of, seen, i + 1);
		stacks->row[row].id = record->stack;
		add(d, stacks, row, record);
	}
	free(seen);
	return err;
}

static int add_all(struct diff *d)
{
	uint32_t *row_of = calloc(d->functions.count + (size_t)1, sizeof(*row_of));
	uint32_t count = 0;
	int err = row_of ? 0 : -ENOMEM;

	for (uint32_t id = 1; !err && id <= d->functions.count; id++)
		if (diff_function(d, id)->same_as == id)
			row_of[id] = count++;
	for (size_t kind = DIFF_SELF; !err && kind <= DIFF_TOTAL; kind++) {
		d->kind[kind].count = count;
		err = make_rows(d, (enum diff_kind)kind, &d->kind[kind]);
		for (uint32_t id = 1; !err && id <= d->functions.count; id++)
			if (diff_function(d, id)->same_as == id)
				d->kind[kind].row[row_of[id]].id = id;
	}
	if (!err)
		err = add_records(d, row_of);
	free(row_of);
	return err;
}

static double unit_of(const struct diff *d, const struct diff_row *row, enum diff_side side)
{
	const struct profile_total *of = &row->of[side];

	if (!of->count || !of->weight)
		of = &d->all[side];
	return of->weight ? (double)of->weight / (double)of->count : 1;
}

static void find_side(const struct diff *d, const struct diff_rows *rows, size_t at,
		      enum diff_side side, struct stats_side *ret)
{
	struct stats_run run[DIFF_RUNS];
	size_t runs = 0;

	for (size_t i = 0; i < d->runs; i++)
		if (d->run[i].side == side)
			run[runs++] = (struct stats_run){
				.part = part_of(d, rows, at, i),
				.whole = d->run[i].whole,
				.blocks = DIFF_BLOCKS,
			};
	stats_side(run, runs, unit_of(d, &rows->row[at], side), (double)d->all[side].count, ret);
}

/* Finds the change of one row, in percent of the base. */
static void compare_row(const struct diff *d, const struct diff_rows *rows, size_t at)
{
	struct diff_row *row = &rows->row[at];
	struct stats_side base, new;

	find_side(d, rows, at, DIFF_BASE, &base);
	find_side(d, rows, at, DIFF_NEW, &new);
	stats_compare(&base, &new, d->confidence, &row->percent);
	row->percent.base *= d->scale;
	row->percent.new *= d->scale;
	row->percent.change *= d->scale;
	row->percent.error *= d->scale;
	row->is_tested = row->of[DIFF_BASE].count + row->of[DIFF_NEW].count >= DIFF_SAMPLES_MIN;
	row->q = 1;
}

/* Rows that are told together are one family: functions by self and by total, or stacks. */
static int test_family(struct diff *d, enum diff_kind first, enum diff_kind last)
{
	double *p;
	size_t *order;
	size_t count = 0;
	size_t tests = 0;

	for (size_t kind = first; kind <= last; kind++)
		count += d->kind[kind].count;
	p = calloc(count + 1, sizeof(*p));
	order = calloc(count + 1, sizeof(*order));
	for (size_t kind = first; p && order && kind <= last; kind++)
		for (size_t i = 0; i < d->kind[kind].count; i++)
			if (d->kind[kind].row[i].is_tested)
				p[tests++] = d->kind[kind].row[i].percent.p;
	if (p && order)
		stats_adjust(p, order, tests);
	d->tested += tests;
	tests = 0;
	for (size_t kind = first; p && order && kind <= last; kind++) {
		for (size_t i = 0; i < d->kind[kind].count; i++) {
			struct diff_row *row = &d->kind[kind].row[i];

			if (!row->is_tested)
				continue;
			row->q = p[tests++];
			row->is_different = row->q <= 1 - d->confidence;
			d->different += row->is_different;
		}
	}
	free(p);
	free(order);
	return p && order ? 0 : -ENOMEM;
}

/* How large a change is for sure, for those that are; others by what they seem. */
static double rank(const struct diff_row *row)
{
	double change = fabs(row->percent.change);

	return row->is_different ? change - row->percent.error : change;
}

static int compare_rows(const void *a, const void *b)
{
	const struct diff_row *x = a;
	const struct diff_row *y = b;

	if (x->is_different != y->is_different)
		return y->is_different - x->is_different;
	if (x->is_tested != y->is_tested)
		return y->is_tested - x->is_tested;
	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

/* What is 100 %, and how the sides compare in all. */
static void find_scale(struct diff *d)
{
	double part[DIFF_SIDES] = { 0 };
	double whole[DIFF_SIDES] = { 0 };

	for (size_t i = 0; i < d->runs; i++) {
		const struct diff_run *run = &d->run[i];

		d->all[run->side].count += run->all.count;
		d->all[run->side].weight += run->all.weight;
		part[run->side] += (double)run->all.weight;
		for (size_t k = 0; k < DIFF_BLOCKS; k++)
			whole[run->side] += run->whole[k];
	}
	d->scale = 100 * whole[DIFF_BASE] / part[DIFF_BASE];
	d->new_by = whole[DIFF_BASE] / whole[DIFF_NEW];
	d->new_all = d->scale * part[DIFF_NEW] / whole[DIFF_NEW];
}

int diff_compare(struct diff *d)
{
	int err;

	find_scale(d);
	err = add_all(d);
	for (size_t kind = 0; !err && kind < DIFF_KINDS; kind++)
		for (size_t i = 0; d->kind[kind].part && i < d->kind[kind].count; i++)
			compare_row(d, &d->kind[kind], i);
	if (!err)
		err = d->with_stacks ? test_family(d, DIFF_STACK, DIFF_STACK)
				     : test_family(d, DIFF_SELF, DIFF_TOTAL);
	for (size_t kind = 0; !err && kind < DIFF_KINDS; kind++) {
		qsort(d->kind[kind].row, d->kind[kind].count, sizeof(struct diff_row),
		      compare_rows);
		free(d->kind[kind].part); /* it has the order of before */
		d->kind[kind].part = NULL;
	}
	return err;
}

void diff_release(struct diff *d)
{
	for (size_t kind = 0; kind < DIFF_KINDS; kind++) {
		free(d->kind[kind].row);
		free(d->kind[kind].part);
	}
	idmap_release(&d->functions);
	idmap_release(&d->stacks);
	strtab_release(&d->strings);
	free(d->record);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* diff_text.c - profiler-diff for people. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/diff.h"
#include "tools/screen.h"
#include "tools/text.h"

/* Lines of rows that may well be noise: enough to see what was looked at. */
#define NOISE_ROWS 3

/* Columns of a row in front of its name. */
#define NUMBER_COLUMNS 40

#define WORDS_MAX 64

const char *diff_norm_words(const struct diff *d, char ret[EVENT_NAME_MAX])
{
	static const char *const words[] = {
		[DIFF_BY_SAMPLES] = "as shares of each side's own whole",
		[DIFF_BY_TIME] = "per time recorded",
		[DIFF_BY_WORK] = "per unit of work",
	};

	if (d->norm == DIFF_BY_EVENT)
		snprintf(ret, EVENT_NAME_MAX, "per %s", d->norm_event);
	else
		snprintf(ret, EVENT_NAME_MAX, "%s", words[d->norm]);
	return ret;
}

static void print_run(const struct screen *s, const struct diff *d, const struct diff_run *run)
{
	char samples[TEXT_NUMBER_MAX];
	char weight[TEXT_NUMBER_MAX];

	screen_print_line(
		s, "%s %s: %s samples, %s, in %.2f s", run->side == DIFF_BASE ? "base" : "new ",
		run->path, text_count(samples, run->all.count),
		text_weight(weight, run->all.weight, d->unit), (double)run->duration_ns / 1e9);
}

static size_t blocks_of(const struct diff_run *run)
{
	size_t blocks = 0;

	for (size_t i = 0; i < DIFF_BLOCKS; i++)
		blocks += run->whole[i] > 0;
	return blocks;
}

/* What the intervals do not know of. */
static void print_limits(const struct screen *s, const struct diff *d)
{
	size_t runs[DIFF_SIDES] = { 0 };
	size_t least = DIFF_BLOCKS;
	bool other_machine = false;

	for (size_t i = 0; i < d->runs; i++) {
		runs[d->run[i].side]++;
		if (blocks_of(&d->run[i]) < least)
			least = blocks_of(&d->run[i]);
		other_machine |= d->run[i].machine != d->run[0].machine;
	}
	if (runs[DIFF_BASE] + runs[DIFF_NEW] == DIFF_SIDES)
		screen_print_line(s, "one run a side: what differs from run to run, but not within "
				     "one, is not in the intervals; --base and --new take several");
	if (least < DIFF_BLOCKS_ENOUGH)
		screen_print_line(
			s, "a run has only %zu blocks of time: intervals are of little worth",
			least);
	if (other_machine)
		screen_print_line(s, "these are of different machines: %s, %s, ...",
				  diff_text(d, d->run[0].machine),
				  diff_text(d, d->run[d->runs - 1].machine));
}

static void print_head(const struct screen *s, const struct diff *d)
{
	char norm[EVENT_NAME_MAX];

	for (size_t i = 0; i < d->runs; i++)
		print_run(s, d, &d->run[i]);
	screen_print_line(s, "%s %s; the base's whole is 100 %%, all of the new %.2f %%",
			  d->event_name, diff_norm_words(d, norm), d->new_all);
	print_limits(s, d);
	putchar('\n');
	if (!d->different)
		screen_print_line(s,
				  "no difference: not one of %zu rows can be told from noise "
				  "(%g %% confidence)",
				  d->tested, 100 * d->confidence);
	else
		screen_print_line(s,
				  "%zu of %zu rows differ (%g %% confidence, corrected for their "
				  "number)",
				  d->different, d->tested, 100 * d->confidence);
}

/* A stack, the outermost first. */
static void write_stack(FILE *to, const struct diff *d, uint32_t id)
{
	uint32_t depth = 0;
	uint32_t *path;

	for (uint32_t at = id; at; at = diff_stack(d, at)->caller)
		depth++;
	path = calloc(depth + (size_t)1, sizeof(*path));
	if (!path)
		return;
	for (uint32_t at = id, i = depth; at; at = diff_stack(d, at)->caller)
		path[--i] = at;
	for (uint32_t i = 0; i < depth; i++) {
		const struct diff_function *f = diff_function(d, diff_stack(d, path[i])->function);

		fprintf(to, "%s%s", i ? ";" : "", diff_text(d, f->name));
	}
	free(path);
}

static void print_stack(const struct diff *d, uint32_t id, size_t columns)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return;
	write_stack(to, d, id);
	if (!fclose(to))
		screen_print_end(text, columns);
	free(text);
}

static void print_function(const struct diff *d, uint32_t id, size_t columns)
{
	const struct diff_function *f = diff_function(d, id);
	const char *where = diff_text(d, f->where);
	const char *name = diff_text(d, f->name);
	size_t used = text_columns(where) + strlen(" ()");

	if (!*where || *name == '[' || (columns && text_columns(name) + used > columns)) {
		screen_print_cut(name, columns);
		return;
	}
	printf("%s (%s)", name, where);
}

static void print_row(const struct screen *s, const struct diff *d, enum diff_kind kind,
		      const struct diff_row *row)
{
	const struct stats_difference *p = &row->percent;
	size_t columns = s->columns ? s->columns - NUMBER_COLUMNS : 0;
	char q[16];

	snprintf(q, sizeof(q), row->q < 0.001 ? "<.001" : "%.3f", row->q);
	printf("%7.2f %7.2f %+7.2f ±%5.2f %6s  ", p->base, p->new, p->change, p->error, q);
	if (kind == DIFF_STACK)
		print_stack(d, row->id, columns);
	else
		print_function(d, row->id, columns);
	putchar('\n');
}

/* What rows there are, the first of which are different, the next tested. */
struct counts {
	size_t different;
	size_t tested; /* but not different */
	size_t few;    /* with too few samples to tell */
};

static struct counts count_rows(const struct diff_rows *rows)
{
	struct counts c = { 0 };

	for (size_t i = 0; i < rows->count; i++) {
		const struct diff_row *row = &rows->row[i];

		c.different += row->is_different;
		c.tested += row->is_tested && !row->is_different;
		c.few += !row->is_tested && row->of[DIFF_BASE].count + row->of[DIFF_NEW].count;
	}
	return c;
}

static void print_kind(const struct screen *s, const struct diff *d, enum diff_kind kind,
		       const char *title, size_t most)
{
	const struct diff_rows *rows = &d->kind[kind];
	const struct counts c = count_rows(rows);
	char heading[WORDS_MAX * 2];

	putchar('\n');
	snprintf(heading, sizeof(heading), "%7s %7s  change      ±      q  %s", "base%", "new%",
		 title);
	screen_print_heading(s, heading);
	for (size_t i = 0; i < c.different && i < most; i++)
		print_row(s, d, kind, &rows->row[i]);
	if (c.different > most)
		printf("(and %zu more that differ, see -n)\n", c.different - most);
	if (c.tested)
		screen_print_line(s, "not distinguishable from noise: %zu, the largest changes",
				  c.tested);
	for (size_t i = 0; i < c.tested && i < NOISE_ROWS; i++)
		print_row(s, d, kind, &rows->row[c.different + i]);
	if (c.few)
		screen_print_line(s, "with too few samples to tell: %zu", c.few);
}

void diff_print_text(const struct diff *d, size_t rows)
{
	struct screen s = screen_find();

	print_head(&s, d);
	if (d->with_stacks) {
		print_kind(&s, d, DIFF_STACK, "stack", rows);
		return;
	}
	print_kind(&s, d, DIFF_SELF, "function, by itself", rows);
	print_kind(&s, d, DIFF_TOTAL, "function, with what it calls", rows);
}

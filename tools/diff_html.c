/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_html.c - the difference of two sides as a flame graph, see diff_html.h.
 *
 * The tree is the matched one, so that a program that was renamed is one here, too.
 */
#include "tools/diff_html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/flame_page.h"

#define TEXT_BYTES 256
#define ROWS_TOLD  6 /* functions in the head of the page */

static int get_string(struct flame *f, const char *text, uint32_t *ret)
{
	*ret = 0;
	return *text ? strtab_get(&f->strings, text, strlen(text), ret) : 0;
}

/* The base as it would be with as much time, samples or work as the new side. */
static int set_event(const struct diff *d, struct flame *f)
{
	int err;

	f->event = calloc(1, sizeof(*f->event));
	if (!f->event)
		return -ENOMEM;
	f->events = 1;
	*f->event = (struct flame_event){ .places = 1, .base_scale = 1 / d->new_by };
	err = get_string(f, d->event_name, &f->event->name);
	return err ? err : get_string(f, d->unit, &f->event->unit);
}

/* The functions in the order of ours, those without samples of their own name, too. */
static int add_function(const struct diff *d, struct flame *f, uint32_t id, uint32_t *ret_id)
{
	const struct diff_function *function = diff_function(d, id);
	struct flame_function key = { .kind = FLAME_USER };
	int err;

	if (function->is_kernel)
		key.kind = FLAME_KERNEL;
	else if (!function->where)
		key.kind = FLAME_UNKNOWN;
	err = get_string(f, diff_text(d, function->name), &key.label);
	if (!err)
		err = get_string(f, diff_text(d, function->where), &key.where);
	if (!err)
		err = idmap_get(&f->functions, &key, ret_id);
	return err < 0 ? err : 0;
}

/* The tree: a stack is a node of the same id, as both are distinct, callers first. */
static int add_nodes(const struct diff *d, struct flame *f)
{
	uint32_t *function_of = calloc(d->functions.count + (size_t)1, sizeof(*function_of));
	int err = function_of ? 0 : -ENOMEM;

	for (uint32_t id = 1; err >= 0 && id <= d->functions.count; id++)
		if (diff_function(d, id)->same_as == id)
			err = add_function(d, f, id, &function_of[id]);
	for (uint32_t id = 1; err >= 0 && id <= d->stacks.count; id++) {
		const struct diff_stack *s = diff_stack(d, id);
		const struct flame_node key = { .parent = s->caller,
						.function = function_of[s->function] << 1 };
		uint32_t node;

		err = idmap_get(&f->nodes, &key, &node);
	}
	free(function_of);
	return err < 0 ? err : 0;
}

static int add_rows(const struct diff *d, struct flame *f)
{
	const struct diff_rows *rows = &d->kind[DIFF_STACK];
	int err = 0;

	f->values = f->room = rows->count;
	for (size_t side = 0; side < FLAME_SIDES; side++) {
		f->value[side] = calloc(rows->count + 1, sizeof(**f->value));
		if (!f->value[side])
			return -ENOMEM;
	}
	for (size_t i = 0; err >= 0 && i < rows->count; i++) {
		const struct profile_total *of = rows->row[i].of;
		const struct flame_row key = { .node = rows->row[i].id };
		struct flame_row *row;
		uint32_t id;

		err = idmap_get(&f->rows, &key, &id);
		if (err < 0)
			break;
		row = idmap_at(&f->rows, id);
		row->first = i;
		row->count[FLAME_BASE] = of[DIFF_BASE].count;
		row->count[FLAME_NEW] = of[DIFF_NEW].count;
		f->value[FLAME_BASE][i] = of[DIFF_BASE].weight;
		f->value[FLAME_NEW][i] = of[DIFF_NEW].weight;
	}
	return err < 0 ? err : 0;
}

static const char *side_name(const struct diff *d, enum diff_side side, char ret[TEXT_BYTES])
{
	const char *path = "";
	size_t runs = 0;

	for (size_t i = d->runs; i--;) {
		if (d->run[i].side != side)
			continue;
		path = d->run[i].path;
		runs++;
	}
	if (runs > 1)
		snprintf(ret, TEXT_BYTES, "%s and %zu more", path, runs - 1);
	else
		snprintf(ret, TEXT_BYTES, "%s", path);
	return ret;
}

/* The surest and largest changes, as in the text. */
static void write_row(const struct diff *d, const struct diff_row *row, char ret[TEXT_BYTES])
{
	const struct stats_difference *p = &row->percent;

	snprintf(ret, TEXT_BYTES, "%+.2f ± %.2f %% %s (q %.3f)", p->change, p->error,
		 diff_text(d, diff_function(d, row->id)->name), row->q);
}

static int write_page(const struct diff *d, const struct flame *f, FILE *out)
{
	const struct diff_rows *self = &d->kind[DIFF_SELF];
	struct flame_page page = { .flame = f, .title = "difference", .view = "merged" };
	char base[TEXT_BYTES], new[TEXT_BYTES], norm[EVENT_NAME_MAX], verdict[TEXT_BYTES];
	char row[ROWS_TOLD][TEXT_BYTES];
	size_t facts = 0;

	page.base = side_name(d, DIFF_BASE, base);
	page.new = side_name(d, DIFF_NEW, new);
	snprintf(verdict, sizeof(verdict),
		 d->different ? "%zu of %zu rows differ (%g %% confidence)"
			      : "no difference: %zu of %zu rows (%g %% confidence)",
		 d->different, d->tested, 100 * d->confidence);
	page.fact[facts++] = (struct flame_fact){ "compared", diff_norm_words(d, norm) };
	page.fact[facts++] = (struct flame_fact){ "verdict", verdict };
	for (size_t i = 0; i < ROWS_TOLD && i < self->count && self->row[i].is_different; i++) {
		write_row(d, &self->row[i], row[i]);
		page.fact[facts++] = (struct flame_fact){ "by itself", row[i] };
	}
	return flame_page_write(out, &page);
}

int diff_write_html(const struct diff *d, FILE *out)
{
	struct flame flame;
	int err;

	flame_init(&flame, true);
	err = set_event(d, &flame);
	if (!err)
		err = add_nodes(d, &flame);
	if (!err)
		err = add_rows(d, &flame);
	if (!err)
		err = write_page(d, &flame, out);
	flame_release(&flame);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_html.c - the difference of two sides as a flame graph, see diff_html.h.
 *
 * The tree is the matched one, so that a program that was renamed is one here, too. All events
 * share one tree, by the names of its functions.
 */
#include "tools/diff_html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/flame_page.h"

#define TEXT_BYTES 256

/* In the head of the page: functions of the first event, and events. */
#define ROWS_TOLD   6
#define EVENTS_TOLD 8

static int get_string(struct flame *f, const char *text, uint32_t *ret)
{
	*ret = 0;
	return *text ? strtab_get(&f->strings, text, strlen(text), ret) : 0;
}

/* The base as it would be with as much time, samples or work as the new side. */
static int set_events(const struct diff *const *of, size_t events, struct flame *f)
{
	int err = 0;

	f->event = calloc(events, sizeof(*f->event));
	if (!f->event)
		return -ENOMEM;
	f->events = (uint32_t)events;
	for (uint32_t i = 0; !err && i < events; i++) {
		struct flame_event *event = &f->event[i];

		*event = (struct flame_event){
			.leader = i,
			.places = 1,
			.base_scale = 1 / of[i]->new_by,
		};
		err = get_string(f, of[i]->event_name, &event->name);
		if (!err)
			err = get_string(f, of[i]->unit, &event->unit);
	}
	return err;
}

/* The function as ours, also one without samples of its own name. */
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

/* An event while it is added: its ids, and ours for them. */
struct adding {
	const struct diff *diff;
	struct flame *flame;
	uint32_t event;
	uint32_t *function_of;
	uint32_t *node_of; /* by stack */
};

/* Callers come first, so a stack's node is below one that is known. */
static int add_nodes(struct adding *a)
{
	const struct diff *d = a->diff;
	int err = 0;

	for (uint32_t id = 1; !err && id <= d->functions.count; id++)
		if (diff_function(d, id)->same_as == id)
			err = add_function(d, a->flame, id, &a->function_of[id]);
	for (uint32_t id = 1; err >= 0 && id <= d->stacks.count; id++) {
		const struct diff_stack *s = diff_stack(d, id);
		const struct flame_node key = {
			.parent = a->node_of[s->caller],
			.function = a->function_of[s->function] << 1,
		};

		err = idmap_get(&a->flame->nodes, &key, &a->node_of[id]);
	}
	return err < 0 ? err : 0;
}

static int make_room(struct flame *f, size_t values)
{
	for (size_t side = 0; side < FLAME_SIDES; side++) {
		uint64_t *larger = reallocarray(f->value[side], values + 1, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		f->value[side] = larger;
	}
	f->room = values;
	return 0;
}

static int add_rows(struct adding *a)
{
	const struct diff_rows *rows = &a->diff->kind[DIFF_STACK];
	struct flame *f = a->flame;
	int err = make_room(f, f->values + rows->count);

	for (size_t i = 0; err >= 0 && i < rows->count; i++) {
		const struct profile_total *of = rows->row[i].of;
		const struct flame_row key = {
			.node = a->node_of[rows->row[i].id],
			.event = a->event,
		};
		struct flame_row *row;
		uint32_t id;

		err = idmap_get(&f->rows, &key, &id);
		if (err < 0)
			break;
		row = idmap_at(&f->rows, id);
		row->first = f->values++;
		row->count[FLAME_BASE] = of[DIFF_BASE].count;
		row->count[FLAME_NEW] = of[DIFF_NEW].count;
		f->value[FLAME_BASE][row->first] = of[DIFF_BASE].weight;
		f->value[FLAME_NEW][row->first] = of[DIFF_NEW].weight;
	}
	return err < 0 ? err : 0;
}

/* How sure the changes of functions by themselves are. */
static int add_tests(struct adding *a, struct flame_tests *t)
{
	const struct diff_rows *self = &a->diff->kind[DIFF_SELF];
	struct flame_test *larger =
		reallocarray(t->test, t->count + self->count + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	t->test = larger;
	for (size_t i = 0; i < self->count; i++) {
		const struct diff_row *row = &self->row[i];

		if (!row->is_tested || a->diff->with_stacks)
			continue;
		t->test[t->count++] = (struct flame_test){
			.event = a->event,
			.function = a->function_of[row->id],
			.error = row->percent.error,
			.p = row->percent.p,
			.q = row->q,
			.is_different = row->is_different,
		};
	}
	return 0;
}

static int add_event(const struct diff *d, uint32_t event, struct flame *f, struct flame_tests *t)
{
	struct adding a = { .diff = d, .flame = f, .event = event };
	int err = -ENOMEM;

	a.function_of = calloc(d->functions.count + (size_t)1, sizeof(*a.function_of));
	a.node_of = calloc(d->stacks.count + (size_t)1, sizeof(*a.node_of));
	if (a.function_of && a.node_of)
		err = add_nodes(&a);
	if (!err)
		err = add_rows(&a);
	if (!err)
		err = add_tests(&a, t);
	free(a.function_of);
	free(a.node_of);
	return err;
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

static void write_verdict(const struct diff *d, char ret[TEXT_BYTES])
{
	snprintf(ret, TEXT_BYTES,
		 d->different ? "%s: %zu of %zu rows differ (%g %% confidence)"
			      : "%s: no difference: %zu of %zu rows (%g %% confidence)",
		 d->event_name, d->different, d->tested, 100 * d->confidence);
}

static int write_page(const struct diff *const *of, size_t events, const struct flame *f,
		      const struct flame_tests *tests, FILE *out)
{
	const struct diff *d = of[0];
	const struct diff_rows *self = &d->kind[DIFF_SELF];
	struct flame_page page = {
		.flame = f, .title = "difference", .view = "merged", .tests = tests
	};
	char base[TEXT_BYTES], new[TEXT_BYTES], norm[EVENT_NAME_MAX];
	char verdict[EVENTS_TOLD][TEXT_BYTES];
	char row[ROWS_TOLD][TEXT_BYTES];
	size_t facts = 0;

	page.base = side_name(d, DIFF_BASE, base);
	page.new = side_name(d, DIFF_NEW, new);
	page.fact[facts++] = (struct flame_fact){ "compared", diff_norm_words(d, norm) };
	for (size_t i = 0; i < EVENTS_TOLD && i < events; i++) {
		write_verdict(of[i], verdict[i]);
		page.fact[facts++] = (struct flame_fact){ "verdict", verdict[i] };
	}
	for (size_t i = 0; i < ROWS_TOLD && i < self->count && self->row[i].is_different; i++) {
		write_row(d, &self->row[i], row[i]);
		page.fact[facts++] = (struct flame_fact){ "by itself", row[i] };
	}
	return flame_page_write(out, &page);
}

int diff_write_html(const struct diff *const *of, size_t events, FILE *out)
{
	struct flame_tests tests = { 0 };
	struct flame flame;
	int err;

	flame_init(&flame, true);
	err = set_events(of, events, &flame);
	for (uint32_t i = 0; !err && i < events; i++)
		err = add_event(of[i], i, &flame, &tests);
	if (!err)
		err = write_page(of, events, &flame, &tests, out);
	free(tests.test);
	flame_release(&flame);
	return err;
}

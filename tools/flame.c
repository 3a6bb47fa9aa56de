/* SPDX-License-Identifier: Apache-2.0 */
/* flame.c - what a flame graph shows, see flame.h. */
#include "tools/flame.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tools/stack.h"

#define NONE UINT32_MAX

/* What adding a profile needs. */
struct adding {
	struct flame *flame;
	const struct names *names;
	const struct profile *profile;
	struct stack *stack;
	uint32_t *function_of; /* by function of the names, times 2, plus 1 for JIT code; 0: not yet
				*/
	uint32_t event_of[READER_MAX_EVENTS]; /* by event of the profile; NONE: left out */
	enum flame_side side;
};

void flame_init(struct flame *f, bool is_diff)
{
	*f = (struct flame){ .is_diff = is_diff };
	idmap_init(&f->functions, sizeof(struct flame_function), sizeof(struct flame_function));
	idmap_init(&f->nodes, sizeof(struct flame_node), sizeof(struct flame_node));
	idmap_init(&f->rows, sizeof(struct flame_row), offsetof(struct flame_row, count));
}

void flame_release(struct flame *f)
{
	strtab_release(&f->strings);
	idmap_release(&f->functions);
	idmap_release(&f->nodes);
	idmap_release(&f->rows);
	free(f->event);
	free(f->value[FLAME_NEW]);
	free(f->value[FLAME_BASE]);
	free(f->row_of);
	flame_init(f, false);
}

static int get_string(struct flame *f, const char *text, uint32_t *ret)
{
	*ret = 0;
	return *text ? strtab_get(&f->strings, text, strlen(text), ret) : 0;
}

static int take_events(struct flame *f, const struct profile *p)
{
	const Profiler__Header *h = profile_header(p);
	int err = 0;

	f->event = calloc(h->n_event + 1, sizeof(*f->event));
	if (!f->event)
		return -ENOMEM;
	f->events = (uint32_t)h->n_event;
	for (uint32_t i = 0; !err && i < f->events; i++) {
		uint32_t leader = profile_leader(p, i);
		const struct group *g = &p->groups.of[leader];
		char name[EVENT_NAME_MAX];

		f->event[i] = (struct flame_event){ .leader = leader, .base_scale = 1 };
		f->event[i].place = leader == i ? 0 : group_place(g, i);
		if (leader == i)
			f->event[i].places =
				p->groups.of[i].counters ? p->groups.of[i].counters : 1;
		err = get_string(f, profile_event_name(p, i, name), &f->event[i].name);
		if (!err)
			err = get_string(f,
					 strcmp(h->event[i]->unit, "nanoseconds") ? "count"
										  : "nanoseconds",
					 &f->event[i].unit);
	}
	return err;
}

static bool is_same_event(const struct adding *a, uint32_t here, uint32_t there)
{
	const struct strtab *strings = &a->flame->strings;
	const struct flame_event *e = &a->flame->event[here];
	uint32_t leader = profile_leader(a->profile, there);
	char name[EVENT_NAME_MAX];

	if (strcmp(strtab_text(strings, e->name), profile_event_name(a->profile, there, name)) != 0)
		return false;
	if (e->leader == here || leader == there)
		return e->leader == here && leader == there;
	return !strcmp(strtab_text(strings, a->flame->event[e->leader].name),
		       profile_event_name(a->profile, leader, name));
}

static void match_events(struct adding *a)
{
	uint32_t count = (uint32_t)profile_header(a->profile)->n_event;

	for (uint32_t there = 0; there < count; there++) {
		a->event_of[there] = NONE;
		for (uint32_t here = a->flame->events; here--;)
			if (is_same_event(a, here, there))
				a->event_of[there] = here;
	}
}

static enum flame_kind kind_of(const struct adding *a, const struct stack_frame *frame)
{
	const struct function *function = names_function(a->names, frame->function);
	const struct profile_mapping *m;

	if (function->is_kernel)
		return FLAME_KERNEL;
	if (!frame->location->mapping)
		return FLAME_UNKNOWN;
	m = idmap_at(&a->profile->mappings, frame->location->mapping);
	if (m->kind == PROFILER__MAPPING__KIND__MISSING ||
	    m->kind == PROFILER__MAPPING__KIND__UNKNOWN)
		return FLAME_UNKNOWN;
	return m->kind == PROFILER__MAPPING__KIND__ANON ? FLAME_JIT : FLAME_USER;
}

/* A frame as nodes name it. */
static int get_function(struct adding *a, const struct stack_frame *frame, uint32_t *ret)
{
	const struct function *function = names_function(a->names, frame->function);
	struct flame_function key = { .kind = kind_of(a, frame) };
	uint32_t *known = &a->function_of[(size_t)frame->function * FLAME_KINDS + key.kind];
	int err = 0;

	if (!*known) {
		err = get_string(a->flame, profile_text(a->profile, function->label), &key.label);
		if (!err)
			err = get_string(a->flame, profile_text(a->profile, function->where),
					 &key.where);
		if (!err)
			err = idmap_get(&a->flame->functions, &key, known);
	}
	*ret = *known << 1 | frame->is_inlined;
	return err < 0 ? err : 0;
}

/* The node where a row's stack ends. */
static int get_node(struct adding *a, const struct profile_row *row, uint32_t *ret)
{
	struct flame_node key = { 0 };
	int err = stack_read(a->stack, a->names, row);

	*ret = 0;
	for (size_t i = a->stack->count; !err && i--;) {
		key.parent = *ret;
		err = get_function(a, &a->stack->frame[i], &key.function);
		if (!err)
			err = idmap_get(&a->flame->nodes, &key, ret);
		if (err > 0)
			err = 0;
	}
	return err;
}

static int grow(uint64_t **values, size_t used, size_t room)
{
	uint64_t *larger = reallocarray(*values, room, sizeof(**values));

	if (!larger)
		return -ENOMEM;
	memset(larger + used, 0, (room - used) * sizeof(*larger));
	*values = larger;
	return 0;
}

/* Room for a new row's values. */
static int add_values(struct flame *f, struct flame_row *row)
{
	size_t places = f->event[row->event].places;
	size_t room = f->room ? f->room : 1024;
	int err = 0;

	while (room < f->values + places)
		room *= 2;
	if (room > f->room) {
		err = grow(&f->value[FLAME_NEW], f->values, room);
		if (!err && f->is_diff)
			err = grow(&f->value[FLAME_BASE], f->values, room);
		if (err)
			return err;
		f->room = room;
	}
	row->first = f->values;
	f->values += places;
	return 0;
}

static int get_row(struct adding *a, const struct profile_row *row, uint32_t *ret)
{
	struct flame_row key = { .event = a->event_of[row->event] };
	int err = get_node(a, row, &key.node);

	key.is_shared = !!(row->flags & PROFILER__SAMPLE_FLAG__SHARED);
	if (!a->flame->is_diff && a->profile->by == PROFILE_BY_THREAD)
		key.thread = row->who;
	if (!err)
		err = idmap_get(&a->flame->rows, &key, ret);
	if (err > 0)
		err = add_values(a->flame, idmap_at(&a->flame->rows, *ret));
	return err;
}

static int add_row(struct adding *a, const struct profile_row *from, uint32_t *ret_id)
{
	struct flame *f = a->flame;
	struct flame_row *row;
	int err = get_row(a, from, ret_id);

	if (err)
		return err;
	row = idmap_at(&f->rows, *ret_id);
	row->count[a->side] += from->count;
	for (uint32_t i = 0; i < profile_header(a->profile)->n_event; i++) {
		uint32_t event = a->event_of[i];

		if (event != NONE && f->event[event].leader == row->event)
			f->value[a->side][row->first + f->event[event].place] +=
				profile_row_total(a->profile, from, i).weight;
	}
	return 0;
}

int flame_add(struct flame *f, const struct names *n, enum flame_side side)
{
	struct adding a = { .flame = f, .names = n, .profile = n->profile, .side = side };
	int err = f->event ? 0 : take_events(f, n->profile);

	free(f->row_of);
	f->row_of = calloc((size_t)a.profile->rows.count + 1, sizeof(*f->row_of));
	a.stack = calloc(1, sizeof(*a.stack));
	a.function_of =
		calloc(FLAME_KINDS * ((size_t)n->functions.count + 1), sizeof(*a.function_of));
	if (!f->row_of || !a.stack || !a.function_of)
		err = -ENOMEM;
	if (!err)
		match_events(&a);
	for (uint32_t id = 1; !err && id <= a.profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&a.profile->rows, id);

		if (row->count && a.event_of[row->event] != NONE) /* else a filter left it out */
			err = add_row(&a, row, &f->row_of[id]);
	}
	if (a.stack)
		stack_release(a.stack);
	free(a.stack);
	free(a.function_of);
	return err;
}

uint64_t flame_value(const struct flame *f, const struct flame_row *row, uint32_t event,
		     enum flame_side side)
{
	const struct flame_event *e = &f->event[event];

	if (row->event != e->leader || !f->value[side])
		return 0;
	return f->value[side][row->first + e->place];
}

uint64_t flame_total(const struct flame *f, uint32_t event, enum flame_side side)
{
	uint64_t total = 0;

	for (uint32_t id = 1; id <= f->rows.count; id++)
		total += flame_value(f, idmap_at(&f->rows, id), event, side);
	return total;
}

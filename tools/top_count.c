/* SPDX-License-Identifier: Apache-2.0 */
/* top_count.c - the functions of a stream that is still being read, see top_count.h. */
#include "tools/top_count.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demangle.h"

#define SECOND_NS UINT64_C(1000000000)

struct row_weight {
	uint64_t row;
	/* up to here the key */
	uint64_t count;
	uint64_t weight;
};

/* The second of a time; NULL where it is over for long. */
static struct top_second *second_of(struct top_counts *c, uint64_t time_ns)
{
	uint64_t number = time_ns / SECOND_NS + 1;
	struct top_second *s = &c->second[number % TOP_SECONDS_KEPT];

	if (number > c->newest)
		c->newest = number;
	if (s->number > number)
		return NULL;
	if (s->number < number) {
		idmap_release(&s->rows);
		s->number = number;
	}
	return s;
}

static int add_sample(void *ctx, const struct reader_sample *sample, uint32_t row)
{
	struct top_counts *c = ctx;
	struct top_second *s = second_of(c, sample->time_ns);
	const struct row_weight key = { .row = row };
	struct row_weight *entry;
	uint32_t id;

	if (!s)
		return 0;
	if (idmap_get(&s->rows, &key, &id) < 0)
		return -ENOMEM;
	entry = idmap_at(&s->rows, id);
	entry->count++;
	entry->weight += sample->weight;
	return 0;
}

int top_counts_open(struct top_counts *c, struct profile *p, uint32_t window_s)
{
	*c = (struct top_counts){ .profile = p, .window_s = window_s };
	for (size_t i = 0; i < TOP_SECONDS_KEPT; i++)
		idmap_init(&c->second[i].rows, sizeof(struct row_weight),
			   offsetof(struct row_weight, count));
	idmap_init(&c->functions, sizeof(struct top_function), offsetof(struct top_function, self));
	p->listener.sample = add_sample;
	p->listener.ctx = c;
	c->stack = malloc(PROFILE_STACK_MAX * sizeof(*c->stack));
	return c->stack ? 0 : -ENOMEM;
}

void top_counts_release(struct top_counts *c)
{
	for (size_t i = 0; i < TOP_SECONDS_KEPT; i++)
		idmap_release(&c->second[i].rows);
	idmap_release(&c->functions);
	free(c->function_of_ref);
	free(c->is_named);
	free(c->recent);
	free(c->stack);
}

/* Makes the array of refs as long as there are frames. */
static int follow_frames(struct top_counts *c)
{
	uint32_t refs = frame_ref(c->profile->frames.count + 1, false);
	uint32_t room = refs + refs / 2;
	uint32_t *functions;
	bool *named;

	if (refs <= c->refs)
		return 0;
	functions = reallocarray(c->function_of_ref, room, sizeof(*functions));
	if (!functions)
		return -ENOMEM;
	c->function_of_ref = functions;
	named = reallocarray(c->is_named, room, sizeof(*named));
	if (!named)
		return -ENOMEM;
	c->is_named = named;
	memset(functions + c->refs, 0, (room - c->refs) * sizeof(*functions));
	memset(named + c->refs, 0, (room - c->refs) * sizeof(*named));
	c->refs = room;
	return 0;
}

static int follow_rows(struct top_counts *c)
{
	uint32_t rows = c->profile->rows.count + 1;
	uint64_t *larger;

	if (rows > c->rows) {
		larger = reallocarray(c->recent, rows + rows / 2, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		c->recent = larger;
		c->rows = rows + rows / 2;
	}
	memset(c->recent, 0, c->rows * sizeof(*c->recent));
	return 0;
}

/* Names that came since the last time: what was unknown is looked up again. */
static int follow_names(struct top_counts *c)
{
	uint32_t names = c->profile->stretches.list.count;

	if (names == c->names)
		return 0;
	c->names = names;
	for (uint32_t i = 0; i < c->refs; i++)
		if (!c->is_named[i])
			c->function_of_ref[i] = 0;
	return stretches_sort(&c->profile->stretches);
}

static int readable(struct profile *p, const char *symbol, uint32_t *ret)
{
	char *text = readable_name(symbol, true);
	int err = text ? profile_get_string(p, text, strlen(text), ret) : -ENOMEM;

	free(text);
	return err;
}

/* What to call code without a name: after its file, "[libfoo.so]". */
static int name_after_file(struct profile *p, uint32_t where, uint32_t *ret)
{
	const char *text = where ? profile_text(p, where) : "[unknown]";
	char label[PATH_MAX];

	snprintf(label, sizeof(label), *text == '[' ? "%s" : "[%s]", text);
	return profile_get_string(p, label, strlen(label), ret);
}

static int find_function(struct top_counts *c, uint32_t ref)
{
	struct profile *p = c->profile;
	const struct profile_frame *frame = idmap_at(&p->frames, frame_ref_frame(ref));
	uint64_t offset = frame->offset - (frame_ref_is_return(ref) && frame->offset);
	struct top_function key = { .label = frame->function };
	const struct stretch *stretch = NULL;
	int err = 0;

	c->is_named[ref] = true;
	if (frame->mapping)
		key.where = ((const struct profile_mapping *)idmap_at(&p->mappings, frame->mapping))
				    ->short_name;
	if (!key.label && frame->mapping)
		stretch = profile_stretch(p, frame->mapping, offset);
	if (stretch && stretch->name) {
		err = readable(p, profile_text(p, stretch->name), &key.label);
	} else if (!key.label) {
		c->is_named[ref] = false;
		err = name_after_file(p, key.where, &key.label);
	}
	if (!err)
		err = idmap_get(&c->functions, &key, &c->function_of_ref[ref]);
	return err < 0 ? err : 0;
}

static int add_row(struct top_counts *c, uint32_t id)
{
	const struct profile_row *row = idmap_at(&c->profile->rows, id);
	size_t length = profile_stack(c->profile, row, c->stack);

	for (size_t i = 0; i < length; i++) {
		uint32_t ref = c->stack[i];
		struct top_function *f;
		int err = c->function_of_ref[ref] ? 0 : find_function(c, ref);

		if (err)
			return err;
		f = idmap_at(&c->functions, c->function_of_ref[ref]);
		if (!i) {
			f->self.all += row->weight;
			f->self.recent += c->recent[id];
		}
		if (f->last_row == id)
			continue;
		f->last_row = id;
		f->total.all += row->weight;
		f->total.recent += c->recent[id];
	}
	return 0;
}

/* Adds up the seconds of the window; how long it is. */
static void add_seconds(struct top_counts *c, uint32_t event)
{
	uint64_t oldest = c->newest > c->window_s ? c->newest - c->window_s : 0; /* not in it */

	c->recent_count = 0;
	for (size_t i = 0; i < TOP_SECONDS_KEPT; i++) {
		const struct top_second *s = &c->second[i];

		for (uint32_t id = 1; s->number > oldest && id <= s->rows.count; id++) {
			const struct row_weight *entry = idmap_at(&s->rows, id);
			const struct profile_row *row =
				idmap_at(&c->profile->rows, (uint32_t)entry->row);

			if (row->event != event)
				continue;
			c->recent[entry->row] += entry->weight;
			c->recent_count += entry->count;
		}
	}
}

static void find_times(struct top_counts *c)
{
	const Profiler__Ledger *ledger = profile_ledger(c->profile);
	uint64_t start_ns = profile_header(c->profile)->start_ns;
	uint64_t window_ns;

	/* time goes on without samples, too */
	if (ledger && ledger->time_ns / SECOND_NS + 1 > c->newest)
		c->newest = ledger->time_ns / SECOND_NS + 1;
	c->elapsed_ns = profile_duration_ns(c->profile);
	window_ns = c->newest > c->window_s ? (c->newest - c->window_s) * SECOND_NS : 0;
	if (window_ns < start_ns)
		window_ns = start_ns;
	c->recent_ns =
		start_ns + c->elapsed_ns > window_ns ? start_ns + c->elapsed_ns - window_ns : 0;
}

int top_counts_update(struct top_counts *c, uint32_t event)
{
	struct profile *p = c->profile;
	int err = follow_frames(c);

	if (!err)
		err = follow_rows(c);
	if (!err)
		err = follow_names(c);
	for (uint32_t id = 1; id <= c->functions.count; id++) {
		struct top_function *f = idmap_at(&c->functions, id);

		f->self = f->total = (struct top_weight){ 0 };
		f->last_row = 0;
	}
	c->weight = (struct top_weight){ 0 };
	c->all = (struct profile_total){ 0 };
	if (err)
		return err;
	find_times(c);
	add_seconds(c, event);
	for (uint32_t id = 1; !err && id <= p->rows.count; id++) {
		const struct profile_row *row = idmap_at(&p->rows, id);

		if (row->event != event)
			continue;
		err = add_row(c, id);
		c->weight.recent += c->recent[id];
		c->weight.all += row->weight;
		c->all.count += row->count;
		c->all.weight += row->weight;
	}
	return err;
}

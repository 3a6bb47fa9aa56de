/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.c - the definitions of the current epoch.
 *
 * A table is an array by id in a region (region.h), so what was never defined reads as 0 and the
 * array never moves. Each kind of entry has a field that is never 0 once it is defined; that is
 * how a lookup tells:
 *
 *   strings                       bytes_plus_1
 *   mappings, processes, threads  id
 *   frames                        mapping
 *   nodes                         frame
 *   names                         mapping
 *
 * Strings and build ids lie behind one another in one more region, the text.
 *
 * Checking comes before applying, and is complete: a packet that is refused leaves no trace.
 */
#include "proto/tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/region.h"

struct string_entry {
	uint32_t offset; /* in the text */
	uint32_t bytes_plus_1;
};

static const struct {
	uint32_t entry_bytes;
	uint32_t max; /* highest id + 1 */
} table_kinds[TABLE_COUNT] = {
	[TABLE_STRINGS] = { sizeof(struct string_entry), TABLES_MAX_STRINGS },
	[TABLE_MAPPINGS] = { sizeof(struct table_mapping), TABLES_MAX_OTHERS },
	[TABLE_PROCESSES] = { sizeof(struct table_process), TABLES_MAX_OTHERS },
	[TABLE_THREADS] = { sizeof(struct table_thread), TABLES_MAX_OTHERS },
	[TABLE_FRAMES] = { sizeof(struct table_frame), TABLES_MAX_FRAMES },
	[TABLE_NODES] = { sizeof(struct table_node), TABLES_MAX_NODES },
	[TABLE_NAMES] = { sizeof(struct table_name), TABLES_MAX_NAMES },
};

struct tables {
	struct region entries[TABLE_COUNT];
	uint32_t end[TABLE_COUNT]; /* highest id defined + 1, at least 1 */
	struct region text;
	uint32_t epoch;
};

static void clear(struct tables *t)
{
	for (int i = 0; i < TABLE_COUNT; i++) {
		region_clear(&t->entries[i]);
		t->end[i] = 1;
	}
	region_clear(&t->text);
}

int tables_open(struct tables **ret)
{
	struct tables *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	for (int i = 0; i < TABLE_COUNT; i++) {
		err = region_open(&t->entries[i],
				  (size_t)table_kinds[i].entry_bytes * table_kinds[i].max);
		if (err)
			goto err;
	}
	err = region_open(&t->text, TABLES_MAX_TEXT);
	if (err)
		goto err;
	clear(t);
	*ret = t;
	return 0;
err:
	tables_free(t);
	return err;
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	for (int i = 0; i < TABLE_COUNT; i++)
		region_free(&t->entries[i]);
	region_free(&t->text);
	free(t);
}

uint32_t tables_epoch(const struct tables *t)
{
	return t->epoch;
}

uint32_t tables_end(const struct tables *t, enum table table)
{
	return t->end[table];
}

/* The place of an entry, NULL when it is beyond those defined. Regions are aligned to pages. */
static void *entry(const struct tables *t, enum table table, uint32_t id)
{
	if (id >= t->end[table])
		return NULL;
	return t->entries[table].base + (size_t)id * table_kinds[table].entry_bytes;
}

const char *tables_string(const struct tables *t, uint32_t id, size_t *ret_bytes)
{
	const struct string_entry *e = id ? entry(t, TABLE_STRINGS, id) : NULL;

	if (!e || !e->bytes_plus_1)
		return NULL;
	if (ret_bytes)
		*ret_bytes = e->bytes_plus_1 - 1;
	return (const char *)t->text.base + e->offset;
}

const struct table_mapping *tables_mapping(const struct tables *t, uint32_t id)
{
	const struct table_mapping *e = id ? entry(t, TABLE_MAPPINGS, id) : NULL;

	return e && e->id ? e : NULL;
}

const struct table_process *tables_process(const struct tables *t, uint32_t id)
{
	const struct table_process *e = id ? entry(t, TABLE_PROCESSES, id) : NULL;

	return e && e->id ? e : NULL;
}

const struct table_thread *tables_thread(const struct tables *t, uint32_t id)
{
	const struct table_thread *e = id ? entry(t, TABLE_THREADS, id) : NULL;

	return e && e->id ? e : NULL;
}

const struct table_frame *tables_frame(const struct tables *t, uint32_t id)
{
	const struct table_frame *e = id ? entry(t, TABLE_FRAMES, id) : NULL;

	return e && e->mapping ? e : NULL;
}

const struct table_node *tables_node(const struct tables *t, uint32_t id)
{
	const struct table_node *e = id ? entry(t, TABLE_NODES, id) : NULL;

	return e && e->frame ? e : NULL;
}

const struct table_name *tables_name(const struct tables *t, uint32_t number)
{
	return number ? entry(t, TABLE_NAMES, number) : NULL;
}

static bool valid_id(enum table table, uint64_t id)
{
	return id && id < table_kinds[table].max;
}

/* An id that may be 0 for none. What it refers to may have been lost, so need not be defined. */
static bool valid_reference(enum table table, uint32_t id)
{
	return id < table_kinds[table].max;
}

/* May @n entries from @first on be defined in a table whose ids so far end at @end? */
static bool new_range(enum table table, uint32_t end, uint32_t first, size_t n)
{
	return !n || (first && first >= end && first < table_kinds[table].max &&
		      n <= table_kinds[table].max - first);
}

/* May the next entry of a list get this id? Moves @end behind it. */
static bool new_id(enum table table, uint32_t *end, uint32_t id)
{
	if (!new_range(table, *end, id, 1))
		return false;
	*end = id + 1;
	return true;
}

/* Bytes of text that definitions need: strings with a NUL each, and build ids. */
static size_t text_bytes(const Profiler__Definitions *d)
{
	size_t bytes = 0;

	for (size_t i = 0; d->strings && i < d->strings->n_value; i++)
		bytes += d->strings->value[i].len + 1;
	for (size_t i = 0; i < d->n_mapping; i++)
		bytes += d->mapping[i]->build_id.len;
	return bytes;
}

static bool check_strings(const Profiler__Strings *strings, uint32_t end)
{
	if (!new_range(TABLE_STRINGS, end, strings->first_id, strings->n_value))
		return false;
	for (size_t i = 0; i < strings->n_value; i++) {
		const ProtobufCBinaryData *value = &strings->value[i];

		if (value->len && memchr(value->data, 0, value->len))
			return false;
	}
	return true;
}

static bool check_mappings(const Profiler__Definitions *d, uint32_t end)
{
	for (size_t i = 0; i < d->n_mapping; i++) {
		const Profiler__Mapping *m = d->mapping[i];

		if (!new_id(TABLE_MAPPINGS, &end, m->id) ||
		    !valid_reference(TABLE_STRINGS, m->path) ||
		    !valid_reference(TABLE_PROCESSES, m->process) ||
		    m->build_id.len > TABLES_MAX_BUILD_ID)
			return false;
	}
	return true;
}

static bool check_processes(const Profiler__Definitions *d, uint32_t end)
{
	for (size_t i = 0; i < d->n_process; i++)
		if (!new_id(TABLE_PROCESSES, &end, d->process[i]->id) ||
		    !valid_reference(TABLE_STRINGS, d->process[i]->comm) ||
		    !valid_reference(TABLE_STRINGS, d->process[i]->cgroup))
			return false;
	return true;
}

static bool check_threads(const Profiler__Definitions *d, uint32_t end)
{
	for (size_t i = 0; i < d->n_thread; i++)
		if (!new_id(TABLE_THREADS, &end, d->thread[i]->id) ||
		    !valid_reference(TABLE_PROCESSES, d->thread[i]->process) ||
		    !valid_reference(TABLE_STRINGS, d->thread[i]->comm))
			return false;
	return true;
}

static bool check_frames(const Profiler__Frames *f, uint32_t end)
{
	size_t n = f->n_mapping;

	if (!new_range(TABLE_FRAMES, end, f->first_id, n) ||
	    (f->n_offset_delta && f->n_offset_delta != n) || (f->n_function && f->n_function != n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!valid_id(TABLE_MAPPINGS, f->mapping[i]) ||
		    (f->n_function && !valid_reference(TABLE_STRINGS, f->function[i])))
			return false;
	return true;
}

static bool check_nodes(const Profiler__Nodes *nodes, uint32_t end)
{
	size_t n = nodes->n_parent_back;
	int64_t frame = 0; /* cannot overflow: a column has less than 2^20 entries of 32 bits */

	if (!new_range(TABLE_NODES, end, nodes->first_id, n) || nodes->n_frame_delta != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		frame += nodes->frame_delta[i];
		if (frame < 0 || !valid_id(TABLE_FRAMES, (uint64_t)frame))
			return false;
		if (!nodes->parent_back[i] || nodes->parent_back[i] > nodes->first_id + i)
			return false;
	}
	return true;
}

static bool check_names(const Profiler__Names *names, uint32_t end)
{
	size_t n = names->n_mapping;
	uint64_t start = 0;

	if (!new_range(TABLE_NAMES, end, end, n) || names->n_size != n ||
	    (names->n_start_delta && names->n_start_delta != n) ||
	    (names->n_function && names->n_function != n) ||
	    (names->n_unknown && names->n_unknown != n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (names->n_start_delta)
			start += (uint64_t)names->start_delta[i];
		if (!valid_id(TABLE_MAPPINGS, names->mapping[i]) || !names->size[i] ||
		    names->size[i] > UINT64_MAX - start ||
		    (names->n_function && !valid_reference(TABLE_STRINGS, names->function[i])))
			return false;
	}
	return true;
}

int tables_check(const struct tables *t, uint32_t epoch, const Profiler__Definitions *d)
{
	static const uint32_t none[TABLE_COUNT] = { 1, 1, 1, 1, 1, 1, 1 };
	const uint32_t *end = epoch == t->epoch ? t->end : none;
	size_t text = epoch == t->epoch ? t->text.used : 0;

	if ((d->strings && !check_strings(d->strings, end[TABLE_STRINGS])) ||
	    !check_mappings(d, end[TABLE_MAPPINGS]) || !check_processes(d, end[TABLE_PROCESSES]) ||
	    !check_threads(d, end[TABLE_THREADS]) ||
	    (d->frames && !check_frames(d->frames, end[TABLE_FRAMES])) ||
	    (d->nodes && !check_nodes(d->nodes, end[TABLE_NODES])) ||
	    (d->names && !check_names(d->names, end[TABLE_NAMES])) ||
	    text_bytes(d) > TABLES_MAX_TEXT - text)
		return -EBADMSG;
	return 0;
}

/* Room for ids below @end, which become the defined ones. Checked before: the limit holds. */
static void *grow(struct tables *t, enum table table, uint32_t end)
{
	struct region *r = &t->entries[table];
	size_t bytes = (size_t)end * table_kinds[table].entry_bytes;

	if (!region_need(r, bytes))
		return NULL;
	r->used = bytes;
	t->end[table] = end;
	return r->base;
}

/* Appends to the text; there is room, tables_apply() has seen to it. */
static uint32_t add_text(struct tables *t, const ProtobufCBinaryData *data)
{
	size_t offset = t->text.used;

	if (data->len)
		memcpy(t->text.base + offset, data->data, data->len);
	t->text.used += data->len;
	return (uint32_t)offset;
}

static int apply_strings(struct tables *t, const Profiler__Strings *strings)
{
	struct string_entry *e =
		grow(t, TABLE_STRINGS, strings->first_id + (uint32_t)strings->n_value);

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < strings->n_value; i++) {
		e[strings->first_id + i] = (struct string_entry){
			.offset = add_text(t, &strings->value[i]),
			.bytes_plus_1 = (uint32_t)strings->value[i].len + 1,
		};
		t->text.used++; /* the NUL, there already */
	}
	return 0;
}

static int apply_mappings(struct tables *t, const Profiler__Definitions *d)
{
	struct table_mapping *e = grow(t, TABLE_MAPPINGS, d->mapping[d->n_mapping - 1]->id + 1);

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_mapping; i++) {
		const Profiler__Mapping *m = d->mapping[i];

		e[m->id] = (struct table_mapping){
			.id = m->id,
			.kind = (uint32_t)m->kind,
			.path = m->path,
			.build_id_bytes = (uint32_t)m->build_id.len,
			.build_id = t->text.base + add_text(t, &m->build_id),
			.file_offset = m->file_offset,
			.size = m->size,
			.process = m->process,
			.generation = m->generation,
		};
	}
	return 0;
}

static int apply_processes(struct tables *t, const Profiler__Definitions *d)
{
	struct table_process *e = grow(t, TABLE_PROCESSES, d->process[d->n_process - 1]->id + 1);

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_process; i++) {
		const Profiler__Process *p = d->process[i];

		e[p->id] = (struct table_process){
			.id = p->id,
			.pid = p->pid,
			.parent_pid = p->parent_pid,
			.comm = p->comm,
			.start_ns = p->start_ns,
			.cgroup = p->cgroup,
			.inner_pid = p->inner_pid,
		};
	}
	return 0;
}

static int apply_threads(struct tables *t, const Profiler__Definitions *d)
{
	struct table_thread *e = grow(t, TABLE_THREADS, d->thread[d->n_thread - 1]->id + 1);

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_thread; i++) {
		const Profiler__Thread *thread = d->thread[i];

		e[thread->id] = (struct table_thread){
			.id = thread->id,
			.tid = thread->tid,
			.process = thread->process,
			.comm = thread->comm,
		};
	}
	return 0;
}

static int apply_frames(struct tables *t, const Profiler__Frames *f)
{
	struct table_frame *e = grow(t, TABLE_FRAMES, f->first_id + (uint32_t)f->n_mapping);
	uint64_t offset = 0;

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_mapping; i++) {
		if (f->n_offset_delta)
			offset += (uint64_t)f->offset_delta[i];
		e[f->first_id + i] = (struct table_frame){
			.offset = offset,
			.mapping = f->mapping[i],
			.function = f->n_function ? f->function[i] : 0,
		};
	}
	return 0;
}

static int apply_nodes(struct tables *t, const Profiler__Nodes *nodes)
{
	struct table_node *e =
		grow(t, TABLE_NODES, nodes->first_id + (uint32_t)nodes->n_parent_back);
	uint32_t frame = 0;

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < nodes->n_parent_back; i++) {
		uint32_t id = nodes->first_id + (uint32_t)i;

		frame += (uint32_t)nodes->frame_delta[i];
		e[id] = (struct table_node){ id - nodes->parent_back[i], frame };
	}
	return 0;
}

static int apply_names(struct tables *t, const Profiler__Names *names)
{
	uint32_t first = t->end[TABLE_NAMES];
	struct table_name *e = grow(t, TABLE_NAMES, first + (uint32_t)names->n_mapping);
	uint64_t start = 0;

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < names->n_mapping; i++) {
		if (names->n_start_delta)
			start += (uint64_t)names->start_delta[i];
		e[first + i] = (struct table_name){
			.start = start,
			.size = names->size[i],
			.mapping = names->mapping[i],
			.function = names->n_function ? names->function[i] : 0,
			.unknown = names->n_unknown ? names->unknown[i] : 0,
		};
	}
	return 0;
}

int tables_apply(struct tables *t, uint32_t epoch, const Profiler__Definitions *d)
{
	int err = 0;

	if (epoch != t->epoch)
		clear(t);
	t->epoch = epoch;
	if (!d)
		return 0;
	if (!region_need(&t->text, t->text.used + text_bytes(d)))
		return -ENOMEM;
	if (d->strings && d->strings->n_value)
		err = apply_strings(t, d->strings);
	if (!err && d->n_mapping)
		err = apply_mappings(t, d);
	if (!err && d->n_process)
		err = apply_processes(t, d);
	if (!err && d->n_thread)
		err = apply_threads(t, d);
	if (!err && d->frames && d->frames->n_mapping)
		err = apply_frames(t, d->frames);
	if (!err && d->nodes && d->nodes->n_parent_back)
		err = apply_nodes(t, d->nodes);
	if (!err && d->names && d->names->n_mapping)
		err = apply_names(t, d->names);
	return err;
}

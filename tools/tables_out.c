/* SPDX-License-Identifier: Apache-2.0 */
/* tables_out.c - writes definitions of an epoch again, see tables_out.h. */
#include "tools/tables_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/stream_out.h"

/* Most entries of a table, and about most bytes, that go into one packet. */
#define CHUNK	     1024
#define BYTES_TARGET ((size_t)48 << 10)

/* About the most bytes of an entry without its text. */
#define ENTRY_BYTES 64

/* A name that was written, or is about to be. */
struct name_seen {
	uint64_t hash;
	/* up to here the key */
	uint64_t is_written;
};

/* Definitions that are being gathered; a list per table. */
struct tables_work {
	Profiler__Definitions definitions;
	Profiler__Strings strings;
	Profiler__Frames frames;
	Profiler__Nodes nodes;
	Profiler__Names names;
	ProtobufCBinaryData string[CHUNK];
	Profiler__Mapping mapping[CHUNK], *mappings[CHUNK];
	Profiler__Process process[CHUNK], *processes[CHUNK];
	Profiler__Thread thread[CHUNK], *threads[CHUNK];
	uint32_t frame_mapping[CHUNK], frame_function[CHUNK];
	int64_t offset_delta[CHUNK];
	uint32_t parent_back[CHUNK];
	int32_t frame_delta[CHUNK];
	uint32_t name_mapping[CHUNK], name_function[CHUNK], name_unknown[CHUNK];
	int64_t start_delta[CHUNK];
	uint64_t name_size[CHUNK];
	uint64_t last_offset; /* of the frame, node and name before */
	uint32_t last_frame;
	uint64_t last_start;
	size_t bytes;	 /* about what all is together */
	bool with_names; /* all of the epoch, not only new ones */
};

/* Takes an entry over: false when there is no room for it. */
typedef bool take_entry(struct tables_out *o, const struct tables *t, uint32_t id);

int tables_out_open(struct tables_out *o)
{
	idmap_init(&o->names, sizeof(struct name_seen), offsetof(struct name_seen, is_written));
	o->work = calloc(1, sizeof(*o->work));
	return o->work ? 0 : -ENOMEM;
}

void tables_out_release(struct tables_out *o)
{
	idmap_release(&o->names);
	free(o->work);
	o->work = NULL;
}

void tables_out_begin(struct tables_out *o)
{
	for (int i = 0; i < TABLE_COUNT; i++)
		o->done[i] = 1;
	o->work->with_names = false;
}

/* FNV-1a; two names that collide by accident: once in 2^32 names. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes--)
		hash = (hash ^ *at++) * UINT64_C(0x100000001B3);
	return hash;
}

static uint64_t hash_string(uint64_t hash, const struct tables *t, uint32_t id)
{
	size_t bytes = 0;
	const char *text = tables_string(t, id, &bytes);

	return hash_bytes(hash, text ? text : "", bytes + 1);
}

/* All that a name says, whatever its epoch's ids. */
static uint64_t hash_name(const struct tables *t, const struct table_name *name,
			  const struct table_mapping *m)
{
	const struct table_process *p = tables_process(t, m->process);
	const uint64_t numbers[] = { name->start,   name->size,	    name->unknown,	m->kind,
				     m->generation, p ? p->pid : 0, p ? p->start_ns : 0 };
	uint64_t hash = hash_bytes(UINT64_C(0xCBF29CE484222325), numbers, sizeof(numbers));

	hash = hash_string(hash_string(hash, t, name->function), t, m->path);
	return hash_bytes(hash, m->build_id, m->build_id_bytes);
}

/* A name that was not written: 1 and its entry, 0, or -ENOMEM. */
static int find_new(struct tables_out *o, const struct tables *t, uint32_t number,
		    struct name_seen **ret)
{
	const struct table_name *name = tables_name(t, number);
	const struct table_mapping *m = tables_mapping(t, name->mapping);
	struct name_seen key = { 0 };
	uint32_t id;

	if (!m || (name->function && !tables_string(t, name->function, NULL)))
		return 0;
	key.hash = hash_name(t, name, m);
	if (idmap_get(&o->names, &key, &id) < 0)
		return -ENOMEM;
	*ret = idmap_at(&o->names, id);
	return !(*ret)->is_written;
}

int tables_out_has_news(struct tables_out *o, const struct tables *t)
{
	struct name_seen *seen;
	uint32_t number = o->done[TABLE_NAMES] ? o->done[TABLE_NAMES] : 1;
	int found = 0;

	for (; !found && number < tables_end(t, TABLE_NAMES); number++)
		found = find_new(o, t, number, &seen);
	return found;
}

static bool has_room(struct tables_work *w, size_t entries, size_t text_bytes)
{
	if (entries == CHUNK || (w->bytes && w->bytes + text_bytes > BYTES_TARGET))
		return false;
	w->bytes += ENTRY_BYTES + text_bytes;
	return true;
}

/* Columns and strings have one first id: what follows it must have no gap. */
static bool follows(uint32_t *first_id, size_t entries, uint32_t id)
{
	if (!entries)
		*first_id = id;
	return *first_id + entries == id;
}

static bool take_string(struct tables_out *o, const struct tables *t, uint32_t id)
{
	struct tables_work *w = o->work;
	Profiler__Strings *s = &w->strings;
	size_t bytes;
	const char *text = tables_string(t, id, &bytes);

	if (!text)
		return true;
	if (!follows(&s->first_id, s->n_value, id) || !has_room(w, s->n_value, bytes))
		return false;
	/* protobuf-c does not write there */
	w->string[s->n_value++] = (ProtobufCBinaryData){ bytes, (uint8_t *)(uintptr_t)text };
	return true;
}

static bool take_mapping(struct tables_out *o, const struct tables *t, uint32_t id)
{
	struct tables_work *w = o->work;
	const struct table_mapping *from = tables_mapping(t, id);
	size_t n = w->definitions.n_mapping;
	Profiler__Mapping *m = &w->mapping[n];

	if (!from)
		return true;
	if (!has_room(w, n, from->build_id_bytes))
		return false;
	profiler__mapping__init(m);
	m->id = id;
	m->kind = (Profiler__Mapping__Kind)from->kind;
	m->path = from->path;
	m->build_id =
		(ProtobufCBinaryData){ from->build_id_bytes, (uint8_t *)(uintptr_t)from->build_id };
	m->file_offset = from->file_offset;
	m->size = from->size;
	m->process = from->process;
	m->generation = from->generation;
	w->mappings[n] = m;
	w->definitions.n_mapping++;
	return true;
}

static bool take_process(struct tables_out *o, const struct tables *t, uint32_t id)
{
	struct tables_work *w = o->work;
	const struct table_process *from = tables_process(t, id);
	size_t n = w->definitions.n_process;
	Profiler__Process *p = &w->process[n];

	if (!from)
		return true;
	if (!has_room(w, n, 0))
		return false;
	profiler__process__init(p);
	p->id = id;
	p->pid = from->pid;
	p->parent_pid = from->parent_pid;
	p->comm = from->comm;
	p->start_ns = from->start_ns;
	p->cgroup = from->cgroup;
	p->inner_pid = from->inner_pid;
	w->processes[n] = p;
	w->definitions.n_process++;
	return true;
}

static bool take_thread(struct tables_out *o, const struct tables *t, uint32_t id)
{
	struct tables_work *w = o->work;
	const struct table_thread *from = tables_thread(t, id);
	size_t n = w->definitions.n_thread;
	Profiler__Thread *thread = &w->thread[n];

	if (!from)
		return true;
	if (!has_room(w, n, 0))
		return false;
	profiler__thread__init(thread);
	thread->id = id;
	thread->tid = from->tid;
	thread->process = from->process;
	thread->comm = from->comm;
	w->threads[n] = thread;
	w->definitions.n_thread++;
	return true;
}

static bool take_frame(struct tables_out *o, const struct tables *t, uint32_t id)
{
	struct tables_work *w = o->work;
	const struct table_frame *from = tables_frame(t, id);
	Profiler__Frames *f = &w->frames;

	if (!from)
		return true;
	if (!follows(&f->first_id, f->n_mapping, id) || !has_room(w, f->n_mapping, 0))
		return false;
	w->frame_mapping[f->n_mapping] = from->mapping;
	w->offset_delta[f->n_mapping] = (int64_t)(from->offset - w->last_offset);
	w->frame_function[f->n_mapping] = from->function;
	w->last_offset = from->offset;
	f->n_mapping++;
	return true;
}

static bool take_node(struct tables_out *o, const struct tables *t, uint32_t id)
{
	struct tables_work *w = o->work;
	const struct table_node *from = tables_node(t, id);
	Profiler__Nodes *n = &w->nodes;

	if (!from)
		return true;
	if (!follows(&n->first_id, n->n_parent_back, id) || !has_room(w, n->n_parent_back, 0))
		return false;
	w->parent_back[n->n_parent_back] = id - from->parent;
	w->frame_delta[n->n_parent_back] = (int32_t)(from->frame - w->last_frame);
	w->last_frame = from->frame;
	n->n_parent_back++;
	return true;
}

/* A name of which something was lost would say another thing: it is left out. */
static bool take_name(struct tables_out *o, const struct tables *t, uint32_t number)
{
	struct tables_work *w = o->work;
	const struct table_name *from = tables_name(t, number);
	struct name_seen *seen;
	Profiler__Names *n = &w->names;
	int is_new = find_new(o, t, number, &seen);

	if (is_new < 0)
		return false;
	if (!is_new && (!w->with_names || !tables_mapping(t, from->mapping) ||
			(from->function && !tables_string(t, from->function, NULL))))
		return true;
	if (!has_room(w, n->n_mapping, 0))
		return false;
	if (is_new)
		seen->is_written = 1;
	w->name_mapping[n->n_mapping] = from->mapping;
	w->start_delta[n->n_mapping] = (int64_t)(from->start - w->last_start);
	w->name_size[n->n_mapping] = from->size;
	w->name_function[n->n_mapping] = from->function;
	w->name_unknown[n->n_mapping] = from->unknown;
	w->last_start = from->start;
	n->n_mapping++;
	return true;
}

static void clear(struct tables_work *w)
{
	profiler__definitions__init(&w->definitions);
	profiler__strings__init(&w->strings);
	profiler__frames__init(&w->frames);
	profiler__nodes__init(&w->nodes);
	profiler__names__init(&w->names);
	w->last_offset = w->last_start = 0;
	w->last_frame = 0;
	w->bytes = 0;
}

static int put(struct tables_work *w, struct stream_out *out)
{
	Profiler__Definitions *d = &w->definitions;
	int err;

	if (!w->bytes)
		return 0;
	w->strings.value = w->string;
	d->strings = w->strings.n_value ? &w->strings : NULL;
	d->mapping = w->mappings;
	d->process = w->processes;
	d->thread = w->threads;
	w->frames.mapping = w->frame_mapping;
	w->frames.offset_delta = w->offset_delta;
	w->frames.function = w->frame_function;
	w->frames.n_offset_delta = w->frames.n_function = w->frames.n_mapping;
	d->frames = w->frames.n_mapping ? &w->frames : NULL;
	w->nodes.parent_back = w->parent_back;
	w->nodes.frame_delta = w->frame_delta;
	w->nodes.n_frame_delta = w->nodes.n_parent_back;
	d->nodes = w->nodes.n_parent_back ? &w->nodes : NULL;
	w->names.mapping = w->name_mapping;
	w->names.start_delta = w->start_delta;
	w->names.size = w->name_size;
	w->names.function = w->name_function;
	w->names.unknown = w->name_unknown;
	w->names.n_start_delta = w->names.n_size = w->names.n_function = w->names.n_unknown =
		w->names.n_mapping;
	d->names = w->names.n_mapping ? &w->names : NULL;
	err = stream_out_definitions(out, d);
	clear(w);
	return err;
}

static int write_table(struct tables_out *o, const struct tables *t, struct stream_out *out,
		       enum table table, take_entry *take)
{
	int err = 0;

	while (!err && o->done[table] < tables_end(t, table)) {
		if (take(o, t, o->done[table]))
			o->done[table]++;
		else if (o->work->bytes)
			err = put(o->work, out);
		else
			err = -ENOMEM;
	}
	return err;
}

int tables_out_write(struct tables_out *o, const struct tables *t, struct stream_out *out,
		     bool for_samples)
{
	static const struct {
		enum table table;
		take_entry *take;
		bool is_of_samples;
	} order[] = {
		{ TABLE_STRINGS, take_string, false },	 { TABLE_PROCESSES, take_process, false },
		{ TABLE_MAPPINGS, take_mapping, false }, { TABLE_THREADS, take_thread, true },
		{ TABLE_FRAMES, take_frame, true },	 { TABLE_NODES, take_node, true },
		{ TABLE_NAMES, take_name, false },
	};
	int err = 0;

	if (for_samples && !o->work->with_names) {
		o->work->with_names = true;
		o->done[TABLE_NAMES] = 1; /* those that other epochs had already, too */
	}
	clear(o->work);
	for (size_t i = 0; !err && i < sizeof(order) / sizeof(order[0]); i++)
		if (for_samples || !order[i].is_of_samples)
			err = write_table(o, t, out, order[i].table, order[i].take);
	return err ? err : put(o->work, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* profile_memo.c - what the ids of an epoch are in a profile, see profile_memo.h. */
#include "tools/profile_memo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/container.h"
#include "tools/text.h"

/* Longest text that is kept of a name. */
#define TEXT_MAX 4096

void memo_free(struct memo *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < TABLE_NODES; i++)
		free(m->column[i].id);
	free(m->node);
	free(m->path);
	free(m);
}

/* Makes an array as long as its table; what is new in it is 0. */
static int follow(void **array, uint32_t *room, uint32_t end, size_t bytes)
{
	uint8_t *larger;

	if (end <= *room)
		return 0;
	end += end / 2;
	larger = reallocarray(*array, end, bytes);
	if (!larger)
		return -ENOMEM;
	memset(larger + *room * bytes, 0, (end - *room) * bytes);
	*array = larger;
	*room = end;
	return 0;
}

/* Makes all arrays as long as the tables, forgotten when the epoch is new. */
int memo_follow(struct memo *m, const struct tables *t)
{
	bool is_new = tables_epoch(t) != m->epoch;
	void *nodes = m->node;
	int err;

	if (is_new)
		m->names = 0;
	if (is_new && m->node)
		memset(m->node, 0, m->node_room * sizeof(*m->node));
	err = follow(&nodes, &m->node_room, tables_end(t, TABLE_NODES), sizeof(*m->node));
	m->node = nodes;
	for (size_t i = 0; !err && i < TABLE_NODES; i++) {
		struct memo_column *c = &m->column[i];
		void *ids = c->id;

		if (is_new && c->room)
			memset(c->id, 0, c->room * sizeof(*c->id));
		err = follow(&ids, &c->room, tables_end(t, (enum table)i), sizeof(*c->id));
		c->id = ids;
	}
	m->epoch = tables_epoch(t);
	return err;
}

int profile_get_string(struct profile *p, const char *text, size_t bytes, uint32_t *ret_id)
{
	char clean[TEXT_MAX * TEXT_CLEAN_GROWTH];

	bytes = bytes < TEXT_MAX ? bytes : TEXT_MAX;
	return strtab_get(&p->strings, clean, text_clean(clean, text, bytes), ret_id);
}

static int get_string(struct profile *p, const struct tables *t, uint32_t id, uint32_t *ret_id)
{
	size_t bytes;
	const char *text = tables_string(t, id, &bytes);

	*ret_id = 0;
	return text ? profile_get_string(p, text, bytes, ret_id) : 0;
}

/* What to call a mapping without a path. */
static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case PROFILER__MAPPING__KIND__KERNEL:
		return "[kernel.kallsyms]";
	case PROFILER__MAPPING__KIND__MODULE:
		return "[module]";
	case PROFILER__MAPPING__KIND__BPF:
		return "[bpf]";
	case PROFILER__MAPPING__KIND__ANON:
		return "[anon]";
	case PROFILER__MAPPING__KIND__VDSO:
		return "[vdso]";
	default:
		return "[unknown]";
	}
}

static int name_mapping(struct profile *p, uint32_t id)
{
	struct profile_mapping *m = idmap_at(&p->mappings, id);
	const char *path = strtab_text(&p->strings, m->path);
	const char *slash;
	int err;

	if (!m->path || m->kind == PROFILER__MAPPING__KIND__KERNEL)
		path = kind_name(m->kind);
	err = profile_get_string(p, path, strlen(path), &m->name);
	if (err)
		return err;
	path = strtab_text(&p->strings, m->name);
	slash = m->kind == PROFILER__MAPPING__KIND__FILE ? strrchr(path, '/') : NULL;
	if (!slash || !slash[1]) {
		m->short_name = m->name;
		return 0;
	}
	return profile_get_string(p, slash + 1, strlen(slash + 1), &m->short_name);
}

/* Finds whose memory a mapping is; false where that is lost, and so may be anybody's. */
static bool find_owner(const struct tables *t, const struct table_mapping *m,
		       struct profile_file *key)
{
	const struct table_process *process = tables_process(t, m->process);

	if (process) {
		key->pid = process->pid;
		key->start_ns = process->start_ns;
	}
	return process || (!m->process && m->kind != PROFILER__MAPPING__KIND__ANON);
}

static int make_mapping(struct profile *p, const struct tables *t, const struct table_mapping *m,
			uint32_t *ret_id)
{
	struct profile_file file = { .generation = m->generation, .kind = m->kind };
	struct profile_mapping key = { .file_offset = m->file_offset, .size = m->size };
	struct profile_mapping *mapping;
	const char *path_text;
	uint32_t path = 0;
	size_t bytes;
	int err = 0;

	path_text = tables_string(t, m->path, &bytes);
	/* Files of which nothing is known are not one file. */
	key.is_orphan = !find_owner(t, m, &file) || (m->kind == PROFILER__MAPPING__KIND__FILE &&
						     !path_text && !m->build_id_bytes);
	if (path_text)
		err = strtab_get(&p->strings, path_text, bytes, &path);
	/* A process's memory without a file is one, whatever its parts are called. */
	file.path = m->kind == PROFILER__MAPPING__KIND__ANON ? 0 : path;
	if (!err && m->build_id_bytes)
		err = strtab_get(&p->strings, (const char *)m->build_id, m->build_id_bytes,
				 &file.build_id);
	if (!err)
		err = idmap_get(&p->files, &file, &key.file);
	if (err >= 0)
		err = idmap_get(&p->mappings, &key, ret_id);
	if (err <= 0)
		return err;
	mapping = idmap_at(&p->mappings, *ret_id);
	mapping->kind = file.kind;
	mapping->path = path;
	mapping->build_id = file.build_id;
	return name_mapping(p, *ret_id);
}

int memo_get_mapping(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		     uint32_t *ret_id)
{
	const struct table_mapping *m = tables_mapping(t, id);
	int err;

	*ret_id = 0;
	if (!m)
		return 0;
	*ret_id = memo->column[TABLE_MAPPINGS].id[id];
	if (*ret_id)
		return 0;
	err = make_mapping(p, t, m, ret_id);
	if (!err)
		memo->column[TABLE_MAPPINGS].id[id] = *ret_id;
	return err;
}

static int get_frame(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		     uint32_t *ret_id)
{
	const struct memo_column *known = &memo->column[TABLE_FRAMES];
	const struct table_frame *f;
	struct profile_frame key = { 0 };
	int err;

	*ret_id = id < known->room ? known->id[id] : 0;
	if (*ret_id)
		return 0;
	*ret_id = PSEUDO_DAMAGED;
	f = tables_frame(t, id);
	if (!f)
		return 0;
	key.offset = f->offset;
	err = memo_get_mapping(p, memo, t, f->mapping, &key.mapping);
	if (!err)
		err = get_string(p, t, f->function, &key.function);
	if (!err && !key.mapping && !key.function)
		*ret_id = PSEUDO_DAMAGED;
	else if (!err)
		err = idmap_get(&p->frames, &key, ret_id);
	if (err < 0)
		return err;
	memo->column[TABLE_FRAMES].id[id] = *ret_id;
	return 0;
}

/* Notes the nodes from @id up to the first whose meaning is known already, *ret_known. */
static int climb(struct memo *memo, const struct tables *t, uint32_t id, uint32_t *ret_length,
		 uint32_t *ret_known)
{
	const struct memo_node *known = memo->node;
	const struct table_node *node;
	uint32_t length = 0;

	for (; (node = tables_node(t, id)) && !known[id].id; id = node->parent) {
		if (length == memo->path_room) {
			uint32_t room = length ? length * 2 : 256;
			uint32_t *larger = reallocarray(memo->path, room, sizeof(*larger));

			if (!larger)
				return -ENOMEM;
			memo->path = larger;
			memo->path_room = room;
		}
		memo->path[length++] = id;
	}
	*ret_length = length;
	*ret_known = node ? known[id].id : 0;
	if (!node && id) /* the outer part was lost */
		*ret_known = UINT32_MAX;
	return 0;
}

static struct profile_node *node_at(const struct profile *p, uint32_t id)
{
	return idmap_at(&p->nodes, id);
}

/*
 * The node of a frame below @parent. Most nodes have one child only, and nodes of a stack lie side
 * by side, while places in a large table of hashes do not: so a first child is not in that table.
 */
static int get_child(struct profile *p, uint32_t parent, uint32_t frame, uint32_t *ret_id)
{
	const struct profile_node key = { .parent = parent, .frame = frame };
	const uint32_t last = parent ? node_at(p, parent)->last_child : 0;
	const uint32_t first = parent ? node_at(p, parent)->first_child : 0;
	int err = 0;

	if (last && node_at(p, last)->frame == frame) {
		*ret_id = last;
		return 0;
	}
	if (first && node_at(p, first)->frame == frame)
		*ret_id = first;
	else if (parent && !first)
		err = idmap_append(&p->nodes, &key, ret_id);
	else
		err = idmap_get(&p->nodes, &key, ret_id);
	if (err < 0)
		return err;
	if (parent) {
		node_at(p, parent)->last_child = *ret_id;
		if (!first)
			node_at(p, parent)->first_child = *ret_id;
	}
	return 0;
}

/* Makes a node, with all its parents that are new. */
int memo_make_node(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		   uint32_t *ret_id)
{
	uint32_t frame = 0;
	uint32_t length;
	int err;

	err = climb(memo, t, id, &length, ret_id);
	if (!err && *ret_id == UINT32_MAX)
		err = get_child(p, 0, PSEUDO_DAMAGED, ret_id);
	while (!err && length) {
		uint32_t at = memo->path[--length];

		err = get_frame(p, memo, t, tables_node(t, at)->frame, &frame);
		if (!err)
			err = get_child(p, *ret_id, frame, ret_id);
		if (!err)
			memo->node[at].id = *ret_id;
	}
	return err;
}

/*
 * The nodes that a packet defines, in their order: so what an epoch tells again in the same order
 * is found again one behind the other. Not where a filter may want few of them. One whose caller is
 * not known (yet) is left to memo_make_node().
 */
int memo_add_nodes(struct profile *p, struct memo *memo, const struct tables *t,
		   const Profiler__Nodes *nodes)
{
	uint32_t frame_id = 0;
	uint32_t before = 0; /* our id of the node before */
	int err = 0;

	for (uint32_t i = 0; !err && i < nodes->n_parent_back; i++) {
		const uint32_t id = nodes->first_id + i;
		const uint32_t parent_id = id - nodes->parent_back[i];
		const uint32_t parent = memo->node[parent_id].id;
		const struct profile_node *next;
		uint32_t frame = 0;

		frame_id += (uint32_t)nodes->frame_delta[i];
		if (parent_id && !parent)
			continue;
		err = get_frame(p, memo, t, frame_id, &frame);
		if (err)
			break;
		next = before < p->nodes.count ? node_at(p, before + 1) : NULL;
		if (next && next->parent == parent && next->frame == frame)
			before++;
		else
			err = get_child(p, parent, frame, &before);
		memo->node[id].id = before;
	}
	return err;
}

static int set_container(struct profile *p, uint32_t id)
{
	struct profile_process *process = idmap_at(&p->processes, id);
	const char *container = container_find(profile_text(p, process->cgroup));

	return container
		       ? profile_get_string(p, container, CONTAINER_ID_DIGITS, &process->container)
		       : 0;
}

static int get_process(struct profile *p, const struct tables *t, uint32_t id, uint32_t *ret_id)
{
	const struct table_process *process = tables_process(t, id);
	struct profile_process key = { 0 };
	int err;

	*ret_id = 0;
	if (!process)
		return 0;
	key.pid = process->pid;
	key.start_ns = process->start_ns;
	key.inner_pid = process->inner_pid;
	err = get_string(p, t, process->comm, &key.comm);
	if (!err)
		err = get_string(p, t, process->cgroup, &key.cgroup);
	if (!err)
		err = idmap_get(&p->processes, &key, ret_id);
	return err > 0 ? set_container(p, *ret_id) : err;
}

/* What to put into row.who for a thread of the epoch. */
int memo_get_who(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		 uint32_t *ret_id)
{
	const struct memo_column *known = &memo->column[TABLE_THREADS];
	const struct table_thread *thread;
	struct profile_thread key = { 0 };
	int err;

	*ret_id = id < known->room ? known->id[id] : 0;
	if (*ret_id || p->by == PROFILE_BY_NOBODY)
		return 0;
	thread = tables_thread(t, id);
	if (!thread)
		return 0;
	err = get_process(p, t, thread->process, &key.process);
	*ret_id = key.process;
	if (!err && p->by == PROFILE_BY_THREAD) {
		key.tid = thread->tid;
		err = get_string(p, t, thread->comm, &key.comm);
		if (!err)
			err = idmap_get(&p->threads, &key, ret_id);
	}
	if (err < 0)
		return err;
	memo->column[TABLE_THREADS].id[id] = *ret_id;
	return 0;
}

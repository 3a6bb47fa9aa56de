/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.c - a stream added up, see profile.h.
 *
 * The ids of an epoch are turned into ours once each: `memo` has an array per table, by the
 * epoch's id, 0 where we have not looked yet. So a sample costs three look-ups in arrays and
 * one in the table of rows, and not even that where its stack was last seen in the same row.
 */
#include "tools/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/container.h"
#include "tools/text.h"

#define KNOWN_FLAGS                                                                   \
	(PROFILER__SAMPLE_FLAG__IN_KERNEL | PROFILER__SAMPLE_FLAG__USER_TRUNCATED |   \
	 PROFILER__SAMPLE_FLAG__KERNEL_TRUNCATED | PROFILER__SAMPLE_FLAG__USER_LOST | \
	 PROFILER__SAMPLE_FLAG__KERNEL_LOST | PROFILER__SAMPLE_FLAG__USER_FAILED |    \
	 PROFILER__SAMPLE_FLAG__IDLE | PROFILER__SAMPLE_FLAG__COUNTED |               \
	 PROFILER__SAMPLE_FLAG__SHARED)

/* Longest text that is kept of a name. */
#define TEXT_MAX 4096

static const char *const pseudo_names[PSEUDO_END] = {
	[PSEUDO_TRUNCATED] = "[truncated]",	    [PSEUDO_STACK_LOST] = "[stack lost]",
	[PSEUDO_UNREADABLE] = "[stack unreadable]", [PSEUDO_NO_STACK] = "[no stack]",
	[PSEUDO_DAMAGED] = "[lost in damage]",
};

struct memo_column {
	uint32_t *id;
	uint32_t room;
};

struct memo_node {
	uint32_t id;
	uint32_t row; /* that a sample with this leaf had last, 0: none yet */
};

struct memo {
	struct memo_column column[TABLE_NODES]; /* of the tables before: names have no ids */
	struct memo_node *node;
	uint32_t node_room;
	uint32_t names; /* of the epoch, taken over so far */
	uint32_t *path; /* nodes on the way up to one that is known */
	uint32_t path_room;
	uint32_t epoch;
};

static void memo_free(struct memo *m)
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
static int memo_follow(struct memo *m, const struct tables *t)
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

static int get_mapping(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
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
	err = get_mapping(p, memo, t, f->mapping, &key.mapping);
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
static int make_node(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
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

/* Our id of a node. */
static inline int get_node(struct profile *p, struct memo *memo, const struct tables *t,
			   uint32_t id, uint32_t *ret_id)
{
	*ret_id = id < memo->node_room ? memo->node[id].id : 0;
	return *ret_id || !id ? 0 : make_node(p, memo, t, id, ret_id);
}

/*
 * The nodes that a packet defines, in their order: so what an epoch tells again in the same order
 * is found again one behind the other. Not where a filter may want few of them. One whose caller is
 * not known (yet) is left to make_node().
 */
static int add_nodes(struct profile *p, struct memo *memo, const struct tables *t,
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
static int get_who(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
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

/* Adds what a sample carries of its group to its row. */
static int add_counts(struct profile *p, const Profiler__SampleBlock *block,
		      const struct reader_sample *s, struct profile_row *row)
{
	struct group *group = &p->groups.of[s->event];
	uint64_t count[READER_MAX_COUNTERS];

	if (!(s->flags & PROFILER__SAMPLE_FLAG__COUNTED) || !block->n_counter || !group->counters)
		return 0;
	group->counted++;
	group->shared += !!(s->flags & PROFILER__SAMPLE_FLAG__SHARED);
	if (!group_counts(group, block, s->place, count)) {
		group->absent++;
		return 0;
	}
	if (sums_get(&p->sums, &row->sums))
		return -ENOMEM;
	sums_add(&p->sums, sums_at(&p->sums, row->sums), count, group->counters);
	for (uint32_t i = 1; i < group->counters; i++) {
		p->event[group->event[i]].count++;
		p->event[group->event[i]].weight += count[i];
	}
	if (p->listener.counts)
		p->listener.counts(p->listener.ctx, count, group->counters);
	return 0;
}

/* Samples whose rows are looked for together, see idmap.h. */
#define BATCH 64

struct pending {
	struct reader_sample sample;
	struct profile_row key;
	struct memo_node *leaf; /* whose row may be the sample's; NULL: none */
	uint32_t row;		/* 0: not found yet */
	uint32_t hash;
};

static struct memo_node *find_leaf(const struct memo *memo, const struct reader_sample *s)
{
	uint32_t id = s->user_stack ? s->user_stack : s->kernel_stack;

	return id && id < memo->node_room ? &memo->node[id] : NULL;
}

/* Finds what tells a sample's row. */
static int make_key(struct profile *p, struct memo *memo, const struct tables *t,
		    struct pending *at)
{
	const struct reader_sample *s = &at->sample;
	struct profile_row *key = &at->key;
	int err;

	*key = (struct profile_row){
		.cpu = p->by_cpu ? s->cpu : 0,
		.event = s->event,
		.flags = s->flags & KNOWN_FLAGS,
	};
	err = get_who(p, memo, t, s->thread, &key->who);
	if (!err)
		err = get_node(p, memo, t, s->user_stack, &key->user);
	if (!err)
		err = get_node(p, memo, t, s->kernel_stack, &key->kernel);
	at->leaf = find_leaf(memo, s);
	at->row = at->leaf ? at->leaf->row : 0;
	if (at->row)
		__builtin_prefetch(idmap_at(&p->rows, at->row), 1);
	return err;
}

/* Is it the row that was seen last with the same leaf? Else it is to be looked for. */
static void find_row(struct profile *p, struct pending *at)
{
	const struct profile_row *row = at->row ? idmap_at(&p->rows, at->row) : NULL;

	if (row && !memcmp(row, &at->key, offsetof(struct profile_row, count)))
		return;
	at->row = 0;
	at->hash = idmap_hash(&p->rows, &at->key);
	idmap_want_slot(&p->rows, at->hash);
}

static int add_sample(struct profile *p, const Profiler__SampleBlock *block,
		      const struct pending *at)
{
	const struct reader_sample *s = &at->sample;
	struct profile_row *row;
	uint32_t id = at->row;
	int err = 0;

	if (!id) {
		err = idmap_get_hashed(&p->rows, &at->key, at->hash, &id);
		if (err < 0)
			return err;
		if (at->leaf)
			at->leaf->row = id;
	}
	row = idmap_at(&p->rows, id);
	row->count++;
	row->weight += s->weight;
	p->event[s->event].count++;
	p->event[s->event].weight += s->weight;
	if (s->time_ns > p->last_ns)
		p->last_ns = s->time_ns;
	err = add_counts(p, block, s, row);
	return err || !p->listener.sample ? err : p->listener.sample(p->listener.ctx, s, id);
}

static void want_node(const struct memo *memo, uint32_t id)
{
	if (id < memo->node_room)
		__builtin_prefetch(&memo->node[id]);
}

/* Takes samples that are wanted, as many as there is room for; false: there are no more. */
static bool fill_batch(struct profile *p, const struct memo *memo, const struct tables *t,
		       struct sample_iter *it, struct pending batch[BATCH], uint32_t *ret_count)
{
	const uint64_t start_ns = profile_header(p)->start_ns;
	uint32_t count = 0;

	while (count < BATCH) {
		struct reader_sample *s = &batch[count].sample;

		if (!sample_iter_next(it, s))
			break;
		if (p->filter && !filter_wants(p->filter, t, s, start_ns)) {
			p->left_out++;
			continue;
		}
		want_node(memo, s->user_stack);
		want_node(memo, s->kernel_stack);
		count++;
	}
	*ret_count = count;
	return count == BATCH;
}

static int add_block(struct profile *p, struct memo *memo, const struct tables *t,
		     const Profiler__SampleBlock *block)
{
	struct pending batch[BATCH];
	struct sample_iter it;
	uint32_t count;
	bool has_more;
	int err = 0;

	reader_samples(p->reader, block, &it);
	do {
		has_more = fill_batch(p, memo, t, &it, batch, &count);
		for (uint32_t i = 0; !err && i < count; i++)
			err = make_key(p, memo, t, &batch[i]);
		for (uint32_t i = 0; !err && i < count; i++)
			find_row(p, &batch[i]);
		for (uint32_t i = 0; !err && i < count; i++)
			if (!batch[i].row)
				idmap_want_entry(&p->rows, batch[i].hash);
		for (uint32_t i = 0; !err && i < count; i++)
			err = add_sample(p, block, &batch[i]);
	} while (!err && has_more);
	return err;
}

/* Takes over a name; one that damage has made useless is left out. */
static int add_name(struct profile *p, struct memo *memo, const struct tables *t,
		    const struct table_name *name)
{
	struct stretch stretch = { .start = name->start, .end = name->start + name->size };
	const struct profile_mapping *mapping;
	uint32_t id;
	size_t bytes;
	const char *text = tables_string(t, name->function, &bytes);
	int err;

	if (name->function && !text)
		return 0;
	err = get_mapping(p, memo, t, name->mapping, &id);
	if (err || !id)
		return err;
	mapping = idmap_at(&p->mappings, id);
	if (mapping->is_orphan)
		return 0;
	stretch.file = mapping->file;
	if (text)
		err = strtab_get(&p->strings, text, bytes, &stretch.name);
	if (!stretch.name)
		stretch.unknown = name->unknown;
	return err ? err : stretches_add(&p->stretches, &stretch);
}

static int add_names(struct profile *p, struct memo *memo, const struct tables *t)
{
	uint32_t end = tables_end(t, TABLE_NAMES) - 1;
	int err = 0;

	while (!err && memo->names < end)
		err = add_name(p, memo, t, tables_name(t, ++memo->names));
	return err;
}

static int add_packet(struct profile *p, struct memo *memo, const Profiler__Packet *packet)
{
	const struct tables *t = reader_tables(p->reader);
	int err;

	if (packet->header && !p->groups.largest) {
		groups_find(&p->groups, packet->header);
		p->sums.counters = p->groups.largest;
	}
	err = memo_follow(memo, t);
	if (!err)
		err = add_names(p, memo, t);
	if (!err && !p->filter && packet->definitions && packet->definitions->nodes)
		err = add_nodes(p, memo, t, packet->definitions->nodes);
	for (size_t i = 0; !err && i < packet->n_samples; i++)
		err = add_block(p, memo, t, packet->samples[i]);
	return err;
}

int profile_open(struct profile **ret, enum profile_by by, bool by_cpu)
{
	struct profile *p = calloc(1, sizeof(*p));
	struct profile_frame key = { 0 };
	uint32_t id = 0;
	int err = 0;

	if (!p)
		return -ENOMEM;
	profiler__header__init(&p->no_header);
	p->by = by;
	p->by_cpu = by_cpu;
	idmap_init(&p->files, sizeof(struct profile_file), sizeof(struct profile_file));
	idmap_init(&p->mappings, sizeof(struct profile_mapping),
		   offsetof(struct profile_mapping, kind));
	idmap_init(&p->frames, sizeof(struct profile_frame), sizeof(struct profile_frame));
	idmap_init(&p->nodes, sizeof(struct profile_node),
		   offsetof(struct profile_node, first_child));
	idmap_init(&p->processes, sizeof(struct profile_process),
		   offsetof(struct profile_process, container));
	idmap_init(&p->threads, sizeof(struct profile_thread), sizeof(struct profile_thread));
	idmap_init(&p->rows, sizeof(struct profile_row), offsetof(struct profile_row, count));
	stretches_init(&p->stretches);
	for (size_t i = 1; err >= 0 && i < PSEUDO_END; i++) {
		const char *name = pseudo_names[i];

		err = strtab_get(&p->strings, name, strlen(name), &key.function);
		if (!err)
			err = idmap_get(&p->frames, &key, &id);
	}
	if (err < 0) {
		profile_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	memo_free(p->memo);
	reader_free(p->reader);
	strtab_release(&p->strings);
	idmap_release(&p->files);
	idmap_release(&p->mappings);
	idmap_release(&p->frames);
	idmap_release(&p->nodes);
	idmap_release(&p->processes);
	idmap_release(&p->threads);
	idmap_release(&p->rows);
	stretches_release(&p->stretches);
	sums_release(&p->sums);
	free(p);
}

/* Bytes that are to be read, where that can be told. */
static uint64_t whole_bytes(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int profile_begin(struct profile *p, int fd)
{
	int err = reader_open(&p->reader, fd);

	if (err)
		return err;
	p->memo = calloc(1, sizeof(*p->memo));
	if (!p->memo)
		return -ENOMEM;
	if (p->listener.begin)
		p->listener.begin(p->listener.ctx, p);
	return 0;
}

int profile_next(struct profile *p)
{
	const Profiler__Packet *packet;
	int got = reader_next(p->reader, &packet);
	int err = got > 0 ? add_packet(p, p->memo, packet) : 0;

	return err ? err : got;
}

int profile_read(struct profile *p, int fd, const struct progress *progress)
{
	const uint64_t whole = whole_bytes(fd);
	int err = profile_begin(p, fd);

	if (err)
		return err;
	while ((err = profile_next(p)) > 0)
		if (progress)
			progress->step(progress->ctx, reader_bytes(p->reader), whole);
	memo_free(p->memo);
	p->memo = NULL;
	if (!err)
		err = stretches_sort(&p->stretches);
	for (uint32_t i = 0; i < READER_MAX_EVENTS; i++) {
		if (profile_leader(p, i) != i)
			continue;
		p->all.count += p->event[i].count;
		p->all.weight += p->event[i].weight;
	}
	if (!err && !reader_packets(p->reader))
		return -ENODATA;
	return err;
}

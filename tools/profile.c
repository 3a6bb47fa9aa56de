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

#include "tools/profile_memo.h"

#define KNOWN_FLAGS                                                                   \
	(PROFILER__SAMPLE_FLAG__IN_KERNEL | PROFILER__SAMPLE_FLAG__USER_TRUNCATED |   \
	 PROFILER__SAMPLE_FLAG__KERNEL_TRUNCATED | PROFILER__SAMPLE_FLAG__USER_LOST | \
	 PROFILER__SAMPLE_FLAG__KERNEL_LOST | PROFILER__SAMPLE_FLAG__USER_FAILED |    \
	 PROFILER__SAMPLE_FLAG__IDLE | PROFILER__SAMPLE_FLAG__COUNTED |               \
	 PROFILER__SAMPLE_FLAG__SHARED)

static const char *const pseudo_names[PSEUDO_END] = {
	[PSEUDO_TRUNCATED] = "[truncated]",	    [PSEUDO_STACK_LOST] = "[stack lost]",
	[PSEUDO_UNREADABLE] = "[stack unreadable]", [PSEUDO_NO_STACK] = "[no stack]",
	[PSEUDO_DAMAGED] = "[lost in damage]",
};

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
	err = memo_get_who(p, memo, t, s->thread, &key->who);
	if (!err)
		err = memo_get_node(p, memo, t, s->user_stack, &key->user);
	if (!err)
		err = memo_get_node(p, memo, t, s->kernel_stack, &key->kernel);
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
	err = memo_get_mapping(p, memo, t, name->mapping, &id);
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
		err = memo_add_nodes(p, memo, t, packet->definitions->nodes);
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

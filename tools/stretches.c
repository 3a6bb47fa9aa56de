/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stretches.c - what the code of files is called, see stretches.h.
 *
 * The edges of a file's stretches cut it into pieces. The stretches take their pieces in the order
 * of their rank, each what is still free of its own; `skip` leads past what is taken, and gets
 * shorter by being used, so overlaps cost nothing worth mentioning.
 */
#include "tools/stretches.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* The pieces of one file; piece i is from edge i to edge i + 1. */
struct cut {
	uint64_t *edge;
	uint32_t *owner; /* of piece i: a stretch, 0 = none */
	uint32_t *skip;	 /* of piece i: itself while it is free, else one further on */
	size_t edges;
};

void stretches_init(struct stretches *s)
{
	*s = (struct stretches){ 0 };
	idmap_init(&s->list, sizeof(struct stretch), sizeof(struct stretch));
}

void stretches_release(struct stretches *s)
{
	idmap_release(&s->list);
	free(s->piece);
	s->piece = NULL;
	s->pieces = 0;
}

int stretches_add(struct stretches *s, const struct stretch *stretch)
{
	uint32_t id;
	int err = idmap_get(&s->list, stretch, &id);

	return err < 0 ? err : 0;
}

static const struct stretch *at(const struct stretches *s, uint32_t id)
{
	return idmap_at(&s->list, id);
}

/* By file; within one by rank. */
static int compare_ranks(const void *a, const void *b, void *ctx)
{
	uint32_t id_a = *(const uint32_t *)a;
	uint32_t id_b = *(const uint32_t *)b;
	const struct stretch *x = at(ctx, id_a);
	const struct stretch *y = at(ctx, id_b);

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (!x->name != !y->name)
		return x->name ? -1 : 1;
	return (id_a > id_b) - (id_a < id_b);
}

static int compare_edges(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Finds the edges of some stretches of a file, all pieces free. */
static void make_cut(const struct stretches *s, const uint32_t *id, size_t count, struct cut *cut)
{
	size_t edges = 0;

	for (size_t i = 0; i < count; i++) {
		cut->edge[2 * i] = at(s, id[i])->start;
		cut->edge[2 * i + 1] = at(s, id[i])->end;
	}
	qsort(cut->edge, 2 * count, sizeof(*cut->edge), compare_edges);
	for (size_t i = 0; i < 2 * count; i++)
		if (!i || cut->edge[i] != cut->edge[edges - 1])
			cut->edge[edges++] = cut->edge[i];
	for (size_t i = 0; i < edges; i++) {
		cut->owner[i] = 0;
		cut->skip[i] = (uint32_t)i;
	}
	cut->edges = edges;
}

/* The first free piece from @piece on; the last edge has none and stands for the end. */
static uint32_t next_free(struct cut *cut, uint32_t piece)
{
	while (cut->skip[piece] != piece) {
		cut->skip[piece] = cut->skip[cut->skip[piece]];
		piece = cut->skip[piece];
	}
	return piece;
}

static uint32_t find_edge(const struct cut *cut, uint64_t offset)
{
	const uint64_t *edge =
		bsearch(&offset, cut->edge, cut->edges, sizeof(*cut->edge), compare_edges);

	return (uint32_t)(edge - cut->edge);
}

static void take_pieces(struct cut *cut, const struct stretch *stretch, uint32_t id)
{
	uint32_t end = find_edge(cut, stretch->end);
	uint32_t piece = next_free(cut, find_edge(cut, stretch->start));

	for (; piece < end; piece = next_free(cut, piece)) {
		cut->owner[piece] = id;
		cut->skip[piece] = piece + 1;
	}
}

/* Appends the pieces of one file that have an owner. */
static void add_pieces(struct stretches *s, const struct cut *cut, uint32_t file)
{
	for (size_t i = 0; i + 1 < cut->edges; i++)
		if (cut->owner[i])
			s->piece[s->pieces++] = (struct stretch_piece){
				.start = cut->edge[i],
				.end = cut->edge[i + 1],
				.file = file,
				.stretch = cut->owner[i],
			};
}

static void cut_files(struct stretches *s, const uint32_t *id, struct cut *cut)
{
	size_t next;

	for (size_t i = 0; i < s->list.count; i = next) {
		uint32_t file = at(s, id[i])->file;

		next = i + 1;
		while (next < s->list.count && at(s, id[next])->file == file)
			next++;
		make_cut(s, &id[i], next - i, cut);
		for (size_t k = i; k < next; k++)
			take_pieces(cut, at(s, id[k]), id[k]);
		add_pieces(s, cut, file);
	}
}

int stretches_sort(struct stretches *s)
{
	size_t count = s->list.count;
	uint32_t *id = calloc(count + 1, sizeof(*id));
	struct cut cut = {
		.edge = calloc(2 * count + 1, sizeof(*cut.edge)),
		.owner = calloc(2 * count + 1, sizeof(*cut.owner)),
		.skip = calloc(2 * count + 1, sizeof(*cut.skip)),
	};
	bool has_room;

	free(s->piece);
	s->pieces = 0;
	s->piece = calloc(2 * count + 1, sizeof(*s->piece));
	has_room = id && cut.edge && cut.owner && cut.skip && s->piece;
	if (has_room) {
		for (size_t i = 0; i < count; i++)
			id[i] = (uint32_t)i + 1;
		qsort_r(id, count, sizeof(*id), compare_ranks, s);
		cut_files(s, id, &cut);
	}
	free(id);
	free(cut.edge);
	free(cut.owner);
	free(cut.skip);
	return has_room ? 0 : -ENOMEM;
}

static bool is_before(const struct stretch_piece *piece, uint32_t file, uint64_t offset)
{
	return piece->file < file || (piece->file == file && piece->end <= offset);
}

const struct stretch *stretches_find(const struct stretches *s, uint32_t file, uint64_t offset)
{
	size_t low = 0;
	size_t high = s->pieces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before(&s->piece[middle], file, offset))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == s->pieces || s->piece[low].file != file || s->piece[low].start > offset)
		return NULL;
	return at(s, s->piece[low].stretch);
}

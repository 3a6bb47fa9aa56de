// SPDX-License-Identifier: Apache-2.0
/*
 * stacks.c - what each slot of each CPU's intern table means: raw addresses.
 *
 * Invariant: a slot leads to the last stack record for it on that CPU's ring, or to nothing.
 * Equal stacks of different CPUs are one entry, found by the kernel side's hash.
 *
 * Generations bound the memory; there are two, the current one and the one before. When a
 * generation begins, the programs' hashes change, so that every stack that is still in use
 * arrives anew. Samples that were in a ring by then still name stacks of the old generation:
 * those are carried over when they are asked for. After one full round of the rings nothing
 * can name the old generation any more.
 *
 * Which module an address belongs to is resolve.c's.
 */
#include "profiler/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pages.h"

/* Room of a generation, 1.9 MB: 8k different stacks with 24 frames on average. */
#define STACKS_MAX     (1u << 13)
#define FRAMES_MAX     (STACKS_MAX * 24)
#define INDEX_SIZE     (STACKS_MAX * 2)
#define GENERATION_BIT (1u << 31) /* in a slot: which generation; below it the entry + 1 */

struct generation {
	uint32_t count;
	uint32_t frame_count;
	struct raw_stack stack[STACKS_MAX];
	uint32_t index[INDEX_SIZE]; /* by hash: entry + 1, open addressing */
	__u64 frame[FRAMES_MAX];
};

struct stacks {
	struct generation *generation[2];
	uint32_t current; /* which of the two */
	uint32_t cpus;
	uint32_t *slots; /* cpu * STACK_SLOTS + slot */
};

int stacks_new(struct stacks **ret, uint32_t cpus)
{
	struct stacks *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->cpus = cpus;
	s->slots = pages_new((size_t)cpus * STACK_SLOTS * sizeof(*s->slots));
	s->generation[0] = pages_new(sizeof(struct generation));
	s->generation[1] = pages_new(sizeof(struct generation));
	if (!s->slots || !s->generation[0] || !s->generation[1]) {
		stacks_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	pages_free(s->slots, (size_t)s->cpus * STACK_SLOTS * sizeof(*s->slots));
	for (int i = 0; i < 2; i++)
		pages_free(s->generation[i], sizeof(struct generation));
	free(s);
}

/* The place of a hash in the index: its entry, or the empty one where it belongs. */
static uint32_t *index_find(struct generation *g, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (INDEX_SIZE - 1);

	while (g->index[i] && g->stack[g->index[i] - 1].hash != hash)
		i = (i + 1) & (INDEX_SIZE - 1);
	return &g->index[i];
}

/* Returns the entry + 1 in the current generation, 0 when it is full. */
static uint32_t intern(struct stacks *s, uint64_t hash, uint32_t outcome, const __u64 *frames,
		       uint32_t n)
{
	struct generation *g = s->generation[s->current];
	uint32_t *place = index_find(g, hash);

	if (*place)
		return *place;
	if (g->count == STACKS_MAX || n > FRAMES_MAX - g->frame_count)
		return 0;
	memcpy(&g->frame[g->frame_count], frames, n * sizeof(*frames));
	g->stack[g->count] = (struct raw_stack){
		.hash = hash,
		.first_frame = g->frame_count,
		.frames = (uint16_t)n,
		.outcome = (uint16_t)outcome,
	};
	g->frame_count += n;
	*place = ++g->count;
	return *place;
}

static uint32_t slot_value(const struct stacks *s, uint32_t entry)
{
	return entry ? entry | (s->current ? GENERATION_BIT : 0) : 0;
}

void stacks_put(struct stacks *s, uint32_t cpu, const struct stack_record *record, uint32_t n)
{
	uint32_t entry = intern(s, record->hash, record->outcome, record->frames, n);

	s->slots[(size_t)cpu * STACK_SLOTS + record->slot] = slot_value(s, entry);
}

struct raw_stack *stacks_find(struct stacks *s, uint32_t cpu, uint32_t id)
{
	uint32_t *slot = &s->slots[(size_t)cpu * STACK_SLOTS + id - 1];
	uint32_t which = (*slot & GENERATION_BIT) ? 1 : 0, entry = *slot & ~GENERATION_BIT;
	struct generation *g = s->generation[which];

	if (!entry || entry > g->count)
		return NULL;
	if (which != s->current) {
		const struct raw_stack *old = &g->stack[entry - 1];

		entry = intern(s, old->hash, old->outcome, &g->frame[old->first_frame],
			       old->frames);
		*slot = slot_value(s, entry);
		if (!entry)
			return NULL;
		g = s->generation[s->current];
	}
	return &g->stack[entry - 1];
}

const __u64 *stacks_frames(const struct stacks *s, const struct raw_stack *stack)
{
	return &s->generation[s->current]->frame[stack->first_frame];
}

bool stacks_filling(const struct stacks *s)
{
	const struct generation *g = s->generation[s->current];

	return g->count > STACKS_MAX / 4 * 3 || g->frame_count > FRAMES_MAX / 4 * 3;
}

void stacks_next_generation(struct stacks *s)
{
	struct generation *g;

	s->current = !s->current;
	g = s->generation[s->current];
	/* Frames and entries need no clearing: only what the index leads to is ever read. */
	memset(g->index, 0, sizeof(g->index));
	g->count = 0;
	g->frame_count = 0;
}

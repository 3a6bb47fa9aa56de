// SPDX-License-Identifier: Apache-2.0
/*
 * unwind_tables.c - rows and rules of the loaded pages, in the walker's memory.
 *
 * Rows lie in shards, in blocks; a page takes consecutive blocks of one shard, so that a directory
 * entry is enough to find them. Equal rules of all pages are one. Nobody counts how many
 * pages use a rule: when their table is full all are forgotten at once, which takes whole
 * /usr/bins to happen.
 *
 * Invariant: a block that a directory entry leads to, or led to before the last ticket that is
 * done, is never written; nor is a rule, but for the restart.
 *
 * To make or to drop a shard takes the kernel 10 to 50 ms, so another thread does it, and it is
 * asked before the room runs out. Which pages are worth their memory is unwind_files.c's to know.
 */
#include "profiler/unwind_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/unwind_space.h"

/* A page of libc has about 2,000 rows: half a block of waste is 2 %. */
#define BLOCK_ROWS   64
#define SHARD_BLOCKS (UNWIND_SHARD_ROWS / BLOCK_ROWS)
#define SHARD_BYTES  (UNWIND_SHARD_ROWS * sizeof(struct unwind_row))

/* So much room is kept ready: several pages, and the next shard is there before they are full. */
#define SPARE_BLOCKS (SHARD_BLOCKS / 4)

/* A page that found no room is waited for so long, and a shard that could not be made. */
#define PATIENCE_TICKS 100

/* Open addressing, at most half full. */
#define RULE_INDEX (UNWIND_RULES * 2)

enum shard_state {
	SHARD_NONE = 0,
	SHARD_MAKING,
	SHARD_READY,
	SHARD_DROPPING,
};

struct shard {
	enum shard_state state;
	struct unwind_row *rows;
	struct unwind_space blocks;
};

struct unwind_tables {
	struct unwind_memory memory;
	struct retire *retire;
	struct shard shards[UNWIND_SHARDS];
	uint32_t shard_limit;
	bool job_out;
	bool restarting;
	uint64_t restart_ticket;
	uint64_t ticks;
	uint64_t make_after;   /* tick */
	uint32_t missed;       /* blocks that pages did not find, since one did */
	uint64_t missed_until; /* tick */
	uint32_t rule_count;
	struct unwind_tables_stats stats; /* but for what is counted now */
	uint16_t rule_index[RULE_INDEX];  /* by hash: rule + 1 */
	uint16_t rule_of[UNWIND_RULES];	  /* of the page that is being loaded */
};

int unwind_tables_open(struct unwind_tables **ret, const struct unwind_memory *memory,
		       struct retire *retire, size_t limit_bytes)
{
	struct unwind_tables *t = calloc(1, sizeof(*t));
	size_t shards = (limit_bytes + SHARD_BYTES - 1) / SHARD_BYTES;

	if (!t)
		return -ENOMEM;
	t->memory = *memory;
	t->retire = retire;
	t->shard_limit = shards < UNWIND_SHARDS ? (uint32_t)shards : UNWIND_SHARDS;
	*ret = t;
	return 0;
}

void unwind_tables_free(struct unwind_tables *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < UNWIND_SHARDS; i++)
		unwind_space_release(&t->shards[i].blocks);
	free(t);
}

/* Rules. */

static uint32_t hash_rule(const struct unwind_rule *rule)
{
	uint64_t half[2], h;

	memcpy(half, rule, sizeof(half));
	h = half[0] * UINT64_C(0x9E3779B97F4A7C15) ^ half[1] * UINT64_C(0xC2B2AE3D27D4EB4F);
	h ^= h >> 32;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	return (uint32_t)(h >> 40);
}

/* The index of this rule in the rules of all files; -ENOSPC when it is new and they are full. */
static int intern_rule(struct unwind_tables *t, const struct unwind_rule *rule)
{
	uint32_t i = hash_rule(rule) % RULE_INDEX;

	for (; t->rule_index[i]; i = (i + 1) % RULE_INDEX)
		if (!memcmp(&t->memory.rules[t->rule_index[i] - 1], rule, sizeof(*rule)))
			return t->rule_index[i] - 1;
	if (t->rule_count == UNWIND_RULES)
		return -ENOSPC;
	t->memory.rules[t->rule_count] = *rule;
	t->rule_index[i] = (uint16_t)++t->rule_count;
	return (int)t->rule_count - 1;
}

static int intern_rules(struct unwind_tables *t, const struct unwind_table *table)
{
	for (uint32_t i = 0; i < table->rule_count; i++) {
		int rule = intern_rule(t, &table->rules[i]);

		if (rule < 0)
			return rule;
		t->rule_of[i] = (uint16_t)rule;
	}
	return 0;
}

void unwind_tables_restart(struct unwind_tables *t)
{
	t->restarting = true;
	t->restart_ticket = retire_ticket(t->retire);
	t->stats.restarts++;
}

/* Rows. */

static uint32_t blocks_of(uint32_t rows)
{
	return (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

/* Blocks in a row, from the lowest shard that has them, so that the high ones become empty. */
static int take_blocks(struct unwind_tables *t, uint32_t n, struct shard **ret)
{
	for (uint32_t i = 0; i < t->shard_limit; i++) {
		struct shard *shard = &t->shards[i];
		int first = shard->state == SHARD_READY ? unwind_space_take(&shard->blocks, n)
							: -ENOSPC;

		if (first >= 0) {
			*ret = shard;
			return first;
		}
	}
	return -ENOSPC;
}

/* Each miss of a row of them asks for more, so that a large page finds room at last. */
static void note_miss(struct unwind_tables *t, uint32_t blocks)
{
	uint32_t all = t->shard_limit * SHARD_BLOCKS;

	t->missed = t->missed + blocks < all ? t->missed + blocks : all;
	t->missed_until = t->ticks + PATIENCE_TICKS;
	t->stats.no_room++;
}

static bool is_valid(const struct unwind_table *table)
{
	if (!table->row_count || table->row_count > UNWIND_SHARD_ROWS ||
	    table->rule_count > UNWIND_RULES)
		return false;
	for (uint32_t i = 0; i < table->row_count; i++)
		if (table->rows[i].rule >= table->rule_count)
			return false;
	return true;
}

static void copy_rows(const struct unwind_tables *t, struct unwind_row *to,
		      const struct unwind_table *table)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		to[i].offset = table->rows[i].offset;
		to[i].rule = t->rule_of[table->rows[i].rule];
	}
}

int unwind_tables_load(struct unwind_tables *t, const struct unwind_table *table,
		       struct unwind_page *ret)
{
	uint32_t n = blocks_of(table->row_count);
	struct shard *shard;
	int first;

	if (!is_valid(table))
		return -EINVAL;
	if (t->restarting) {
		t->stats.rules_full++;
		return -EAGAIN;
	}
	first = take_blocks(t, n, &shard);
	if (first < 0) {
		note_miss(t, n);
		return -EAGAIN;
	}
	if (intern_rules(t, table)) {
		unwind_space_give(&shard->blocks, (uint32_t)first, n);
		t->stats.rules_full++;
		return -ENOSPC;
	}
	copy_rows(t, shard->rows + (uint32_t)first * BLOCK_ROWS, table);
	*ret = (struct unwind_page){
		.state = UNWIND_PAGE_LOADED,
		.shard = (uint16_t)(shard - t->shards),
		.first = (uint16_t)((uint32_t)first * BLOCK_ROWS),
		.count = (uint16_t)(table->row_count - 1),
	};
	if (n >= t->missed)
		t->missed = 0;
	t->stats.loaded++;
	return 0;
}

void unwind_tables_unload(struct unwind_tables *t, struct unwind_page page)
{
	unwind_space_retire(&t->shards[page.shard].blocks, page.first / BLOCK_ROWS,
			    blocks_of(page.count + 1u), retire_ticket(t->retire));
	t->stats.unloaded++;
}

/* Blocks that are free or will be, in all shards that are there to stay. */
static uint32_t blocks_coming(const struct unwind_tables *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->shard_limit; i++)
		if (t->shards[i].state == SHARD_READY)
			n += unwind_space_coming(&t->shards[i].blocks);
	return n;
}

static uint32_t blocks_wanted(const struct unwind_tables *t)
{
	return t->missed > SPARE_BLOCKS ? t->missed : SPARE_BLOCKS;
}

static struct shard *find_shard(struct unwind_tables *t, enum shard_state state)
{
	for (uint32_t i = 0; i < t->shard_limit; i++)
		if (t->shards[i].state == state)
			return &t->shards[i];
	return NULL;
}

uint32_t unwind_tables_short(const struct unwind_tables *t)
{
	uint32_t coming = blocks_coming(t), wanted = blocks_wanted(t), ready = 0;

	for (uint32_t i = 0; i < t->shard_limit; i++)
		ready += t->shards[i].state == SHARD_READY;
	if (ready < t->shard_limit || coming >= wanted)
		return 0;
	return (wanted - coming) * BLOCK_ROWS;
}

void unwind_tables_tick(struct unwind_tables *t)
{
	uint64_t done = retire_done(t->retire);

	t->ticks++;
	for (uint32_t i = 0; i < t->shard_limit; i++)
		if (t->shards[i].state == SHARD_READY)
			unwind_space_reclaim(&t->shards[i].blocks, done);
	if (t->restarting && t->restart_ticket <= done) {
		memset(t->rule_index, 0, sizeof(t->rule_index));
		t->rule_count = 0;
		t->restarting = false;
	}
	if (t->missed && t->ticks >= t->missed_until)
		t->missed = 0;
}

/* Shards. */

/* The highest one that is empty, if the others have room for another one's worth. */
static struct shard *find_superfluous(struct unwind_tables *t)
{
	if (blocks_coming(t) < SHARD_BLOCKS + blocks_wanted(t) + SPARE_BLOCKS)
		return NULL;
	for (uint32_t i = t->shard_limit; i-- > 0;)
		if (t->shards[i].state == SHARD_READY && t->shards[i].blocks.free == SHARD_BLOCKS)
			return &t->shards[i];
	return NULL;
}

bool unwind_tables_job(struct unwind_tables *t, struct unwind_shard_job *ret)
{
	struct shard *shard = NULL;
	bool make = blocks_coming(t) < blocks_wanted(t);

	if (t->job_out)
		return false;
	if (!make)
		shard = find_superfluous(t);
	else if (t->ticks >= t->make_after)
		shard = find_shard(t, SHARD_NONE);
	if (!shard || (make && unwind_space_init(&shard->blocks, SHARD_BLOCKS)))
		return false;
	shard->state = make ? SHARD_MAKING : SHARD_DROPPING;
	t->job_out = true;
	*ret = (struct unwind_shard_job){
		.make = make,
		.shard = (uint32_t)(shard - t->shards),
		.rows = shard->rows,
	};
	return true;
}

void unwind_tables_done(struct unwind_tables *t, const struct unwind_shard_job *job)
{
	struct shard *shard = &t->shards[job->shard];

	t->job_out = false;
	if (job->make && job->rows) {
		shard->rows = job->rows;
		shard->state = SHARD_READY;
		return;
	}
	unwind_space_release(&shard->blocks);
	shard->rows = NULL;
	shard->state = SHARD_NONE;
	if (job->make) {
		t->make_after = t->ticks + PATIENCE_TICKS;
		t->stats.shards_failed++;
	}
}

bool unwind_tables_take_shard(struct unwind_tables *t, struct unwind_shard_job *ret)
{
	struct shard *shard = find_shard(t, SHARD_READY);

	if (!shard)
		return false;
	*ret = (struct unwind_shard_job){
		.shard = (uint32_t)(shard - t->shards),
		.rows = shard->rows,
	};
	shard->state = SHARD_DROPPING;
	return true;
}

void unwind_tables_stats(const struct unwind_tables *t, struct unwind_tables_stats *ret)
{
	*ret = t->stats;
	ret->rules = t->rule_count;
	ret->bytes = sizeof(*t);
	for (uint32_t i = 0; i < t->shard_limit; i++) {
		const struct shard *shard = &t->shards[i];

		if (!shard->rows)
			continue;
		ret->shards++;
		ret->rows_bytes += SHARD_BYTES;
		ret->used_bytes += (uint64_t)(SHARD_BLOCKS - shard->blocks.free) * BLOCK_ROWS *
				   sizeof(struct unwind_row);
		ret->bytes += unwind_space_bytes(&shard->blocks);
	}
}

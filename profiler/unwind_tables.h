/* SPDX-License-Identifier: Apache-2.0 */
/* unwind_tables.h - rows and rules of the loaded pages, in the walker's memory. See
 * unwind_tables.c. */
#ifndef PROFILER_UNWIND_TABLES_H
#define PROFILER_UNWIND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/retire.h"
#include "profiler/unwind_memory.h"

#define UNWIND_TABLES_BYTES (4u << 20) /* default limit of all rows together */

struct unwind_tables;

/* Rows and rules of a page of code as the jail client has checked them. */
struct unwind_table {
	const struct unwind_row *rows; /* sorted, the first at 0; `rule` counts in rules */
	const struct unwind_rule *rules;
	uint32_t row_count; /* 1 to UNWIND_SHARD_ROWS */
	uint32_t rule_count;
};

/* Something slow about a shard, for the unwinder thread. */
struct unwind_shard_job {
	bool make; /* unwind_memory_make_shard(); else unwind_memory_drop_shard() */
	uint32_t shard;
	struct unwind_row *rows; /* to drop; or what was made, NULL when that failed */
};

struct unwind_tables_stats {
	uint64_t loaded; /* pages, since the opening */
	uint64_t unloaded;
	uint64_t no_room;	/* loads put off: no room for the rows */
	uint64_t rules_full;	/* loads put off: no room for the rules */
	uint64_t restarts;	/* how often the rules were begun anew */
	uint64_t shards_failed; /* that could not be made */
	uint32_t shards;	/* now */
	uint32_t rules;		/* now */
	uint64_t rows_bytes;	/* of the shards now */
	uint64_t used_bytes;	/* of them in use, by blocks */
	uint64_t bytes;		/* of bookkeeping */
};

/**
 * unwind_tables_open() - no shard yet
 * @limit_bytes: of all shards, rounded up to one
 *
 * Returns 0, or -ENOMEM. One thread (the drain thread), like all below.
 */
__attribute__((warn_unused_result)) int unwind_tables_open(struct unwind_tables **ret,
							   const struct unwind_memory *memory,
							   struct retire *retire,
							   size_t limit_bytes);

/**
 * unwind_tables_free() - NULL is fine
 *
 * The shards that are left were taken over with unwind_tables_take_shard() before, or are lost.
 */
void unwind_tables_free(struct unwind_tables *t);

/** unwind_tables_take_shard() - at the end: a shard to drop; false when none is left */
bool unwind_tables_take_shard(struct unwind_tables *t, struct unwind_shard_job *ret);

/**
 * unwind_tables_load() - put a page's rows and rules where the walker finds them
 * @ret: the directory entry to publish
 *
 * Returns 0; -EAGAIN when there is no room now; -ENOSPC when the table of rules is full and has to
 * be begun anew; -EINVAL for a rule index that is out of range.
 */
__attribute__((warn_unused_result)) int unwind_tables_load(struct unwind_tables *t,
							   const struct unwind_table *table,
							   struct unwind_page *ret);

/** unwind_tables_unload() - a page's directory entry leads there no more */
void unwind_tables_unload(struct unwind_tables *t, struct unwind_page page);

/**
 * unwind_tables_restart() - forget all rules
 *
 * Every page must have been unloaded. Loads are put off until no program reads the old rules.
 */
void unwind_tables_restart(struct unwind_tables *t);

/** unwind_tables_short() - rows that should be unloaded, for there may be no further shard */
uint32_t unwind_tables_short(const struct unwind_tables *t);

/** unwind_tables_tick() - once a round, after retire_poll(): use again what nobody reads any more
 */
void unwind_tables_tick(struct unwind_tables *t);

/**
 * unwind_tables_job() - a shard to make or to drop, for the unwinder thread
 *
 * One job at a time: false until unwind_tables_done() was called with the last one.
 */
bool unwind_tables_job(struct unwind_tables *t, struct unwind_shard_job *ret);

/** unwind_tables_done() - the unwinder thread has done the job, or failed to make a shard */
void unwind_tables_done(struct unwind_tables *t, const struct unwind_shard_job *job);

/** unwind_tables_stats() - counts since the opening and sizes now */
void unwind_tables_stats(const struct unwind_tables *t, struct unwind_tables_stats *ret);

#endif /* PROFILER_UNWIND_TABLES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_table.h - message Names of the packet that is being filled, in columns.
 *
 * Unlike strings and frames, names have no ids: what a packet has taken is forgotten here.
 */
#ifndef PROFILER_NAME_TABLE_H
#define PROFILER_NAME_TABLE_H

#include <stdint.h>

#include "profiler/column.h"

/* All zero is an empty table. */
struct name_table {
	uint32_t count;
	uint64_t last_start;
	struct column mapping;
	struct column function;
	struct column unknown;
	struct buffer start;
	struct buffer size;
	struct buffer message;
};

/** name_table_release() - free what it holds */
void name_table_release(struct name_table *t);

/**
 * name_table_add() - code from @start up to @end of what @mapping stands for
 * @function: string id, 0: unknown, for the reason @unknown (enum Names.Unknown)
 */
void name_table_add(struct name_table *t, uint32_t mapping, uint64_t start, uint64_t end,
		    uint32_t function, uint32_t unknown);

/** name_table_encode() - append field `names` of message Definitions, and be empty */
void name_table_encode(struct name_table *t, struct buffer *out);

/** name_table_bytes() - about how much name_table_encode() would append now */
size_t name_table_bytes(const struct name_table *t);

/** name_table_clear() - forget all: a new epoch begins */
void name_table_clear(struct name_table *t);

#endif /* PROFILER_NAME_TABLE_H */

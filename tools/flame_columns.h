/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flame_columns.h - the numbers of a flame graph page as columns of varints, see
 * flamegraph/README.md.
 */
#ifndef PROFILER_FLAME_COLUMNS_H
#define PROFILER_FLAME_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/flame.h"
#include "tools/flame_time.h"

/* Bytes that grow; all zero is none. */
struct flame_bytes {
	uint8_t *at;
	size_t count;
	size_t room;
	int err; /* the first that went wrong: what was to be added since is not in it */
};

/* The cells of a timeline: time goes down the rows, then on to the next column. */
struct flame_grid {
	uint64_t origin_ns; /* of the first cell, since the start of the recording */
	uint64_t cell_ns;
	uint32_t rows;
	uint32_t columns;
};

#define FLAME_COLUMNS_MAX 16

/* Where in the bytes a column ends; it begins where the one before does. */
struct flame_column {
	const char *name;
	size_t end;
};

struct flame_columns {
	struct flame_bytes bytes;
	struct flame_column column[FLAME_COLUMNS_MAX];
	size_t count;
};

/** flame_bytes_add() - append bytes */
void flame_bytes_add(struct flame_bytes *b, const void *bytes, size_t count);

/** flame_columns_of_tree() - functions, nodes, rows and their values; errors are in c->bytes.err */
void flame_columns_of_tree(struct flame_columns *c, const struct flame *f);

/** flame_grid_of() - cells that suit the samples, all 0 where there are none */
struct flame_grid flame_grid_of(const struct flame_time *t, uint64_t start_ns);

/**
 * flame_columns_of_time() - the samples of a timeline; errors are in c->bytes.err
 * @c: where to
 * @f: whose rows they are of; the last profile that was added to it is theirs
 * @t: the samples
 * @grid: the cells
 * @start_ns: of the recording
 */
void flame_columns_of_time(struct flame_columns *c, const struct flame *f,
			   const struct flame_time *t, const struct flame_grid *grid,
			   uint64_t start_ns);

/** flame_columns_release() - free what they own */
void flame_columns_release(struct flame_columns *c);

#endif /* PROFILER_FLAME_COLUMNS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stretches.h - what the code of files is called, from where to where.
 *
 * A stream tells names bit by bit, and repeats itself. Here they are gathered, each once, and put
 * in order at the end; then a place is looked up in steps of the logarithm, whatever the stream
 * held. Where stretches of a file overlap, one with a name goes before one without, and of two
 * alike the one that came first.
 */
#ifndef PROFILER_STRETCHES_H
#define PROFILER_STRETCHES_H

#include <stdint.h>

#include "tools/idmap.h"

/* All of it is the key. */
struct stretch {
	uint64_t start;
	uint64_t end; /* behind the last byte */
	uint32_t file;
	uint32_t name;	   /* 0: unknown */
	uint32_t unknown;  /* why */
	uint32_t reserved; /* 0 */
};

/* A part of a file that one stretch holds for. */
struct stretch_piece {
	uint64_t start;
	uint64_t end;
	uint32_t file;
	uint32_t stretch;
};

struct stretches {
	struct idmap list;
	struct stretch_piece *piece; /* by file and start, not overlapping */
	size_t pieces;
};

/** stretches_init() - no stretches; owns nothing yet */
void stretches_init(struct stretches *s);

/** stretches_release() - free what the stretches own */
void stretches_release(struct stretches *s);

/** stretches_add() - one more, start < end; 0 or -ENOMEM */
int stretches_add(struct stretches *s, const struct stretch *stretch)
	__attribute__((warn_unused_result));

/** stretches_sort() - make what was added ready for stretches_find(); 0 or -ENOMEM */
int stretches_sort(struct stretches *s) __attribute__((warn_unused_result));

/** stretches_find() - what a place of a file is, NULL where nothing is told of it */
const struct stretch *stretches_find(const struct stretches *s, uint32_t file, uint64_t offset);

#endif /* PROFILER_STRETCHES_H */

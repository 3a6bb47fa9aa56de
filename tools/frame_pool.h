/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_pool.h - where the answers of symbolize() are kept: frames and their strings.
 *
 * Each string is kept once and each name made readable once. Frames never move.
 */
#ifndef PROFILER_FRAME_POOL_H
#define PROFILER_FRAME_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/symbolize.h"

/* All zero but for short_names is an empty one. */
struct frame_pool {
	struct frame_chunk *chunk;
	struct strtab strings;
	struct idmap readable; /* from a symbol's string id to that of its readable name */
	bool short_names;
};

/** frame_pool_clear() - free all frames and strings; the pool is empty afterwards */
void frame_pool_clear(struct frame_pool *p);

/** frame_pool_new() - another frame, all zero; NULL without memory */
struct symbol_frame *frame_pool_new(struct frame_pool *p);

/**
 * frame_pool_text() - keep a string
 * @p: the pool
 * @text: the string, NULL for none
 * @ret: the kept one, NULL for none or an empty one; untouched on failure
 *
 * Return: 0 or -ENOMEM.
 */
int frame_pool_text(struct frame_pool *p, const char *text, const char **ret)
	__attribute__((warn_unused_result));

/** frame_pool_name() - like frame_pool_text(), but made readable */
int frame_pool_name(struct frame_pool *p, const char *symbol, const char **ret)
	__attribute__((warn_unused_result));

#endif /* PROFILER_FRAME_POOL_H */

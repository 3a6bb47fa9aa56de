/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calltree.h - the frames and the call tree of one epoch of the stream.
 *
 * Ids start at 1 and grow by one; 0 is none. An id given out is valid until calltree_clear().
 */
#ifndef PROFILER_CALLTREE_H
#define PROFILER_CALLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct calltree;

/* Frame ids are at most this. */
#define CALLTREE_FRAMES (1u << 15)

/** calltree_new() - an empty tree. Returns 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int calltree_new(struct calltree **ret);

/** calltree_free() - NULL is fine */
void calltree_free(struct calltree *t);

/**
 * calltree_frame() - the frame at @offset of mapping @mapping, made when there is none
 * @function: string id of its name, 0 when it has none
 *
 * Returns its id, or 0 when the table is full.
 */
uint32_t calltree_frame(struct calltree *t, uint32_t mapping, uint64_t offset, uint32_t function);

/**
 * calltree_node() - the node for @frame below @parent, made when there is none
 * @parent: 0 for a root
 *
 * Returns its id, or 0 when the table is full.
 */
uint32_t calltree_node(struct calltree *t, uint32_t parent, uint32_t frame);

/** calltree_full() - something has been refused: a new epoch is due */
bool calltree_full(const struct calltree *t);

/**
 * calltree_encode() - append the frames and nodes added since the last call
 * @out: receives the fields `frames` and `nodes` of message Definitions
 */
void calltree_encode(struct calltree *t, struct buffer *out);

/** calltree_pending_bytes() - about how much calltree_encode() would append now */
size_t calltree_pending_bytes(const struct calltree *t);

/** calltree_clear() - forget everything: a new epoch begins */
void calltree_clear(struct calltree *t);

#endif /* PROFILER_CALLTREE_H */

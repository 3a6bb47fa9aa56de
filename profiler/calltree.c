// SPDX-License-Identifier: Apache-2.0
/*
 * calltree.c - the frames and the call tree of one epoch of the stream.
 *
 * Stacks share their outer frames, so a stack is a path in a tree and each node is written
 * once: a new stack costs the bytes of its new part only, a few frames at the leaf.
 *
 * Invariant: a node's parent has a smaller id, so that a reader can never meet a cycle.
 */
#include "profiler/calltree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pages.h"
#include "profiler/wire.h"

/* Room of an epoch, 1.75 MB in all. Full tables start a new epoch. */
#define NODES_MAX (1u << 16)

/* What a frame and a node usually take when encoded; a wild address makes it twice that. */
#define FRAME_BYTES 8
#define NODE_BYTES  4

/* Field numbers in proto/stream.proto. */
enum {
	DEFINITIONS_FRAMES = 5,
	DEFINITIONS_NODES = 6,
	FRAMES_FIRST_ID = 1,
	FRAMES_MAPPING = 2,
	FRAMES_OFFSET_DELTA = 3,
	FRAMES_FUNCTION = 4,
	NODES_FIRST_ID = 1,
	NODES_PARENT_BACK = 2,
	NODES_FRAME_DELTA = 3,
};

struct frame {
	uint64_t offset;
	uint32_t mapping;
	uint32_t function;
};

struct node {
	uint32_t parent;
	uint32_t frame;
};

struct calltree {
	uint32_t frame_count;
	uint32_t node_count;
	uint32_t frames_encoded;
	uint32_t nodes_encoded;
	bool full;
	struct buffer column;
	struct buffer message;
	/* By id - 1; the indexes hold ids, open addressing, 0 is empty. */
	struct frame frame[CALLTREE_FRAMES];
	struct node node[NODES_MAX];
	uint32_t frame_index[CALLTREE_FRAMES * 2];
	uint32_t node_index[NODES_MAX * 2];
};

int calltree_new(struct calltree **ret)
{
	struct calltree *t = pages_new(sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

void calltree_free(struct calltree *t)
{
	if (!t)
		return;
	buffer_free(&t->column);
	buffer_free(&t->message);
	pages_free(t, sizeof(*t));
}

static uint32_t hash2(uint64_t a, uint64_t b)
{
	uint64_t h = (a * 0x6A09E667F3BCC909ULL) ^ (b * 0xBB67AE8584CAA73BULL);

	return (uint32_t)((h ^ (h >> 32)) * 0x9E3779B1u) >> 7;
}

uint32_t calltree_frame(struct calltree *t, uint32_t mapping, uint64_t offset, uint32_t function)
{
	uint32_t mask = CALLTREE_FRAMES * 2 - 1;
	uint32_t i = hash2(offset, (uint64_t)function << 32 | mapping) & mask;

	for (; t->frame_index[i]; i = (i + 1) & mask) {
		const struct frame *f = &t->frame[t->frame_index[i] - 1];

		if (f->offset == offset && f->mapping == mapping && f->function == function)
			return t->frame_index[i];
	}
	if (t->frame_count == CALLTREE_FRAMES) {
		t->full = true;
		return 0;
	}
	t->frame[t->frame_count] = (struct frame){ offset, mapping, function };
	t->frame_index[i] = ++t->frame_count;
	return t->frame_count;
}

uint32_t calltree_node(struct calltree *t, uint32_t parent, uint32_t frame)
{
	uint32_t mask = NODES_MAX * 2 - 1, i = hash2(parent, frame) & mask;

	for (; t->node_index[i]; i = (i + 1) & mask) {
		const struct node *n = &t->node[t->node_index[i] - 1];

		if (n->parent == parent && n->frame == frame)
			return t->node_index[i];
	}
	if (t->node_count == NODES_MAX) {
		t->full = true;
		return 0;
	}
	t->node[t->node_count] = (struct node){ parent, frame };
	t->node_index[i] = ++t->node_count;
	return t->node_count;
}

bool calltree_full(const struct calltree *t)
{
	return t->full;
}

static void end_column(struct calltree *t, uint32_t field)
{
	wire_field_bytes(&t->message, field, t->column.data, t->column.size);
	t->message.failed |= t->column.failed;
	buffer_clear(&t->column);
}

static void encode_frames(struct calltree *t, struct buffer *out)
{
	uint32_t first = t->frames_encoded, end = t->frame_count;
	uint64_t previous = 0;
	bool named = false;

	if (first == end)
		return;
	wire_field_varint(&t->message, FRAMES_FIRST_ID, first + 1);
	for (uint32_t i = first; i < end; i++)
		wire_varint(&t->column, t->frame[i].mapping);
	end_column(t, FRAMES_MAPPING);
	for (uint32_t i = first; i < end; i++) {
		wire_varint(&t->column, wire_zigzag((int64_t)(t->frame[i].offset - previous)));
		previous = t->frame[i].offset;
		named |= t->frame[i].function != 0;
	}
	end_column(t, FRAMES_OFFSET_DELTA);
	if (named) {
		for (uint32_t i = first; i < end; i++)
			wire_varint(&t->column, t->frame[i].function);
		end_column(t, FRAMES_FUNCTION);
	}
	wire_field_bytes(out, DEFINITIONS_FRAMES, t->message.data, t->message.size);
	out->failed |= t->message.failed;
	buffer_clear(&t->message);
	t->frames_encoded = end;
}

static void encode_nodes(struct calltree *t, struct buffer *out)
{
	uint32_t first = t->nodes_encoded, end = t->node_count, previous = 0;

	if (first == end)
		return;
	wire_field_varint(&t->message, NODES_FIRST_ID, first + 1);
	for (uint32_t i = first; i < end; i++)
		wire_varint(&t->column, i + 1 - t->node[i].parent);
	end_column(t, NODES_PARENT_BACK);
	for (uint32_t i = first; i < end; i++) {
		wire_varint(&t->column, wire_zigzag((int64_t)t->node[i].frame - previous));
		previous = t->node[i].frame;
	}
	end_column(t, NODES_FRAME_DELTA);
	wire_field_bytes(out, DEFINITIONS_NODES, t->message.data, t->message.size);
	out->failed |= t->message.failed;
	buffer_clear(&t->message);
	t->nodes_encoded = end;
}

void calltree_encode(struct calltree *t, struct buffer *out)
{
	encode_frames(t, out);
	encode_nodes(t, out);
}

size_t calltree_pending_bytes(const struct calltree *t)
{
	return (size_t)(t->frame_count - t->frames_encoded) * FRAME_BYTES +
	       (size_t)(t->node_count - t->nodes_encoded) * NODE_BYTES;
}

void calltree_clear(struct calltree *t)
{
	memset(t->frame_index, 0, sizeof(t->frame_index));
	memset(t->node_index, 0, sizeof(t->node_index));
	t->frame_count = 0;
	t->node_count = 0;
	t->frames_encoded = 0;
	t->nodes_encoded = 0;
	t->full = false;
}

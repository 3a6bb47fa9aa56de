// SPDX-License-Identifier: Apache-2.0
/*
 * bench_calltree.c - the path of a stack of MIX_DEPTH frames into profiler/calltree.c.
 *
 * Known: all of its frames and nodes are there, as for a stack that another process had. New: the
 * tree is emptied after all MIX_STACKS stacks, so of each the frames that it shares are there. The
 * memory of the tables is there in both. The limit reads the same addresses.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/scan.h"
#include "bench/micro/sample_mix.h"
#include "profiler/calltree.h"

struct tree {
	struct calltree *tree;
	uint32_t next;
	uint64_t offset[MIX_STACKS][MIX_DEPTH]; /* from the root */
};

static void free_tree(void *state)
{
	struct tree *t = state;

	calltree_free(t->tree);
	free(t);
}

static uint32_t enter(struct tree *t, uint32_t stack)
{
	uint32_t node = 0;

	for (uint32_t i = 0; i < MIX_DEPTH; i++)
		node = calltree_node(t->tree, node,
				     calltree_frame(t->tree, 1, t->offset[stack][i], 0));
	return node;
}

static uint64_t run_known(void *state, uint64_t ops)
{
	struct tree *t = state;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ops; i++) {
		sum += enter(t, t->next);
		t->next = (t->next + 1) % MIX_STACKS;
	}
	bench_keep(sum);
	return ops;
}

static uint64_t run_new(void *state, uint64_t ops)
{
	struct tree *t = state;
	uint64_t done, sum = 0;

	for (done = 0; done < ops; done += MIX_STACKS) {
		calltree_clear(t->tree);
		for (uint32_t i = 0; i < MIX_STACKS; i++)
			sum += enter(t, i);
	}
	bench_keep(sum);
	return done;
}

static uint64_t run_scan(void *state, uint64_t ops)
{
	struct tree *t = state;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ops; i++) {
		sum += scan_words(t->offset[t->next], sizeof(t->offset[0]));
		t->next = (t->next + 1) % MIX_STACKS;
	}
	bench_keep(sum);
	return ops;
}

/* The same stack is the same node, and no two are. */
static int check(struct tree *t)
{
	uint32_t node[MIX_STACKS];

	for (uint32_t i = 0; i < MIX_STACKS; i++)
		node[i] = enter(t, i);
	for (uint32_t i = 0; i < MIX_STACKS; i++)
		if (!node[i] || enter(t, i) != node[i] || (i && node[i] <= node[i - 1]))
			return -EBADMSG;
	return 0;
}

static int make_tree(void **ret_state)
{
	struct tree *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	for (uint32_t stack = 0; stack < MIX_STACKS; stack++)
		for (uint32_t i = 0; i < MIX_DEPTH; i++)
			t->offset[stack][i] = mix_frame(stack, i);
	err = calltree_new(&t->tree);
	if (!err)
		err = check(t);
	if (err) {
		free_tree(t);
		return err;
	}
	*ret_state = t;
	return 0;
}

static const struct bench benches[] = {
	{
		.group = "calltree",
		.name = "profiler",
		.about = "the path of a stack that is known",
		.role = BENCH_OURS,
		.op = "stack",
		.bytes_per_op = MIX_DEPTH * sizeof(uint64_t),
		.allocates_nothing = 1,
		.setup = make_tree,
		.run = run_known,
		.teardown = free_tree,
	},
	{
		.group = "calltree",
		.name = "profiler-new",
		.about = "of one that is not; most of its outer frames are",
		.role = BENCH_OURS,
		.op = "stack",
		.bytes_per_op = MIX_DEPTH * sizeof(uint64_t),
		.allocates_nothing = 1,
		.setup = make_tree,
		.run = run_new,
		.teardown = free_tree,
	},
	{
		.group = "calltree",
		.name = "scan",
		.about = "the sum of its addresses",
		.role = BENCH_LIMIT,
		.op = "stack",
		.bytes_per_op = MIX_DEPTH * sizeof(uint64_t),
		.setup = make_tree,
		.run = run_scan,
		.teardown = free_tree,
	},
};

const struct bench_list bench_calltree = { benches, sizeof(benches) / sizeof(benches[0]) };

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - the call tree of a profile: functions, from the outermost down, and what was sampled in
 * each with the same callers.
 *
 * Every sample of the profile is at one node, where its stack ends. So for each event the sum of
 * all nodes' self is the profile's total, and a node's total is its self and its children's totals.
 * Ids start at 1, parents before their children; 0 is none. With TREE_INVERTED the roots are the
 * functions that were sampled, and their children their callers.
 */
#ifndef PROFILER_TREE_H
#define PROFILER_TREE_H

#include <stdint.h>

#include "tools/idmap.h"
#include "tools/names.h"

/* What is at the root. */
enum tree_root {
	TREE_MERGED,	 /* outermost functions */
	TREE_BY_PROCESS, /* processes, and below them their functions */
	TREE_BY_THREAD,	 /* threads, likewise */
};

#define TREE_INVERTED 1u

struct tree_node {
	uint32_t parent;
	uint32_t function; /* of the names; 0: a process or thread */
	uint32_t who; /* that process or thread (as profile_row.who), which may be unknown (0) */
	uint32_t reserved; /* 0 */
	/* up to here the key */
	uint32_t first_child; /* in the order of the stream */
	uint32_t last_child;
	uint32_t next;	/* of the same parent */
	uint32_t depth; /* of a root 1 */
};

struct tree {
	const struct names *names;
	struct idmap nodes;
	uint32_t events; /* of the profile's header, members of groups included */
	uint32_t first_root;
	uint32_t last_root;
	uint32_t depth;		    /* of the deepest node */
	uint32_t *node_of_row;	    /* by row id: where its stack ends */
	struct profile_total *self; /* (node id) * events + event */
	struct profile_total *total;
	struct profile_total *inclusive; /* likewise; NULL before tree_find_inclusive() */
};

/**
 * tree_build() - the call tree of all rows of a profile
 * @ret: to be freed with tree_release(), also after a failure
 * @n: names of the profile; must outlive the tree
 * @root: the profile was read with PROFILE_BY_PROCESS or _THREAD for TREE_BY_...
 * @flags: TREE_INVERTED or 0
 *
 * Return: 0 or -ENOMEM.
 */
int tree_build(struct tree *ret, const struct names *n, enum tree_root root, uint32_t flags)
	__attribute__((warn_unused_result));

/**
 * tree_find_inclusive() - of a tree with TREE_INVERTED: what has a node's function with its callers
 * anywhere in its stack, also where it called others; each sample once
 * @t: the tree
 * @root: as it was built
 *
 * Of a root that is the function's total. Return: 0 or -ENOMEM.
 */
int tree_find_inclusive(struct tree *t, enum tree_root root) __attribute__((warn_unused_result));

/** tree_release() - free what the tree owns */
void tree_release(struct tree *t);

/** tree_node() - the node of an id; never NULL */
static inline const struct tree_node *tree_node(const struct tree *t, uint32_t id)
{
	return idmap_at(&t->nodes, id);
}

/** tree_self() - what was sampled right at a node */
static inline const struct profile_total *tree_self(const struct tree *t, uint32_t id,
						    uint32_t event)
{
	return &t->self[(uint64_t)id * t->events + event];
}

/** tree_total() - what was sampled at a node or below it */
static inline const struct profile_total *tree_total(const struct tree *t, uint32_t id,
						     uint32_t event)
{
	return &t->total[(uint64_t)id * t->events + event];
}

/** tree_inclusive() - see tree_find_inclusive() */
static inline const struct profile_total *tree_inclusive(const struct tree *t, uint32_t id,
							 uint32_t event)
{
	return &t->inclusive[(uint64_t)id * t->events + event];
}

#endif /* PROFILER_TREE_H */

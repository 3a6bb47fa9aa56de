/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_memo.h - what the ids of an epoch are in a profile: each is looked up once.
 *
 * By table an array, by the epoch's id, 0 where nobody has looked yet.
 */
#ifndef PROFILER_PROFILE_MEMO_H
#define PROFILER_PROFILE_MEMO_H

#include "tools/profile.h"

struct memo_column {
	uint32_t *id;
	uint32_t room;
};

struct memo_node {
	uint32_t id;
	uint32_t row; /* that a sample with this leaf had last, 0: none yet */
};

struct memo {
	struct memo_column column[TABLE_NODES]; /* of the tables before: names have no ids */
	struct memo_node *node;
	uint32_t node_room;
	uint32_t names; /* of the epoch, taken over so far */
	uint32_t *path; /* nodes on the way up to one that is known */
	uint32_t path_room;
	uint32_t epoch;
};

/** memo_free() - free it; NULL is fine */
void memo_free(struct memo *m);

/** memo_follow() - make the arrays as long as the tables, empty for a new epoch; 0 or -ENOMEM */
int memo_follow(struct memo *m, const struct tables *t) __attribute__((warn_unused_result));

/** memo_get_mapping() - the profile's mapping, 0 where it is lost; 0 or -ENOMEM */
int memo_get_mapping(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		     uint32_t *ret_id) __attribute__((warn_unused_result));

/** memo_get_who() - what a row has as who for a thread; 0 or -ENOMEM */
int memo_get_who(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		 uint32_t *ret_id) __attribute__((warn_unused_result));

/** memo_add_nodes() - make the nodes that a packet defines; 0 or -ENOMEM */
int memo_add_nodes(struct profile *p, struct memo *memo, const struct tables *t,
		   const Profiler__Nodes *nodes) __attribute__((warn_unused_result));

/** memo_make_node() - make a node, with all its parents that are new; 0 or -ENOMEM */
int memo_make_node(struct profile *p, struct memo *memo, const struct tables *t, uint32_t id,
		   uint32_t *ret_id) __attribute__((warn_unused_result));

/** memo_get_node() - the profile's node; 0 or -ENOMEM */
static inline int memo_get_node(struct profile *p, struct memo *memo, const struct tables *t,
				uint32_t id, uint32_t *ret_id)
{
	*ret_id = id < memo->node_room ? memo->node[id].id : 0;
	return *ret_id || !id ? 0 : memo_make_node(p, memo, t, id, ret_id);
}

#endif /* PROFILER_PROFILE_MEMO_H */

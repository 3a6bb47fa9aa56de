/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - the call tree of a profile, see tree.h. */
#include "tools/tree.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "tools/stack.h"

/* Puts a new node behind its parent's other children, or behind the other roots. */
static void append(struct tree *t, uint32_t id)
{
	struct tree_node *node = idmap_at(&t->nodes, id);
	struct tree_node *parent = node->parent ? idmap_at(&t->nodes, node->parent) : NULL;
	uint32_t *first = parent ? &parent->first_child : &t->first_root;
	uint32_t *last = parent ? &parent->last_child : &t->last_root;

	if (*last)
		((struct tree_node *)idmap_at(&t->nodes, *last))->next = id;
	else
		*first = id;
	*last = id;
	node->depth = parent ? parent->depth + 1 : 1;
	if (node->depth > t->depth)
		t->depth = node->depth;
}

/* Goes down from *at. */
static int descend(struct tree *t, uint32_t function, uint32_t who, uint32_t *at)
{
	const struct tree_node key = { .parent = *at, .function = function, .who = who };
	int is_new = idmap_get(&t->nodes, &key, at);

	if (is_new > 0)
		append(t, *at);
	return is_new < 0 ? is_new : 0;
}

static uint32_t root_of(const struct profile *p, const struct profile_row *row, enum tree_root root)
{
	const struct profile_thread *thread = profile_thread(p, row->who);

	return thread && root == TREE_BY_PROCESS ? thread->process : row->who;
}

static int add_row(struct tree *t, const struct profile_row *row, enum tree_root root,
		   uint32_t flags, struct stack *stack, uint32_t *ret_node)
{
	int err = stack_read(stack, t->names, row);

	*ret_node = 0;
	if (!err && root != TREE_MERGED)
		err = descend(t, 0, root_of(t->names->profile, row, root), ret_node);
	for (size_t i = 0; !err && i < stack->count; i++) {
		size_t at = flags & TREE_INVERTED ? i : stack->count - 1 - i;

		err = descend(t, stack->frame[at].function, 0, ret_node);
	}
	return err;
}

static int add_values(struct tree *t)
{
	const struct profile *p = t->names->profile;
	size_t cells = ((size_t)t->nodes.count + 1) * t->events;

	t->self = calloc(cells + 1, sizeof(*t->self));
	t->total = calloc(cells + 1, sizeof(*t->total));
	if (!t->self || !t->total)
		return -ENOMEM;
	for (uint32_t id = 1; id <= p->rows.count; id++) {
		const struct profile_row *row = idmap_at(&p->rows, id);
		struct profile_total *cell = &t->self[(uint64_t)t->node_of_row[id] * t->events];

		for (uint32_t event = 0; t->node_of_row[id] && event < t->events; event++) {
			struct profile_total add = profile_row_total(p, row, event);

			cell[event].count += add.count;
			cell[event].weight += add.weight;
		}
	}
	for (size_t i = 0; i < cells; i++)
		t->total[i] = t->self[i];
	for (uint32_t id = t->nodes.count; id; id--) {
		uint32_t parent = tree_node(t, id)->parent;

		for (uint32_t event = 0; parent && event < t->events; event++) {
			struct profile_total *to = &t->total[(uint64_t)parent * t->events + event];

			to->count += tree_total(t, id, event)->count;
			to->weight += tree_total(t, id, event)->weight;
		}
	}
	return 0;
}

int tree_build(struct tree *ret, const struct names *n, enum tree_root root, uint32_t flags)
{
	const struct profile *p = n->profile;
	struct stack *stack = calloc(1, sizeof(*stack));
	int err = 0;

	*ret = (struct tree){ .names = n, .events = (uint32_t)profile_header(p)->n_event };
	idmap_init(&ret->nodes, sizeof(struct tree_node), offsetof(struct tree_node, first_child));
	ret->node_of_row = calloc((size_t)p->rows.count + 1, sizeof(*ret->node_of_row));
	if (!stack || !ret->node_of_row)
		err = -ENOMEM;
	for (uint32_t id = 1; !err && id <= p->rows.count; id++) {
		const struct profile_row *row = idmap_at(&p->rows, id);

		if (row->count) /* else left out by a filter */
			err = add_row(ret, row, root, flags, stack, &ret->node_of_row[id]);
	}
	if (!err)
		err = add_values(ret);
	if (stack)
		stack_release(stack);
	free(stack);
	return err;
}

void tree_release(struct tree *t)
{
	idmap_release(&t->nodes);
	free(t->node_of_row);
	free(t->self);
	free(t->total);
	t->node_of_row = NULL;
	t->self = t->total = NULL;
}

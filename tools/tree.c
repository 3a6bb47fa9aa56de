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

/* While inclusive totals are found. */
struct inclusive {
	struct tree *tree;
	const struct profile_row *row;
	struct stack stack;
	uint32_t *seen; /* by node: the row that was added last */
	uint32_t row_id;
};

static void add_inclusive(struct inclusive *in, uint32_t node)
{
	const struct tree *t = in->tree;

	if (in->seen[node] == in->row_id)
		return; /* it calls itself */
	in->seen[node] = in->row_id;
	for (uint32_t event = 0; event < t->events; event++) {
		struct profile_total more = profile_row_total(t->names->profile, in->row, event);
		struct profile_total *to = &t->inclusive[(uint64_t)node * t->events + event];

		to->count += more.count;
		to->weight += more.weight;
	}
}

/* From each function of the stack up to its callers, as far as the tree goes. */
static int add_chains(struct inclusive *in, enum tree_root root)
{
	const struct tree *t = in->tree;
	struct tree_node top = { 0 };
	uint32_t first = 0;
	int err = stack_read(&in->stack, t->names, in->row);

	if (!err && root != TREE_MERGED) {
		top.who = root_of(t->names->profile, in->row, root);
		first = idmap_find(&t->nodes, &top);
		add_inclusive(in, first);
	}
	for (size_t i = 0; !err && i < in->stack.count; i++) {
		uint32_t node = first;

		for (size_t k = i; k < in->stack.count; k++) {
			const struct tree_node key = {
				.parent = node,
				.function = in->stack.frame[k].function,
			};

			node = idmap_find(&t->nodes, &key);
			if (!node)
				break;
			add_inclusive(in, node);
		}
	}
	return err;
}

int tree_find_inclusive(struct tree *t, enum tree_root root)
{
	const struct profile *p = t->names->profile;
	const size_t nodes = (size_t)t->nodes.count + 1;
	struct inclusive *in = calloc(1, sizeof(*in));
	int err = in ? 0 : -ENOMEM;

	if (!in)
		return err;
	in->tree = t;
	in->seen = calloc(nodes, sizeof(*in->seen));
	t->inclusive = calloc(nodes * t->events + 1, sizeof(*t->inclusive));
	if (!in->seen || !t->inclusive)
		err = -ENOMEM;
	for (uint32_t id = 1; !err && id <= p->rows.count; id++) {
		in->row_id = id;
		in->row = idmap_at(&p->rows, id);
		if (in->row->count)
			err = add_chains(in, root);
	}
	stack_release(&in->stack);
	free(in->seen);
	free(in);
	return err;
}

void tree_release(struct tree *t)
{
	idmap_release(&t->nodes);
	free(t->node_of_row);
	free(t->self);
	free(t->total);
	free(t->inclusive);
	t->node_of_row = NULL;
	t->self = t->total = t->inclusive = NULL;
}

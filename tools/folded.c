/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folded.c - profiler-folded: stacks in one line each, as flame graph programs read them.
 *
 *	comm;root;...;leaf count
 *
 * Of an event that takes no samples itself, but is counted at those of another, the counts are
 * shown.
 *
 * Kernel functions end with "_[k]". A function that is inlined has its place below the one that
 * it is inlined into, as if that had called it. A ';' within a name becomes ':', since the format
 * has no way to quote one. The stacks are gathered in a tree of names, so memory follows what they
 * do not have in common; the order of the lines is that of the bytes of their names, whatever the
 * order of the samples.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

/* A name in the tree; the children of one are listed in the order of their names. */
struct fold {
	uint32_t parent; /* 0: a thread's name, the root of what it ran */
	uint32_t label;	 /* in fold_tree.labels */
	/* up to here the key */
	uint32_t first_child; /* not found by its key */
	uint32_t next;
	uint32_t depth;	     /* of a root 1 */
	uint32_t last_child; /* that was looked up: the next stack often has it, too */
	uint64_t count;	     /* of stacks that end here */
};

struct fold_tree {
	struct strtab labels;
	struct idmap folds;
	uint32_t *label_of_function; /* by function of the names, 0: not looked up yet */
	uint32_t *root_of_thread;    /* by thread, 0 for one that is not known; likewise */
	uint32_t first_root;
	uint32_t depth; /* of the deepest name */
};

struct options {
	const char *event;
	bool weight;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option folded_options[] = {
	{ "event", "NAME", "stacks of this event (default: the first with samples)", 'e' },
	{ "weight", NULL, "the event's own counts instead of numbers of samples", 'w' },
	{ 0 },
};

static const struct cli_program folded = {
	.name = "profiler-folded",
	.summary = "Prints the stacks of a profile folded, one in a line, for flame graphs.",
	.options = folded_options,
	.take = take,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	if (letter == 'e')
		o->event = argument;
	else
		o->weight = true;
	return 0;
}

static struct fold *fold_at(const struct fold_tree *tree, uint32_t id)
{
	return idmap_at(&tree->folds, id);
}

/* The name below one; most have one only, so a first one is not in the table of all. */
static int get_fold(struct fold_tree *tree, uint32_t parent, uint32_t label, uint32_t *ret_id)
{
	const struct fold key = { .parent = parent, .label = label };
	const uint32_t first = parent ? fold_at(tree, parent)->first_child : 0;

	if (first && fold_at(tree, first)->label == label) {
		*ret_id = first;
		return 0;
	}
	return parent && !first ? idmap_append(&tree->folds, &key, ret_id)
				: idmap_get(&tree->folds, &key, ret_id);
}

/* Goes from a name down to one below it, *at. */
static int descend_to(struct fold_tree *tree, uint32_t label, uint32_t *at)
{
	const uint32_t parent = *at;
	const uint32_t last = parent ? fold_at(tree, parent)->last_child : 0;
	struct fold *fold;
	int is_new;

	if (last && fold_at(tree, last)->label == label) {
		*at = last;
		return 0;
	}
	is_new = get_fold(tree, parent, label, at);
	if (is_new < 0)
		return is_new;
	if (parent)
		fold_at(tree, parent)->last_child = *at;
	if (!is_new)
		return 0;
	fold = fold_at(tree, *at);
	fold->depth = 1;
	if (parent) {
		fold->depth += fold_at(tree, parent)->depth;
		if (!fold_at(tree, parent)->first_child)
			fold_at(tree, parent)->first_child = *at;
	}
	if (fold->depth > tree->depth)
		tree->depth = fold->depth;
	return 0;
}

/* The label of a name: fit for the format. */
static int get_label(struct fold_tree *tree, const char *name, bool is_kernel, uint32_t *ret)
{
	size_t bytes = strlen(name);
	char *text;
	int err;

	text = malloc(bytes + sizeof("_[k]"));
	if (!text)
		return -ENOMEM;
	memcpy(text, name, bytes + 1);
	if (is_kernel) {
		memcpy(text + bytes, "_[k]", sizeof("_[k]"));
		bytes += strlen("_[k]");
	}
	for (char *c = text; (c = strchr(c, ';'));)
		*c = ':';
	err = strtab_get(&tree->labels, text, bytes, ret);
	free(text);
	return err;
}

static const char *thread_name(const struct profile *p, uint32_t who)
{
	const struct profile_thread *thread = profile_thread(p, who);

	return thread && thread->comm ? profile_text(p, thread->comm) : "[unknown]";
}

/* Goes down through the functions at one frame, those that are inlined last. */
static int descend_frame(struct fold_tree *tree, const struct names *n, uint32_t ref, uint32_t *at)
{
	const struct location *location = names_location(n, ref);
	const struct code_line *line = names_lines(n, location);
	int err = 0;

	for (uint32_t i = location->lines; !err && i--;) {
		const struct function *f = names_function(n, line[i].function);
		uint32_t *label = &tree->label_of_function[line[i].function];

		if (!*label)
			err = get_label(tree, profile_text(n->profile, f->label), f->is_kernel,
					label);
		if (!err)
			err = descend_to(tree, *label, at);
	}
	return err;
}

static int add_row(struct fold_tree *tree, const struct names *n, const struct profile_row *row,
		   uint64_t value, uint32_t *stack)
{
	const struct profile *p = n->profile;
	size_t length = profile_stack(p, row, stack);
	uint32_t *root = &tree->root_of_thread[row->who];
	uint32_t label = 0;
	uint32_t at = 0;
	int err = 0;

	if (!*root) {
		err = get_label(tree, thread_name(p, row->who), false, &label);
		if (!err)
			err = descend_to(tree, label, root);
	}
	at = *root;
	while (!err && length)
		err = descend_frame(tree, n, stack[--length], &at);
	if (err)
		return err;
	fold_at(tree, at)->count += value;
	return 0;
}

static int compare_labels(const void *a, const void *b, void *ctx)
{
	const struct fold_tree *tree = ctx;

	return strcmp(strtab_text(&tree->labels, *(const uint32_t *)a),
		      strtab_text(&tree->labels, *(const uint32_t *)b));
}

/* Every label's place among all of them; 0 is the empty one. */
static uint32_t *rank_labels(struct fold_tree *tree)
{
	uint32_t labels = tree->labels.count + 1;
	uint32_t *sorted = calloc(labels, sizeof(*sorted));
	uint32_t *rank = calloc(labels, sizeof(*rank));

	for (uint32_t i = 0; sorted && i < labels; i++)
		sorted[i] = i;
	if (sorted)
		qsort_r(sorted, labels, sizeof(*sorted), compare_labels, tree);
	for (uint32_t i = 0; sorted && rank && i < labels; i++)
		rank[sorted[i]] = i;
	if (!sorted) {
		free(rank);
		rank = NULL;
	}
	free(sorted);
	return rank;
}

/* Names with the same parent, to be put in order. */
struct siblings {
	const struct fold_tree *tree;
	const uint32_t *rank;
	uint32_t *id; /* as many as there are labels, for they all have another */
};

static int compare_siblings(const void *a, const void *b, void *ctx)
{
	const struct siblings *s = ctx;
	const struct fold *x = fold_at(s->tree, *(const uint32_t *)a);
	const struct fold *y = fold_at(s->tree, *(const uint32_t *)b);

	return s->rank[x->label] < s->rank[y->label] ? -1 : 1;
}

static void sort_siblings(struct siblings *s, uint32_t *first)
{
	uint32_t count = 0;

	for (uint32_t id = *first; id; count++) {
		s->id[count] = id;
		id = fold_at(s->tree, id)->next;
	}
	if (count < 2)
		return;
	qsort_r(s->id, count, sizeof(*s->id), compare_siblings, s);
	*first = 0;
	while (count--) {
		fold_at(s->tree, s->id[count])->next = *first;
		*first = s->id[count];
	}
}

/* Links the children of each name in the order of theirs. */
static int link_tree(struct fold_tree *tree)
{
	uint32_t *rank = rank_labels(tree);
	struct siblings siblings = { tree, rank, NULL };
	int err = -ENOMEM;

	siblings.id = calloc((size_t)tree->labels.count + 1, sizeof(*siblings.id));
	if (!rank || !siblings.id)
		goto out;
	for (uint32_t id = tree->folds.count; id; id--)
		fold_at(tree, id)->first_child = 0;
	for (uint32_t id = tree->folds.count; id; id--) {
		struct fold *fold = fold_at(tree, id);
		uint32_t *first = &tree->first_root;

		if (fold->parent)
			first = &fold_at(tree, fold->parent)->first_child;
		fold->next = *first;
		*first = id;
	}
	sort_siblings(&siblings, &tree->first_root);
	for (uint32_t id = 1; id <= tree->folds.count; id++)
		sort_siblings(&siblings, &fold_at(tree, id)->first_child);
	err = 0;
out:
	free(siblings.id);
	free(rank);
	return err;
}

/* The line of the stack that the walk is at; each name is put there once for all below it. */
struct line {
	char *text;
	size_t room;
	size_t *end; /* by depth, of the name there; of 0 the line's begin */
};

/* What follows the names: " ", a count and the end of the line. */
#define COUNT_MAX 24

static int put_name(struct line *l, const struct fold_tree *tree, uint32_t label, size_t depth)
{
	const size_t bytes = strtab_bytes(&tree->labels, label);
	size_t at = l->end[depth - 1];
	const size_t wanted = at + bytes + 1 + COUNT_MAX;
	char *larger;

	if (wanted > l->room) {
		larger = realloc(l->text, 2 * wanted);
		if (!larger)
			return -ENOMEM;
		l->text = larger;
		l->room = 2 * wanted;
	}
	if (at)
		l->text[at++] = ';';
	memcpy(l->text + at, strtab_text(&tree->labels, label), bytes);
	l->end[depth] = at + bytes;
	return 0;
}

static void print_stack(const struct line *l, size_t depth, uint64_t count)
{
	char *end = l->text + l->end[depth];

	end += snprintf(end, COUNT_MAX, " %" PRIu64 "\n", count);
	fwrite(l->text, (size_t)(end - l->text), 1, stdout);
}

/* Walks the tree without recursion: a stack can be deeper than ours. */
static int print_tree(const struct fold_tree *tree)
{
	struct line line = { .end = calloc(tree->depth + (size_t)1, sizeof(*line.end)) };
	uint32_t at = tree->first_root;
	int err = line.end ? 0 : -ENOMEM;

	while (!err && at) {
		const struct fold *fold = fold_at(tree, at);

		err = put_name(&line, tree, fold->label, fold->depth);
		if (!err && fold->count)
			print_stack(&line, fold->depth, fold->count);
		at = fold->first_child;
		while (!at && fold) {
			at = fold->next;
			fold = fold->parent ? fold_at(tree, fold->parent) : NULL;
		}
	}
	free(line.text);
	free(line.end);
	return err;
}

static int fold(const struct names *n, uint32_t event, bool weight)
{
	struct fold_tree tree = { 0 };
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	int err;

	tree.label_of_function = calloc((size_t)n->functions.count + 1, sizeof(uint32_t));
	tree.root_of_thread = calloc((size_t)n->profile->threads.count + 1, sizeof(uint32_t));
	err = stack && tree.label_of_function && tree.root_of_thread ? 0 : -ENOMEM;
	idmap_init(&tree.folds, sizeof(struct fold), offsetof(struct fold, first_child));
	for (uint32_t id = 1; !err && id <= n->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&n->profile->rows, id);
		struct profile_total total = profile_row_total(n->profile, row, event);

		if (total.count)
			err = add_row(&tree, n, row, weight ? total.weight : total.count, stack);
	}
	if (!err)
		err = link_tree(&tree);
	if (!err)
		err = print_tree(&tree);
	idmap_release(&tree.folds);
	strtab_release(&tree.labels);
	free(tree.label_of_function);
	free(tree.root_of_thread);
	free(stack);
	return err;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct cli_input input = { 0 };
	struct profile *profile = NULL;
	struct names *names = NULL;
	uint32_t event = 0;
	int status;
	int err = 0;

	status = cli_parse(&folded, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = cli_read(&folded, &input, PROFILE_BY_THREAD, false, &profile, &names);
	if (status)
		return status;
	status = cli_event(&folded, profile, options.event, &event);
	if (!status) {
		/* of an event that takes no samples nobody wants to know how many say so */
		err = fold(names, event, options.weight || profile_leader(profile, event) != event);
		if (err)
			cli_error(&folded, "cannot fold: %s", strerror(-err));
		status = cli_close(&folded, stdout, "stdout");
	}
	names_free(names);
	profile_free(profile);
	filter_release(&input.filter);
	return err ? 1 : status;
}

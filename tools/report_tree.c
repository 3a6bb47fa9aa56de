/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_tree.c - profiler-report --tree: who called whom, from the outermost function down, or
 * from the sampled ones up.
 *
 * A function has a line if its part of all samples is large enough, and so have then all above it.
 * Where only one line goes on from a line it stands below it, without a step to the right, for
 * stacks are deeper than screens are wide; only what is below one of several roots begins a step
 * in. What is not shown is summed up at the end: that, and the selves of the lines shown, are all
 * samples.
 */
#include "tools/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"
#include "tools/text.h"
#include "tools/tree.h"

/* Of shares in percent and the weight, before the functions. */
#define NUMBER_COLUMNS 28

/* What is left of a line for its function in a deep tree. */
#define NAME_COLUMNS_MIN 16

/* A line; they stand in the order in which they are shown. */
struct line {
	uint32_t node;	 /* of the tree */
	uint32_t parent; /* line, counted from 1; 0: none */
	uint32_t step;	 /* to the right of the roots */
	bool is_last;	 /* of those that go on from the same line */
	bool is_branch;	 /* others do, too */
};

struct lines {
	struct line *line;
	size_t count;
	size_t room;
	uint64_t hidden; /* places in the tree that have no line */
	uint64_t hidden_weight;
};

struct view {
	const struct report *report;
	struct tree tree;
	struct lines lines;
};

static const struct profile_total *total_of(const struct view *v, uint32_t node)
{
	return tree_total(&v->tree, node, v->report->event);
}

static bool is_wanted(const struct view *v, uint32_t node)
{
	const struct report_options *o = v->report->options;

	return total_of(v, node)->count &&
	       (!o->depth || tree_node(&v->tree, node)->depth <= o->depth) &&
	       100 * report_share(total_of(v, node)->weight, v->report->shown.weight) >=
		       o->min_percent;
}

static int compare_nodes(const void *a, const void *b, void *ctx)
{
	const struct view *v = ctx;
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	uint64_t wx = total_of(v, x)->weight;
	uint64_t wy = total_of(v, y)->weight;

	return wx != wy ? (wx > wy ? -1 : 1) : (x > y) - (x < y);
}

/* The nodes from @first on of the same parent that get a line, the largest first. */
static size_t find_wanted(struct view *v, uint32_t first, uint32_t *ret)
{
	size_t count = 0;

	for (uint32_t id = first; id; id = tree_node(&v->tree, id)->next) {
		if (is_wanted(v, id))
			ret[count++] = id;
		else
			v->lines.hidden_weight += total_of(v, id)->weight;
	}
	qsort_r(ret, count, sizeof(*ret), compare_nodes, v);
	return count;
}

static int add_line(struct lines *l, const struct line *line)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct line *larger = reallocarray(l->line, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		l->line = larger;
		l->room = room;
	}
	l->line[l->count++] = *line;
	return 0;
}

/*
 * Finds the lines of the whole tree without recursion: @todo is a stack of lines that are not in
 * the list yet. There are never more of them than nodes.
 */
static int find_lines(struct view *v)
{
	size_t nodes = (size_t)v->tree.nodes.count + 1;
	struct line *todo = calloc(nodes, sizeof(*todo));
	uint32_t *child = calloc(nodes, sizeof(*child));
	uint32_t first = v->tree.first_root;
	struct line line = { 0 };
	size_t waiting = 0;
	size_t roots = 0;
	int err = todo && child ? 0 : -ENOMEM;

	while (!err) {
		size_t count = find_wanted(v, first, child);
		bool is_below = v->lines.count && !line.parent; /* a root */
		bool is_branch = count > 1 && v->lines.count;

		if (!v->lines.count)
			roots = count;
		for (size_t i = count; i--;)
			todo[waiting++] = (struct line){
				.node = child[i],
				.parent = (uint32_t)v->lines.count,
				.step = line.step + (is_branch || (is_below && roots > 1)),
				.is_last = i + 1 == count,
				.is_branch = is_branch,
			};
		if (!waiting)
			break;
		line = todo[--waiting];
		err = add_line(&v->lines, &line);
		first = tree_node(&v->tree, line.node)->first_child;
	}
	free(todo);
	free(child);
	for (uint32_t id = 1; id < nodes; id++)
		v->lines.hidden += total_of(v, id)->count != 0;
	v->lines.hidden -= v->lines.count;
	return err;
}

static int open_view(struct view *v, const struct report *r)
{
	const uint32_t flags = r->options->inverted ? TREE_INVERTED : 0;
	enum tree_root root = TREE_MERGED;
	int err;

	if (r->options->by == REPORT_BY_PID)
		root = TREE_BY_PROCESS;
	else if (r->options->by == REPORT_BY_TID)
		root = TREE_BY_THREAD;
	*v = (struct view){ .report = r };
	err = tree_build(&v->tree, r->names, root, flags);
	if (!err && r->options->inverted)
		err = tree_find_inclusive(&v->tree, root);
	return err ? err : find_lines(v);
}

static void close_view(struct view *v)
{
	tree_release(&v->tree);
	free(v->lines.line);
}

/* "mix (pid 1234)", "mix (tid 1235)" */
static void write_who(FILE *to, const struct view *v, uint32_t who)
{
	const struct profile *p = v->report->profile;
	const struct profile_thread *thread = profile_thread(p, who);
	const struct profile_process *process = profile_process(p, who);

	if (thread)
		fprintf(to, "%s (tid %" PRIu32 ")", profile_text(p, thread->comm), thread->tid);
	else if (process)
		fprintf(to, "%s (pid %" PRIu32 ")", profile_text(p, process->comm), process->pid);
	else
		fputs("[unknown]", to);
}

/* Where a function is, unless that is where the one above it is, too. */
static const char *new_where(const struct view *v, const struct line *line)
{
	const struct report *r = v->report;
	const struct line *above = line->parent ? &v->lines.line[line->parent - 1] : NULL;
	uint32_t function = tree_node(&v->tree, line->node)->function;
	uint32_t caller = above ? tree_node(&v->tree, above->node)->function : 0;
	uint32_t where = names_function(r->names, function)->where;

	if (!where || (caller && names_function(r->names, caller)->where == where))
		return NULL;
	return profile_text(r->profile, where);
}

static void write_name(FILE *to, const struct view *v, const struct line *line)
{
	const struct tree_node *node = tree_node(&v->tree, line->node);
	const char *where = node->function ? new_where(v, line) : NULL;

	if (!node->function)
		write_who(to, v, node->who);
	else
		fputs(profile_text(v->report->profile,
				   names_function(v->report->names, node->function)->label),
		      to);
	if (where)
		fprintf(to, "  (%s)", where);
}

/*
 * Total and self. Of an inverted tree self is what was sampled in the function at the root, called
 * so, and total that with what it called.
 */
static void print_shares(const struct screen *s, const struct view *v, uint32_t node)
{
	const struct report *r = v->report;
	uint64_t total = total_of(v, node)->weight;
	uint64_t self = tree_self(&v->tree, node, r->event)->weight;

	if (r->options->inverted) {
		self = total;
		total = tree_inclusive(&v->tree, node, r->event)->weight;
	}
	screen_print_share(s, report_share(total, r->shown.weight));
	printf(" %6.2f%%", 100 * report_share(self, r->shown.weight));
}

/* The lines that lead down to others; @bar says for each step whether one goes on. */
static void print_branches(const struct line *line, bool *bar, uint32_t dropped)
{
	uint32_t plain = line->step - line->is_branch;

	if (dropped)
		fputs("~ ", stdout);
	for (uint32_t step = 1 + dropped; step <= plain; step++)
		fputs(bar[step] ? "│ " : "  ", stdout);
	if (!line->is_branch)
		return;
	bar[line->step] = !line->is_last;
	fputs(line->is_last ? "└ " : "├ ", stdout);
}

static void print_line(const struct screen *s, const struct view *v, const struct line *line,
		       bool *bar)
{
	const struct report *r = v->report;
	uint32_t steps = s->columns ? (uint32_t)(s->columns - NUMBER_COLUMNS - NAME_COLUMNS_MIN) / 2
				    : UINT32_MAX;
	uint32_t dropped = line->step > steps ? line->step - steps + 1 : 0;
	size_t used = NUMBER_COLUMNS + 2 * (line->step - dropped + (dropped != 0));
	char weight[TEXT_NUMBER_MAX];
	char *name = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&name, &bytes);

	print_shares(s, v, line->node);
	printf(" %10s  ", text_weight(weight, total_of(v, line->node)->weight, report_unit(r)));
	print_branches(line, bar, dropped);
	if (to) {
		write_name(to, v, line);
		if (!fclose(to))
			screen_print_cut(name, s->columns ? s->columns - used : 0);
		free(name);
	}
	putchar('\n');
}

static void print_hidden(const struct screen *s, const struct view *v)
{
	const struct report_options *o = v->report->options;
	char number[TEXT_NUMBER_MAX];
	char depth[TEXT_NUMBER_MAX] = "";

	if (!v->lines.hidden_weight)
		return;
	if (o->depth)
		snprintf(depth, sizeof(depth), " or deeper than %" PRIu32, o->depth);
	screen_print_line(
		s, "not shown: %s places of less than %.4g %%%s, %.2f %% in all (--min, --depth)",
		text_count(number, v->lines.hidden), o->min_percent, depth,
		100 * report_share(v->lines.hidden_weight, v->report->shown.weight));
}

int report_print_tree(const struct screen *s, const struct report *r)
{
	struct view v;
	int err = open_view(&v, r);
	bool *bar = calloc(v.tree.depth + (size_t)2, sizeof(*bar));

	if (!bar)
		err = -ENOMEM;
	if (!err)
		screen_print_heading(
			s,
			r->options->inverted
				? "  total    self       time  function, and its callers below it"
				: "  total    self       time  function, and what it calls below "
				  "it");
	for (size_t i = 0; !err && i < v.lines.count; i++)
		print_line(s, &v, &v.lines.line[i], bar);
	if (!err)
		print_hidden(s, &v);
	free(bar);
	close_view(&v);
	return err;
}

static void print_node(const struct view *v, const struct line *line)
{
	const struct report *r = v->report;
	const struct tree_node *node = tree_node(&v->tree, line->node);
	const struct profile_total *self = tree_self(&v->tree, line->node, r->event);
	const struct profile_total *total = total_of(v, line->node);
	const struct profile_thread *thread = profile_thread(r->profile, node->who);
	const struct profile_process *process = profile_process(r->profile, node->who);

	if (line->parent)
		printf("\"parent\": %" PRIu32 ", ", line->parent - 1);
	else
		fputs("\"parent\": null, ", stdout);
	if (node->function) {
		const struct function *f = names_function(r->names, node->function);

		json_text("name", f->name ? profile_text(r->profile, f->name) : "[unknown]");
		json_text("mapping", profile_text(r->profile, f->path));
	} else if (thread) {
		json_text("thread", profile_text(r->profile, thread->comm));
		printf("\"tid\": %" PRIu32 ", ", thread->tid);
	} else {
		json_text("process",
			  process ? profile_text(r->profile, process->comm) : "[unknown]");
		printf("\"pid\": %" PRIu32 ", ", process ? process->pid : 0);
	}
	printf("\"self\": %" PRIu64 ", \"total\": %" PRIu64 ", \"self_weight\": %" PRIu64
	       ", \"total_weight\": %" PRIu64,
	       self->count, total->count, self->weight, total->weight);
	if (r->options->inverted) {
		const struct profile_total *all = tree_inclusive(&v->tree, line->node, r->event);

		printf(", \"inclusive\": %" PRIu64 ", \"inclusive_weight\": %" PRIu64, all->count,
		       all->weight);
	}
}

int report_json_tree(const struct report *r)
{
	struct view v;
	int err = open_view(&v, r);

	if (!err) {
		printf("  \"tree_inverted\": %s, \"tree_hidden_weight\": %" PRIu64 ",\n",
		       r->options->inverted ? "true" : "false", v.lines.hidden_weight);
		fputs("  \"tree\": [", stdout);
		for (size_t i = 0; i < v.lines.count; i++) {
			fputs(i ? ",\n    {" : "\n    {", stdout);
			print_node(&v, &v.lines.line[i]);
			putchar('}');
		}
		fputs("\n  ],\n", stdout);
	}
	close_view(&v);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - profiler-report: where the time went, as a table or as JSON.
 *
 * Counts here, shows elsewhere (report_text.c, report_json.c). A function's self is what its own
 * code was sampled at; its total is all stacks that it is in, a recursive one counted once. The
 * selves of all functions add up to the samples of the profile.
 */
#include "tools/report.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option report_options[] = {
	{ "rows", "N", "show so many lines of a table (default: 20; JSON: all)", 'n' },
	{ "event", "NAME", "show this event (default: the first with samples; JSON: all)", 'e' },
	{ "by", "WHAT",
	  "one table only: function, event, pid (process), tid (thread),\n"
	  "                         comm, cgroup, container, cpu, mapping, source (line) or stack",
	  'b' },
	{ "tree", NULL, "the call tree; with --by pid or tid one for each", 't' },
	{ "inverted", NULL, "the tree from the sampled functions up to their callers", 'i' },
	{ "min", "PERCENT", "leave out smaller parts of the tree (default: 1)", 'm' },
	{ "depth", "N", "leave out what is deeper in the tree", 'd' },
	{ "peek", "REGEX", "the callers of such functions, and what they call", 'p' },
	{ "stats", NULL, "show the whole ledger, rates and counters, and code without names", 's' },
	{ "wide", NULL, "all columns, and lines as long as they are", 'w' },
	{ "json", NULL, "print JSON", 'j' },
	{ 0 },
};

static const struct cli_program report_program = {
	.name = "profiler-report",
	.summary =
		"Shows where a profile says the time went: functions, processes, events, losses.",
	.options = report_options,
	.take = take,
};

static int take_by(struct report_options *o, const char *what)
{
	o->by = report_by_find(what);
	if (o->by)
		return 0;
	cli_error(&report_program,
		  "--by wants function, event, pid, tid, comm, cgroup, container, cpu, mapping, "
		  "source or stack, not '%s'",
		  what);
	return 2;
}

static int take_min(struct report_options *o, const char *text)
{
	char *end;

	o->min_percent = strtod(text, &end);
	if (*text >= '0' && *text <= '9' && (!*end || !strcmp(end, "%")) && o->min_percent <= 100)
		return 0;
	cli_error(&report_program, "--min wants a percentage, as 0.5, not '%s'", text);
	return 2;
}

/* Tries it, so that it can be said now what is wrong with it. */
static int take_peek(struct report_options *o, const char *regex)
{
	regex_t pattern;
	char why[128];
	int err = regcomp(&pattern, regex, REG_EXTENDED | REG_NOSUB);

	if (err) {
		regerror(err, &pattern, why, sizeof(why));
		cli_error(&report_program, "--peek '%s': %s", regex, why);
		return 2;
	}
	regfree(&pattern);
	o->peek = regex;
	return 0;
}

static int take(void *ctx, char letter, const char *argument)
{
	struct report_options *o = ctx;

	switch (letter) {
	case 'n':
		return cli_number(&report_program, "--rows", argument, &o->rows);
	case 'b':
		return take_by(o, argument);
	case 'm':
		return take_min(o, argument);
	case 'd':
		return cli_number(&report_program, "--depth", argument, &o->depth);
	case 'p':
		return take_peek(o, argument);
	case 'e':
		o->event = argument;
		break;
	case 't':
		o->tree = true;
		break;
	case 'i':
		o->tree = o->inverted = true;
		break;
	case 's':
		o->stats = true;
		break;
	case 'w':
		o->wide = true;
		break;
	default:
		o->json = true;
	}
	return 0;
}

static void add(struct profile_total *to, const struct profile_total *more)
{
	to->count += more->count;
	to->weight += more->weight;
}

static int get_cell(struct idmap *cells, uint32_t id, uint32_t event, struct report_cell **ret)
{
	struct report_cell key = { .id = id, .event = event };
	uint32_t cell = 0;
	int err = idmap_get(cells, &key, &cell);

	if (err < 0)
		return err;
	*ret = idmap_at(cells, cell);
	return 0;
}

/* Adds what a row has counted, if that is of one task, to the sums *id. */
static int add_sums(struct report *r, const struct profile_row *row, uint32_t *id)
{
	if (!row->sums || row->flags & PROFILER__SAMPLE_FLAG__SHARED)
		return 0;
	if (sums_get(&r->sums, id))
		return -ENOMEM;
	sums_merge(&r->sums, sums_at(&r->sums, *id), sums_at(&r->profile->sums, row->sums));
	return 0;
}

bool report_is_shown(const struct report *r, uint32_t event)
{
	return r->event == PROFILE_ALL_EVENTS || r->event == event;
}

static bool is_row_shown(const struct report *r, const struct profile_row *row)
{
	return r->leader == PROFILE_ALL_EVENTS || r->leader == row->event;
}

static int count_group(struct report *r, const struct profile_row *row, const uint32_t *stack,
		       size_t length)
{
	const struct profile_total more = profile_row_total(r->profile, row, r->event);
	struct report_cell *cell = NULL;
	struct report_group key;
	uint32_t group = 0;
	int err = report_group_of(r, row, stack, length, &key);

	if (!err)
		err = idmap_get(&r->groups, &key, &group);
	if (err >= 0)
		err = get_cell(&r->group_cells, group, row->event, &cell);
	if (err)
		return err;
	add(&cell->self, &more);
	return add_sums(r, row, &cell->sums.self);
}

/* Counts a place without a name, where the row's event is shown. */
static int count_unknown(struct report *r, uint32_t row_id, const struct location *location,
			 bool is_leaf)
{
	const struct profile_row *row = idmap_at(&r->profile->rows, row_id);
	const struct profile_mapping *mapping = idmap_at(&r->profile->mappings, location->mapping);
	const struct report_unknown key = { .path = mapping->name, .reason = location->unknown };
	const struct profile_total more = profile_row_total(r->profile, row, r->event);
	struct report_unknown *unknown;
	uint32_t id = 0;
	int err;

	if (!is_row_shown(r, row))
		return 0;
	err = idmap_get(&r->unknowns, &key, &id);
	if (err < 0)
		return err;
	unknown = idmap_at(&r->unknowns, id);
	if (is_leaf)
		add(&unknown->self, &more);
	if (unknown->seen != row_id)
		add(&unknown->total, &more);
	unknown->seen = row_id;
	return 0;
}

static int count_function(struct report *r, uint32_t row_id, uint32_t function, bool is_self)
{
	const struct profile_row *row = idmap_at(&r->profile->rows, row_id);
	const struct profile_total more = profile_row_total(r->profile, row, r->event);
	struct report_cell *cell = NULL;
	int err = get_cell(&r->functions, function, row->event, &cell);

	if (err)
		return err;
	if (is_self) {
		add(&cell->self, &more);
		err = add_sums(r, row, &cell->sums.self);
	}
	if (!err && cell->seen != row_id) {
		add(&cell->total, &more);
		err = add_sums(r, row, &cell->sums.total);
	}
	cell->seen = row_id;
	return err;
}

/* Counts the functions at one frame of a stack: the leaf's innermost has the row as self. */
static int count_frame(struct report *r, uint32_t row_id, const struct location *location,
		       bool is_leaf)
{
	const struct code_line *line = names_lines(r->names, location);
	int err = 0;

	for (uint32_t i = 0; !err && i < location->lines; i++)
		err = count_function(r, row_id, line[i].function, is_leaf && i == 0);
	if (!err && location->unknown)
		err = count_unknown(r, row_id, location, is_leaf);
	return err;
}

static int count_row(struct report *r, uint32_t row_id, uint32_t *stack)
{
	const struct profile_row *row = idmap_at(&r->profile->rows, row_id);
	size_t length = profile_stack(r->profile, row, stack);
	int err = count_group(r, row, stack, length);

	if (!err)
		err = add_sums(r, row, &r->all_sums[row->event]);
	for (size_t i = 0; !err && i < length; i++)
		err = count_frame(r, row_id, names_location(r->names, stack[i]), i == 0);
	return err;
}

static int count_rows(struct report *r)
{
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	int err = stack ? 0 : -ENOMEM;

	for (uint32_t id = 1; !err && id <= r->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&r->profile->rows, id);

		if (row->count) /* else left out by a filter */
			err = count_row(r, id, stack);
	}
	free(stack);
	return err;
}

static int compare_totals(const struct profile_total *a, const struct profile_total *b)
{
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return (a->count < b->count) - (a->count > b->count);
}

static int compare_names(const struct profile *p, const struct function *a,
			 const struct function *b)
{
	int order = strcmp(profile_text(p, a->label), profile_text(p, b->label));

	return order ? order : strcmp(profile_text(p, a->path), profile_text(p, b->path));
}

static int compare_function_lines(const void *a, const void *b, void *ctx)
{
	const struct report *r = ctx;
	const struct report_line *x = a;
	const struct report_line *y = b;
	int order = compare_totals(&x->self, &y->self);

	if (!order)
		order = compare_totals(&x->total, &y->total);
	return order ? order
		     : compare_names(r->profile, names_function(r->names, x->id),
				     names_function(r->names, y->id));
}

static int compare_group_lines(const void *a, const void *b, void *ctx)
{
	const struct report_line *x = a;
	const struct report_line *y = b;
	int order = compare_totals(&x->self, &y->self);

	(void)ctx;
	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static int compare_unknowns(const void *a, const void *b, void *ctx)
{
	const struct report *r = ctx;
	const struct report_unknown *x = a;
	const struct report_unknown *y = b;
	int order = compare_totals(&x->self, &y->self);

	if (!order)
		order = compare_totals(&x->total, &y->total);
	if (!order)
		order = strcmp(profile_text(r->profile, x->path),
			       profile_text(r->profile, y->path));
	return order ? order : (x->reason > y->reason) - (x->reason < y->reason);
}

/* Adds the cells of the events shown up into one line for each id, at index id. */
static size_t fill_lines(const struct report *r, const struct idmap *cells,
			 struct report_line *line, size_t ids)
{
	size_t count = 0;

	for (uint32_t i = 1; i <= cells->count; i++) {
		const struct report_cell *cell = idmap_at(cells, i);

		if (r->leader != PROFILE_ALL_EVENTS && r->leader != cell->event)
			continue;
		line[cell->id].id = cell->id;
		line[cell->id].sums = cell->sums;
		add(&line[cell->id].self, &cell->self);
		add(&line[cell->id].total, &cell->total);
	}
	for (size_t id = 0; id < ids; id++)
		if (line[id].self.count || line[id].total.count)
			line[count++] = line[id];
	return count;
}

static int make_lines(struct report *r)
{
	size_t functions = r->names->functions.count + (size_t)1;
	size_t groups = r->groups.count + (size_t)1;

	r->function_line = calloc(functions, sizeof(*r->function_line));
	r->group_line = calloc(groups, sizeof(*r->group_line));
	r->unknown_line = calloc(r->unknowns.count + (size_t)1, sizeof(*r->unknown_line));
	if (!r->function_line || !r->group_line || !r->unknown_line)
		return -ENOMEM;
	r->function_lines = fill_lines(r, &r->functions, r->function_line, functions);
	r->group_lines = fill_lines(r, &r->group_cells, r->group_line, groups);
	for (uint32_t i = 0; i < r->unknowns.count; i++)
		r->unknown_line[i] = *(const struct report_unknown *)idmap_at(&r->unknowns, i + 1);
	qsort_r(r->function_line, r->function_lines, sizeof(*r->function_line),
		compare_function_lines, r);
	qsort_r(r->group_line, r->group_lines, sizeof(*r->group_line), compare_group_lines, r);
	qsort_r(r->unknown_line, r->unknowns.count, sizeof(*r->unknown_line), compare_unknowns, r);
	return 0;
}

/* The event whose samples are shown, where there is one. */
static uint32_t find_leader(const struct profile *p, uint32_t event)
{
	uint32_t sampling = 0;

	if (event != PROFILE_ALL_EVENTS)
		return profile_leader(p, event);
	for (uint32_t i = 0; i < profile_header(p)->n_event; i++)
		sampling += profile_leader(p, i) == i;
	return sampling == 1 ? 0 : PROFILE_ALL_EVENTS; /* those that lead come first */
}

static void init_report(struct report *r)
{
	const enum report_by by = r->options->by;

	r->group_by = by < REPORT_BY_PID ? REPORT_BY_PID : by;
	r->shown = r->event == PROFILE_ALL_EVENTS ? r->profile->all : r->profile->event[r->event];
	r->leader = find_leader(r->profile, r->event);
	r->sums.counters = r->profile->sums.counters;
	if (r->leader != PROFILE_ALL_EVENTS)
		metrics_find(r->profile, r->leader, &r->metrics);
	idmap_init(&r->calls, sizeof(struct report_call), sizeof(struct report_call));
	idmap_init(&r->functions, sizeof(struct report_cell), offsetof(struct report_cell, self));
	idmap_init(&r->groups, sizeof(struct report_group), sizeof(struct report_group));
	idmap_init(&r->group_cells, sizeof(struct report_cell), offsetof(struct report_cell, self));
	idmap_init(&r->unknowns, sizeof(struct report_unknown),
		   offsetof(struct report_unknown, self));
}

static void release_report(struct report *r)
{
	idmap_release(&r->functions);
	idmap_release(&r->groups);
	idmap_release(&r->group_cells);
	idmap_release(&r->unknowns);
	idmap_release(&r->calls);
	sums_release(&r->sums);
	free(r->function_line);
	free(r->group_line);
	free(r->unknown_line);
}

static int report(const struct report_options *options, const struct profile *p,
		  const struct names *names, uint32_t event)
{
	struct report r = { .options = options, .profile = p, .names = names, .event = event };
	int err;

	init_report(&r);
	err = count_rows(&r);
	if (!err)
		err = make_lines(&r);
	if (!err && options->json)
		err = report_print_json(&r);
	else if (!err && options->stats)
		report_print_stats(&r);
	else if (!err)
		err = report_print_text(&r);
	release_report(&r);
	return err;
}

/* What does not go together. */
static int check_options(const struct report_options *o)
{
	if (o->tree && o->by != REPORT_BY_DEFAULT && o->by != REPORT_BY_PID &&
	    o->by != REPORT_BY_TID)
		cli_error(&report_program,
			  "a tree is --by pid or tid, or of everything, not --by %s",
			  report_by_word(o->by));
	else if (o->tree + o->stats + (o->peek != NULL) > 1)
		cli_error(&report_program, "one of --tree, --peek and --stats at a time");
	else
		return 0;
	return 2;
}

int main(int argc, char **argv)
{
	struct report_options options = { .min_percent = 1 };
	struct cli_input input = { 0 };
	enum profile_by whose = PROFILE_BY_PROCESS;
	struct profile *profile = NULL;
	struct names *names = NULL;
	uint32_t event = PROFILE_ALL_EVENTS;
	int status;
	int err = 0;

	status = cli_parse(&report_program, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = check_options(&options);
	if (status)
		return status;
	options.function = input.function;
	if (options.by == REPORT_BY_TID || options.by == REPORT_BY_COMM)
		whose = PROFILE_BY_THREAD;
	status = cli_read(&report_program, &input, whose, options.by == REPORT_BY_CPU, &profile,
			  &names);
	if (status)
		return status;
	if (options.event || !options.json || options.tree || options.peek)
		status = cli_event(&report_program, profile, options.event, &event);
	if (!status) {
		err = report(&options, profile, names, event);
		if (err)
			cli_error(&report_program, "cannot report: %s", strerror(-err));
		status = cli_close(&report_program, stdout, "stdout");
	}
	names_free(names);
	profile_free(profile);
	filter_release(&input.filter);
	return err ? 1 : status;
}

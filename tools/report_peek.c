/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_peek.c - profiler-report --peek: who calls a function, and whom it calls.
 *
 * A sample counts once for each caller and each function called that its stack has next to the
 * function, however often. So without recursion the callers add up to the function's total, and so
 * do what it calls and itself.
 */
#include "tools/report.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"
#include "tools/stack.h"
#include "tools/text.h"

/* Of shares in percent and the weight, before the functions. */
#define NUMBER_COLUMNS 28

/* What is left of a line for a function, where one also says where it is. */
#define NAME_COLUMNS_MIN 16

/* Lines for the callers of a function, and as many for what it calls, where nobody says. */
#define NEIGHBOURS_DEFAULT 10

enum side {
	SIDE_CALLER,
	SIDE_CALLED,
	SIDES,
};

/* A function next to one that is wanted. */
struct neighbour {
	uint32_t function;
	uint32_t side;
	uint32_t other; /* function; 0: nobody called it, or it is sampled itself */
	uint32_t reserved;
	/* up to here the key */
	struct profile_total total;
	uint32_t seen; /* last row that was counted */
	uint32_t reserved_too;
};

struct peek {
	const struct report *report;
	bool *wanted; /* by function */
	struct idmap neighbours;
	struct neighbour *sorted; /* by function, side and total */
};

static int match_functions(struct peek *p)
{
	const struct report *r = p->report;
	regex_t pattern;

	p->wanted = calloc((size_t)r->names->functions.count + 1, sizeof(*p->wanted));
	if (!p->wanted || regcomp(&pattern, r->options->peek, REG_EXTENDED | REG_NOSUB))
		return -ENOMEM; /* the command line's regex was tried before */
	for (uint32_t id = 1; id <= r->names->functions.count; id++) {
		uint32_t label = names_function(r->names, id)->label;

		p->wanted[id] = !regexec(&pattern, profile_text(r->profile, label), 0, NULL, 0);
	}
	regfree(&pattern);
	return 0;
}

static int count_neighbour(struct peek *p, uint32_t row, const struct profile_total *more,
			   uint32_t function, enum side side, uint32_t other)
{
	const struct neighbour key = { .function = function, .side = side, .other = other };
	struct neighbour *n;
	uint32_t id = 0;
	int err = idmap_get(&p->neighbours, &key, &id);

	if (err < 0)
		return err;
	n = idmap_at(&p->neighbours, id);
	if (n->seen == row)
		return 0;
	n->seen = row;
	n->total.count += more->count;
	n->total.weight += more->weight;
	return 0;
}

static int count_row(struct peek *p, uint32_t id, struct stack *stack)
{
	const struct report *r = p->report;
	const struct profile_row *row = idmap_at(&r->profile->rows, id);
	const struct profile_total more = profile_row_total(r->profile, row, r->event);
	int err = more.count ? stack_read(stack, r->names, row) : 0;

	for (size_t i = 0; !err && more.count && i < stack->count; i++) {
		uint32_t function = stack->frame[i].function;
		uint32_t caller = i + 1 < stack->count ? stack->frame[i + 1].function : 0;

		if (!p->wanted[function])
			continue;
		err = count_neighbour(p, id, &more, function, SIDE_CALLER, caller);
		if (!err)
			err = count_neighbour(p, id, &more, function, SIDE_CALLED,
					      i ? stack->frame[i - 1].function : 0);
	}
	return err;
}

static int compare_neighbours(const void *a, const void *b)
{
	const struct neighbour *x = a;
	const struct neighbour *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	if (x->side != y->side)
		return x->side < y->side ? -1 : 1;
	if (x->total.weight != y->total.weight)
		return x->total.weight > y->total.weight ? -1 : 1;
	return (x->other > y->other) - (x->other < y->other);
}

static void close_peek(struct peek *p)
{
	idmap_release(&p->neighbours);
	free(p->wanted);
	free(p->sorted);
}

static int open_peek(struct peek *p, const struct report *r)
{
	struct stack *stack = calloc(1, sizeof(*stack));
	int err = stack ? 0 : -ENOMEM;

	*p = (struct peek){ .report = r };
	idmap_init(&p->neighbours, sizeof(struct neighbour), offsetof(struct neighbour, total));
	if (!err)
		err = match_functions(p);
	for (uint32_t id = 1; !err && id <= r->profile->rows.count; id++)
		err = count_row(p, id, stack);
	if (stack)
		stack_release(stack);
	free(stack);
	p->sorted = err ? NULL : calloc(p->neighbours.count + (size_t)1, sizeof(*p->sorted));
	if (!p->sorted)
		return err ? err : -ENOMEM;
	for (uint32_t i = 0; i < p->neighbours.count; i++)
		p->sorted[i] = *(const struct neighbour *)idmap_at(&p->neighbours, i + 1);
	qsort(p->sorted, p->neighbours.count, sizeof(*p->sorted), compare_neighbours);
	return 0;
}

/* The first of a function's neighbours on a side, and how many there are. */
static const struct neighbour *find_side(const struct peek *p, uint32_t function, enum side side,
					 size_t *ret_count)
{
	const struct neighbour *end = p->sorted + p->neighbours.count;
	const struct neighbour *first = p->sorted;
	const struct neighbour *at;

	while (first < end && (first->function != function || first->side != side))
		first++;
	for (at = first; at < end && at->function == function && at->side == side; at++)
		;
	*ret_count = (size_t)(at - first);
	return first;
}

static void print_numbers(const struct screen *s, const struct peek *p, uint64_t weight,
			  uint64_t whole)
{
	char text[TEXT_NUMBER_MAX];

	screen_print_share(s, report_share(weight, p->report->shown.weight));
	printf(" %6.2f%% %10s  ", 100 * report_share(weight, whole),
	       text_weight(text, weight, report_unit(p->report)));
}

static void print_side(const struct screen *s, const struct peek *p, const struct report_line *line,
		       enum side side)
{
	static const char *const words[SIDES] = { "  called by ", "  calls " };
	static const char *const none[SIDES] = { "  called by nobody: outermost", "  itself" };
	uint32_t most = p->report->options->rows ? p->report->options->rows : NEIGHBOURS_DEFAULT;
	char number[TEXT_NUMBER_MAX];
	size_t count;
	const struct neighbour *n = find_side(p, line->id, side, &count);

	for (size_t i = 0; i < count && i < most; i++) {
		const struct function *f = names_function(p->report->names, n[i].other);

		print_numbers(s, p, n[i].total.weight, line->total.weight);
		fputs(n[i].other ? words[side] : none[side], stdout);
		if (n[i].other)
			screen_print_cut(
				profile_text(p->report->profile, f->label),
				s->columns ? s->columns - NUMBER_COLUMNS - strlen(words[side]) : 0);
		putchar('\n');
	}
	if (count > most)
		printf("%28s  (and %s more, see -n)\n", "", text_count(number, count - most));
}

/* Its name, and where it is if there is room for that, too. */
static void print_function(const struct screen *s, const struct report *r, const struct function *f)
{
	const char *where = profile_text(r->profile, f->where);
	size_t room = s->columns ? s->columns - NUMBER_COLUMNS : 0;
	size_t used = f->where ? text_columns(where) + strlen("  ()") : 0;

	if (room && used + NAME_COLUMNS_MIN > room)
		used = 0;
	screen_print_cut(profile_text(r->profile, f->label), room ? room - used : 0);
	if (used)
		printf("  (%s)", where);
	putchar('\n');
}

int report_print_peek(const struct screen *s, const struct report *r)
{
	struct peek p;
	int err = open_peek(&p, r);
	size_t found = 0;

	for (size_t i = 0; !err && i < r->function_lines; i++) {
		const struct report_line *line = &r->function_line[i];
		const struct function *f = names_function(r->names, line->id);

		if (!p.wanted[line->id])
			continue;
		if (found++)
			putchar('\n');
		else
			screen_print_heading(s, "  total   of it       time  function");
		print_side(s, &p, line, SIDE_CALLER);
		print_numbers(s, &p, line->total.weight, line->total.weight);
		print_function(s, r, f);
		print_side(s, &p, line, SIDE_CALLED);
	}
	if (!err && !found)
		screen_print_line(s, "no function's name has '%s' in it", r->options->peek);
	close_peek(&p);
	return err;
}

static void print_json_side(const struct peek *p, uint32_t function, enum side side)
{
	const struct report *r = p->report;
	size_t count;
	const struct neighbour *n = find_side(p, function, side, &count);

	printf(", \"%s\": [", side == SIDE_CALLER ? "callers" : "calls");
	for (size_t i = 0; i < count; i++) {
		const struct function *f = names_function(r->names, n[i].other);

		fputs(i ? ", {" : "{", stdout);
		if (n[i].other) {
			json_text("name",
				  f->name ? profile_text(r->profile, f->name) : "[unknown]");
			json_text("mapping", profile_text(r->profile, f->path));
		} else {
			fputs("\"name\": null, ", stdout);
		}
		printf("\"samples\": %" PRIu64 ", \"weight\": %" PRIu64 "}", n[i].total.count,
		       n[i].total.weight);
	}
	putchar(']');
}

int report_json_peek(const struct report *r)
{
	const char *separator = "";
	struct peek p;
	int err = open_peek(&p, r);

	if (!err)
		fputs("  \"peek\": [", stdout);
	for (size_t i = 0; !err && i < r->function_lines; i++) {
		const struct report_line *line = &r->function_line[i];
		const struct function *f = names_function(r->names, line->id);

		if (!p.wanted[line->id])
			continue;
		printf("%s\n    {", separator);
		separator = ",";
		json_text("name", f->name ? profile_text(r->profile, f->name) : "[unknown]");
		json_text("mapping", profile_text(r->profile, f->path));
		printf("\"self\": %" PRIu64 ", \"total\": %" PRIu64 ", \"self_weight\": %" PRIu64
		       ", \"total_weight\": %" PRIu64,
		       line->self.count, line->total.count, line->self.weight, line->total.weight);
		print_json_side(&p, line->id, SIDE_CALLER);
		print_json_side(&p, line->id, SIDE_CALLED);
		putchar('}');
	}
	if (!err)
		fputs("\n  ],\n", stdout);
	close_peek(&p);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_text.c - profiler-report for people.
 *
 * Tables of functions, of groups of samples, and of events.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/container.h"
#include "tools/text.h"

#define ROWS_DEFAULT   20
#define ROWS_SECONDARY 5 /* lines of a table that nobody asked for */

/* In a terminal: most columns of the mapping's name, and with metrics in the table. */
#define WHERE_COLUMNS	  20
#define WHERE_COLUMNS_MIN 10

/* Metrics leave so many columns to what the line is of, */
#define NAME_COLUMNS_MIN 24

/* and in a pipe or a file, where lines may be longer, are as many as in a common terminal. */
#define COLUMNS_PIPE 80

/* 95 % of samples taken at random lie within so many standard deviations. */
#define CONFIDENCE_95 1.96

double report_share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

const char *report_unit(const struct report *r)
{
	const Profiler__Header *h = profile_header(r->profile);

	return r->event < h->n_event ? h->event[r->event]->unit : "count";
}

/*
 * Half of the 95 % interval of a share of counts, in points: y of a line's samples by y of all. As
 * of any ratio of sums (metrics.c), the variance is that of y - share * y, the first y 0 elsewhere.
 */
static double counts_error_points(const struct report *r, uint32_t sums)
{
	const uint32_t place = group_place(&r->profile->groups.of[r->leader], r->event);
	const union sums_word *all = sums_at(&r->sums, r->all_sums[r->leader]);
	const union sums_word *part = sums_at(&r->sums, sums);
	double share = report_share(sums_count(part, place), sums_count(all, place));
	double rest = (1 - 2 * share) * sums_product(&r->sums, part, place, place) +
		      share * share * sums_product(&r->sums, all, place, place);

	return rest > 0 ? 100 * CONFIDENCE_95 * sqrt(rest) / (double)sums_count(all, place) : 0;
}

/* Half of the 95 % interval of a line's share of all samples, or counts, in points. */
static double error_points(const struct report *r, const struct report_line *line)
{
	double part = report_share(line->self.count, r->shown.count);

	if (r->event != r->leader && line->sums.self)
		return counts_error_points(r, line->sums.self);
	return r->shown.count
		       ? 100 * CONFIDENCE_95 * sqrt(part * (1 - part) / (double)r->shown.count)
		       : 0;
}

static size_t rows(const struct report *r, size_t lines, uint32_t by_default)
{
	uint32_t wanted = r->options->rows ? r->options->rows : by_default;

	return lines < wanted ? lines : wanted;
}

static const char *function_where(const struct report *r, const struct function *f)
{
	return f->where ? profile_text(r->profile, f->where) : "-";
}

/* How the table of functions is laid out. */
struct function_look {
	struct metric_columns metrics;
	bool weight; /* a column of its own; where there is no room the shares have to do */
	size_t where;
	size_t name; /* 0: no limit */
};

/* Columns for the names of mappings: as wide as the widest that will be shown. */
static size_t where_columns(const struct report *r, size_t lines)
{
	size_t widest = strlen("where");

	for (size_t i = 0; i < lines; i++) {
		const struct function *f = names_function(r->names, r->function_line[i].id);
		size_t columns = text_columns(function_where(r, f));

		if (columns > widest)
			widest = columns;
	}
	return widest;
}

static struct function_look find_function_look(const struct screen *s, const struct report *r,
					       size_t lines)
{
	const size_t shares = 21, weight = 11, gaps = 4; /* columns */
	size_t columns = s->columns ? s->columns : COLUMNS_PIPE;
	struct function_look look = { .where = where_columns(r, lines) };
	size_t most = WHERE_COLUMNS, used;

	used = shares + gaps + WHERE_COLUMNS_MIN + NAME_COLUMNS_MIN;
	look.metrics = report_metric_columns(r, columns > used ? columns - used : 0, true);
	if (look.metrics.count)
		most = WHERE_COLUMNS_MIN;
	look.weight = !look.metrics.count || look.metrics.wide;
	if (s->columns && look.where > most)
		look.where = most;
	used = shares + gaps + look.where + look.metrics.width + (look.weight ? weight : 0);
	look.name = s->columns > used ? s->columns - used : 0;
	return look;
}

static void print_function(const struct screen *s, const struct report *r,
			   const struct report_line *line, const struct function_look *look)
{
	const struct function *f = line->id ? names_function(r->names, line->id) : NULL;
	const char *name = f && f->name ? profile_text(r->profile, f->name) : "[unknown]";
	const char *file = f ? function_where(r, f) : "-";
	size_t used = text_columns(file) < look->where ? text_columns(file) : look->where;
	char weight[TEXT_NUMBER_MAX];

	screen_print_share(s, report_share(line->self.weight, r->shown.weight));
	printf(" %5.2f %6.2f%%", error_points(r, line),
	       100 * report_share(line->total.weight, r->shown.weight));
	if (look->weight)
		printf(" %10s", text_weight(weight, line->self.weight, report_unit(r)));
	report_print_metrics(&look->metrics, &line->sums);
	fputs("  ", stdout);
	screen_print_cut(file, look->where);
	printf("%*s", (int)(look->where - used + 2), "");
	screen_print_cut(f ? name : "[all]", look->name);
	putchar('\n');
}

static void print_more(size_t left)
{
	char number[TEXT_NUMBER_MAX];

	if (left)
		printf("(and %s more, see -n)\n", text_count(number, left));
}

/* Everything, as one line of a table. */
static struct report_line all_line(const struct report *r)
{
	uint32_t sums = r->leader == PROFILE_ALL_EVENTS ? 0 : r->all_sums[r->leader];

	return (struct report_line){ .self = r->shown, .total = r->shown, .sums = { sums, sums } };
}

static void print_functions(const struct screen *s, const struct report *r)
{
	size_t lines = rows(r, r->function_lines, ROWS_DEFAULT);
	struct function_look look = find_function_look(s, r, lines);
	const struct report_line all = all_line(r);
	char heading[HEADING_MAX] = "   self     ±   total";
	size_t used = strlen(heading);

	report_print_metric_legend(s, &look.metrics);
	if (look.weight)
		snprintf(heading + used, sizeof(heading) - used, "  %9s",
			 !strcmp(report_unit(r), "nanoseconds") ? "self time" : "self");
	report_metric_heading(&look.metrics, heading);
	used = strlen(heading);
	snprintf(heading + used, sizeof(heading) - used, "  %-*s  function", (int)look.where,
		 "where");
	screen_print_heading(s, heading);
	if (look.metrics.count)
		print_function(s, r, &all, &look);
	for (size_t i = 0; i < lines; i++)
		print_function(s, r, &r->function_line[i], &look);
	print_more(r->function_lines - lines);
}

/* How a table of groups looks: a column of numbers before the texts, if any. */
struct group_look {
	const char *number;
	const char *text;
	void (*print)(const char *text, size_t columns); /* what is too long */
};

static const struct group_look looks[REPORT_BYS] = {
	[REPORT_BY_PID] = { "pid", "process", screen_print_cut },
	[REPORT_BY_TID] = { "tid", "thread", screen_print_cut },
	[REPORT_BY_COMM] = { NULL, "comm", screen_print_cut },
	[REPORT_BY_CGROUP] = { NULL, "cgroup", screen_print_end },
	[REPORT_BY_CONTAINER] = { NULL, "container", screen_print_cut },
	[REPORT_BY_CPU] = { "cpu", "", screen_print_cut },
	[REPORT_BY_MAPPING] = { NULL, "mapping", screen_print_end },
	[REPORT_BY_SOURCE] = { NULL, "source", screen_print_end },
	[REPORT_BY_STACK] = { NULL, "stack", screen_print_middle },
};

/* Leaf first. */
static void write_stack(FILE *to, const struct report *r, uint32_t call)
{
	const char *separator = "";

	while (call) {
		const struct report_call *c = idmap_at(&r->calls, call);
		const struct function *f = names_function(r->names, c->function);

		fprintf(to, "%s%s", separator, profile_text(r->profile, f->label));
		separator = ";";
		call = c->caller;
	}
}

static void write_group(FILE *to, const struct report *r, const struct report_group *group)
{
	const char *name = group->text ? profile_text(r->profile, group->text) : "[unknown]";

	if (r->group_by == REPORT_BY_STACK)
		write_stack(to, r, group->stack);
	else if (r->group_by == REPORT_BY_CONTAINER && group->text)
		fprintf(to, "%.*s", CONTAINER_SHORT_DIGITS, name);
	else if (r->group_by == REPORT_BY_CONTAINER && group->has_none)
		fputs("[no container]", to);
	else if (r->group_by == REPORT_BY_SOURCE && group->has_none)
		fprintf(to, "[no line] %s", name);
	else if (r->group_by == REPORT_BY_SOURCE)
		fprintf(to, "%s:%" PRIu32, name, group->line);
	else
		fputs(name, to);
}

/* As much as fits; what is too long is cut where that group's texts say the least. */
static void print_group_text(const struct report *r, const struct report_group *group,
			     size_t columns)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return;
	write_group(to, r, group);
	if (!fclose(to))
		looks[r->group_by].print(text, columns);
	free(text);
}

#define GROUP_COLUMNS  26 /* before the metrics */
#define NUMBER_COLUMNS 12 /* behind them */

static void print_group(const struct screen *s, const struct report *r,
			const struct report_line *line, const struct metric_columns *metrics)
{
	const struct report_group *group = line->id ? idmap_at(&r->groups, line->id) : NULL;
	const struct group_look *look = &looks[r->group_by];
	size_t used = GROUP_COLUMNS + metrics->width + (look->number ? NUMBER_COLUMNS : 0);
	char weight[TEXT_NUMBER_MAX];

	screen_print_share(s, report_share(line->self.weight, r->shown.weight));
	printf(" %5.2f %10s", error_points(r, line),
	       text_weight(weight, line->self.weight, report_unit(r)));
	report_print_metrics(metrics, &line->sums);
	fputs("  ", stdout);
	if (r->group_by == REPORT_BY_CPU && group)
		printf("%10" PRIu32, group->cpu);
	else if (look->number && group)
		printf("%10" PRIu32 "  ", r->group_by == REPORT_BY_TID ? group->tid : group->pid);
	else if (look->number)
		printf("%10s%s", *look->text ? "" : "[all]", *look->text ? "  " : "");
	if (*look->text && group)
		print_group_text(r, group, s->columns > used ? s->columns - used : 0);
	else if (*look->text)
		fputs("[all]", stdout);
	putchar('\n');
}

static void print_groups(const struct screen *s, const struct report *r, uint32_t by_default)
{
	const struct group_look *look = &looks[r->group_by];
	size_t lines = rows(r, r->group_lines, by_default);
	size_t columns = s->columns ? s->columns : COLUMNS_PIPE;
	size_t used = GROUP_COLUMNS + NAME_COLUMNS_MIN + (look->number ? NUMBER_COLUMNS : 0);
	struct metric_columns metrics =
		report_metric_columns(r, columns > used ? columns - used : 0, false);
	const struct report_line all = all_line(r);
	char heading[HEADING_MAX];

	if (r->options->by != REPORT_BY_DEFAULT)
		report_print_metric_legend(s, &metrics);
	snprintf(heading, sizeof(heading), "  share     ± %10s",
		 !strcmp(report_unit(r), "nanoseconds") ? "time" : "weight");
	report_metric_heading(&metrics, heading);
	used = strlen(heading);
	snprintf(heading + used, sizeof(heading) - used, "  %*s%s%s", look->number ? 10 : 0,
		 look->number ? look->number : "", look->number && *look->text ? "  " : "",
		 look->text);
	screen_print_heading(s, heading);
	if (metrics.count)
		print_group(s, r, &all, &metrics);
	for (size_t i = 0; i < lines; i++)
		print_group(s, r, &r->group_line[i], &metrics);
	print_more(r->group_lines - lines);
}

static void print_events(const struct screen *s, const struct report *r)
{
	const struct profile *p = r->profile;
	char count[TEXT_NUMBER_MAX];
	char weight[TEXT_NUMBER_MAX];
	char name[EVENT_NAME_MAX];

	screen_print_heading(s, "     samples     weight  event");
	for (uint32_t i = 0; i < profile_header(p)->n_event; i++)
		printf("%12s %10s  %s\n", text_count(count, p->event[i].count),
		       text_weight(weight, p->event[i].weight, profile_header(p)->event[i]->unit),
		       profile_event_name(p, i, name));
}

static int print_tables(const struct screen *s, const struct report *r)
{
	const enum report_by by = r->options->by;

	if (r->options->tree)
		return report_print_tree(s, r);
	if (r->options->peek)
		return report_print_peek(s, r);
	if (by <= REPORT_BY_FUNCTION)
		print_functions(s, r);
	if (by == REPORT_BY_DEFAULT)
		putchar('\n');
	if (by != REPORT_BY_FUNCTION)
		print_groups(s, r, by == REPORT_BY_DEFAULT ? ROWS_SECONDARY : ROWS_DEFAULT);
	return 0;
}

int report_print_text(const struct report *r)
{
	struct screen s = screen_find();
	char name[EVENT_NAME_MAX];

	if (r->options->wide)
		s.columns = 0;

	report_print_head(&s, r);
	putchar('\n');
	if (r->options->by == REPORT_BY_EVENT) {
		print_events(&s, r);
		return 0;
	}
	if (!r->shown.count) {
		puts("no samples");
		return 0;
	}
	if (profile_header(r->profile)->n_event > 1)
		screen_print_line(&s, "%s (--event NAME shows another):",
				  profile_event_name(r->profile, r->event, name));
	return print_tables(&s, r);
}

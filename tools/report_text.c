/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_text.c - profiler-report for people.
 *
 * What was recorded, and tables of functions, of groups of samples, and of events.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/container.h"
#include "tools/losses.h"
#include "tools/text.h"

#define ROWS_DEFAULT   20
#define ROWS_SECONDARY 5  /* lines of a table that nobody asked for */
#define WHERE_COLUMNS  20 /* of the mapping's name, in a terminal */

/* A path and a number: more than that the operating system does not have. */
#define GROUP_TEXT_MAX (PATH_MAX + 64)

/* 95 % of samples taken at random lie within so many standard deviations. */
#define CONFIDENCE_95 1.96

double report_share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static void print_origin(const struct screen *s, const struct profile *p)
{
	const Profiler__Header *h = profile_header(p);
	uint64_t start_ns = profile_realtime_ns(p, h->start_ns);
	time_t seconds = (time_t)(start_ns / 1000000000);
	const Profiler__Ledger *ledger = profile_ledger(p);
	char when[64] = "at an unknown time";
	struct tm tm;

	if (start_ns && gmtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	screen_print_line(s, "%s on %s (Linux %s %s, %" PRIu32 " CPUs)",
			  *h->target ? h->target : "profile",
			  *h->hostname ? h->hostname : "unknown host", h->kernel_release,
			  h->machine, h->cpus_online);
	screen_print_line(s, "%s, %.2f s%s%s", when, (double)profile_duration_ns(p) / 1e9,
			  ledger && *ledger->stopped_by ? ", ended by " : "",
			  ledger ? ledger->stopped_by : "");
}

/* "cpu-clock at 1,000 Hz (for cycles): 336 samples, 0.34 s, 3.4 % lost" */
static void print_event(const struct screen *s, const struct profile *p, uint32_t event)
{
	const Profiler__Event *e = profile_header(p)->event[event];
	struct ledger_sum sum = ledger_sum(profile_ledger(p), event);
	int64_t blind = ledger_busy_blind(profile_header(p), profile_ledger(p), event);
	uint64_t lost = sum.dropped + sum.throttled + (uint64_t)(blind > 0 ? blind : 0);
	char name[EVENT_NAME_MAX];
	char rate[TEXT_NUMBER_MAX];
	char count[TEXT_NUMBER_MAX];
	char weight[TEXT_NUMBER_MAX];
	char loss[TEXT_NUMBER_MAX] = "";

	if (profile_ledger(p))
		snprintf(loss, sizeof(loss), ", %.2f %% lost",
			 100 * report_share(lost, lost + sum.written));
	screen_print_line(s, "%s %s %s%s%s%s%s: %s samples, %s%s%s",
			  profile_event_name(p, event, name), e->asked_in_hz ? "at" : "every",
			  text_count(rate, e->granted), e->asked_in_hz ? " Hz" : "",
			  *e->requested ? " (for " : "", e->requested, *e->requested ? ")" : "",
			  text_count(count, p->event[event].count),
			  text_weight(weight, p->event[event].weight, e->unit),
			  strcmp(e->unit, "nanoseconds") != 0 ? " counted" : "", loss);
}

/* What the ledger and the samples say of each other. */
static void print_doubts(const struct screen *s, const struct profile *p)
{
	const Profiler__Ledger *ledger = profile_ledger(p);
	struct ledger_sum sum = ledger_sum(ledger, PROFILE_ALL_EVENTS);
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];

	if (ledger && !ledger->final)
		screen_print_line(s,
				  "notice: the recording did not end in order; the ledger is older "
				  "than the last samples");
	else if (ledger && ledger->n_row && !profile_damage(p) && sum.written != p->all.count)
		screen_print_line(s,
				  "notice: the ledger counts %s samples written, the stream has %s",
				  text_count(a, sum.written), text_count(b, p->all.count));
	if (sum.unaccounted)
		screen_print_line(s,
				  "notice: %s%s samples are unaccounted for: a bug in the recorder",
				  sum.unaccounted < 0 ? "-" : "",
				  text_count(a, (uint64_t)llabs(sum.unaccounted)));
}

void report_print_head(const struct screen *s, const struct profile *p)
{
	const Profiler__Header *h = profile_header(p);
	char ledger[LEDGER_TEXT_MAX];

	print_origin(s, p);
	for (uint32_t i = 0; i < h->n_event; i++)
		print_event(s, p, i);
	for (size_t i = 0; i < h->n_notice; i++)
		screen_print_line(s, "notice: %s", h->notice[i]);
	screen_print_line(s, "ledger: %s", ledger_text(p, PROFILE_ALL_EVENTS, ledger));
	print_doubts(s, p);
}

static const char *unit(const struct report *r)
{
	const Profiler__Header *h = profile_header(r->profile);

	return r->event < h->n_event ? h->event[r->event]->unit : "count";
}

/* Half of the 95 % interval of a share, in points. */
static double error_points(const struct report *r, const struct profile_total *t)
{
	double part = report_share(t->count, r->shown.count);

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

/* Columns for the names of mappings: as wide as the widest that will be shown. */
static size_t where_columns(const struct screen *s, const struct report *r, size_t lines)
{
	size_t widest = strlen("where");

	for (size_t i = 0; i < lines; i++) {
		const struct function *f = names_function(r->names, r->function_line[i].id);
		size_t columns = text_columns(function_where(r, f));

		if (columns > widest)
			widest = columns;
	}
	return s->columns && widest > WHERE_COLUMNS ? WHERE_COLUMNS : widest;
}

static void print_function(const struct screen *s, const struct report *r,
			   const struct report_line *line, size_t where)
{
	const struct function *f = names_function(r->names, line->id);
	const char *name = f->name ? profile_text(r->profile, f->name) : "[unknown]";
	const char *file = function_where(r, f);
	size_t used = text_columns(file) < where ? text_columns(file) : where;
	const size_t numbers = 36; /* columns of what is printed before the names */
	char weight[TEXT_NUMBER_MAX];

	screen_print_share(s, report_share(line->self.weight, r->shown.weight));
	printf(" %5.2f %6.2f%% %10s  ", error_points(r, &line->self),
	       100 * report_share(line->total.weight, r->shown.weight),
	       text_weight(weight, line->self.weight, unit(r)));
	screen_print_cut(file, where);
	printf("%*s", (int)(where - used + 2), "");
	screen_print_cut(name, s->columns ? s->columns - numbers - where : 0);
	putchar('\n');
}

static void print_more(size_t left)
{
	char number[TEXT_NUMBER_MAX];

	if (left)
		printf("(and %s more, see -n)\n", text_count(number, left));
}

static void print_functions(const struct screen *s, const struct report *r)
{
	size_t lines = rows(r, r->function_lines, ROWS_DEFAULT);
	size_t where = where_columns(s, r, lines);
	char heading[128];

	snprintf(heading, sizeof(heading), "   self     ±   total  %9s  %-*s  function",
		 !strcmp(unit(r), "nanoseconds") ? "self time" : "self", (int)where, "where");
	screen_print_heading(s, heading);
	for (size_t i = 0; i < lines; i++)
		print_function(s, r, &r->function_line[i], where);
	print_more(r->function_lines - lines);
}

/* How a table of groups looks: a column of numbers before the texts, if any. */
struct group_look {
	const char *number;
	const char *text;
	bool end_matters; /* of a text that is cut */
};

static const struct group_look looks[REPORT_BYS] = {
	[REPORT_BY_PID] = { "pid", "process", false },
	[REPORT_BY_TID] = { "tid", "thread", false },
	[REPORT_BY_COMM] = { NULL, "comm", false },
	[REPORT_BY_CGROUP] = { NULL, "cgroup", true },
	[REPORT_BY_CONTAINER] = { NULL, "container", false },
	[REPORT_BY_CPU] = { "cpu", "", false },
	[REPORT_BY_MAPPING] = { NULL, "mapping", true },
	[REPORT_BY_SOURCE] = { NULL, "source", true },
};

static void group_text(const struct report *r, const struct report_group *group,
		       char text[GROUP_TEXT_MAX])
{
	const char *name = group->text ? profile_text(r->profile, group->text) : "[unknown]";

	if (r->group_by == REPORT_BY_CPU)
		*text = 0;
	else if (r->group_by == REPORT_BY_CONTAINER && group->text)
		snprintf(text, GROUP_TEXT_MAX, "%.*s", CONTAINER_SHORT_DIGITS, name);
	else if (r->group_by == REPORT_BY_CONTAINER && group->has_none)
		snprintf(text, GROUP_TEXT_MAX, "[no container]");
	else if (r->group_by == REPORT_BY_SOURCE && group->has_none)
		snprintf(text, GROUP_TEXT_MAX, "[no line] %s", name);
	else if (r->group_by == REPORT_BY_SOURCE)
		snprintf(text, GROUP_TEXT_MAX, "%s:%" PRIu32, name, group->line);
	else
		snprintf(text, GROUP_TEXT_MAX, "%s", name);
}

static void print_group(const struct screen *s, const struct report *r,
			const struct report_line *line)
{
	const struct report_group *group = idmap_at(&r->groups, line->id);
	const struct group_look *look = &looks[r->group_by];
	size_t numbers = look->number ? 38 : 26; /* columns before the text */
	size_t room = s->columns ? s->columns - numbers : 0;
	char weight[TEXT_NUMBER_MAX];
	char text[GROUP_TEXT_MAX];

	screen_print_share(s, report_share(line->self.weight, r->shown.weight));
	printf(" %5.2f %10s  ", error_points(r, &line->self),
	       text_weight(weight, line->self.weight, unit(r)));
	if (r->group_by == REPORT_BY_CPU)
		printf("%10" PRIu32, group->cpu);
	else if (look->number)
		printf("%10" PRIu32 "  ", r->group_by == REPORT_BY_TID ? group->tid : group->pid);
	group_text(r, group, text);
	if (look->end_matters)
		screen_print_end(text, room);
	else
		screen_print_cut(text, room);
	putchar('\n');
}

static void print_groups(const struct screen *s, const struct report *r, uint32_t by_default)
{
	const struct group_look *look = &looks[r->group_by];
	size_t lines = rows(r, r->group_lines, by_default);
	char heading[128];

	snprintf(heading, sizeof(heading), "  share     ± %10s  %*s%s%s",
		 !strcmp(unit(r), "nanoseconds") ? "time" : "weight", look->number ? 10 : 0,
		 look->number ? look->number : "", look->number && *look->text ? "  " : "",
		 look->text);
	screen_print_heading(s, heading);
	for (size_t i = 0; i < lines; i++)
		print_group(s, r, &r->group_line[i]);
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

void report_print_text(const struct report *r)
{
	const struct screen s = screen_find();
	const enum report_by by = r->options->by;
	char name[EVENT_NAME_MAX];

	report_print_head(&s, r->profile);
	putchar('\n');
	if (by == REPORT_BY_EVENT) {
		print_events(&s, r);
		return;
	}
	if (!r->shown.count) {
		puts("no samples");
		return;
	}
	if (profile_header(r->profile)->n_event > 1)
		screen_print_line(&s, "%s (--event NAME shows another):",
				  profile_event_name(r->profile, r->event, name));
	if (by <= REPORT_BY_FUNCTION)
		print_functions(&s, r);
	if (by == REPORT_BY_DEFAULT)
		putchar('\n');
	if (by != REPORT_BY_FUNCTION)
		print_groups(&s, r, by == REPORT_BY_DEFAULT ? ROWS_SECONDARY : ROWS_DEFAULT);
}

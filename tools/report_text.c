/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_text.c - profiler-report for people.
 *
 * In a terminal lines are cut to its width (80 columns where it does not tell) and marked with
 * colours unless NO_COLOR is set; in a pipe or a file names are whole and plain.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/losses.h"
#include "tools/text.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN	60 /* in narrower ones lines wrap */
#define ROWS_DEFAULT	20
#define ROWS_SECONDARY	5  /* lines of a table that nobody asked for */
#define WHERE_COLUMNS	20 /* of the mapping's name, in a terminal */
#define LINE_BYTES	4096

/* Shares of self from which on a line stands out. */
#define SHARE_HOT  0.05
#define SHARE_WARM 0.005

/* 95 % of samples taken at random lie within so many standard deviations. */
#define CONFIDENCE_95 1.96

struct screen {
	size_t columns; /* 0: no limit */
	bool colours;
};

static const char bold[] = "\033[1m";
static const char red[] = "\033[31m";
static const char green[] = "\033[32m";
static const char plain[] = "\033[0m";

static struct screen find_screen(void)
{
	const char *columns = getenv("COLUMNS");
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct winsize size = { 0 };
	struct screen screen = { 0 };

	if (!isatty(STDOUT_FILENO))
		return screen;
	screen.colours = !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
	if (columns)
		screen.columns = strtoul(columns, NULL, 10);
	else if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		screen.columns = size.ws_col;
	if (!screen.columns)
		screen.columns = COLUMNS_DEFAULT;
	if (screen.columns < COLUMNS_MIN)
		screen.columns = COLUMNS_MIN;
	return screen;
}

static void print_colour(const struct screen *s, const char *colour)
{
	if (s->colours)
		fputs(colour, stdout);
}

/* Prints at most @columns of a clean text (0: all), with a '~' where it was cut. */
static void print_cut(const char *text, size_t columns)
{
	const char *end;

	if (!columns || text_columns(text) <= columns) {
		fputs(text, stdout);
		return;
	}
	end = text_skip(text, columns - 1);
	fwrite(text, 1, (size_t)(end - text), stdout);
	putchar('~');
}

/* Prints a line of text, broken between words where the screen ends. */
__attribute__((format(printf, 2, 3))) static void print_line(const struct screen *s,
							     const char *format, ...)
{
	char raw[LINE_BYTES];
	char text[LINE_BYTES * TEXT_CLEAN_GROWTH + 1];
	const char *at = text;
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	text[text_clean(text, raw, strlen(raw))] = 0;
	for (size_t room = s->columns; room && text_columns(at) > room; room = s->columns - 2) {
		const char *space = text_skip(at, room);

		while (space > at && *space != ' ')
			space--;
		if (space == at)
			break; /* one long word */
		printf("%.*s\n  ", (int)(space - at), at);
		at = space + 1;
	}
	puts(at);
}

static double share(uint64_t part, uint64_t whole)
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
	print_line(s, "%s on %s (Linux %s %s, %" PRIu32 " CPUs)",
		   *h->target ? h->target : "profile", *h->hostname ? h->hostname : "unknown host",
		   h->kernel_release, h->machine, h->cpus_online);
	print_line(s, "%s, %.2f s%s%s", when, (double)profile_duration_ns(p) / 1e9,
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
			 100 * share(lost, lost + sum.written));
	print_line(s, "%s %s %s%s%s%s%s: %s samples, %s%s%s", profile_event_name(p, event, name),
		   e->asked_in_hz ? "at" : "every", text_count(rate, e->granted),
		   e->asked_in_hz ? " Hz" : "", *e->requested ? " (for " : "", e->requested,
		   *e->requested ? ")" : "", text_count(count, p->event[event].count),
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
		print_line(s, "notice: the recording did not end in order; the ledger is older "
			      "than the last samples");
	else if (ledger && ledger->n_row && !profile_damage(p) && sum.written != p->all.count)
		print_line(s, "notice: the ledger counts %s samples written, the stream has %s",
			   text_count(a, sum.written), text_count(b, p->all.count));
	if (sum.unaccounted)
		print_line(s, "notice: %s%s samples are unaccounted for: a bug in the recorder",
			   sum.unaccounted < 0 ? "-" : "",
			   text_count(a, (uint64_t)llabs(sum.unaccounted)));
}

static void print_head(const struct screen *s, const struct profile *p)
{
	const Profiler__Header *h = profile_header(p);
	char ledger[LEDGER_TEXT_MAX];

	print_origin(s, p);
	for (uint32_t i = 0; i < h->n_event; i++)
		print_event(s, p, i);
	for (size_t i = 0; i < h->n_notice; i++)
		print_line(s, "notice: %s", h->notice[i]);
	print_line(s, "ledger: %s", ledger_text(p, PROFILE_ALL_EVENTS, ledger));
	print_doubts(s, p);
}

static const char *unit(const struct report *r)
{
	const Profiler__Header *h = profile_header(r->profile);

	return r->event < h->n_event ? h->event[r->event]->unit : "count";
}

static void print_heading(const struct screen *s, const char *text)
{
	print_colour(s, bold);
	print_cut(text, s->columns);
	print_colour(s, plain);
	putchar('\n');
}

/* A share of the samples, coloured by its size. */
static void print_share(const struct screen *s, double part)
{
	print_colour(s, part >= SHARE_HOT ? red : part >= SHARE_WARM ? green : "");
	printf("%6.2f%%", 100 * part);
	print_colour(s, plain);
}

/* Half of the 95 % interval of a share, in points. */
static double error_points(const struct report *r, const struct profile_total *t)
{
	double part = share(t->count, r->shown.count);

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

	print_share(s, share(line->self.weight, r->shown.weight));
	printf(" %5.2f %6.2f%% %10s  ", error_points(r, &line->self),
	       100 * share(line->total.weight, r->shown.weight),
	       text_weight(weight, line->self.weight, unit(r)));
	print_cut(file, where);
	printf("%*s", (int)(where - used + 2), "");
	print_cut(name, s->columns ? s->columns - numbers - where : 0);
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
	print_heading(s, heading);
	for (size_t i = 0; i < lines; i++)
		print_function(s, r, &r->function_line[i], where);
	print_more(r->function_lines - lines);
}

static void print_processes(const struct screen *s, const struct report *r, uint32_t by_default)
{
	size_t lines = rows(r, r->process_lines, by_default);
	const size_t numbers = 37;
	char weight[TEXT_NUMBER_MAX];

	print_heading(s, !strcmp(unit(r), "nanoseconds")
				 ? "  share     ±       time         pid  process"
				 : "  share     ±     weight         pid  process");
	for (size_t i = 0; i < lines; i++) {
		const struct report_line *line = &r->process_line[i];
		const struct profile_process *process = profile_process(r->profile, line->id);

		print_share(s, share(line->self.weight, r->shown.weight));
		printf(" %5.2f %10s  %10" PRIu32 "  ", error_points(r, &line->self),
		       text_weight(weight, line->self.weight, unit(r)), process ? process->pid : 0);
		print_cut(process ? profile_text(r->profile, process->comm) : "[unknown]",
			  s->columns ? s->columns - numbers : 0);
		putchar('\n');
	}
	print_more(r->process_lines - lines);
}

static void print_events(const struct screen *s, const struct report *r)
{
	const struct profile *p = r->profile;
	char count[TEXT_NUMBER_MAX];
	char weight[TEXT_NUMBER_MAX];
	char name[EVENT_NAME_MAX];

	print_heading(s, "     samples     weight  event");
	for (uint32_t i = 0; i < profile_header(p)->n_event; i++)
		printf("%12s %10s  %s\n", text_count(count, p->event[i].count),
		       text_weight(weight, p->event[i].weight, profile_header(p)->event[i]->unit),
		       profile_event_name(p, i, name));
}

void report_print_text(const struct report *r)
{
	const struct screen s = find_screen();
	const enum report_by by = r->options->by;
	char name[EVENT_NAME_MAX];

	print_head(&s, r->profile);
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
		print_line(&s, "%s (--event NAME shows another):",
			   profile_event_name(r->profile, r->event, name));
	if (by != REPORT_BY_PROCESS)
		print_functions(&s, r);
	if (by == REPORT_BY_DEFAULT)
		putchar('\n');
	if (by != REPORT_BY_FUNCTION)
		print_processes(&s, r, by == REPORT_BY_PROCESS ? ROWS_DEFAULT : ROWS_SECONDARY);
}

static void print_stats_row(const char *cpu, const char *event, const struct ledger_sum *sum,
			    uint64_t ring, uint64_t output)
{
	printf("%4s %-10.10s %9" PRIu64 " %6" PRId64 " %6" PRIu64 " %8" PRIu64 " %8" PRIu64
	       " %5" PRIu64 " %6" PRIu64 " %9" PRIu64 "\n",
	       cpu, event, sum->expected, sum->blind, sum->throttled, sum->idle, sum->filtered,
	       ring, output, sum->written);
}

static void print_stats_table(const struct report *r, const Profiler__Ledger *ledger)
{
	struct ledger_sum all = ledger_sum(ledger, PROFILE_ALL_EVENTS);
	uint64_t ring = 0;
	uint64_t output = 0;

	for (size_t i = 0; i < ledger->n_row; i++) {
		Profiler__LedgerRow *row = ledger->row[i];
		const Profiler__Ledger one = { .n_row = 1, .row = &row };
		struct ledger_sum sum = ledger_sum(&one, PROFILE_ALL_EVENTS);
		char event[EVENT_NAME_MAX] = "?";
		char cpu[16];

		if (row->event < profile_header(r->profile)->n_event)
			profile_event_name(r->profile, row->event, event);
		snprintf(cpu, sizeof(cpu), "%" PRIu32, row->cpu);
		print_stats_row(cpu, event, &sum, row->ring_full + row->ring_busy,
				row->handoff + row->output);
		ring += row->ring_full + row->ring_busy;
		output += row->handoff + row->output;
	}
	print_stats_row("all", "", &all, ring, output);
}

static void print_stat(const char *what, uint64_t value)
{
	char number[TEXT_NUMBER_MAX];

	printf("%14s  %s\n", text_count(number, value), what);
}

static void print_stats_rest(const Profiler__Ledger *ledger)
{
	struct ledger_sum sum = ledger_sum(ledger, PROFILE_ALL_EVENTS);
	uint64_t lost = 0;
	uint64_t failed = 0;
	uint64_t user_truncated = 0;
	uint64_t kernel_truncated = 0;

	for (size_t i = 0; i < ledger->n_row; i++) {
		lost += ledger->row[i]->stack_lost;
		failed += ledger->row[i]->user_failed;
		user_truncated += ledger->row[i]->user_truncated;
		kernel_truncated += ledger->row[i]->kernel_truncated;
	}
	print_stat("samples still in flight", sum.in_flight);
	print_stat("stacks lost for want of room in a ring", lost);
	print_stat("stacks given up because a table was full", ledger->stacks_unresolved);
	print_stat("user stacks that could not be read", failed);
	print_stat("user stacks cut at their outer end", user_truncated);
	print_stat("kernel stacks cut at their outer end", kernel_truncated);
	print_stat("samples of processes not known in time", ledger->unknown_process);
	print_stat("records of processes and mappings lost", ledger->sideband_lost);
	print_stat("packets dropped because the output was slow", ledger->packets_dropped);
	print_stat("kernel.perf_event_max_sample_rate", ledger->max_sample_rate);
}

/* How user stacks were walked, and how they end. */
static void print_stacks(const struct screen *s, const Profiler__Ledger *ledger)
{
	char number[TEXT_NUMBER_MAX];
	uint64_t all = 0;

	for (size_t i = 0; i < ledger->n_stacks; i++)
		all += ledger->stacks[i]->samples;
	if (!all)
		return;
	putchar('\n');
	print_heading(s, "   user stacks   share  walked by      end");
	for (size_t i = 0; i < ledger->n_stacks; i++) {
		const Profiler__StackCount *c = ledger->stacks[i];

		printf("%14s %6.2f%%  %-13s  %s\n", text_count(number, c->samples),
		       100 * share(c->samples, all), stack_how_text((uint32_t)c->how),
		       stack_end_text((uint32_t)c->end));
	}
}

void report_print_stats(const struct report *r)
{
	const struct screen s = find_screen();
	const Profiler__Ledger *ledger = profile_ledger(r->profile);

	print_head(&s, r->profile);
	if (!ledger)
		return;
	putchar('\n');
	print_heading(&s, " cpu event       expected  blind throt.     idle filtered  ring output "
			  "  written");
	print_stats_table(r, ledger);
	putchar('\n');
	print_stats_rest(ledger);
	print_stacks(&s, ledger);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_stats.c - profiler-report --stats: what became of every sample, count, stack and name.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tools/losses.h"
#include "tools/screen.h"
#include "tools/text.h"

#define WHERE_COLUMNS 20 /* of the mapping's name, in a terminal */

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

		if (profile_leader(r->profile, row->event) != row->event)
			continue; /* takes no samples */
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

/* How long the kernel had an event stopped: what the samples that it did not take stand for. */
static const char *throttled_time(const Profiler__Event *e, const struct ledger_counter *c,
				  char text[TEXT_NUMBER_MAX])
{
	if (!e->asked_in_hz || !e->granted)
		return "-";
	return text_weight(text, c->throttled * 1000000000 / e->granted, "nanoseconds");
}

static void print_event_end(const struct screen *s, const struct report *r, uint32_t event,
			    size_t used)
{
	char name[EVENT_NAME_MAX];

	screen_print_cut(profile_event_name(r->profile, event, name),
			 s->columns ? s->columns - used : 0);
	putchar('\n');
}

/* Rates in Hz of one CPU, or periods in counts; the rate that came of it, and what was in the way.
 */
static void print_rates(const struct screen *s, const struct report *r)
{
	const size_t used = 63; /* columns before the event */
	const Profiler__Header *h = profile_header(r->profile);

	putchar('\n');
	screen_print_heading(
		s, "       asked     granted  achieved throttled     for hardware  event");
	for (uint32_t i = 0; i < h->n_event; i++) {
		const Profiler__Event *e = h->event[i];
		struct ledger_counter c = ledger_counter(profile_ledger(r->profile), i);
		const char *unit = e->asked_in_hz ? " Hz" : "";
		char asked[TEXT_NUMBER_MAX];
		char granted[TEXT_NUMBER_MAX];
		char times[TEXT_NUMBER_MAX];
		char time[TEXT_NUMBER_MAX];

		if (e->leader)
			continue;
		printf("%9s%-3s %8s%-3s %6.0f Hz %8sx %7s %7.2f%%  ", text_count(asked, e->asked),
		       unit, text_count(granted, e->granted), unit, ledger_achieved_hz(&c),
		       text_count(times, c.throttles), throttled_time(e, &c, time),
		       100 * report_share(c.running_ns, c.enabled_ns));
		print_event_end(s, r, i, used);
	}
}

/* What became of all that the counters of each group counted. */
static void print_counters(const struct screen *s, const struct report *r)
{
	const size_t used = 59; /* columns before the event */
	const Profiler__Header *h = profile_header(r->profile);

	if (!r->profile->groups.largest)
		return;
	putchar('\n');
	screen_print_heading(s,
			     "  counted in samples unwanted    rest hardware  no counts  counter");
	for (uint32_t i = 0; i < h->n_event; i++) {
		struct ledger_counter c = ledger_counter(profile_ledger(r->profile), i);
		const uint64_t known = c.counted + c.uncounted;
		const char *unit = h->event[i]->unit;
		const bool is_leader = !h->event[i]->leader;
		char text[5][TEXT_NUMBER_MAX];

		if (is_leader && !r->profile->groups.of[i].counters)
			continue;
		printf("%9s %10s %8s %7s %7.2f%% %10s  %s", text_weight(text[0], c.count, unit),
		       text_weight(text[1], c.counted, unit),
		       text_weight(text[2], c.uncounted, unit),
		       text_weight(text[3], c.count > known ? c.count - known : 0, unit),
		       100 * report_share(c.running_ns, c.enabled_ns),
		       is_leader ? text_count(text[4], c.counts_lost) : "", is_leader ? "" : "  ");
		print_event_end(s, r, i, is_leader ? used : used + 2);
	}
}

/* When the kernel, or somebody, moved the limit. */
static void print_rate_limits(const struct report *r, const Profiler__Ledger *ledger)
{
	const uint64_t start_ns = profile_header(r->profile)->start_ns;

	for (size_t i = 0; i < ledger->n_rate_limit; i++) {
		const Profiler__RateLimit *l = ledger->rate_limit[i];
		char number[TEXT_NUMBER_MAX];

		printf("%14s  from %.1f s on\n", text_count(number, l->max_sample_rate),
		       (double)(int64_t)(l->time_ns - start_ns) / 1e9);
	}
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
	screen_print_heading(s, "   user stacks   share  walked by      end");
	for (size_t i = 0; i < ledger->n_stacks; i++) {
		const Profiler__StackCount *c = ledger->stacks[i];

		printf("%14s %6.2f%%  %-13s  %s\n", text_count(number, c->samples),
		       100 * report_share(c->samples, all), stack_how_text((uint32_t)c->how),
		       stack_end_text((uint32_t)c->end));
	}
}

/* Columns for the names of mappings: as wide as the widest, but in a terminal. */
static size_t where_columns(const struct screen *s, const struct report *r)
{
	size_t widest = s->columns ? WHERE_COLUMNS : strlen("where");

	for (size_t i = 0; !s->columns && i < r->unknowns.count; i++) {
		size_t columns = text_columns(profile_text(r->profile, r->unknown_line[i].path));

		widest = columns > widest ? columns : widest;
	}
	return widest;
}

/* Code without a name, by mapping and reason. */
static void print_unknowns(const struct screen *s, const struct report *r)
{
	size_t where = where_columns(s, r);
	char self[TEXT_NUMBER_MAX];
	char total[TEXT_NUMBER_MAX];
	char heading[PATH_MAX];

	if (!r->unknowns.count)
		return;
	putchar('\n');
	snprintf(heading, sizeof(heading), "  unnamed   share in stacks  %-*s  why", (int)where,
		 "where");
	screen_print_heading(s, heading);
	for (size_t i = 0; i < r->unknowns.count; i++) {
		const struct report_unknown *u = &r->unknown_line[i];
		const char *path = profile_text(r->profile, u->path);
		size_t used = text_columns(path);

		printf("%9s %6.2f%% %9s  ", text_count(self, u->self.count),
		       100 * report_share(u->self.weight, r->shown.weight),
		       text_count(total, u->total.count));
		screen_print_end(path, where);
		printf("%*s%s\n", (int)(used < where ? where - used : 0) + 2, "",
		       name_unknown_text(u->reason));
	}
}

void report_print_stats(const struct report *r)
{
	const struct screen s = screen_find();
	const Profiler__Ledger *ledger = profile_ledger(r->profile);

	report_print_head(&s, r);
	if (!ledger)
		return;
	putchar('\n');
	screen_print_heading(
		&s, " cpu event       expected  blind throt.     idle filtered  ring output "
		    "  written");
	print_stats_table(r, ledger);
	print_rates(&s, r);
	print_counters(&s, r);
	putchar('\n');
	print_stats_rest(ledger);
	print_rate_limits(r, ledger);
	print_stacks(&s, ledger);
	print_unknowns(&s, r);
}

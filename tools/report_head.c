/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_head.c - profiler-report's first lines: what was recorded, and what to think of it.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/text.h"

/* Room for the events of a group. */
#define GROUP_TEXT_MAX (READER_MAX_COUNTERS * (EVENT_NAME_MAX + 1))

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
	char precise[TEXT_NUMBER_MAX] = "";

	if (profile_ledger(p) && !p->left_out)
		snprintf(loss, sizeof(loss), ", %.2f %% lost",
			 100 * report_share(lost, lost + sum.written));
	if (e->precise)
		snprintf(precise, sizeof(precise), " (precise, level %" PRIu32 ")", e->precise);
	screen_print_line(s, "%s%s %s %s%s%s%s%s: %s samples, %s%s%s",
			  profile_event_name(p, event, name), precise,
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
		screen_print_line(s,
				  "notice: the recording did not end in order; the ledger is older "
				  "than the last samples");
	else if (ledger && ledger->n_row && !profile_damage(p) &&
		 sum.written != p->all.count + p->left_out)
		screen_print_line(
			s, "notice: the ledger counts %s samples written, the stream has %s",
			text_count(a, sum.written), text_count(b, p->all.count + p->left_out));
	if (sum.unaccounted)
		screen_print_line(s,
				  "notice: %s%s samples are unaccounted for: a bug in the recorder",
				  sum.unaccounted < 0 ? "-" : "",
				  text_count(a, (uint64_t)llabs(sum.unaccounted)));
}

static const char *group_text(const struct profile *p, const struct group *g,
			      char ret[GROUP_TEXT_MAX])
{
	size_t used = 0;

	for (uint32_t i = 0; i < g->counters; i++) {
		char name[EVENT_NAME_MAX];

		used += (size_t)snprintf(ret + used, GROUP_TEXT_MAX - used, "%s%s", i ? "," : "",
					 profile_event_name(p, g->event[i], name));
	}
	return ret;
}

/*
 * "{cycles,instructions}: 310 of 320 samples carry counts (12 shared with other tasks); on the
 * hardware 87.50 % of the time"
 */
static void print_group(const struct screen *s, const struct profile *p, uint32_t leader)
{
	const struct group *g = &p->groups.of[leader];
	struct ledger_counter c = ledger_counter(profile_ledger(p), leader);
	char text[GROUP_TEXT_MAX];
	char counted[TEXT_NUMBER_MAX];
	char samples[TEXT_NUMBER_MAX];
	char shared[TEXT_NUMBER_MAX];
	char time[TEXT_NUMBER_MAX] = "";

	if (c.enabled_ns)
		snprintf(time, sizeof(time), "; on the hardware %.2f %% of the time",
			 100 * report_share(c.running_ns, c.enabled_ns));
	screen_print_line(
		s, "{%s}: %s of %s samples carry counts, %s of them shared with other tasks%s",
		group_text(p, g, text), text_count(counted, g->counted),
		text_count(samples, p->event[leader].count), text_count(shared, g->shared), time);
}

/* What the kernel did to an event that one has to know before believing it. */
static void print_trouble(const struct screen *s, const struct profile *p, uint32_t event)
{
	struct ledger_counter c = ledger_counter(profile_ledger(p), event);
	char name[EVENT_NAME_MAX];
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];

	profile_event_name(p, event, name);
	if (c.throttles || c.throttled)
		screen_print_line(s,
				  "notice: the kernel throttled %s %s times, for about %s samples; "
				  "a lower rate avoids that",
				  name, text_count(a, c.throttles), text_count(b, c.throttled));
	if (c.never)
		screen_print_line(s,
				  "notice: the kernel never gave %s a counter on %" PRIu32
				  " of %" PRIu32
				  " CPUs; ask for fewer events at a time, or end what else counts: "
				  "the NMI watchdog, another profiler",
				  name, c.never, c.rows);
}

static void print_rate_limit(const struct screen *s, const struct profile *p)
{
	const Profiler__Ledger *ledger = profile_ledger(p);
	char a[TEXT_NUMBER_MAX];

	if (ledger && ledger->n_rate_limit)
		screen_print_line(
			s,
			"notice: the limit of the rate, kernel.perf_event_max_sample_rate, changed "
			"during the run, at last to %s; --stats says when",
			text_count(a,
				   ledger->rate_limit[ledger->n_rate_limit - 1]->max_sample_rate));
}

/* What the user wanted of it, and how much that is. */
static void print_filter(const struct screen *s, const struct report *r)
{
	const struct profile *p = r->profile;
	const char *function = r->options->function;
	char text[FILTER_TEXT_BYTES] = "";
	char left[TEXT_NUMBER_MAX];
	char all[TEXT_NUMBER_MAX];

	if (p->filter)
		filter_text(p->filter, text);
	if (*text || function)
		screen_print_line(s, "only %s%s%s%s%s: %s of %s samples", text,
				  *text && function ? ", " : "", function ? "stacks with '" : "",
				  function ? function : "", function ? "'" : "",
				  text_count(left, p->all.count),
				  text_count(all, p->all.count + p->left_out));
}

void report_print_head(const struct screen *s, const struct report *r)
{
	const struct profile *p = r->profile;
	const Profiler__Header *h = profile_header(p);
	char ledger[LEDGER_TEXT_MAX];

	print_origin(s, p);
	print_filter(s, r);
	for (uint32_t i = 0; i < h->n_event; i++) {
		if (!h->event[i]->leader)
			print_event(s, p, i);
		if (p->groups.of[i].counters)
			print_group(s, p, i);
	}
	for (size_t i = 0; i < h->n_notice; i++)
		screen_print_line(s, "notice: %s", h->notice[i]);
	for (uint32_t i = 0; i < h->n_event; i++)
		if (!h->event[i]->leader)
			print_trouble(s, p, i);
	print_rate_limit(s, p);
	screen_print_line(s, "ledger%s: %s", p->left_out ? " of the whole recording" : "",
			  ledger_text(p, PROFILE_ALL_EVENTS, ledger));
	print_doubts(s, p);
}

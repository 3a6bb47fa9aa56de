/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_json_counts.c - profiler-report --json: groups of counters, what they counted, metrics.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tools/json.h"
#include "tools/losses.h"

/* A value to as many digits as are worth anything, null where there is none. */
static void print_value(const char *prefix, const char *name, const char *suffix, bool is_known,
			double value)
{
	char key[METRIC_NAME_MAX + 32];

	snprintf(key, sizeof(key), "%s%s%s", prefix, name, suffix);
	fputs(", ", stdout);
	json_string(key);
	if (is_known && isfinite(value))
		printf(": %.6g", value);
	else
		fputs(": null", stdout);
}

static void print_counts(const struct report *r, const struct group *g, uint32_t sums)
{
	const union sums_word *entry = sums ? sums_at(&r->sums, sums) : NULL;

	printf("{\"samples\": %" PRIu64, entry ? sums_samples(entry) : 0);
	for (uint32_t i = 0; i < g->counters; i++) {
		char name[EVENT_NAME_MAX];

		fputs(", ", stdout);
		json_string(profile_event_name(r->profile, g->event[i], name));
		printf(": %" PRIu64, entry ? sums_count(entry, i) : 0);
	}
	putchar('}');
}

void report_json_sums(const struct report *r, uint32_t leader, const char *prefix, uint32_t sums)
{
	struct metrics metrics;

	metrics_find(r->profile, leader, &metrics);
	printf(", \"%scounts\": ", prefix);
	print_counts(r, &r->profile->groups.of[leader], sums);
	for (uint32_t i = 0; i < metrics.count; i++) {
		struct metric_value v = metric_value(&metrics.of[i], &r->sums, sums);
		char name[METRIC_NAME_MAX];

		metric_name(r->profile, &metrics.of[i], name);
		print_value(prefix, name, "", v.is_known, v.value);
		print_value(prefix, name, "_error", v.is_known, v.error);
	}
}

static void print_group(const struct report *r, uint32_t leader)
{
	const struct group *g = &r->profile->groups.of[leader];
	struct ledger_counter c = ledger_counter(profile_ledger(r->profile), leader);

	fputs("    {\"events\": [", stdout);
	for (uint32_t i = 0; i < g->counters; i++) {
		char name[EVENT_NAME_MAX];

		fputs(i ? ", " : "", stdout);
		json_string(profile_event_name(r->profile, g->event[i], name));
	}
	printf("], \"samples\": %" PRIu64 ", \"counted\": %" PRIu64 ", \"shared\": %" PRIu64
	       ", \"absent\": %" PRIu64 ", \"counts_lost\": %" PRIu64 ", \"enabled_ns\": %" PRIu64
	       ", \"running_ns\": %" PRIu64,
	       r->profile->event[leader].count, g->counted, g->shared, g->absent, c.counts_lost,
	       c.enabled_ns, c.running_ns);
	report_json_sums(r, leader, "", r->all_sums[leader]);
	putchar('}');
}

void report_json_groups(const struct report *r)
{
	const char *separator = "";

	fputs("  \"groups\": [", stdout);
	for (uint32_t i = 0; i < profile_header(r->profile)->n_event; i++) {
		if (!r->profile->groups.of[i].counters ||
		    (r->leader != PROFILE_ALL_EVENTS && r->leader != i))
			continue;
		printf("%s\n", separator);
		separator = ",";
		print_group(r, i);
	}
	fputs(*separator ? "\n  ],\n" : "],\n", stdout);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - what the counts of a group say in ratios, see metrics.h.
 */
#include "tools/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* 95 % of a normal distribution lie within so many standard deviations. */
#define CONFIDENCE_95 1.96

#define NONE UINT32_MAX

/* What PMUs call the two, as base_name() writes it. */
static const char *const cycles_names[] = { "cycles", "cpu-cycles", "cpu-clk-unhalted",
					    "unhalted-core-cycles", "cycles-not-in-halt" };
static const char *const instructions_names[] = { "instructions", "inst-retired",
						  "instruction-retired", "retired-instructions",
						  "instructions-retired" };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The event's own word: "cycles" of "cpu_core/cycles/", "inst-retired" of "skl::INST_RETIRED:ANY".
 */
static void base_name(const struct profile *p, uint32_t event, char ret[EVENT_NAME_MAX])
{
	char name[EVENT_NAME_MAX];
	const char *at = profile_event_name(p, event, name);
	size_t length;

	if (strchr(at, '/'))
		at = strchr(at, '/') + 1;
	else if (strstr(at, "::"))
		at = strstr(at, "::") + 2;
	length = strcspn(at, ":/,");
	for (size_t i = 0; i < length; i++)
		ret[i] = at[i] == '_' ? '-' : (char)tolower((unsigned char)at[i]);
	ret[length] = 0;
}

static bool is_one_of(const struct profile *p, uint32_t event, const char *const *names,
		      size_t count)
{
	char base[EVENT_NAME_MAX];

	base_name(p, event, base);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(base, names[i]))
			return true;
	return false;
}

static uint32_t find_counter(const struct profile *p, const struct group *g,
			     const char *const *names, size_t count)
{
	for (uint32_t i = 0; i < g->counters; i++)
		if (is_one_of(p, g->event[i], names, count))
			return i;
	return NONE;
}

/* Do two counters count in the same modes of the CPU? */
static bool is_alike(const struct profile *p, const struct group *g, uint32_t a, uint32_t b)
{
	const Profiler__Header *h = profile_header(p);

	return !strcmp(h->event[g->event[a]]->modifier, h->event[g->event[b]]->modifier);
}

static bool is_misses(const struct profile *p, uint32_t event, size_t *ret_stem)
{
	char base[EVENT_NAME_MAX];
	size_t length;

	base_name(p, event, base);
	length = strlen(base);
	*ret_stem = length > strlen("-misses") ? length - strlen("-misses") : 0;
	return *ret_stem && !strcmp(base + *ret_stem, "-misses");
}

/* "cache/ki" of cache-misses; what is too long for a column ends with a '~'. */
static void set_title(const struct profile *p, struct metric *m, size_t stem, const char *unit)
{
	const size_t room = METRIC_TITLE_MAX - 1 - strlen(unit);
	char base[EVENT_NAME_MAX];

	base_name(p, m->event, base);
	if (stem <= room)
		snprintf(m->title, sizeof(m->title), "%.*s%s", (int)stem, base, unit);
	else
		snprintf(m->title, sizeof(m->title), "%.*s~%s", (int)room - 1, base, unit);
}

static struct metric *add(struct metrics *metrics, const struct group *g, enum metric_kind kind,
			  uint32_t counter, uint32_t per)
{
	struct metric *m = &metrics->of[metrics->count++];

	*m = (struct metric){
		.kind = kind,
		.event = g->event[counter],
		.counter = counter,
		.per = per,
		.factor = kind == METRIC_RATE	  ? 1e9
			  : kind == METRIC_MISSES ? 1000
						  : 1,
		.title = "IPC",
	};
	return m;
}

/* Counts of several tasks are left out, so that nothing is left of what happens between two. */
static bool is_switches(const struct profile *p, uint32_t event)
{
	static const char *const names[] = { "context-switches", "cs", "cgroup-switches" };

	return is_one_of(p, event, names, COUNT(names));
}

static void find_rates(const struct profile *p, const struct group *g, struct metrics *ret)
{
	char base[EVENT_NAME_MAX];

	for (uint32_t i = 1; i < g->counters; i++) {
		struct metric *m;

		if (is_switches(p, g->event[i]))
			continue;
		m = add(ret, g, METRIC_RATE, i, 0);
		base_name(p, m->event, base);
		set_title(p, m, strlen(base), "/s");
	}
}

void metrics_find(const struct profile *p, uint32_t leader, struct metrics *ret)
{
	const struct group *g = &p->groups.of[leader];
	uint32_t cycles = find_counter(p, g, cycles_names, COUNT(cycles_names));
	uint32_t instructions = find_counter(p, g, instructions_names, COUNT(instructions_names));
	size_t stem = 0;

	ret->count = 0;
	if (cycles != NONE && instructions != NONE && is_alike(p, g, cycles, instructions))
		add(ret, g, METRIC_IPC, instructions, cycles);
	for (uint32_t i = 0; instructions != NONE && i < g->counters; i++) {
		if (is_misses(p, g->event[i], &stem) && is_alike(p, g, i, instructions))
			set_title(p, add(ret, g, METRIC_MISSES, i, instructions), stem, "/ki");
	}
	if (g->counters && !strcmp(profile_header(p)->event[leader]->unit, "nanoseconds"))
		find_rates(p, g, ret);
}

/*
 * The error is that of a ratio of two means, r = y / x, to first order (W. G. Cochran, Sampling
 * Techniques, 3rd edition, 6.3): its variance is that of y - r x over n samples, by n times the
 * mean of x squared.
 */
struct metric_value metric_value(const struct metric *m, const struct sums *sums, uint32_t id)
{
	const union sums_word *entry = id ? sums_at(sums, id) : NULL;
	double n = entry ? (double)sums_samples(entry) : 0;
	double x = entry ? (double)sums_count(entry, m->per) : 0;
	struct metric_value v = { .is_known = n >= METRIC_SAMPLES_MIN && x > 0 };
	double ratio, rest;

	if (!v.is_known)
		return v;
	ratio = (double)sums_count(entry, m->counter) / x;
	rest = sums_product(sums, entry, m->counter, m->counter) -
	       2 * ratio * sums_product(sums, entry, m->counter, m->per) +
	       ratio * ratio * sums_product(sums, entry, m->per, m->per);
	v.value = m->factor * ratio;
	if (rest > 0)
		v.error = m->factor * CONFIDENCE_95 * sqrt(rest * n / (n - 1)) / x;
	return v;
}

const char *metric_name(const struct profile *p, const struct metric *m, char ret[METRIC_NAME_MAX])
{
	char name[EVENT_NAME_MAX];

	profile_event_name(p, m->event, name);
	if (m->kind == METRIC_IPC)
		snprintf(ret, METRIC_NAME_MAX, "ipc");
	else if (m->kind == METRIC_MISSES)
		snprintf(ret, METRIC_NAME_MAX, "%s_per_1000_instructions", name);
	else
		snprintf(ret, METRIC_NAME_MAX, "%s_per_second", name);
	return ret;
}

const char *metric_words(const struct profile *p, const struct metric *m, char ret[METRIC_NAME_MAX])
{
	char name[EVENT_NAME_MAX];

	profile_event_name(p, m->event, name);
	if (m->kind == METRIC_IPC)
		snprintf(ret, METRIC_NAME_MAX, "instructions per cycle");
	else if (m->kind == METRIC_MISSES)
		snprintf(ret, METRIC_NAME_MAX, "%s per 1,000 instructions", name);
	else
		snprintf(ret, METRIC_NAME_MAX, "%s per second of CPU time", name);
	return ret;
}

const char *metric_text(double value, char ret[METRIC_TEXT_MAX])
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
	size_t unit = 0;
	int digits;

	while (value >= 999.5 && unit + 1 < COUNT(units)) {
		value /= 1000;
		unit++;
	}
	digits = value >= 99.95 || value == 0 ? 0 : value >= 9.995 ? 1 : value >= 0.0995 ? 2 : 3;
	snprintf(ret, METRIC_TEXT_MAX, "%.*f%s", digits, value, units[unit]);
	return ret;
}

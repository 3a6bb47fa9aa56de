/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_metrics.c - profiler-report's columns of metrics: what a group of counters says of a
 * function, or of a group of samples.
 *
 *	metric [error] metric [error] ... [samples] [metric of whole stacks ...]
 *
 * What is in brackets is for wide tables. A metric of too few samples is "few", of none "-".
 */
#include "tools/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/text.h"

#define VALUE_COLUMNS	6
#define ERROR_COLUMNS	7
#define SAMPLES_COLUMNS 9
#define TOTAL_TITLE	"total "

static size_t value_columns(const struct metric *m)
{
	size_t title = strlen(m->title);

	return 1 + (title > VALUE_COLUMNS ? title : VALUE_COLUMNS);
}

static size_t total_columns(const struct metric *m)
{
	return 1 + strlen(TOTAL_TITLE) + strlen(m->title);
}

struct metric_columns report_metric_columns(const struct report *r, size_t room, bool totals)
{
	struct metric_columns c = { .report = r, .wide = r->options->wide, .totals = totals };

	if (r->leader == PROFILE_ALL_EVENTS || !r->all_sums[r->leader])
		return c; /* there are no counts, or of several events */
	for (; c.count < r->metrics.count; c.count++) {
		size_t width = value_columns(&r->metrics.of[c.count]);

		if (!c.wide && c.width + width > room)
			break;
		c.width += width;
	}
	return c;
}

void report_metric_heading(const struct metric_columns *c, char heading[HEADING_MAX])
{
	const struct metrics *metrics = &c->report->metrics;
	size_t used = strlen(heading);

	for (uint32_t i = 0; i < c->count; i++)
		used += (size_t)snprintf(heading + used, HEADING_MAX - used, "%*s%s",
					 (int)value_columns(&metrics->of[i]), metrics->of[i].title,
					 c->wide ? "      ±" : "");
	if (!c->wide || !c->count)
		return;
	used += (size_t)snprintf(heading + used, HEADING_MAX - used, "%*s", SAMPLES_COLUMNS,
				 "samples");
	for (uint32_t i = 0; c->totals && i < c->count; i++)
		used += (size_t)snprintf(heading + used, HEADING_MAX - used, " " TOTAL_TITLE "%s",
					 metrics->of[i].title);
}

static uint64_t samples(const struct report *r, uint32_t sums)
{
	return sums ? sums_samples(sums_at(&r->sums, sums)) : 0;
}

static void print_value(const struct report *r, const struct metric *m, uint32_t sums,
			size_t columns, bool with_error)
{
	struct metric_value v = metric_value(m, &r->sums, sums);
	uint64_t n = samples(r, sums);
	char value[METRIC_TEXT_MAX];
	char error[METRIC_TEXT_MAX];

	if (v.is_known)
		printf("%*s", (int)columns, metric_text(v.value, value));
	else
		printf("%*s", (int)columns, n && n < METRIC_SAMPLES_MIN ? "few" : "-");
	if (with_error)
		printf("%*s", ERROR_COLUMNS, v.is_known ? metric_text(v.error, error) : "");
}

void report_print_metrics(const struct metric_columns *c, const struct report_sums *sums)
{
	const struct report *r = c->report;
	const struct metric *m = r->metrics.of;
	char number[TEXT_NUMBER_MAX];

	for (uint32_t i = 0; i < c->count; i++)
		print_value(r, &m[i], sums->self, value_columns(&m[i]), c->wide);
	if (!c->wide || !c->count)
		return;
	printf("%*s", SAMPLES_COLUMNS, text_count(number, samples(r, sums->self)));
	for (uint32_t i = 0; c->totals && i < c->count; i++)
		print_value(r, &m[i], sums->total, total_columns(&m[i]), false);
}

void report_print_metric_legend(const struct screen *s, const struct metric_columns *c)
{
	const struct metrics *metrics = &c->report->metrics;
	char text[HEADING_MAX] = "";
	size_t used = 0;

	if (!c->count)
		return;
	for (uint32_t i = 0; i < c->count && used < sizeof(text); i++) {
		char words[METRIC_NAME_MAX];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s: %s; ",
					 metrics->of[i].title,
					 metric_words(c->report->profile, &metrics->of[i], words));
	}
	screen_print_line(s, "%sfew: of fewer than %d samples%s", text, METRIC_SAMPLES_MIN,
			  c->count < metrics->count ? "; --wide has more" : "");
}

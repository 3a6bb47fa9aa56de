/* SPDX-License-Identifier: Apache-2.0 */
/* diff_json.c - profiler-diff for programs: all rows, those without a difference, too. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/diff.h"
#include "tools/json.h"

static void print_runs(const struct diff *d, enum diff_side side, const char *key)
{
	const char *separator = "";

	printf("  \"%s\": [", key);
	for (size_t i = 0; i < d->runs; i++) {
		const struct diff_run *run = &d->run[i];

		if (run->side != side)
			continue;
		printf("%s\n    {", separator);
		json_text("path", run->path);
		printf("\"samples\": %" PRIu64 ", \"weight\": %" PRIu64
		       ", \"duration_ns\": %" PRIu64 ", \"block_ns\": %" PRIu64 "}",
		       run->all.count, run->all.weight, run->duration_ns, run->block_ns);
		separator = ",";
	}
	fputs("\n  ],\n", stdout);
}

static void print_numbers(const struct diff_row *row)
{
	const struct stats_difference *p = &row->percent;

	printf("\"base_samples\": %" PRIu64 ", \"base_weight\": %" PRIu64
	       ", \"new_samples\": %" PRIu64 ", \"new_weight\": %" PRIu64,
	       row->of[DIFF_BASE].count, row->of[DIFF_BASE].weight, row->of[DIFF_NEW].count,
	       row->of[DIFF_NEW].weight);
	printf(", \"base\": %.6f, \"new\": %.6f, \"change\": %.6f, \"error\": %.6f", p->base,
	       p->new, p->change, p->error);
	if (row->is_tested)
		printf(", \"p\": %.6g, \"q\": %.6g", p->p, row->q);
	else
		fputs(", \"p\": null, \"q\": null", stdout);
	printf(", \"different\": %s}", row->is_different ? "true" : "false");
}

static void print_functions(const struct diff *d, enum diff_kind kind, const char *key)
{
	const struct diff_rows *rows = &d->kind[kind];

	printf("  \"%s\": [", key);
	for (size_t i = 0; i < rows->count; i++) {
		const struct diff_function *f = diff_function(d, rows->row[i].id);

		printf("%s\n    {", i ? "," : "");
		json_text("function", diff_text(d, f->name));
		json_text("where", diff_text(d, f->where));
		print_numbers(&rows->row[i]);
	}
	fputs("\n  ]", stdout);
}

/* Leaf first. */
static void print_stack(const struct diff *d, const struct diff_row *row)
{
	const char *separator = "";

	fputs("\"stack\": [", stdout);
	for (uint32_t id = row->id; id; id = diff_stack(d, id)->caller) {
		const struct diff_function *f = diff_function(d, diff_stack(d, id)->function);

		fputs(separator, stdout);
		json_string(diff_text(d, f->name));
		separator = ", ";
	}
	fputs("], ", stdout);
	print_numbers(row);
}

void diff_print_json(const struct diff *d)
{
	const struct diff_rows *stacks = &d->kind[DIFF_STACK];
	static const char *const norm[] = {
		[DIFF_BY_SAMPLES] = "samples", [DIFF_BY_TIME] = "time", [DIFF_BY_WORK] = "work"
	};

	fputs("{\n  ", stdout);
	json_text("event", d->event_name);
	json_text("unit", d->unit);
	json_text("per", d->norm == DIFF_BY_EVENT ? d->norm_event : norm[d->norm]);
	printf("\"confidence\": %g,\n", d->confidence);
	print_runs(d, DIFF_BASE, "base");
	print_runs(d, DIFF_NEW, "new");
	printf("  \"new_all\": %.6f, \"tested\": %zu, \"different\": %zu,\n", d->new_all, d->tested,
	       d->different);
	if (d->with_stacks) {
		fputs("  \"stacks\": [", stdout);
		for (size_t i = 0; i < stacks->count; i++) {
			printf("%s\n    {", i ? "," : "");
			print_stack(d, &stacks->row[i]);
		}
		fputs("\n  ]", stdout);
	} else {
		print_functions(d, DIFF_SELF, "self");
		fputs(",\n", stdout);
		print_functions(d, DIFF_TOTAL, "total");
	}
	fputs("\n}\n", stdout);
}

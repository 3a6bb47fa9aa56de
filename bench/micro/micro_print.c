// SPDX-License-Identifier: Apache-2.0
/*
 * micro_print.c - what was measured, as a table and as JSON.
 *
 * The table gives medians. The JSON gives every value in the order of the rounds; what is made of
 * them is for its readers.
 */
#include "bench/micro/micro_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const roles[] = {
	[BENCH_OURS] = "ours",
	[BENCH_PEER] = "peer",
	[BENCH_LIMIT] = "limit",
};

static double per_op(uint64_t amount, const struct measured *m)
{
	return (double)amount / (double)m->ops;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @values. */
static double quantile(double *values, uint32_t count, double q)
{
	qsort(values, count, sizeof(*values), ascending);
	return values[(uint32_t)(q * (count - 1) + 0.5)];
}

static uint64_t allocations(const struct contender *c, uint32_t rounds)
{
	uint64_t sum = 0;

	for (uint32_t r = 0; r < rounds; r++)
		sum += c->round[r].allocations;
	return sum;
}

static uint64_t ops_of_all(const struct contender *c, uint32_t rounds)
{
	uint64_t sum = 0;

	for (uint32_t r = 0; r < rounds; r++)
		sum += c->round[r].ops;
	return sum;
}

static void print_figures(const struct contender *c, uint32_t rounds, double *values)
{
	const struct measured *first = &c->round[0];

	for (uint32_t f = 0; f < first->figures; f++) {
		for (uint32_t r = 0; r < rounds; r++)
			values[r] = c->round[r].figure[f].value;
		printf("    %-22s %12.1f %s\n", first->figure[f].name,
		       quantile(values, rounds, 0.5), first->figure[f].unit);
	}
}

static void print_row(const struct contender *c, uint32_t rounds, double *values)
{
	double median, low, high;

	if (c->skipped || c->failed) {
		printf("  %-22s %s: %s\n", c->bench->name, c->failed ? "FAILED" : "left out",
		       c->failed ? c->failed : c->skipped);
		return;
	}
	for (uint32_t r = 0; r < rounds; r++)
		values[r] = per_op(c->round[r].ns, &c->round[r]);
	median = quantile(values, rounds, 0.5);
	low = quantile(values, rounds, 0.25);
	high = quantile(values, rounds, 0.75);
	if (c->bench->op)
		printf("  %-22s %9.3f %8.3f %8.3f %9.1f %8.2f  %s\n", c->bench->name, median, low,
		       high, c->bytes,
		       (double)allocations(c, rounds) / (double)ops_of_all(c, rounds),
		       roles[c->bench->role]);
	else
		printf("  %s\n", c->bench->name);
	print_figures(c, rounds, values);
}

void print_table(const struct contender *c, uint32_t count, uint32_t rounds)
{
	double *values = calloc(rounds, sizeof(*values));

	if (!values)
		return;
	printf("%-22s %11s %8s %8s %9s %8s\n", c->bench->group, "ns, median", "25 %", "75 %",
	       "bytes", "allocs");
	for (uint32_t i = 0; i < count; i++)
		print_row(&c[i], rounds, values);
	free(values);
}

void print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar((unsigned char)*s < ' ' ? ' ' : *s);
	}
	putchar('"');
}

static void print_member(const char *name, const char *value)
{
	printf(", \"%s\": ", name);
	print_json_string(value);
}

static void print_values(const char *name, const struct contender *c, uint32_t rounds,
			 double (*value)(const struct measured *m, uint32_t which), uint32_t which)
{
	printf(", \"%s\": [", name);
	for (uint32_t r = 0; r < rounds; r++)
		printf("%s%.6g", r ? ", " : "", value(&c->round[r], which));
	putchar(']');
}

static double time_of(const struct measured *m, uint32_t which)
{
	(void)which;
	return per_op(m->ns, m);
}

static double cycles_of(const struct measured *m, uint32_t which)
{
	(void)which;
	return per_op(m->cycles, m);
}

static double instructions_of(const struct measured *m, uint32_t which)
{
	(void)which;
	return per_op(m->instructions, m);
}

static double figure_of(const struct measured *m, uint32_t which)
{
	return m->figure[which].value;
}

static void print_json_figures(const struct contender *c, uint32_t rounds)
{
	const struct measured *first = &c->round[0];

	printf(", \"figures\": [");
	for (uint32_t f = 0; f < first->figures; f++) {
		printf("%s{\"name\": ", f ? ", " : "");
		print_json_string(first->figure[f].name);
		print_member("unit", first->figure[f].unit);
		print_values("values", c, rounds, figure_of, f);
		putchar('}');
	}
	putchar(']');
}

static void print_json_measured(const struct contender *c, uint32_t rounds)
{
	uint64_t bytes = 0;
	uint32_t disturbed = 0;

	for (uint32_t r = 0; r < rounds; r++) {
		bytes += c->round[r].allocated_bytes;
		disturbed += c->round[r].disturbed;
	}
	printf(", \"ops\": %" PRIu64 ", \"disturbed\": %u, \"bytes\": %.6g", c->ops, disturbed,
	       c->bytes);
	printf(", \"allocations\": %.6g, \"allocated_bytes\": %.6g",
	       (double)allocations(c, rounds) / (double)ops_of_all(c, rounds),
	       (double)bytes / (double)ops_of_all(c, rounds));
	if (c->bench->op)
		print_values("ns", c, rounds, time_of, 0);
	if (c->round[0].cycles) {
		print_values("cycles", c, rounds, cycles_of, 0);
		print_values("instructions", c, rounds, instructions_of, 0);
	}
	print_json_figures(c, rounds);
}

void print_json(const struct contender *c, uint32_t rounds)
{
	const struct bench *b = c->bench;

	printf("{\"group\": ");
	print_json_string(b->group);
	print_member("name", b->name);
	print_member("role", roles[b->role]);
	print_member("about", b->about);
	if (b->op)
		print_member("op", b->op);
	printf(", \"threads\": %u, \"promised\": %s", b->threads > 1 ? 2u : 1u,
	       b->allocates_nothing ? "true" : "false");
	if (c->failed)
		print_member("failed", c->failed);
	else if (c->skipped)
		print_member("skipped", c->skipped);
	else
		print_json_measured(c, rounds);
	putchar('}');
}

// SPDX-License-Identifier: Apache-2.0
/*
 * micro.c - runs the benches of bench/micro.
 *
 *	micro [--list] [--group NAME]... [--rounds N] [--ms N] [--json]
 *	micro --once GROUP/NAME OPS
 *
 * --rounds: values of each bench (default 25); --ms: how long one takes (default 3); --json: all
 * values, to stdout, in place of a table; --once: set up, that many operations, nothing else, for
 * programs that count instructions; says how many operations were done. Exit status 1 when a
 * bench failed: it came to a wrong result, or allocated what it had promised not to; 2 usage.
 *
 * bench/micro/micro.py runs this several times, and is what bench/run calls.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/measure.h"
#include "bench/micro/micro_print.h"

/* One line per bench_NAME.c or peer_NAME.c that is built in; CMake writes it. */
#define BENCH_LIST(name) extern const struct bench_list name;
#include "bench/micro/bench_lists.h"
#undef BENCH_LIST
#define BENCH_LIST(name) &name,
static const struct bench_list *const lists[] = {
#include "bench/micro/bench_lists.h"
};

#define BENCHES_MAX 256
#define ROUNDS_MAX  1000

struct options {
	const char *group[GROUP_MAX];
	uint32_t groups;
	uint32_t rounds;
	double ms;
	bool json;
	bool list;
	const char *once;
	uint64_t once_ops;
};

static int usage(void)
{
	fprintf(stderr, "usage: micro [--list] [--group NAME]... [--rounds N] [--ms N] [--json]\n"
			"       micro --once GROUP/NAME OPS\n");
	return 2;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{ "group", required_argument, NULL, 'g' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "ms", required_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "once", required_argument, NULL, 'o' },
		{ 0 },
	};
	int option;

	*o = (struct options){ .rounds = 25, .ms = 3 };
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'g' && o->groups < GROUP_MAX)
			o->group[o->groups++] = optarg;
		else if (option == 'r')
			o->rounds = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'm')
			o->ms = strtod(optarg, NULL);
		else if (option == 'j')
			o->json = true;
		else if (option == 'l')
			o->list = true;
		else if (option == 'o')
			o->once = optarg;
		else
			return usage();
	}
	if (o->once && optind < argc)
		o->once_ops = strtoull(argv[optind++], NULL, 10);
	if (optind < argc || o->rounds < 1 || o->rounds > ROUNDS_MAX || !(o->ms > 0) ||
	    (o->once && !o->once_ops))
		return usage();
	return 0;
}

static bool wanted(const struct options *o, const char *group)
{
	for (uint32_t i = 0; i < o->groups; i++)
		if (!strcmp(o->group[i], group))
			return true;
	return o->groups == 0;
}

static uint32_t collect(const struct bench **benches)
{
	uint32_t count = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (uint32_t k = 0; k < lists[i]->count && count < BENCHES_MAX; k++)
			benches[count++] = &lists[i]->bench[k];
	return count;
}

/* Runs the benches of @group and prints them; 1 when one failed. */
static int run_group(const struct options *o, const char *group, const struct bench **benches,
		     uint32_t count, bool *first)
{
	struct contender c[GROUP_MAX] = { 0 };
	uint32_t n = 0;
	int failed = 0;

	for (uint32_t i = 0; i < count && n < GROUP_MAX; i++)
		if (!strcmp(benches[i]->group, group))
			c[n++].bench = benches[i];
	for (uint32_t i = 0; i < n; i++) {
		c[i].round = calloc(o->rounds, sizeof(*c[i].round));
		if (!c[i].round)
			return 1;
	}
	measure_group(c, n, o->rounds, (uint64_t)(o->ms * 1e6));
	if (!o->json)
		print_table(c, n, o->rounds);
	for (uint32_t i = 0; i < n; i++) {
		if (c[i].failed) {
			fprintf(stderr, "%s/%s: %s\n", group, c[i].bench->name, c[i].failed);
			failed = 1;
		}
		if (o->json) {
			printf("%s", *first ? "\n" : ",\n");
			print_json(&c[i], o->rounds);
			*first = false;
		}
		free(c[i].round);
	}
	fflush(stdout);
	return failed;
}

static int run_groups(const struct options *o, const struct bench **benches, uint32_t count)
{
	bool first = true, any = false;
	int failed = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t before = 0;

		while (before < i && strcmp(benches[before]->group, benches[i]->group))
			before++;
		if (before < i || !wanted(o, benches[i]->group))
			continue;
		failed |= run_group(o, benches[i]->group, benches, count, &first);
		any = true;
	}
	if (!any)
		fprintf(stderr, "no such group; micro --list shows them\n");
	return failed || !any;
}

static int run_once(const struct options *o, const struct bench **benches, uint32_t count)
{
	struct measured m = { 0 };
	struct contender c = { .round = &m };
	size_t group_bytes = strcspn(o->once, "/");

	for (uint32_t i = 0; i < count; i++)
		if (!strncmp(benches[i]->group, o->once, group_bytes) &&
		    !benches[i]->group[group_bytes] && o->once[group_bytes] &&
		    !strcmp(benches[i]->name, o->once + group_bytes + 1))
			c.bench = benches[i];
	if (!c.bench) {
		fprintf(stderr, "no bench '%s'; micro --list shows them\n", o->once);
		return 2;
	}
	measure_once(&c, o->once_ops);
	if (c.failed || c.skipped) {
		fprintf(stderr, "%s: %s\n", o->once, c.failed ? c.failed : c.skipped);
		return 1;
	}
	printf("%" PRIu64 "\n", m.ops);
	return 0;
}

int main(int argc, char **argv)
{
	const struct bench *benches[BENCHES_MAX];
	uint32_t count = collect(benches);
	struct options o;
	struct cpus cpus;
	int err = parse_options(&o, argc, argv);

	if (err)
		return err;
	if (o.list) {
		for (uint32_t i = 0; i < count; i++)
			printf("%s/%s: %s\n", benches[i]->group, benches[i]->name,
			       benches[i]->about);
		return 0;
	}
	err = measure_begin(&cpus);
	if (err) {
		fprintf(stderr, "cannot choose a CPU: %s\n", strerror(-err));
		return 1;
	}
	if (o.once)
		return run_once(&o, benches, count);
	if (!o.json)
		return run_groups(&o, benches, count);
	printf("{\"cpu\": %d, \"second_cpu\": %d, \"counters\": %s, \"mhz_before\": %.0f, "
	       "\"benches\": [",
	       cpus.first, cpus.second, cpus.counters ? "true" : "false", measure_mhz());
	err = run_groups(&o, benches, count);
	printf("],\n\"mhz_after\": %.0f}\n", measure_mhz());
	return err;
}

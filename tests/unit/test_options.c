/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_options.c - command lines to options or to the message of a refusal.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/options.h"

/* eq(str, ...) does not take a const char *. */
#define expect_text(actual, expected) \
	cr_expect(eq(int, strcmp(actual, expected), 0), "'%s' is not '%s'", actual, expected)

#define MAX_WORDS 64

/* Splits a line at blanks and parses it; words live in line, which the caller keeps. */
static int parse(char *line, char **words, struct options *o, char err[OPTIONS_ERROR_BYTES])
{
	static char program[] = "profiler";
	int n = 0;

	words[n++] = program;
	for (char *word = strtok(line, " "); word && n < MAX_WORDS - 1; word = strtok(NULL, " "))
		words[n++] = word;
	words[n] = NULL;
	err[0] = '\0';
	return options_parse(n, words, o, err, OPTIONS_ERROR_BYTES);
}

#define PARSE(text)                                                      \
	char line[] = text, *words[MAX_WORDS], err[OPTIONS_ERROR_BYTES]; \
	struct options o = { .n_pids = 77 };                             \
	cr_assert(eq(int, parse(line, words, &o, err), 0), "%s", err)

Test(options, defaults)
{
	PARSE("");
	cr_expect(eq(int, (int)o.action, ACTION_RECORD));
	cr_expect(o.all_cpus);
	cr_expect(eq(u64, o.hz, OPTIONS_DEFAULT_HZ));
	cr_expect(eq(u64, o.count, 0));
	cr_expect(eq(uint, o.n_events + o.n_pids + o.n_tids + o.n_cgroups + o.cpus.count, 0));
	cr_expect(eq(u64, o.duration_ns, 0));
	cr_expect(eq(ptr, o.args, NULL));
	cr_expect(not(o.output || o.idle || o.strict || o.hw_events || o.quiet || o.verbose));
	cr_expect(eq(int, (int)o.call_graph, CALL_GRAPH_AUTO));
	cr_expect(eq(u32, o.snapshot_bytes, OPTIONS_DEFAULT_SNAPSHOT));
}

Test(options, all_of_them)
{
	PARSE("-C 0,2-3 -G /a -G /b --hz 1000 -e cycles:u --event cs --hw-events -d 2.5 -o - "
	      "--call-graph none --idle --strict --kernel-addresses -v -a");
	cr_expect(eq(uint, o.cpus.count, 3));
	cr_assert(eq(uint, o.n_cgroups, 2));
	expect_text(o.cgroups[1], "/b");
	cr_expect(eq(u64, o.hz, 1000));
	cr_assert(eq(uint, o.n_events, 2));
	expect_text(o.events[0], "cycles:u");
	expect_text(o.events[1], "cs");
	cr_expect(eq(u64, o.duration_ns, 2500000000));
	expect_text(o.output, "-");
	cr_expect(eq(int, (int)o.call_graph, CALL_GRAPH_NONE));
	cr_expect(o.hw_events && o.idle && o.strict && o.kernel_addresses && o.verbose);
	cr_expect(not(o.quiet));
	cr_expect(o.all_cpus);
}

Test(options, ids)
{
	PARSE("-p 12,13,12 -p 14 -q -c 100000");
	cr_assert(eq(uint, o.n_pids, 3), "no id twice");
	cr_expect(eq(u32, o.pids[0], 12));
	cr_expect(eq(u32, o.pids[2], 14));
	cr_expect(not(o.all_cpus));
	cr_expect(o.quiet);
	cr_expect(eq(u64, o.count, 100000));
	cr_expect(eq(u64, o.hz, 0));
}

Test(options, command_ends_options)
{
	PARSE("-F 50 ls -l --hz 7");
	cr_assert(eq(uint, o.n_args, 4));
	expect_text(o.args[0], "ls");
	expect_text(o.args[3], "7");
	cr_expect(eq(ptr, o.args[4], NULL));
	cr_expect(eq(u64, o.hz, 50));
	cr_expect(not(o.all_cpus), "a command is the target");
}

Test(options, command_with_all_cpus)
{
	PARSE("-a -- sleep 1");
	cr_expect(o.all_cpus);
	expect_text(o.args[0], "sleep");
}

/* Sizes are rounded up to what is read in one piece. */
Test(options, call_graphs)
{
	static const struct {
		const char *text;
		enum call_graph call_graph;
		uint32_t snapshot_bytes;
	} cases[] = {
		{ "--call-graph auto", CALL_GRAPH_AUTO, OPTIONS_DEFAULT_SNAPSHOT },
		{ "--call-graph fp", CALL_GRAPH_FP, 0 },
		{ "--call-graph dwarf", CALL_GRAPH_DWARF, OPTIONS_DEFAULT_SNAPSHOT },
		{ "--call-graph none", CALL_GRAPH_NONE, 0 },
		{ "--call-graph dwarf,8192", CALL_GRAPH_DWARF, 8192 },
		{ "--call-graph auto,65536", CALL_GRAPH_AUTO, MAX_SNAPSHOT_BYTES },
		{ "--call-graph dwarf,1", CALL_GRAPH_DWARF, OPTIONS_SNAPSHOT_PIECE },
		{ "--call-graph dwarf,8193", CALL_GRAPH_DWARF, 8192 + OPTIONS_SNAPSHOT_PIECE },
		{ "--call-graph dwarf --call-graph fp", CALL_GRAPH_FP, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[64], *words[MAX_WORDS], err[OPTIONS_ERROR_BYTES];
		struct options o;

		snprintf(line, sizeof(line), "%s", cases[i].text);
		cr_assert(eq(int, parse(line, words, &o, err), 0), "%s", err);
		cr_expect(eq(int, (int)o.call_graph, (int)cases[i].call_graph), "%s",
			  cases[i].text);
		cr_expect(eq(u32, o.snapshot_bytes, cases[i].snapshot_bytes), "%s", cases[i].text);
	}
}

Test(options, actions)
{
	static const struct {
		const char *text;
		enum options_action action;
	} cases[] = {
		{ "--help", ACTION_HELP },
		{ "-h", ACTION_HELP },
		{ "--help --nonsense", ACTION_HELP },
		{ "--version", ACTION_VERSION },
		{ "--list-events", ACTION_LIST_EVENTS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[64], *words[MAX_WORDS], err[OPTIONS_ERROR_BYTES];
		struct options o;

		snprintf(line, sizeof(line), "%s", cases[i].text);
		cr_assert(eq(int, parse(line, words, &o, err), 0), "%s", err);
		cr_expect(eq(int, (int)o.action, (int)cases[i].action), "%s", cases[i].text);
	}
}

Test(options, refusals)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "-F 0", "--hz '0': not a whole number from 1 to 4294967295" },
		{ "-F -5", "--hz '-5': not a whole number from 1 to 4294967295" },
		{ "-F 1e3", "--hz '1e3': not a whole number from 1 to 4294967295" },
		{ "-F 99999999999999999999999",
		  "--hz '99999999999999999999999': not a whole number from 1 to 4294967295" },
		{ "-c 0", "--count '0': not a whole number from 1 to 4611686018427387904" },
		{ "-c 10 -F 10", "--hz and --count exclude each other" },
		{ "-a -p 1", "--all-cpus and --pid exclude each other" },
		{ "-a -t 1", "--all-cpus and --tid exclude each other" },
		{ "-p 1 -t 1", "--pid and --tid exclude each other" },
		{ "-p 1 ls", "a command and --pid exclude each other" },
		{ "-t 1 -- ls", "a command and --tid exclude each other" },
		{ "-q -v", "--quiet and --verbose exclude each other" },
		{ "-p 0", "--pid '0': not a list of ids such as 1234,1240" },
		{ "-p 1,", "--pid '1,': not a list of ids such as 1234,1240" },
		{ "-p 1x", "--pid '1x': not a list of ids such as 1234,1240" },
		{ "-p 4194305", "--pid '4194305': not a list of ids such as 1234,1240" },
		{ "-C 3-1", "--cpu '3-1': not a list of CPUs such as 0-3,8" },
		{ "-d 0", "--duration '0': not a number of seconds such as 10 or 0.5" },
		{ "-d inf", "--duration 'inf': not a number of seconds such as 10 or 0.5" },
		{ "-d nan", "--duration 'nan': not a number of seconds such as 10 or 0.5" },
		{ "-d 1e1", "--duration '1e1': not a number of seconds such as 10 or 0.5" },
		{ "-d 0x10", "--duration '0x10': not a number of seconds such as 10 or 0.5" },
		{ "-d -1", "--duration '-1': not a number of seconds such as 10 or 0.5" },
		{ "-d 10s", "--duration '10s': not a number of seconds such as 10 or 0.5" },
		{ "-d 1.2.3", "--duration '1.2.3': not a number of seconds such as 10 or 0.5" },
		{ "-o a -o b", "--output is given twice" },
		{ "--call-graph lbr", "--call-graph 'lbr': not one of auto, fp, dwarf, none" },
		{ "--call-graph ,4096", "--call-graph ',4096': not one of auto, fp, dwarf, none" },
		{ "--call-graph dwar", "--call-graph 'dwar': not one of auto, fp, dwarf, none" },
		{ "--call-graph fp,4096", "--call-graph fp takes no size" },
		{ "--call-graph none,", "--call-graph none takes no size" },
		{ "--call-graph dwarf,0", "--call-graph '0': not a whole number from 1 to 65536" },
		{ "--call-graph auto,65537",
		  "--call-graph '65537': not a whole number from 1 to 65536" },
		{ "--call-graph dwarf,4k",
		  "--call-graph '4k': not a whole number from 1 to 65536" },
		{ "-e 1 -e 2 -e 3 -e 4 -e 5 -e 6 -e 7 -e 8 -e 9",
		  "more than 8 events; profile the others in another run" },
		{ "-x", "unknown option '-x'; profiler --help lists them" },
		{ "--frequency 1",
		  "unknown or ambiguous option '--frequency'; profiler --help lists them" },
		{ "--c 1", "unknown or ambiguous option '--c'; profiler --help lists them" },
		{ "--idle=1", "option --idle takes no argument" },
		{ "-F", "option --hz needs an argument: N" },
		{ "--output", "option --output needs an argument: FILE" },
		{ "--", "no command after '--'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[128], *words[MAX_WORDS], err[OPTIONS_ERROR_BYTES];
		struct options o = { .n_pids = 77 };

		snprintf(line, sizeof(line), "%s", cases[i].text);
		cr_expect(eq(int, parse(line, words, &o, err), -EINVAL), "%s", cases[i].text);
		expect_text(err, cases[i].message);
		cr_expect(eq(uint, o.n_pids, 77), "untouched on failure: %s", cases[i].text);
	}
}

Test(options, too_many_ids)
{
	char list[8 * (OPTIONS_MAX_TARGETS + 1)], err[OPTIONS_ERROR_BYTES];
	char program[] = "profiler", option[] = "-p", *words[] = { program, option, list, NULL };
	struct options o;
	size_t used = 0;

	for (int i = 1; i <= OPTIONS_MAX_TARGETS; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%d,", i);
	list[used - 1] = '\0';
	cr_assert(eq(int, options_parse(3, words, &o, err, sizeof(err)), 0));
	cr_expect(eq(uint, o.n_pids, OPTIONS_MAX_TARGETS));
	snprintf(list + used - 1, sizeof(list) - used + 1, ",%d", OPTIONS_MAX_TARGETS + 1);
	cr_expect(eq(int, options_parse(3, words, &o, err, sizeof(err)), -EINVAL));
	expect_text(err, "--pid: more than 256 ids; use a cgroup (-G), or -a");
}

/* A directory in PATH with an executable profiler-frob and a plain file profiler-plain. */
static char *make_tool_dir(void)
{
	static char dir[] = "/tmp/test-options-XXXXXX";
	char path[64];

	cr_assert(not(eq(ptr, mkdtemp(dir), NULL)));
	snprintf(path, sizeof(path), "%s/profiler-frob", dir);
	fclose(fopen(path, "w"));
	chmod(path, 0755);
	snprintf(path, sizeof(path), "%s/profiler-plain", dir);
	fclose(fopen(path, "w"));
	setenv("PATH", dir, 1);
	return dir;
}

static void remove_tool_dir(const char *dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/profiler-frob", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/profiler-plain", dir);
	unlink(path);
	rmdir(dir);
}

Test(options, tools)
{
	char *dir = make_tool_dir(), path[64];

	snprintf(path, sizeof(path), "%s/profiler-frob", dir);
	{
		PARSE("frob --json x.prof");
		cr_expect(eq(int, (int)o.action, ACTION_TOOL));
		expect_text(o.tool, path);
		expect_text(o.args[0], "frob");
		expect_text(o.args[1], "--json");
		cr_expect(eq(uint, o.n_args, 3));
	}
	{
		PARSE("-- frob");
		cr_expect(eq(int, (int)o.action, ACTION_RECORD), "-- makes it a command");
	}
	{
		PARSE("plain");
		cr_expect(eq(int, (int)o.action, ACTION_RECORD), "not a program");
	}
	{
		PARSE("../frob");
		cr_expect(eq(int, (int)o.action, ACTION_RECORD), "not a word");
	}
	char line[] = "-F 10 frob", *words[MAX_WORDS], err[OPTIONS_ERROR_BYTES];
	struct options o;
	cr_expect(eq(int, parse(line, words, &o, err), -EINVAL));
	expect_text(err, "'frob' is a tool, its options come after it; "
			 "for a command of that name put '--' before it");
	remove_tool_dir(dir);
}

Test(options, help_fits_a_terminal)
{
	char *text = NULL, *save = NULL;
	size_t bytes = 0, lines = 0;
	FILE *out = open_memstream(&text, &bytes);

	options_help(out);
	fclose(out);
	cr_expect(not(eq(ptr, strstr(text, "--kernel-addresses"), NULL)));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cr_expect(le(sz, strlen(line), 80), "%s", line);
		lines++;
	}
	cr_expect(ge(sz, lines, 30));
	free(text);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the recorder's command line, parsed and free of contradictions.
 *
 * Strings point into argv and live as long as it does. Nothing here prints,
 * except the help to the stream it is given.
 */
#ifndef PROFILER_OPTIONS_H
#define PROFILER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/event.h"
#include "profiler/cpulist.h"

#define OPTIONS_MAX_TARGETS 256 /* process or thread ids on one command line */
#define OPTIONS_MAX_CGROUPS 16
#define OPTIONS_ERROR_BYTES 256

/* What is read of a stack in one piece: a snapshot is as many of them. */
#define OPTIONS_SNAPSHOT_PIECE	 512
#define OPTIONS_DEFAULT_SNAPSHOT 32768

#define OPTIONS_DEFAULT_HZ 99 /* not 100: does not beat with timers of the machine */

enum options_action {
	ACTION_RECORD,
	ACTION_LIST_EVENTS,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_TOOL, /* run options.tool with options.args */
};

enum call_graph {
	CALL_GRAPH_AUTO,  /* unwind tables; a snapshot, then frame pointers, where they do not reach
			   */
	CALL_GRAPH_FP,	  /* frame pointers and nothing else */
	CALL_GRAPH_DWARF, /* a snapshot of every sample */
	CALL_GRAPH_NONE,
};

/**
 * struct options - what the user asked for
 * @action: what to do; for all but ACTION_RECORD and ACTION_TOOL the rest is moot
 * @all_cpus: -a, or neither process, thread nor command given: the whole machine
 *            (limited by @cpus and @cgroups); with a command, for as long as it runs
 * @pids: process ids (-p), @n_pids of them
 * @tids: thread ids (-t), @n_tids of them; never together with @pids
 * @cgroups: paths (-G) as typed, @n_cgroups of them
 * @cpus: -C, empty (count 0) for all CPUs
 * @events: names (-e) as typed, @n_events of them; 0 means the default, cpu-clock
 * @hw_events: --hw-events, added to @events
 * @hz: samples per second and CPU, 0 where @count is set
 * @count: counts per sample (-c), 0 where @hz is set
 * @duration_ns: -d, 0 for no limit
 * @output: -o, "-" for stdout, NULL if not given
 * @call_graph: how to get call chains
 * @no_names: no names of functions in programs; build ids and offsets only
 * @snapshot_bytes: of stack in a snapshot; 0 for CALL_GRAPH_FP and _NONE
 * @idle: write samples of the idle task
 * @strict: refuse a substitute for what was asked for
 * @kernel_addresses: record raw kernel addresses
 * @quiet: -q, only errors
 * @verbose: -v
 * @args: the command and its arguments, or the tool's arguments with the tool's
 *        word as first (as argv is); NULL-terminated; NULL without either
 * @n_args: strings in @args
 * @tool: path of the program to run for ACTION_TOOL
 */
struct options {
	enum options_action action;
	bool all_cpus;
	unsigned int n_pids;
	unsigned int n_tids;
	unsigned int n_cgroups;
	unsigned int n_events;
	uint32_t pids[OPTIONS_MAX_TARGETS];
	uint32_t tids[OPTIONS_MAX_TARGETS];
	const char *cgroups[OPTIONS_MAX_CGROUPS];
	struct cpulist cpus;
	const char *events[MAX_EVENTS];
	bool hw_events;
	uint64_t hz;
	uint64_t count;
	uint64_t duration_ns;
	const char *output;
	enum call_graph call_graph;
	bool no_names;
	uint32_t snapshot_bytes;
	bool idle;
	bool strict;
	bool kernel_addresses;
	bool quiet;
	bool verbose;
	char **args;
	unsigned int n_args;
	char tool[4096];
};

/**
 * options_parse() - read the command line
 * @argc: as given to main()
 * @argv: as given to main(); not changed
 * @ret: filled on success, untouched on failure
 * @err: on failure, one line without program name or full stop
 * @err_bytes: size of @err, OPTIONS_ERROR_BYTES is enough
 *
 * A first word that names a tool (profiler-WORD beside this program or in PATH)
 * gives ACTION_TOOL. Uses getopt_long(), so not from two threads at once.
 *
 * Return: 0, or -EINVAL for a usage error (the caller exits with 2).
 */
int options_parse(int argc, char **argv, struct options *ret, char *err, size_t err_bytes)
	__attribute__((warn_unused_result));

/**
 * options_help() - write the text of --help, 80 columns
 */
void options_help(FILE *out);

#endif /* PROFILER_OPTIONS_H */

// SPDX-License-Identifier: Apache-2.0
/*
 * main.c - the recorder's command: options, one recording, and what the user is told of it.
 *
 * Everything that this program says goes to stderr; stdout may carry the stream. The only file of
 * the recorder that prints.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/options.h"
#include "profiler/pmu.h"
#include "profiler/record.h"

#define EXIT_OK	     0
#define EXIT_FAILED  1
#define EXIT_MISUSED 2

#define COMMAND_GRACE_MS 2000 /* after SIGTERM, before the user is told what is waited for */

static int quiet_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static int verbose_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

static void print_size(FILE *out, uint64_t bytes)
{
	if (bytes < 10000)
		fprintf(out, "%" PRIu64 " B", bytes);
	else if (bytes < 10000000)
		fprintf(out, "%.1f KB", (double)bytes / 1e3);
	else
		fprintf(out, "%.1f MB", (double)bytes / 1e6);
}

static uint64_t dropped(const struct record_totals *t)
{
	return t->ring_full + t->ring_busy + t->handoff + t->output;
}

/* A progress line, rewritten in place; only on a terminal. */
static void show_progress(const struct record_totals *t)
{
	fprintf(stderr, "\r\033[Kprofiler: %.0f s, %" PRIu64 " samples, %" PRIu64 " dropped, ",
		t->seconds, t->written + t->in_flight, dropped(t));
	print_size(stderr, t->bytes);
	fflush(stderr);
}

/* Said while the run goes on; it takes the place of the progress line. */
static void show_message(const char *text)
{
	fprintf(stderr, "%sprofiler: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", text);
}

static void print_share(const char *what, int64_t part, uint64_t whole)
{
	if (part > 0)
		fprintf(stderr, "%s%" PRId64 " (%.2f %%)", what, part,
			whole ? 100.0 * (double)part / (double)whole : 0.0);
}

/* Where samples were lost, by reason; nothing when none were. */
static void explain_losses(const struct record_totals *t)
{
	static const char format[] = "profiler: %" PRIu64 " samples lost: %s\n";

	if (t->ring_full)
		fprintf(stderr, format, t->ring_full,
			"a ring was full; the recorder got too little CPU time");
	if (t->ring_busy)
		fprintf(stderr, format, t->ring_busy, "a ring was busy");
	if (t->handoff)
		fprintf(stderr, format, t->handoff,
			t->disk_was_full ? "the disk was full"
					 : "the output was too slow; write to a file with -o");
	if (t->output)
		fprintf(stderr, format, t->output, "the output failed");
	if (t->stack_lost)
		fprintf(stderr, "profiler: %" PRIu64 " stacks lost: a ring was full\n",
			t->stack_lost);
	if (t->sideband_lost)
		fprintf(stderr,
			"profiler: %" PRIu64
			" records of processes and mappings lost by the kernel; "
			"some names may be unknown\n",
			t->sideband_lost);
	if (t->unaccounted)
		fprintf(stderr,
			"profiler: %" PRId64 " samples are not accounted for: this is a bug\n",
			t->unaccounted);
}

static void warn_of_blindness(const struct record_totals *t)
{
	/* A few samples are within the error of the clock of idle time. */
	if (t->busy_blind > 100 && (uint64_t)t->busy_blind > t->busy_expected / 100)
		fprintf(stderr, "profiler: more than 1 %% blind: the kernel skipped the sampling "
				"program, or a "
				"hypervisor took the CPU\n");
}

static void show_summary(const struct record_totals *t, const char *path)
{
	fprintf(stderr, "profiler: %" PRIu64 " samples in %.1f s, %" PRIu64 " dropped", t->written,
		t->seconds, dropped(t));
	print_share(", blind ", t->busy_blind, t->busy_expected);
	print_share(", throttled ", (int64_t)t->throttled, t->expected);
	if (t->idle)
		fprintf(stderr, ", %" PRIu64 " idle", t->idle);
	if (t->filtered)
		fprintf(stderr, ", %" PRIu64 " filtered", t->filtered);
	if (t->stacks)
		fprintf(stderr, ", %.1f %% of user stacks whole",
			100.0 * (double)t->stacks_whole / (double)t->stacks);
	fprintf(stderr, "; ");
	print_size(stderr, t->bytes);
	fprintf(stderr, " written%s%s\n", path ? " to " : "", path ? path : "");
	explain_losses(t);
	warn_of_blindness(t);
	if (path && t->written)
		fprintf(stderr, "profiler: to look at it: profiler report %s\n", path);
}

/* The stream is closed; but the shell, or whoever called us, takes us for the command. */
static void wait_for_command(struct recorder *r, const struct options *o)
{
	if (record_wait(r, COMMAND_GRACE_MS))
		return;
	if (!o->quiet)
		fprintf(stderr,
			"profiler: '%s' has SIGTERM and still runs; waiting for its end, Ctrl-C "
			"ends the wait\n",
			o->args[0]);
	(void)record_wait(r, -1);
}

static int record(const struct options *o)
{
	bool terminal = isatty(STDERR_FILENO) && !o->quiet;
	const struct record_listener listener = { .progress = terminal ? show_progress : NULL,
						  .message = show_message };
	char err[RECORD_ERROR_BYTES];
	struct record_totals totals;
	struct recorder *r;
	const char *notice;
	int error, status;

	libbpf_set_print(o->verbose ? verbose_libbpf : quiet_libbpf);
	if (record_open(&r, o, err, sizeof(err))) {
		fprintf(stderr, "profiler: %s\n", err);
		return EXIT_FAILED;
	}
	for (size_t i = 0; !o->quiet && (notice = record_notice(r, i)); i++)
		fprintf(stderr, "profiler: %s\n", notice);
	error = record_run(r, &listener, err, sizeof(err));
	totals = record_totals(r);
	if (terminal)
		fprintf(stderr, "\r\033[K");
	if (error)
		fprintf(stderr, "profiler: %s\n", err);
	if (!o->quiet)
		show_summary(&totals, record_output_path(r));
	wait_for_command(r, o);
	status = error ? EXIT_FAILED : record_exit_status(r);
	record_close(r);
	return status;
}

static int run_tool(const struct options *o)
{
	execv(o->tool, o->args);
	fprintf(stderr, "profiler: cannot run '%s': %s\n", o->tool, strerror(errno));
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	char err[OPTIONS_ERROR_BYTES];
	struct options options;

	if (options_parse(argc, argv, &options, err, sizeof(err))) {
		fprintf(stderr, "profiler: %s\n", err);
		return EXIT_MISUSED;
	}
	switch (options.action) {
	case ACTION_HELP:
		options_help(stdout);
		return EXIT_OK;
	case ACTION_VERSION:
		printf("profiler %s\n", PROFILER_VERSION);
		return EXIT_OK;
	case ACTION_LIST_EVENTS:
		return pmu_list(stdout, 0) ? EXIT_FAILED : EXIT_OK;
	case ACTION_TOOL:
		return run_tool(&options);
	case ACTION_RECORD:
		break;
	}
	return record(&options);
}

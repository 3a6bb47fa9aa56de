/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what the command lines of all tools have in common.
 *
 * Every tool takes options and at most one stream, a file or stdin. Exit status 0: done, also
 * when the stream was damaged or the reader of the output went away; 1: failed; 2: wrong usage.
 */
#ifndef PROFILER_CLI_H
#define PROFILER_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/names.h"
#include "tools/profile.h"

/* An option, one line of the help. A table of them ends with an all-zero one. */
struct cli_option {
	const char *long_name;
	const char *argument; /* what to call it in the help, NULL for none */
	const char *help;
	char letter; /* also what cli_parse() hands on; above 0x7F: long only */
};

/* Value for the letter of an option that has none; more than one: CLI_LONG_ONLY + 1 ... */
#define CLI_LONG_ONLY 1

struct cli_program {
	const char *name;    /* "profiler-report" */
	const char *summary; /* the help's first line */
	const struct cli_option *options;
	/*
	 * Takes one option. Returns 0, or 2 after having said with cli_error() what is wrong.
	 */
	int (*take)(void *ctx, char letter, const char *argument);
	/* Of a tool that reads several streams; all others leave these out. */
	const char *operands;				 /* for the help: "BASE NEW" */
	int (*take_stream)(void *ctx, const char *path); /* an operand; as take() */
	bool has_no_names; /* leaves out the options on names, --function among them */
};

/* Most --debug-dir options. */
#define CLI_DEBUG_DIRS 16

/* What to read, and how to name it; not to be moved, as names point into it. */
struct cli_input {
	const char *path; /* NULL: stdin */
	struct name_options names;
	const char *debug_dir[CLI_DEBUG_DIRS];
	struct filter filter;
	const char *function;		  /* regular expression, NULL: all */
	struct profile_listener listener; /* the tool's own; not from the command line */
};

/* What cli_parse() returns when the program is to go on. */
#define CLI_GO_ON (-1)

/**
 * cli_parse() - read a command line; answers --help and --version itself, and takes the options
 * of all tools on names and on which samples are wanted
 * @program: the tool
 * @argc: of main()
 * @argv: of main()
 * @ctx: for program->take
 * @ret_input: what the command line says of the stream; all 0 before
 *
 * Return: CLI_GO_ON, or the exit status.
 */
int cli_parse(const struct cli_program *program, int argc, char **argv, void *ctx,
	      struct cli_input *ret_input) __attribute__((warn_unused_result));

/** cli_error() - one line on stderr: "profiler-report: ..." */
void cli_error(const struct cli_program *program, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** cli_explain() - one line on why a stream could not be read: what reader_next() gave */
void cli_explain(const struct cli_program *program, const char *name, int err);

/** cli_report_damage() - what was lost in reading; the rest is @done: "shown" */
void cli_report_damage(const struct cli_program *program, const char *name,
		       const struct reader_damage *d, const char *done);

/** cli_number() - a positive number from the command line; 0, or 2 after an error line */
int cli_number(const struct cli_program *program, const char *option, const char *text,
	       uint32_t *ret) __attribute__((warn_unused_result));

/**
 * cli_read() - read a stream into a profile and look its names up
 * @program: the tool
 * @input: from cli_parse()
 * @by: whose samples to keep apart
 * @by_cpu: keep CPUs apart
 * @ret_profile: the profile, to be freed by the caller when 0 is returned
 * @ret_names: its names, likewise
 *
 * Says on stderr what went wrong, what damage cost, and which binaries could not vouch; on a
 * terminal also how far long work has come.
 *
 * Return: 0, or the exit status.
 */
int cli_read(const struct cli_program *program, const struct cli_input *input, enum profile_by by,
	     bool by_cpu, struct profile **ret_profile, struct names **ret_names)
	__attribute__((warn_unused_result));

/**
 * cli_event() - which event of a profile to show
 * @program: the tool
 * @p: the profile
 * @name: what the user asked for, with or without ":u"; NULL: the first that has samples
 * @ret: its index in the header's events
 *
 * Return: 0, or 1 after an error line that names the events there are.
 */
int cli_event(const struct cli_program *program, const struct profile *p, const char *name,
	      uint32_t *ret) __attribute__((warn_unused_result));

/**
 * cli_close() - finish the output
 * @program: the tool
 * @out: stdout or a file of the tool's own; closed
 * @name: what to call it in an error line
 *
 * A reader that went away is no failure.
 *
 * Return: the exit status.
 */
int cli_close(const struct cli_program *program, FILE *out, const char *name)
	__attribute__((warn_unused_result));

#endif /* PROFILER_CLI_H */

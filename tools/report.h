/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what profiler-report has counted, and the two ways to show it.
 */
#ifndef PROFILER_REPORT_H
#define PROFILER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/losses.h"
#include "tools/names.h"

/* Samples of one function, or of one process, at one event. */
struct report_cell {
	uint32_t id; /* function, or process (0 = unknown) */
	uint32_t event;
	/* up to here the key */
	struct profile_total self;  /* of a process: all its samples */
	struct profile_total total; /* stacks that the function is in, each counted once */
	uint64_t seen;		    /* last row that was counted in total */
};

/* A line of a table: the cells of one function or process, of the events that are shown. */
struct report_line {
	uint32_t id;
	struct profile_total self;
	struct profile_total total;
};

enum report_by {
	REPORT_BY_DEFAULT, /* functions, and the first few processes */
	REPORT_BY_FUNCTION,
	REPORT_BY_PROCESS,
	REPORT_BY_EVENT,
};

struct report_options {
	const char *event; /* NULL: the first with samples; JSON: all */
	uint32_t rows;	   /* 0: the default */
	enum report_by by;
	bool json;
	bool stats;
};

struct report {
	const struct report_options *options;
	const struct profile *profile;
	const struct names *names;
	uint32_t event;		    /* the one shown, or PROFILE_ALL_EVENTS */
	struct profile_total shown; /* all samples of what is shown */
	struct idmap functions;	    /* of report_cell */
	struct idmap processes;	    /* of report_cell */
	struct report_line *function_line;
	struct report_line *process_line;
	size_t function_lines;
	size_t process_lines;
};

/** report_print_text() - to stdout, for people; fits a terminal's width, not cut in a pipe */
void report_print_text(const struct report *r);

/** report_print_stats() - the whole ledger as a table, to stdout */
void report_print_stats(const struct report *r);

/** report_print_json() - to stdout, one JSON object */
void report_print_json(const struct report *r);

#endif /* PROFILER_REPORT_H */

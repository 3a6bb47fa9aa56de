/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what profiler-report has counted, and the ways to show it.
 */
#ifndef PROFILER_REPORT_H
#define PROFILER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/losses.h"
#include "tools/names.h"
#include "tools/screen.h"

/* What the lines of a table stand for. */
enum report_by {
	REPORT_BY_DEFAULT, /* functions, and the first few processes */
	REPORT_BY_FUNCTION,
	REPORT_BY_EVENT,
	/* the others are groups of samples */
	REPORT_BY_PID,
	REPORT_BY_TID,
	REPORT_BY_COMM,
	REPORT_BY_CGROUP,
	REPORT_BY_CONTAINER,
	REPORT_BY_CPU,
	REPORT_BY_MAPPING,
	REPORT_BY_SOURCE,
	REPORT_BYS,
};

/* What samples have in common that are counted together. What it is not of is 0. */
struct report_group {
	uint64_t start_ns; /* of a process */
	uint32_t pid;
	uint32_t tid;
	uint32_t cpu;
	uint32_t text; /* string: comm, cgroup, container's id, mapping, source file; 0: unknown */
	uint32_t line; /* of the source */
	/* container: in none; source: no line is known, text is the mapping */
	uint32_t has_none;
};

/* Samples of one function, or of one group, at one event. */
struct report_cell {
	uint32_t id; /* function, or group */
	uint32_t event;
	/* up to here the key */
	struct profile_total self;  /* of a group: all its samples */
	struct profile_total total; /* stacks that the function is in, each counted once */
	uint64_t seen;		    /* last row that was counted in total */
};

/* Samples at code without a name, of the events that are shown. */
struct report_unknown {
	uint32_t path;	 /* string: mapping */
	uint32_t reason; /* enum name_unknown */
	/* up to here the key */
	struct profile_total self;
	struct profile_total total;
	uint64_t seen;
};

/* A line of a table: the cells of one function or group, of the events that are shown. */
struct report_line {
	uint32_t id;
	struct profile_total self;
	struct profile_total total;
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
	enum report_by group_by;
	uint32_t event;		    /* the one shown, or PROFILE_ALL_EVENTS */
	struct profile_total shown; /* all samples of what is shown */
	struct idmap functions;	    /* of report_cell */
	struct idmap groups;	    /* of report_group */
	struct idmap group_cells;   /* of report_cell */
	struct idmap unknowns;	    /* of report_unknown */
	struct report_line *function_line;
	struct report_line *group_line;
	struct report_unknown *unknown_line;
	size_t function_lines;
	size_t group_lines;
};

/**
 * report_by_find() - what a word of the command line stands for, REPORT_BY_DEFAULT for any other
 */
enum report_by report_by_find(const char *word);

/** report_by_word() - the word for it: "cgroup" */
const char *report_by_word(enum report_by by);

/**
 * report_group_of() - the group of a row of the profile
 * @r: whose group_by says what groups are
 * @row: of its profile
 * @leaf: frame ref of its innermost frame
 */
struct report_group report_group_of(const struct report *r, const struct profile_row *row,
				    uint32_t leaf);

/** report_share() - a part of a whole, 0 of nothing */
double report_share(uint64_t part, uint64_t whole);

/** report_print_head() - what was recorded, and what became of it */
void report_print_head(const struct screen *s, const struct profile *p);

/** report_print_text() - to stdout, for people; fits a terminal's width, not cut in a pipe */
void report_print_text(const struct report *r);

/** report_print_stats() - the whole ledger as a table, to stdout */
void report_print_stats(const struct report *r);

/** report_print_json() - to stdout, one JSON object */
void report_print_json(const struct report *r);

#endif /* PROFILER_REPORT_H */

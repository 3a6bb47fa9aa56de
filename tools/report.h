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
#include "tools/metrics.h"
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
	REPORT_BY_STACK,
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
	uint32_t stack; /* a report_call: the leaf */
	uint32_t reserved;
};

/* A function in stacks, below the same callers. */
struct report_call {
	uint32_t caller; /* another report_call, 0: nobody */
	uint32_t function;
};

/*
 * What counters have counted, in report.sums: of the samples that are COUNTED and not SHARED, so of
 * one task. 0: no samples.
 */
struct report_sums {
	uint32_t self; /* of a group: all its samples */
	uint32_t total;
};

/* Samples of one function, or of one group, at one event. */
struct report_cell {
	uint32_t id; /* function, or group */
	uint32_t event;
	/* up to here the key */
	struct profile_total self;  /* of a group: all its samples */
	struct profile_total total; /* stacks that the function is in, each counted once */
	struct report_sums sums;
	uint64_t seen; /* last row that was counted in total */
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
	struct report_sums sums; /* where one event's samples are shown */
};

struct report_options {
	const char *event; /* NULL: the first with samples; JSON: all */
	uint32_t rows;	   /* 0: the default */
	enum report_by by;
	bool json;
	bool stats;
	bool wide;
	bool tree;
	bool inverted;
	uint32_t depth;	      /* of the tree, 0: any */
	double min_percent;   /* of the tree: smaller parts are not shown */
	const char *peek;     /* regular expression that was tried, NULL: none */
	const char *function; /* what cli_input has */
};

struct report {
	const struct report_options *options;
	const struct profile *profile;
	const struct names *names;
	enum report_by group_by;
	uint32_t event;		    /* the one shown, or PROFILE_ALL_EVENTS */
	uint32_t leader;	    /* whose samples these are, or PROFILE_ALL_EVENTS */
	struct profile_total shown; /* all samples of what is shown */
	struct metrics metrics;	    /* of the leader's group */
	struct sums sums;
	uint32_t
		all_sums[READER_MAX_EVENTS]; /* by leader: of all samples with counts of one task */
	struct idmap functions;		     /* of report_cell */
	struct idmap groups;		     /* of report_group */
	struct idmap group_cells;	     /* of report_cell */
	struct idmap calls;		     /* of report_call; with REPORT_BY_STACK */
	struct idmap unknowns;		     /* of report_unknown */
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
 * @r: whose group_by says what groups are; calls are added to it
 * @row: of its profile
 * @stack: frame refs from profile_stack()
 * @length: how many
 * @ret: the group
 *
 * Return: 0 or -ENOMEM.
 */
int report_group_of(struct report *r, const struct profile_row *row, const uint32_t *stack,
		    size_t length, struct report_group *ret) __attribute__((warn_unused_result));

/** report_is_shown() - are samples, or counts, of this event shown? */
bool report_is_shown(const struct report *r, uint32_t event);

/** report_share() - a part of a whole, 0 of nothing */
double report_share(uint64_t part, uint64_t whole);

/** report_unit() - of the weights that are shown: "nanoseconds", or anything else for counts */
const char *report_unit(const struct report *r);

/** report_print_head() - what was recorded, what is left of it, and what became of the rest */
void report_print_head(const struct screen *s, const struct report *r);

/** report_print_text() - to stdout, for people; fits a terminal's width, not cut in a pipe; 0 or
 * -ENOMEM */
int report_print_text(const struct report *r) __attribute__((warn_unused_result));

/* The columns of metrics in a table. */
struct metric_columns {
	const struct report *report;
	uint32_t count; /* of metrics */
	bool wide;	/* with their errors, the samples behind them, and those of whole stacks */
	bool totals;	/* wide: the table has totals */
	size_t width;	/* of all of them */
};

/**
 * report_metric_columns() - the columns that a table has room for
 * @r: the report
 * @room: columns of the screen that are left
 * @totals: the table has totals
 */
struct metric_columns report_metric_columns(const struct report *r, size_t room, bool totals);

/* Longest heading of a table, and room for its metrics. */
#define HEADING_MAX 4096

/** report_metric_heading() - appends the headings of the columns */
void report_metric_heading(const struct metric_columns *c, char heading[HEADING_MAX]);

/** report_print_metrics() - a line's columns */
void report_print_metrics(const struct metric_columns *c, const struct report_sums *sums);

/** report_print_metric_legend() - what the columns are, and what is left out; nothing of none */
void report_print_metric_legend(const struct screen *s, const struct metric_columns *c);

/** report_print_tree() - the call tree of the event that is shown; 0 or -ENOMEM */
int report_print_tree(const struct screen *s, const struct report *r)
	__attribute__((warn_unused_result));

/** report_json_tree() - the same as members of the object; 0 or -ENOMEM */
int report_json_tree(const struct report *r) __attribute__((warn_unused_result));

/** report_print_peek() - some functions' callers, and what they call; 0 or -ENOMEM */
int report_print_peek(const struct screen *s, const struct report *r)
	__attribute__((warn_unused_result));

/** report_json_peek() - the same as a member of the object; 0 or -ENOMEM */
int report_json_peek(const struct report *r) __attribute__((warn_unused_result));

/** report_print_stats() - the whole ledger as a table, to stdout */
void report_print_stats(const struct report *r);

/** report_json_groups() - a list of the groups of counters, and what was counted in all */
void report_json_groups(const struct report *r);

/** report_json_sums() - what a group has counted in some samples, and metrics: two members */
void report_json_sums(const struct report *r, uint32_t leader, const char *prefix, uint32_t sums);

/** report_print_json() - to stdout, one JSON object; 0 or -ENOMEM */
int report_print_json(const struct report *r) __attribute__((warn_unused_result));

#endif /* PROFILER_REPORT_H */

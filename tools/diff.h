/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.h - two sides of one or more recordings each, matched and compared.
 *
 * Functions of different recordings are the same by name and file, never by address: the file
 * without its folder and version ("libfoo.so.1.2" is "libfoo.so"), the name without what the
 * compiler adds to parts of a function ("parse.cold", "parse.isra.0"). What is inlined is a
 * function as any other, so it is found again where the other build has a call. Of a function that
 * only one side has, one of the same name in another file is the same, if it is the only one and
 * the other side alone has it: so a program can be renamed.
 *
 * Weights are conserved: for each side the sum of all functions' self, and that of all stacks, is
 * what its streams have of the event.
 */
#ifndef PROFILER_DIFF_H
#define PROFILER_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/diff_blocks.h"
#include "tools/names.h"
#include "tools/stats.h"

/* Most recordings, of both sides together. */
#define DIFF_RUNS 64

/*
 * Of fewer samples, both sides together, no difference is claimed: at 10 to 0 a function's q could
 * just be small enough where it is one of a few, and rows that can tell nothing cost the others.
 * What the sum of both sides is says nothing of their difference, so the choice is a fair one.
 */
#define DIFF_SAMPLES_MIN 10

enum diff_side {
	DIFF_BASE,
	DIFF_NEW,
	DIFF_SIDES,
};

/* What makes the sides comparable. */
enum diff_norm {
	DIFF_BY_SAMPLES, /* shares of what is compared */
	DIFF_BY_EVENT,	 /* for each of another event */
	DIFF_BY_TIME,
	DIFF_BY_WORK, /* for each unit of work, told by the user */
};

struct diff_run {
	const char *path;
	double work; /* DIFF_BY_WORK: units of it that were done */
	enum diff_side side;
	/* as it was read */
	struct profile_total all;
	uint64_t duration_ns;
	uint64_t block_ns;
	double whole[DIFF_BLOCKS];
	uint32_t machine; /* string: host, CPU */
};

/* A function of any run. */
struct diff_function {
	uint32_t name;	/* string */
	uint32_t where; /* string: file, "" for what is not known of a stack */
	uint32_t is_kernel;
	uint32_t reserved;
	/* up to here the key */
	uint32_t same_as; /* itself, or the function of the other side that it was matched with */
	uint32_t sides;	  /* bits by enum diff_side: who has it */
};

struct diff_stack {
	uint32_t caller; /* 0: nobody */
	uint32_t function;
	/* up to here the key */
	uint32_t same_as; /* while matching */
	uint32_t row;	  /* of the stacks that samples were in; 1 + index, 0: none */
};

/* What one run has of one stack. */
struct diff_record {
	uint32_t stack;
	uint32_t run;
	struct profile_total all;
	float part[DIFF_BLOCKS]; /* for the variance; the sum is in all */
};

/* What there is of a function, or of a stack. */
struct diff_row {
	uint32_t id; /* function or stack */
	bool is_tested;
	bool is_different; /* not by chance, as far as one can know */
	struct profile_total of[DIFF_SIDES];
	struct stats_difference percent; /* of the base's whole */
	double q;			 /* p, adjusted for the number of rows tested */
};

/* Rows of one kind, the surest and largest change first. */
struct diff_rows {
	struct diff_row *row;
	size_t count;
	double *part; /* (row, run, block) */
};

enum diff_kind {
	DIFF_SELF,  /* of functions */
	DIFF_TOTAL, /* of functions, with what they called */
	DIFF_STACK,
	DIFF_KINDS,
};

struct diff {
	/* what is wanted */
	struct diff_run run[DIFF_RUNS];
	size_t runs;
	const char *event; /* NULL: the first that the first run has samples of */
	const char *norm_event;
	enum diff_norm norm;
	double confidence;
	bool with_stacks; /* compare stacks, too */
	/* what was read */
	char event_name[EVENT_NAME_MAX];
	char unit[32];
	struct strtab strings;
	struct idmap functions; /* of diff_function */
	struct idmap stacks;	/* of diff_stack */
	struct diff_record *record;
	size_t records;
	size_t record_room;
	/* what came out */
	struct profile_total all[DIFF_SIDES];
	double scale;	/* part / whole -> percent of the base */
	double new_by;	/* what makes the new side's weights comparable with the base's */
	double new_all; /* percent of the base */
	size_t tested;
	size_t different;
	struct diff_rows kind[DIFF_KINDS];
};

/** diff_release() - free what it owns */
void diff_release(struct diff *d);

/** diff_add() - add a run's profile: stacks, by names, with their blocks; 0 or -ENOMEM */
int diff_add(struct diff *d, uint32_t run, const struct names *n, const struct diff_blocks *b,
	     uint32_t event) __attribute__((warn_unused_result));

/** diff_match() - after all runs: find what is the same function under another file; 0, -ENOMEM */
int diff_match(struct diff *d) __attribute__((warn_unused_result));

/** diff_compare() - after matching: make and sort all rows; 0 or -ENOMEM */
int diff_compare(struct diff *d) __attribute__((warn_unused_result));

/** diff_text() - a string, "" for 0 */
static inline const char *diff_text(const struct diff *d, uint32_t string)
{
	return strtab_text(&d->strings, string);
}

static inline const struct diff_function *diff_function(const struct diff *d, uint32_t id)
{
	return idmap_at(&d->functions, id);
}

static inline const struct diff_stack *diff_stack(const struct diff *d, uint32_t id)
{
	return idmap_at(&d->stacks, id);
}

/** diff_norm_words() - what makes the sides comparable: "per time recorded" */
const char *diff_norm_words(const struct diff *d, char ret[EVENT_NAME_MAX]);

/** diff_print_text() - for people, to stdout; @rows: most lines of a table */
void diff_print_text(const struct diff *d, size_t rows);

/** diff_print_json() - all rows, one object, to stdout */
void diff_print_json(const struct diff *d);

/** diff_print_folded() - "stack base new" lines, the new side made comparable; 0 or -ENOMEM */
int diff_print_folded(const struct diff *d) __attribute__((warn_unused_result));

/**
 * diff_write_pprof() - new minus base as a gzipped profile.proto
 * @d: that was compared
 * @fd: file; taken over
 *
 * Return: 0 or -errno.
 */
int diff_write_pprof(const struct diff *d, int fd) __attribute__((warn_unused_result));

#endif /* PROFILER_DIFF_H */

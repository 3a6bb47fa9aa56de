/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flame_page.h - a flame graph as one HTML file that needs nothing else.
 *
 * The page is flamegraph/page.html with its style and scripts; the data in it is compressed and
 * written as base64, so that no name can end a script or begin an element. flamegraph/README.md
 * has the format of the data.
 */
#ifndef PROFILER_FLAME_PAGE_H
#define PROFILER_FLAME_PAGE_H

#include <stdio.h>

#include "tools/flame.h"
#include "tools/flame_time.h"
#include "tools/metrics.h"

/* Made by flamegraph/embed.cmake: the page with style and scripts, and marks where the rest goes.
 */
extern const char flame_page_html[];

/* A line of the page's head: "kernel", "6.1.0". */
struct flame_fact {
	const char *key;
	const char *text;
};

#define FLAME_FACTS_MAX 16

/* How sure it is that two sides differ in a function by itself. */
struct flame_test {
	uint32_t event;
	uint32_t function; /* of the flame */
	double error;	   /* half of the interval, in percent of the base's whole */
	double p;
	double q; /* p, corrected for the number of functions */
	bool is_different;
};

struct flame_tests {
	struct flame_test *test;
	size_t count;
};

struct flame_page {
	const struct flame *flame;
	const struct profile *profile; /* threads and metrics; NULL where two are compared */
	const struct flame_time *time; /* NULL: no timeline */
	const char *title;	       /* any bytes */
	const char *base;	       /* what to call the sides of a diff, any bytes */
	const char *new;
	const struct flame_tests *tests;	 /* of a diff */
	struct flame_fact fact[FLAME_FACTS_MAX]; /* any bytes; ends with a NULL key */
	uint32_t event;				 /* shown first */
	const char *view;			 /* shown first: "merged", "process" or "thread" */
	bool inverted;				 /* likewise */
};

/**
 * flame_page_write() - write the page
 * @out: where to; errors in writing are left to ferror()
 * @page: what is on it
 *
 * Return: 0, -ENOMEM, or -EOVERFLOW for more than 2 GiB of data.
 */
int flame_page_write(FILE *out, const struct flame_page *page) __attribute__((warn_unused_result));

#endif /* PROFILER_FLAME_PAGE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_view.h - the screen of profiler-top: what is drawn, and what keys do.
 *
 * Knows nothing of where the stream comes from. Only the last line may be written by others (the
 * recorder at the other end of a pipe does): the cursor rests there.
 */
#ifndef PROFILER_TOP_VIEW_H
#define PROFILER_TOP_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/top_count.h"

#define TOP_FILTER_BYTES 64

enum top_sort {
	TOP_BY_SELF,
	TOP_BY_TOTAL,
	TOP_BY_NAME,
};

/* What the user has chosen. */
struct top_choice {
	enum top_sort sort;
	bool since_start; /* sort by that, not by the window */
	bool is_paused;
	bool shows_help;
	bool is_typing; /* the filter */
	char filter[TOP_FILTER_BYTES];
	uint32_t event;
	uint32_t first; /* line that is shown at the top */
};

struct top_view;

/** top_view_open() - take the terminal; -ENOTTY where its type is not known, or -errno */
int top_view_open(struct top_view **ret, FILE *screen, FILE *keys)
	__attribute__((warn_unused_result));

/** top_view_free() - give the terminal back as it was; NULL is fine */
void top_view_free(struct top_view *v);

/** top_view_resize() - the terminal has another size */
void top_view_resize(struct top_view *v);

/**
 * top_view_draw() - draw everything
 * @v: the screen
 * @c: the counts
 * @choice: what the user wants to see
 * @status: what there is to say, "" for the hint at the keys
 * @is_shared: others write to the terminal, too: nothing is taken to be there still
 */
void top_view_draw(struct top_view *v, const struct top_counts *c, struct top_choice *choice,
		   const char *status, bool is_shared);

/** top_view_key() - take all keys that were pressed; false: the user wants to go */
bool top_view_key(struct top_view *v, const struct top_counts *c, struct top_choice *choice);

#endif /* PROFILER_TOP_VIEW_H */

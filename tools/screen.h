/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.h - lines and columns on stdout, for people.
 *
 * In a terminal lines are cut to its width (80 columns where it does not tell) and marked with
 * colours unless NO_COLOR is set; in a pipe or a file texts are whole and plain.
 */
#ifndef PROFILER_SCREEN_H
#define PROFILER_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct screen {
	size_t columns; /* 0: no limit */
	bool colours;
};

/** screen_find() - what stdout is */
struct screen screen_find(void);

/** screen_print_cut() - at most @columns of a clean text (0: all), with a '~' where it was cut */
void screen_print_cut(const char *text, size_t columns);

/** screen_print_end() - the same of a text whose end says more than its beginning: a path */
void screen_print_end(const char *text, size_t columns);

/** screen_print_middle() - the same of a text whose beginning and end say the most: a stack */
void screen_print_middle(const char *text, size_t columns);

/** screen_print_line() - a line of any text, cleaned, broken between words where the screen ends */
void screen_print_line(const struct screen *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** screen_print_heading() - a line that stands out */
void screen_print_heading(const struct screen *s, const char *text);

/** screen_print_share() - a share of the whole as "12.34%", in 7 columns, coloured by its size */
void screen_print_share(const struct screen *s, double part);

#endif /* PROFILER_SCREEN_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* diff_html.h - the difference of two sides as a flame graph in an HTML file. */
#ifndef PROFILER_DIFF_HTML_H
#define PROFILER_DIFF_HTML_H

#include <stdio.h>

#include "tools/diff.h"

/**
 * diff_write_html() - write the page
 * @of: what was compared, of the same runs: an event each; the first is shown first
 * @events: how many
 * @out: where to; errors in writing are left to ferror()
 *
 * Return: 0, -ENOMEM, or what flame_page_write() gives.
 */
int diff_write_html(const struct diff *const *of, size_t events, FILE *out)
	__attribute__((warn_unused_result));

#endif /* PROFILER_DIFF_HTML_H */

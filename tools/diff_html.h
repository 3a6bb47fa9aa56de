/* SPDX-License-Identifier: Apache-2.0 */
/* diff_html.h - the difference of two sides as a flame graph in an HTML file. */
#ifndef PROFILER_DIFF_HTML_H
#define PROFILER_DIFF_HTML_H

#include <stdio.h>

#include "tools/diff.h"

/**
 * diff_write_html() - write the page
 * @d: that was compared
 * @out: where to; errors in writing are left to ferror()
 *
 * Return: 0, -ENOMEM, or what flame_page_write() gives.
 */
int diff_write_html(const struct diff *d, FILE *out) __attribute__((warn_unused_result));

#endif /* PROFILER_DIFF_HTML_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* flame_text.h - text that may come from anybody, within HTML and SVG. */
#ifndef PROFILER_FLAME_TEXT_H
#define PROFILER_FLAME_TEXT_H

#include <stdio.h>

/** flame_clean() - any bytes as text without control characters; to be freed, NULL: no memory */
char *flame_clean(const char *text);

/** flame_put_markup() - clean text, as text or attribute of HTML and XML */
void flame_put_markup(FILE *out, const char *text);

#endif /* PROFILER_FLAME_TEXT_H */

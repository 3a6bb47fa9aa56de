/* SPDX-License-Identifier: Apache-2.0 */
/* flame_svg.h - a flame graph as a plain picture, without scripts. */
#ifndef PROFILER_FLAME_SVG_H
#define PROFILER_FLAME_SVG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/tree.h"

/**
 * flame_svg_write() - draw a call tree
 * @out: where to; errors in writing are left to ferror()
 * @tree: the tree
 * @event: whose values are shown
 * @title: above it, any bytes
 * @icicle: from the top down, as suits an inverted tree
 *
 * Frames too narrow to be seen are left out.
 *
 * Return: 0 or -ENOMEM.
 */
int flame_svg_write(FILE *out, const struct tree *tree, uint32_t event, const char *title,
		    bool icicle) __attribute__((warn_unused_result));

#endif /* PROFILER_FLAME_SVG_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* source_file.h - the one source file that a function is shown with. */
#ifndef PROFILER_SOURCE_FILE_H
#define PROFILER_SOURCE_FILE_H

#include <stdint.h>

#include "tools/names.h"

/**
 * source_files() - a source file for each function
 * @n: the names
 * @ret: by function id: string of the profile, 0 where none is known; to be freed
 *
 * Code of a function can come from several files, and some of it from none that is known. The first
 * that any place in it has stands for it, in the order of the stream.
 *
 * Return: 0 or -ENOMEM.
 */
int source_files(const struct names *n, uint32_t **ret) __attribute__((warn_unused_result));

#endif /* PROFILER_SOURCE_FILE_H */

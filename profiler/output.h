/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - where the stream goes: a file, or stdout when that is a pipe or a file. */
#ifndef PROFILER_OUTPUT_H
#define PROFILER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Where the stream goes when stdout is a terminal and no -o was given. */
#define OUTPUT_DEFAULT_FILE "profile.prof"

/**
 * struct output - an open output
 * @fd: to write to
 * @path: NULL for stdout
 */
struct output {
	int fd;
	const char *path;
};

/**
 * output_open() - open the output
 * @path: -o, "-" for stdout, NULL for the habit of the field: stdout, or a file when stdout is a
 *        terminal
 * @err: on failure, one line: cause; remedy
 *
 * A file is made readable by its owner only: a profile tells what a machine does. Returns 0 or
 * -errno.
 */
__attribute__((warn_unused_result)) int output_open(struct output *ret, const char *path, char *err,
						    size_t err_bytes);

/** output_close() - 0 or -errno: some filesystems tell of a failed write only here */
__attribute__((warn_unused_result)) int output_close(struct output *o);

#endif /* PROFILER_OUTPUT_H */

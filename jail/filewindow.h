/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filewindow.h - reads a file that may be large, front to back, through one buffer.
 *
 * By pread and not by mapping it: files of its kind are written while they are read, and one that
 * is cut short then is nothing but shorter.
 */
#ifndef PROFILER_FILEWINDOW_H
#define PROFILER_FILEWINDOW_H

#include <stddef.h>
#include <stdint.h>

/* As much as may be asked for at once, and what is read at once. */
#define FILEWINDOW_WANT	 16384
#define FILEWINDOW_BYTES 131072

struct filewindow {
	int fd;
	uint64_t size;	/* of the file, when it was opened */
	uint64_t start; /* of what is in the buffer */
	size_t have;
	uint8_t buffer[FILEWINDOW_BYTES];
};

/**
 * filewindow_open() - begin
 * @fd: stays the caller's
 *
 * Return: 0, -ENODEV if it is no regular file, or the errno of fstat().
 */
__attribute__((warn_unused_result)) int filewindow_open(struct filewindow *w, int fd);

/**
 * filewindow_at() - what is in the file at an offset
 * @want: at least so many bytes, if the file has them; at most FILEWINDOW_WANT
 * @ret: valid until the next call
 *
 * Return: how many bytes there are; less than @want at the end of the file.
 */
__attribute__((warn_unused_result)) size_t filewindow_at(struct filewindow *w, uint64_t offset,
							 size_t want, const uint8_t **ret);

#endif /* PROFILER_FILEWINDOW_H */

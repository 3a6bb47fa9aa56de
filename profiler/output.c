// SPDX-License-Identifier: Apache-2.0
/* output.c - where the stream goes: a file, or stdout when that is a pipe or a file. */
#include "profiler/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_file(struct output *ret, const char *path, char *err, size_t err_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600), error;

	if (fd < 0) {
		error = -errno;
		snprintf(err, err_bytes, "cannot open '%s': %s; -o names another file", path,
			 strerror(-error));
		return error;
	}
	*ret = (struct output){ .fd = fd, .path = path };
	return 0;
}

int output_open(struct output *ret, const char *path, char *err, size_t err_bytes)
{
	bool terminal = isatty(STDOUT_FILENO);

	if (path && strcmp(path, "-") != 0)
		return open_file(ret, path, err, err_bytes);
	if (!path && terminal)
		return open_file(ret, OUTPUT_DEFAULT_FILE, err, err_bytes);
	if (terminal) {
		snprintf(err, err_bytes,
			 "binary data not written to a terminal; pipe it into a tool or use -o "
			 "FILE");
		return -EINVAL;
	}
	*ret = (struct output){ .fd = STDOUT_FILENO, .path = NULL };
	return 0;
}

int output_close(struct output *o)
{
	int fd = o->fd;

	o->fd = -1;
	return close(fd) ? -errno : 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * filewindow.c - reads a file through one buffer, see filewindow.h.
 */
#include "jail/filewindow.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

int filewindow_open(struct filewindow *w, int fd)
{
	struct stat st;

	w->fd = fd;
	w->start = 0;
	w->have = 0;
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	w->size = (uint64_t)st.st_size;
	return 0;
}

static bool has(const struct filewindow *w, uint64_t offset, size_t want)
{
	return offset >= w->start && offset - w->start <= w->have &&
	       want <= w->have - (offset - w->start);
}

/* What is appended meanwhile is left for another time: who reads comes to an end. */
static void fill(struct filewindow *w, uint64_t offset)
{
	const size_t room = w->size - offset < sizeof(w->buffer) ? (size_t)(w->size - offset)
								 : sizeof(w->buffer);

	w->start = offset;
	w->have = 0;
	while (w->have < room) {
		ssize_t n = pread(w->fd, w->buffer + w->have, room - w->have,
				  (off_t)(offset + w->have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		w->have += (size_t)n;
	}
}

size_t filewindow_at(struct filewindow *w, uint64_t offset, size_t want, const uint8_t **ret)
{
	if (offset >= w->size)
		return 0;
	if (!has(w, offset, want))
		fill(w, offset);
	*ret = w->buffer + (offset - w->start);
	return w->have - (size_t)(offset - w->start);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.c - the container that a cgroup belongs to, see container.h.
 */
#include "tools/container.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";
static const char watcher[] = "conmon-";

/* Is what ends at @end, and began at @start or before, a word of whoever only watches? */
static bool is_watched(const char *start, const char *end)
{
	const size_t bytes = sizeof(watcher) - 1;

	return (size_t)(end - start) >= bytes && !memcmp(end - bytes, watcher, bytes);
}

const char *container_find(const char *cgroup)
{
	const char *found = NULL;
	size_t length;

	for (const char *at = cgroup; *at; at += length ? length : 1) {
		length = strspn(at, digits);
		if (length == CONTAINER_ID_DIGITS &&
		    (at == cgroup || !isalnum((unsigned char)at[-1])) &&
		    !isalnum((unsigned char)at[length]))
			found = is_watched(cgroup, at) ? NULL : at;
	}
	return found;
}

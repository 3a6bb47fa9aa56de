/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perfmap.h - names of code made at run time, by the text file /tmp/perf-PID.map.
 *
 * A line for each piece of code, as it is made: "START SIZE NAME\n", both numbers hexadecimal, with
 * or without 0x in front; the name may have spaces. Memory is used again, so of two lines that
 * cover a place the later one holds. A last line without its end is not yet written. Lines that are
 * no such lines are passed over. Source: tools/perf/Documentation/jit-interface.txt.
 *
 * The file belongs to the process: its names are its own affair, and its lines are bytes.
 */
#ifndef PROFILER_PERFMAP_H
#define PROFILER_PERFMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "jail/filewindow.h"
#include "jail/places.h"

/*
 * Of a larger map the last so many bytes are read: the newest million of lines. 0.15 s. What only
 * the lines before them know has no name.
 */
#define PERFMAP_BYTES_MAX (64u << 20)

/* What a question may cost: a unit is a line, or a place that one covers. */
#define PERFMAP_WORK_MAX (4u << 20)

/* What a question needs; any content at first. */
struct perfmap {
	struct places places;
	uint64_t line[JAIL_NAMES_MAX]; /* offset of the one that names a place, and 1; 0: none */
	bool changed[JAIL_NAMES_MAX];  /* since the part of the map that is known from before */
	struct filewindow file;
};

/**
 * perfmap_names() - names of places
 * @fd: stays the caller's
 * @before: as in jailwire.h
 * @addresses: ascending, no two alike
 * @count: 1 to JAIL_NAMES_MAX
 * @ret: the answer; of the first places, if not all have room
 *
 * Return: 0, -ENODEV if it is no regular file, -E2BIG if it would take too long.
 */
__attribute__((warn_unused_result)) int perfmap_names(struct perfmap *p, int fd, uint64_t before,
						      const uint64_t *addresses, uint32_t count,
						      struct name_answer *ret);

#endif /* PROFILER_PERFMAP_H */

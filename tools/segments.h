/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments.h - mappings as formats of profiles have them: one for each segment of a file, however
 * often it is mapped, in the same terms as the addresses of locations.
 */
#ifndef PROFILER_SEGMENTS_H
#define PROFILER_SEGMENTS_H

#include <stdint.h>

#include "tools/idmap.h"
#include "tools/names.h"

struct segment {
	uint64_t bias; /* address less offset */
	uint32_t name;
	uint32_t build_id;
	uint32_t kind;
	uint32_t reserved;
	/* up to here the key */
	uint64_t start;
	uint64_t limit;
	struct mapping_names has;
};

struct segments {
	struct idmap map;      /* of segment */
	uint32_t *of_location; /* by location id; 0: in none */
};

/**
 * segments_find() - put all locations into segments
 * @ret: to be freed with segments_release(), also after a failure
 * @n: the names
 *
 * Return: 0 or -ENOMEM.
 */
int segments_find(struct segments *ret, const struct names *n) __attribute__((warn_unused_result));

/** segments_release() - free what they own */
void segments_release(struct segments *s);

/* Room for segment_build_id(). */
#define SEGMENT_BUILD_ID_MAX (2 * TABLES_MAX_BUILD_ID + 1)

/** segment_build_id() - in hexadecimal digits, "" when unknown */
const char *segment_build_id(const struct profile *p, const struct segment *s,
			     char ret[SEGMENT_BUILD_ID_MAX]);

#endif /* PROFILER_SEGMENTS_H */

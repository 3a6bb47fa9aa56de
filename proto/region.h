/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - memory that grows in place up to a limit and is emptied at once.
 *
 * Address space for the whole limit is set aside when it is opened, and made usable as it is
 * needed. So nothing ever moves: pointers into a region stay good until it is cleared. Bytes that
 * were not written since the last clear read as 0, and cost no memory, however far apart the
 * written ones lie: a stream that defines only id 16,000,000 gets one page for it.
 */
#ifndef PROFILER_REGION_H
#define PROFILER_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region {
	uint8_t *base;
	size_t limit;  /* bytes of address space */
	size_t usable; /* of them may be touched */
	size_t used;   /* up to here; the caller's to move */
};

/** region_open() - set aside @limit bytes of address space; 0 or -errno */
int region_open(struct region *r, size_t limit) __attribute__((warn_unused_result));

/** region_free() - give all back; a zeroed region is fine */
void region_free(struct region *r);

/** region_need() - make the first @bytes bytes usable; false when over the limit or out of memory
 */
bool region_need(struct region *r, size_t bytes) __attribute__((warn_unused_result));

/** region_clear() - all bytes are 0 again, none is used, their memory is given back */
void region_clear(struct region *r);

#endif /* PROFILER_REGION_H */

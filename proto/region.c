/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.c - memory that grows in place up to a limit. See region.h.
 *
 * The address space is mapped without access, which costs nothing even where the kernel does not
 * overcommit, and gets access in steps.
 */
#include "proto/region.h"

#include <errno.h>
#include <sys/mman.h>

/* Made usable at least this much at a time: few system calls, little waste under strict commit. */
#define REGION_STEP ((size_t)1 << 20)

int region_open(struct region *r, size_t limit)
{
	void *base;

	limit = (limit + REGION_STEP - 1) & ~(REGION_STEP - 1);
	base = mmap(NULL, limit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	*r = (struct region){ .base = base, .limit = limit };
	return 0;
}

void region_free(struct region *r)
{
	if (r->base)
		munmap(r->base, r->limit);
	*r = (struct region){ 0 };
}

bool region_need(struct region *r, size_t bytes)
{
	size_t usable = r->usable * 2;

	if (bytes <= r->usable)
		return true;
	if (bytes > r->limit)
		return false;
	if (usable < bytes)
		usable = (bytes + REGION_STEP - 1) & ~(REGION_STEP - 1);
	if (usable > r->limit)
		usable = r->limit;
	if (mprotect(r->base, usable, PROT_READ | PROT_WRITE))
		return false;
	r->usable = usable;
	return true;
}

void region_clear(struct region *r)
{
	if (r->used)
		madvise(r->base, r->usable, MADV_DONTNEED);
	r->used = 0;
}

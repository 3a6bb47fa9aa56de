// SPDX-License-Identifier: Apache-2.0
/*
 * pages.c - memory of the tables whose size is fixed.
 *
 * Resident from the start: what the recorder takes it takes before the first sample. So its memory
 * does not creep up for minutes as pages are touched for the first time, no page fault falls
 * on the path of a sample, and a memory limit that is too low shows at once.
 */
#include "profiler/pages.h"

#include <sys/mman.h>

void *pages_new(size_t size_bytes)
{
	void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void pages_free(void *pages, size_t size_bytes)
{
	if (pages)
		munmap(pages, size_bytes);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h - memory of fixed size, resident from the start. See pages.c. */
#ifndef PROFILER_PAGES_H
#define PROFILER_PAGES_H

#include <stddef.h>

/**
 * pages_new() - zeroed memory, page-aligned, all of it resident
 *
 * Returns NULL when there is not enough. The caller frees it with pages_free() and the same size.
 */
__attribute__((warn_unused_result)) void *pages_new(size_t size_bytes);

/** pages_free() - NULL is fine */
void pages_free(void *pages, size_t size_bytes);

#endif /* PROFILER_PAGES_H */

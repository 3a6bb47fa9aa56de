// SPDX-License-Identifier: Apache-2.0
/*
 * malloc_count.c - stands before the C library's malloc and counts.
 *
 * The functions of this program are found before the library's, by the library itself too, so
 * whoever asks for memory in this process is counted: the proof that a path allocates nothing.
 * What is asked of the kernel directly (mmap) is not seen here. glibc only, which gives its own
 * functions a second name.
 */
#include "bench/micro/malloc_count.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static _Atomic uint64_t calls;
static _Atomic uint64_t asked_bytes;

static void count(size_t bytes)
{
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&asked_bytes, bytes, memory_order_relaxed);
}

struct malloc_count malloc_count_now(void)
{
	return (struct malloc_count){
		.calls = atomic_load_explicit(&calls, memory_order_relaxed),
		.bytes = atomic_load_explicit(&asked_bytes, memory_order_relaxed),
	};
}

void *malloc(size_t bytes)
{
	count(bytes);
	return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	count(n * bytes);
	return __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
	count(bytes);
	return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
	count(bytes);
	return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return memalign(alignment, bytes);
}

int posix_memalign(void **ret, size_t alignment, size_t bytes)
{
	void *p = memalign(alignment, bytes);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sorts.c - called back from the C library, which has no frame pointers: by qsort() and bsearch().
 *
 * in_sort 3/4, in_search 1/4: how often each compares is counted first, and each comparison gets
 * its part of the round.
 */
#include "tests/live/stacks/chain.h"

#define COUNT 64

static uint64_t comparisons, part;
static int numbers[COUNT], sorted[COUNT];

static WORKLOAD void in_sort(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void in_search(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static int difference(const void *a, const void *b)
{
	comparisons++;
	return *(const int *)a - *(const int *)b;
}

static WORKLOAD int compare_sorting(const void *a, const void *b)
{
	mislead();
	in_sort(part);
	return difference(a, b);
}

static WORKLOAD int compare_searching(const void *a, const void *b)
{
	mislead();
	in_search(part);
	return difference(a, b);
}

static WORKLOAD uint64_t sort(uint64_t loops)
{
	comparisons = 0;
	part = loops;
	memcpy(sorted, numbers, sizeof(sorted));
	qsort(sorted, COUNT, sizeof(*sorted), compare_sorting);
	return comparisons;
}

/* Not the inline version of the header. */
static void *(*volatile search_function)(const void *, const void *, size_t, size_t,
					 int (*)(const void *, const void *)) = bsearch;

static WORKLOAD uint64_t search(uint64_t loops)
{
	int key = sorted[1];

	comparisons = 0;
	part = loops;
	search_function(&key, sorted, COUNT, sizeof(*sorted), compare_searching);
	return comparisons;
}

int main(int argc, char **argv)
{
	uint64_t loops, sorting, searching;
	struct run r;

	run_begin(&r, argc, argv, NULL, NULL);
	for (int i = 0; i < COUNT; i++)
		numbers[i] = (int)(random_next(&r.random) >> 40);
	sorting = sort(1);
	searching = search(1);
	while ((loops = run_next(&r))) {
		loops *= sorting * searching;
		sort(3 * loops / sorting / 64);
		search(loops / searching / 64);
	}
	return 0;
}

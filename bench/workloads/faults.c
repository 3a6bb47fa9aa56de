/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c - exactly --pages page faults in touch_pages(): each page is fresh, anonymous,
 * not part of a huge page, and written to once.
 */
#include "common.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK_PAGES 256

static WORKLOAD void touch_pages(volatile char *memory, size_t pages, size_t page_bytes)
{
	for (size_t i = 0; i < pages; i++)
		memory[i * page_bytes] = 1;
	barrier();
}

static int one_chunk(size_t pages, size_t page_bytes)
{
	size_t bytes = pages * page_bytes;
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	/* Fails on kernels without huge pages, where there is nothing to forbid. */
	(void)madvise(memory, bytes, MADV_NOHUGEPAGE);
	touch_pages(memory, pages, page_bytes);
	return munmap(memory, bytes);
}

static long faults_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

int main(int argc, char **argv)
{
	double pages = 100000;
	const struct workload_option options[] = { { "--pages", &pages }, { NULL, NULL } };
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	workload_options(argc, argv, options);
	/* The first page is not in the measured faults, which would include those of the code. */
	if (one_chunk(1, page_bytes))
		return 1;
	long before = faults_so_far();
	for (size_t left = (size_t)pages - 1; left;) {
		size_t now = left < CHUNK_PAGES ? left : CHUNK_PAGES;

		if (one_chunk(now, page_bytes)) {
			perror("faults: mmap");
			return 1;
		}
		left -= now;
	}
	printf("{\"workload\": \"faults\", \"faults\": {\"touch_pages\": %zu}, \"measured\": "
	       "%ld}\n",
	       (size_t)pages, faults_so_far() - before + 1);
	return 0;
}

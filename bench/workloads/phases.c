/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phases.c - two functions by turns, --ms milliseconds of CPU time each, --turns times: all page
 * faults are in touch_pages(), and spin_quietly() has none. So counts that go to the wrong function
 * show.
 */
#include "common.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK_BYTES (256u << 10)
#define WARM_UP_NS  1000000 /* of code and stack, whose faults are nobody's */

static long faults_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static WORKLOAD void spin_quietly(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		work_loops(10000);
	barrier();
}

/* Returns 0, or -1 when there is no memory. */
static WORKLOAD int touch_pages(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	int failed = 0;

	while (!failed && clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
		volatile char *memory = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return -1;
		/* Fails on kernels without huge pages, where there is nothing to forbid. */
		(void)madvise((void *)(uintptr_t)memory, CHUNK_BYTES, MADV_NOHUGEPAGE);
		for (size_t at = 0; at < CHUNK_BYTES; at += page_bytes)
			memory[at] = 1;
		failed = munmap((void *)(uintptr_t)memory, CHUNK_BYTES);
	}
	barrier();
	return failed;
}

int main(int argc, char **argv)
{
	double ms = 20, turns = 50;
	const struct workload_option options[] = { { "--ms", &ms },
						   { "--turns", &turns },
						   { NULL, NULL } };
	long before, touched = 0, spun = 0;

	workload_options(argc, argv, options);
	spin_quietly(WARM_UP_NS);
	if (touch_pages(WARM_UP_NS))
		return 1;
	for (int i = 0; i < (int)turns; i++) {
		before = faults_so_far();
		spin_quietly((uint64_t)(ms * 1e6));
		spun += faults_so_far() - before;
		before = faults_so_far();
		if (touch_pages((uint64_t)(ms * 1e6))) {
			perror("phases: mmap");
			return 1;
		}
		touched += faults_so_far() - before;
	}
	printf("{\"workload\": \"phases\", \"faults\": {\"touch_pages\": %ld, \"spin_quietly\": "
	       "%ld}}\n",
	       touched, spun);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - threads: their stacks begin in the C library's, not in main().
 *
 * in_thread has all of the work.
 */
#include <pthread.h>

#include "tests/live/stacks/chain.h"

#define THREADS 4

static WORKLOAD void in_thread(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void serve(uint64_t loops)
{
	mislead();
	in_thread(loops);
	no_tail_call();
}

static WORKLOAD void *thread(void *run)
{
	struct run r = *(struct run *)run;
	uint64_t loops;

	while ((loops = run_next(&r)))
		serve(loops);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	struct run r;
	int count = 0;

	run_begin(&r, argc, argv, NULL, NULL);
	while (count < THREADS && !pthread_create(&threads[count], NULL, thread, &r))
		count++;
	while (count > 0)
		pthread_join(threads[--count], NULL);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads.c - threads worker-0, worker-1, ..., each in a function of its own
 * (work_in_0, work_in_1, ...), with equal or given shares of the CPU time.
 *
 * Each thread works until it has used its budget of CPU time, then ends. With
 * --linear 1 thread i of n gets a share of i + 1, else all get the same.
 */
#include "common.h"

#include <pthread.h>
#include <unistd.h>

#define MAX_THREADS 8
#define UNIT_NS	    200e3

struct worker {
	pthread_t thread;
	unsigned int number;
	uint64_t budget_ns;
	uint64_t spent_ns;
	uint64_t loops; /* of a unit */
};

#define WORKER_FUNCTION(n)                               \
	static WORKLOAD void work_in_##n(uint64_t loops) \
	{                                                \
		work_loops(loops);                       \
		barrier();                               \
	}
WORKER_FUNCTION(0)
WORKER_FUNCTION(1)
WORKER_FUNCTION(2)
WORKER_FUNCTION(3)
WORKER_FUNCTION(4)
WORKER_FUNCTION(5)
WORKER_FUNCTION(6)
WORKER_FUNCTION(7)

static void (*const functions[MAX_THREADS])(uint64_t) = {
	work_in_0, work_in_1, work_in_2, work_in_3, work_in_4, work_in_5, work_in_6, work_in_7,
};

static WORKLOAD void *work(void *arg)
{
	struct worker *worker = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", worker->number);
	pthread_setname_np(pthread_self(), name);
	while (worker->spent_ns < worker->budget_ns) {
		functions[worker->number](worker->loops);
		worker->spent_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	}
	return NULL;
}

static void print_truth(const struct worker *workers, unsigned int count)
{
	uint64_t total_ns = 0;

	for (unsigned int i = 0; i < count; i++)
		total_ns += workers[i].spent_ns;
	printf("{\"workload\": \"threads\", \"cpu_ns\": %llu, \"threads\": {",
	       (unsigned long long)total_ns);
	for (unsigned int i = 0; i < count; i++)
		printf("%s\"worker-%u\": {\"function\": \"work_in_%u\", \"cpu_ns\": %llu, "
		       "\"share\": %.6f}",
		       i ? ", " : "", i, i, (unsigned long long)workers[i].spent_ns,
		       (double)workers[i].spent_ns / (double)total_ns);
	printf("}}\n");
}

int main(int argc, char **argv)
{
	double seconds = 10, threads = 4, linear = 0;
	const struct workload_option options[] = { { "-d", &seconds },
						   { "--threads", &threads },
						   { "--linear", &linear },
						   { NULL, NULL } };
	struct worker workers[MAX_THREADS] = { 0 };

	workload_options(argc, argv, options);
	unsigned int count = threads > MAX_THREADS ? MAX_THREADS : (unsigned int)threads;
	double parts = linear > 0 ? count * (count + 1) / 2.0 : count;
	/* So that it takes about -d seconds on an idle machine: the CPUs, or the busiest thread. */
	double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
	double most = parts / (linear > 0 ? count : 1);
	double total_ns = seconds * NS_PER_S * (cpus < most ? cpus : most);
	uint64_t loops = loops_for_ns(UNIT_NS);

	for (unsigned int i = 0; i < count; i++) {
		double share = (linear > 0 ? i + 1 : 1) / parts;

		workers[i].number = i;
		workers[i].loops = loops;
		workers[i].budget_ns = (uint64_t)(total_ns * share);
		errno = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (errno) {
			perror("threads: pthread_create");
			return 1;
		}
	}
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	print_truth(workers, count);
	return 0;
}

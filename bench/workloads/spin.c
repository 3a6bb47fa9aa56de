/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin.c - keeps every CPU that it may use busy in spin() for -d seconds of wall-clock
 * time: one thread per CPU, bound to it.
 */
#include "common.h"

#include <pthread.h>
#include <sched.h>

#define UNIT_NS 1e6

struct spinner {
	pthread_t thread;
	int cpu;
	uint64_t end_ns; /* CLOCK_MONOTONIC */
	uint64_t loops;
	uint64_t spent_ns;
};

static WORKLOAD void spin(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void *run(void *arg)
{
	struct spinner *spinner = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(spinner->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	while (clock_ns(CLOCK_MONOTONIC) < spinner->end_ns)
		spin(spinner->loops);
	spinner->spent_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct spinner spinners[CPU_SETSIZE];
	double seconds = 10;
	const struct workload_option options[] = { { "-d", &seconds }, { NULL, NULL } };
	uint64_t spent_ns = 0;
	int count = 0;
	cpu_set_t set;

	workload_options(argc, argv, options);
	if (sched_getaffinity(0, sizeof(set), &set)) {
		perror("spin: sched_getaffinity");
		return 1;
	}
	uint64_t loops = loops_for_ns(UNIT_NS);
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * NS_PER_S);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		struct spinner *spinner = &spinners[count++];
		*spinner = (struct spinner){ .cpu = cpu, .end_ns = end_ns, .loops = loops };
		errno = pthread_create(&spinner->thread, NULL, run, spinner);
		if (errno) {
			perror("spin: pthread_create");
			return 1;
		}
	}
	for (int i = 0; i < count; i++) {
		pthread_join(spinners[i].thread, NULL);
		spent_ns += spinners[i].spent_ns;
	}
	printf("{\"workload\": \"spin\", \"cpus\": %d, \"cpu_ns\": %llu, \"shares\": {\"spin\": "
	       "1}}\n",
	       count, (unsigned long long)spent_ns);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm.c - storm END_NS TURN_MS CPU PROGRAM: runs in many threads on one CPU, until one of the
 * threads executes the other program, which does the same on the other CPU (0 and 1), and so on
 * until END_NS of the monotonic clock.
 *
 * The CPU of a sample says which of the two programs it has to be.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/names/steady.h"

#define THREADS 6

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("storm: affinity");
		exit(1);
	}
}

static void *worker(void *unused)
{
	struct span span = span_of(3600);
	uint64_t loops;

	while ((loops = span_next(&span)))
		NAME(outer)(loops);
	return unused;
}

/* Not from the first thread: the kernel has to end that one too, and gives away its id. */
static void *become_other(void *argument)
{
	char **argv = argument;
	int cpu = atoi(argv[3]);
	struct span span = span_of(strtod(argv[2], NULL) / 1e3);
	char number[16];
	uint64_t loops;

	while ((loops = span_next(&span)))
		NAME(outer)(loops);
	if (clock_ns(CLOCK_MONOTONIC) >= strtoull(argv[1], NULL, 10))
		exit(0);
	pin(!cpu);
	snprintf(number, sizeof(number), "%d", !cpu);
	execl(argv[4], argv[4], argv[1], argv[2], number, argv[0], (char *)NULL);
	perror("storm: exec");
	exit(1);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 5 || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "usage: storm END_NS TURN_MS CPU PROGRAM, on two CPUs\n");
		return 2;
	}
	pin(atoi(argv[3]));
	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, worker, NULL))
			return 1;
	if (pthread_create(&thread, NULL, become_other, argv))
		return 1;
	worker(NULL);
	return 0;
}

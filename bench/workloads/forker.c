/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forker.c - short-lived children: the parent works 0.5 ms in parent_work(), forks a
 * child that works as long in child_work() and ends, waits, and starts over.
 *
 * The two functions do the same number of loops, so each has the same CPU time. 0.5 ms is the
 * mean: each round has a length of its own, from half to one and a half times that, or a sampling
 * period of about a round's length would find always the same half of it.
 * The processes have fork, exit and wait on top; what they really used is printed.
 */
#include "common.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static WORKLOAD void parent_work(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void child_work(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static unsigned long long cpu_ns(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return ((unsigned long long)usage.ru_utime.tv_sec +
		(unsigned long long)usage.ru_stime.tv_sec) *
		       1000000000u +
	       ((unsigned long long)usage.ru_utime.tv_usec +
		(unsigned long long)usage.ru_stime.tv_usec) *
		       1000u;
}

static WORKLOAD int one_child(uint64_t loops)
{
	int status;

	parent_work(loops);
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		child_work(loops);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	double children = 2000, work_us = 500;
	const struct workload_option options[] = { { "--children", &children },
						   { "--work-us", &work_us },
						   { NULL, NULL } };
	unsigned int done;

	workload_options(argc, argv, options);
	uint64_t loops = loops_for_ns(work_us * 1e3), random = RANDOM_SEED;
	unsigned long long before_ns = cpu_ns(RUSAGE_SELF);
	for (done = 0; done < children; done++) {
		if (one_child(loops / 2 + random_next(&random) % loops)) {
			perror("forker: a child");
			return 1;
		}
	}
	unsigned long long parent_ns = cpu_ns(RUSAGE_SELF) - before_ns;
	unsigned long long children_ns = cpu_ns(RUSAGE_CHILDREN);
	printf("{\"workload\": \"forker\", \"children\": %u, \"work_ns_each\": %.0f, "
	       "\"parent_cpu_ns\": %llu, \"children_cpu_ns\": %llu, \"children_share\": %.6f, "
	       "\"shares_of_functions\": {\"parent_work\": 0.5, \"child_work\": 0.5}}\n",
	       done, work_us * 1e3, parent_ns, children_ns,
	       (double)children_ns / (double)(parent_ns + children_ns));
	return 0;
}

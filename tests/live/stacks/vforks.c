/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vforks.c - children that run in the frame of their parent, which waits; vfork() itself keeps its
 * return address in a register.
 *
 * in_child 1/2, in_parent 1/2 of the work.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/live/stacks/chain.h"

#define UNITS 8 /* so that there is more work than forking */

static WORKLOAD void in_child(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void in_parent(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void spawn(uint64_t loops)
{
	pid_t pid = vfork();

	if (pid == 0) {
		in_child(loops);
		_exit(0);
	}
	in_parent(loops);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	struct run r;
	uint64_t loops;

	run_begin(&r, argc, argv, NULL, NULL);
	while ((loops = run_next(&r)))
		spawn(loops * UNITS);
	return 0;
}

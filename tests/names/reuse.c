/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reuse.c - reuse SECONDS LIFE_MS PROGRAM PROGRAM: two pids, each of which is the first program's
 * and the second program's by turns.
 *
 * The first program runs on the first CPU that there is, the second on the second: the CPU of a
 * sample says which of them it has to be. They live LIFE_MS. Prints how many processes there were.
 */
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/names/steady.h"

static pid_t clone_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)&pid,
		.set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("reuse: affinity");
		_exit(1);
	}
}

/* A pid that was just free. */
static pid_t free_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
		perror("reuse: fork");
		exit(1);
	}
	return pid;
}

static pid_t start_child(pid_t pid, int cpu, const char *program, const char *life_s)
{
	pid_t child = clone_as(pid);

	if (child == 0) {
		pin(cpu);
		execl(program, program, "-d", life_s, (char *)NULL);
		_exit(127);
	}
	return child;
}

static bool good_end(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
	unsigned long rounds = 0;
	pid_t pids[2], children[2];
	struct span span;
	char life_s[32];

	if (argc != 5 || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "usage: reuse SECONDS LIFE_MS PROGRAM PROGRAM, on two CPUs\n");
		return 2;
	}
	span = span_of(strtod(argv[1], NULL));
	snprintf(life_s, sizeof(life_s), "%g", strtod(argv[2], NULL) / 1e3);
	for (int i = 0; i < 2; i++)
		pids[i] = free_pid();
	for (; span_next(&span); rounds++) {
		for (unsigned int i = 0; i < 2; i++) {
			children[i] =
				start_child(pids[(i + rounds) % 2], (int)i, argv[3 + i], life_s);
			if (children[i] < 0) {
				perror("reuse: clone3");
				return 1;
			}
		}
		if (!good_end(children[0]) || !good_end(children[1])) {
			fprintf(stderr, "reuse: a program failed\n");
			return 1;
		}
	}
	printf("{\"processes\": %lu}\n", 2 * rounds);
	return 0;
}

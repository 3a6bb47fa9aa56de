/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls.c - nearly all time in the kernel, through three functions that each make
 * known numbers of system calls: read_zero, ask_parent, echo_pipe.
 */
#include "common.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_BYTES 4096
#define PIPE_BYTES 64
#define PER_ROUND  64 /* calls of each kind in a round */

struct counts {
	uint64_t read_zero, ask_parent, echo_pipe; /* system calls */
};

static WORKLOAD int read_zero(int zero, uint64_t *calls)
{
	static char buffer[READ_BYTES];

	for (int i = 0; i < PER_ROUND; i++) {
		if (raw_syscall(SYS_read, zero, (long)(uintptr_t)buffer, READ_BYTES) != READ_BYTES)
			return -1;
		++*calls;
	}
	return 0;
}

static WORKLOAD int ask_parent(uint64_t *calls)
{
	for (int i = 0; i < PER_ROUND; i++) {
		if (raw_syscall(SYS_getppid, 0, 0, 0) < 0)
			return -1;
		++*calls;
	}
	return 0;
}

static WORKLOAD int echo_pipe(const int *ends, uint64_t *calls)
{
	static char buffer[PIPE_BYTES];

	for (int i = 0; i < PER_ROUND; i += 2) {
		if (raw_syscall(SYS_write, ends[1], (long)(uintptr_t)buffer, PIPE_BYTES) !=
			    PIPE_BYTES ||
		    raw_syscall(SYS_read, ends[0], (long)(uintptr_t)buffer, PIPE_BYTES) !=
			    PIPE_BYTES)
			return -1;
		*calls += 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	double seconds = 10;
	const struct workload_option options[] = { { "-d", &seconds }, { NULL, NULL } };
	struct counts counts = { 0 };
	uint64_t spent_ns;
	int ends[2];

	workload_options(argc, argv, options);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (zero < 0 || pipe2(ends, O_CLOEXEC)) {
		perror("syscalls");
		return 1;
	}
	do {
		if (read_zero(zero, &counts.read_zero) || ask_parent(&counts.ask_parent) ||
		    echo_pipe(ends, &counts.echo_pipe)) {
			fprintf(stderr, "syscalls: a call failed\n");
			return 1;
		}
		spent_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	} while ((double)spent_ns < seconds * NS_PER_S);
	printf("{\"workload\": \"syscalls\", \"cpu_ns\": %llu, \"calls\": {\"read_zero\": %llu, "
	       "\"ask_parent\": %llu, \"echo_pipe\": %llu}}\n",
	       (unsigned long long)spent_ns, (unsigned long long)counts.read_zero,
	       (unsigned long long)counts.ask_parent, (unsigned long long)counts.echo_pipe);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_kernel.c - nearly all of the time in known functions of the kernel: read() of /dev/zero and
 * getrandom().
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "tests/names/steady.h"

static char buffer[16384];

static WORKLOAD void read_zeros(int fd)
{
	raw_syscall(SYS_read, fd, (long)buffer, sizeof(buffer));
	barrier();
}

static WORKLOAD void ask_random(void)
{
	raw_syscall(SYS_getrandom, (long)buffer, 256, 0);
	barrier();
}

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	while (span_next(&span)) {
		read_zeros(fd);
		ask_random();
	}
	return fd < 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - most of the time in the kernel, below functions of the C library, which have no frame
 * pointers.
 *
 * The shares are the kernel's to say.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/live/stacks/chain.h"

static char buffer[65536];

static WORKLOAD void read_zeros(int fd)
{
	mislead();
	if (read(fd, buffer, sizeof(buffer)) < 0)
		exit(1);
}

static WORKLOAD void write_some(int fd)
{
	mislead();
	if (pwrite(fd, buffer, 4096, 0) < 0)
		exit(1);
}

static WORKLOAD void ask_much(void)
{
	mislead();
	for (int i = 0; i < 20; i++)
		getppid();
	no_tail_call();
}

int main(int argc, char **argv)
{
	int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct run r;

	run_begin(&r, argc, argv, NULL, NULL);
	while (run_next(&r)) {
		read_zeros(zeros);
		if (file >= 0)
			write_some(file);
		ask_much();
	}
	return 0;
}

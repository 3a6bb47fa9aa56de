// SPDX-License-Identifier: Apache-2.0
/*
 * cputime.c - how long each CPU has been idle and how much a hypervisor took, from /proc/stat.
 *
 * The ledger's second opinion: how many samples a clock event should have taken follows from
 * this and from the event's running time, and not from the programs that take them.
 */
#include "profiler/cputime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A CPU's line is at most 4 + 11 * 21 bytes; the lines of all CPUs come first. */
#define BYTES_PER_CPU 256
#define BYTES_BEFORE  512

void cputime_parse(const char *text, struct cputime *ret, uint32_t cpus, uint64_t ticks_per_second)
{
	uint64_t tick_ns = 1000000000u / ticks_per_second;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
		uint32_t cpu;

		line += *line == '\n';
		if (strncmp(line, "cpu", 3) != 0)
			break; /* the CPUs come first */
		if (sscanf(line,
			   "cpu%" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			   " %" SCNu64 " %" SCNu64 " %" SCNu64,
			   &cpu, &user, &nice, &system, &idle, &iowait, &irq, &softirq,
			   &steal) != 9 ||
		    line[3] == ' ' || cpu >= cpus)
			continue;
		ret[cpu].idle_ns = (idle + iowait) * tick_ns;
		ret[cpu].steal_ns = steal * tick_ns;
	}
}

int cputime_read(struct cputime *ret, uint32_t cpus)
{
	size_t room = BYTES_BEFORE + (size_t)cpus * BYTES_PER_CPU, used = 0;
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC), err = 0;
	char *text;

	if (fd < 0)
		return -errno;
	text = malloc(room);
	if (!text) {
		close(fd);
		return -ENOMEM;
	}
	while (used < room - 1) {
		ssize_t n = read(fd, text + used, room - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	if (!err)
		cputime_parse(text, ret, cpus, (uint64_t)sysconf(_SC_CLK_TCK));
	free(text);
	close(fd);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpulist.h - sets of CPUs as the kernel and the user write them: "0-3,8".
 */
#ifndef PROFILER_CPULIST_H
#define PROFILER_CPULIST_H

#include <stdbool.h>
#include <stdint.h>

/* The largest NR_CPUS of a distribution kernel is 8192. */
#define CPULIST_MAX 8192

struct cpulist {
	unsigned int count; /* CPUs in the set */
	uint64_t bits[CPULIST_MAX / 64];
};

/**
 * cpulist_parse() - read a list such as "0-3,8" or the text of a sysfs file
 * @text: numbers and ranges, a newline at the end is fine
 * @ret: filled on success, untouched on failure
 *
 * Return: 0, -EINVAL if it is not a list or is empty, -ERANGE for CPU numbers
 * of CPULIST_MAX and more.
 */
int cpulist_parse(const char *text, struct cpulist *ret) __attribute__((warn_unused_result));

/**
 * cpulist_read() - cpulist_parse() of a file, such as /sys/devices/system/cpu/online
 *
 * Return: 0 or -errno.
 */
int cpulist_read(const char *path, struct cpulist *ret) __attribute__((warn_unused_result));

/** cpulist_equal() - do both hold the same CPUs? */
bool cpulist_equal(const struct cpulist *a, const struct cpulist *b);

static inline bool cpulist_has(const struct cpulist *list, unsigned int cpu)
{
	return cpu < CPULIST_MAX && (list->bits[cpu / 64] >> (cpu % 64) & 1);
}

#endif /* PROFILER_CPULIST_H */

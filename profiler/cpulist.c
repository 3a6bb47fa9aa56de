/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpulist.c - reads "0-3,8". A list that cannot be read whole is refused whole.
 */
#include "profiler/cpulist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One number; *text moves behind it. strtoul() alone would take signs and blanks. */
static int parse_number(const char **text, unsigned int *ret)
{
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long value = strtoul(*text, &end, 10);
	if (errno || value >= CPULIST_MAX)
		return -ERANGE;
	*text = end;
	*ret = (unsigned int)value;
	return 0;
}

static int parse_range(const char **text, unsigned int *ret_first, unsigned int *ret_last)
{
	int err = parse_number(text, ret_first);

	if (err)
		return err;
	*ret_last = *ret_first;
	if (**text != '-')
		return 0;
	(*text)++;
	err = parse_number(text, ret_last);
	if (err)
		return err;
	return *ret_last < *ret_first ? -EINVAL : 0;
}

int cpulist_parse(const char *text, struct cpulist *ret)
{
	struct cpulist list = { 0 };

	for (;;) {
		unsigned int first, last;
		int err = parse_range(&text, &first, &last);
		if (err)
			return err;
		for (unsigned int cpu = first; cpu <= last; cpu++) {
			list.count += !cpulist_has(&list, cpu);
			list.bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
		}
		if (*text != ',')
			break;
		text++;
	}
	if (strcmp(text, "") && strcmp(text, "\n"))
		return -EINVAL;
	*ret = list;
	return 0;
}

bool cpulist_equal(const struct cpulist *a, const struct cpulist *b)
{
	/* Not the whole struct: its padding means nothing. */
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

int cpulist_read(const char *path, struct cpulist *ret)
{
	char text[4096];
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	char *line = fgets(text, sizeof(text), file);
	fclose(file);
	return line ? cpulist_parse(text, ret) : -EINVAL;
}

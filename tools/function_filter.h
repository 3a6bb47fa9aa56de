/* SPDX-License-Identifier: Apache-2.0 */
/* function_filter.h - which stacks of a profile are wanted, by the functions in them. */
#ifndef PROFILER_FUNCTION_FILTER_H
#define PROFILER_FUNCTION_FILTER_H

#include "tools/names.h"

/**
 * function_filter() - leave out the samples whose stack has no function of that name
 * @p: the profile; rows that are left out have a count of 0, and are in no total any more
 * @n: its names
 * @regex: extended regular expression, to be found anywhere in a name
 * @err: on -EINVAL what is wrong with it
 * @err_bytes: room there
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int function_filter(struct profile *p, const struct names *n, const char *regex, char *err,
		    size_t err_bytes) __attribute__((warn_unused_result));

#endif /* PROFILER_FUNCTION_FILTER_H */

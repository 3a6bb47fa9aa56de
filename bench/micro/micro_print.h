/* SPDX-License-Identifier: Apache-2.0 */
/* micro_print.h - what was measured, as a table and as JSON. See micro_print.c. */
#ifndef PROFILER_BENCH_MICRO_PRINT_H
#define PROFILER_BENCH_MICRO_PRINT_H

#include "bench/micro/measure.h"

/** print_table() - the contenders of one group, for people */
void print_table(const struct contender *c, uint32_t count, uint32_t rounds);

/** print_json() - one contender, as one JSON object without a newline */
void print_json(const struct contender *c, uint32_t rounds);

/** print_json_string() - a string in quotes */
void print_json_string(const char *s);

#endif /* PROFILER_BENCH_MICRO_PRINT_H */

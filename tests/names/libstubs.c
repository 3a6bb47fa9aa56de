/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libstubs.c - functions that do nothing.
 */
#include "bench/workloads/common.h"
#include "tests/names/stubs.h"

WORKLOAD void stub_one(void)
{
}

WORKLOAD void stub_two(void)
{
	no_tail_call();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin.c - the chain of steady.h as a library: two of them, alike but for their names.
 */
#include "tests/names/steady.h"

void plugin_enter(uint64_t loops);

WORKLOAD void plugin_enter(uint64_t loops)
{
	NAME(outer)(loops);
	barrier();
}

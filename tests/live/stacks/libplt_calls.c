/* SPDX-License-Identifier: Apache-2.0 */
/* libplt_calls.c - one call of each, and so each one's first since the library was loaded. */
#include "tests/live/stacks/chain.h"
#include "tests/live/stacks/libplt.h"

void call_all(void);

#define CALL(n) tiny_##n();

WORKLOAD void call_all(void)
{
	mislead();
	TINY(CALL)
	no_tail_call();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* libplt_tiny.c - what plt.c and libplt_calls.c call through their linkage tables. */
#include "tests/live/stacks/libplt.h"

#define DEFINE(n)                                  \
	void tiny_##n(void)                        \
	{                                          \
		__asm__ volatile("" ::: "memory"); \
	}
TINY(DEFINE)

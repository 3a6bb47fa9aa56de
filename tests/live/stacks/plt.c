/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plt.c - calls through the procedure linkage table: bound already, so that samples fall into the
 * table's own code; and bound by the call itself, so that they fall into the dynamic linker's
 * resolver. For those a library is loaded, used and forgotten in every round.
 *
 * The shares are the dynamic linker's to say.
 */
#include <dlfcn.h>

#include "tests/live/stacks/chain.h"

#define CALLS 2000

void tiny_0(void);

static WORKLOAD void call_bound(void)
{
	mislead();
	for (int i = 0; i < CALLS; i++)
		tiny_0();
	no_tail_call();
}

static WORKLOAD void call_unbound(void)
{
	void (*call_all)(void) = NULL;
	void *library = dlopen("libplt_calls.so", RTLD_LAZY);

	*(void **)&call_all = library ? dlsym(library, "call_all") : NULL;
	if (!call_all)
		exit(1);
	mislead();
	call_all();
	dlclose(library);
}

int main(int argc, char **argv)
{
	struct run r;

	run_begin(&r, argc, argv, NULL, NULL);
	while (run_next(&r)) {
		call_bound();
		call_unbound();
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * late.c - a library that is loaded while the program is sampled, and calls back into it.
 *
 * After half of the time: in_library 1/2, called_back 1/2. Before it, without_library all.
 */
#include <dlfcn.h>

#include "tests/live/stacks/chain.h"

static WORKLOAD void without_library(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void called_back(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	void (*library_enter)(uint64_t loops, void (*back)(uint64_t loops)) = NULL;
	void *library = NULL;
	uint64_t loops, load_ns;
	struct run r;

	run_begin(&r, argc, argv, NULL, NULL);
	load_ns = r.end_ns - (uint64_t)(r.seconds * NS_PER_S / 2);
	while ((loops = run_next(&r))) {
		if (!library && clock_ns(CLOCK_MONOTONIC) > load_ns) {
			library = dlopen("liblate.so", RTLD_NOW);
			*(void **)&library_enter = library ? dlsym(library, "library_enter") : NULL;
			if (!library_enter)
				return 1;
		}
		if (library_enter)
			library_enter(loops, called_back);
		else
			without_library(loops);
	}
	return 0;
}

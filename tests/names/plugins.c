/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins.c - plugins SECONDS LIBRARY [LIBRARY TURN_MS]: runs the code of one library, or of two in
 * turns that last TURN_MS, each unloaded before the other is loaded.
 *
 * The second comes to lie where the first was. Who called the code, host_first() or host_second(),
 * says whose it is. Prints how many turns there were, and at how many addresses the code lay.
 */
#include <dlfcn.h>

#include "tests/names/steady.h"

#define MAX_PLACES 64

typedef void enter_fn(uint64_t loops);

struct places {
	const void *at[MAX_PLACES];
	unsigned int count;
};

static WORKLOAD void host_first(enter_fn *enter, uint64_t loops)
{
	enter(loops);
	barrier();
}

static WORKLOAD void host_second(enter_fn *enter, uint64_t loops)
{
	enter(loops);
	barrier();
}

static void note_place(struct places *places, const void *place)
{
	for (unsigned int i = 0; i < places->count; i++)
		if (places->at[i] == place)
			return;
	if (places->count < MAX_PLACES)
		places->at[places->count++] = place;
}

static WORKLOAD bool host_turn(const char *path, bool second, double seconds, struct places *places)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct span span = span_of(seconds);
	enter_fn *enter;
	uint64_t loops;

	if (!library) {
		fprintf(stderr, "plugins: %s\n", dlerror());
		return false;
	}
	*(void **)&enter = dlsym(library, "plugin_enter");
	note_place(places, *(void **)&enter);
	while ((loops = span_next(&span)))
		(second ? host_second : host_first)(enter, loops);
	dlclose(library);
	return true;
}

int main(int argc, char **argv)
{
	struct places places = { .count = 0 };
	unsigned long turns = 0;
	double seconds, turn;
	struct span span;

	if (argc != 3 && argc != 5) {
		fprintf(stderr, "usage: plugins SECONDS LIBRARY [LIBRARY TURN_MS]\n");
		return 2;
	}
	seconds = strtod(argv[1], NULL);
	turn = argc == 5 ? strtod(argv[4], NULL) / 1e3 : seconds;
	span = span_of(seconds);
	do {
		bool second = argc == 5 && turns % 2;

		if (!host_turn(argv[second ? 3 : 2], second, turn, &places))
			return 1;
		turns++;
	} while (span_next(&span));
	printf("{\"turns\": %lu, \"places\": %u}\n", turns, places.count);
	return 0;
}

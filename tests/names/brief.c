/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brief.c - brief SECONDS LIFE_MS PROGRAM...: programs that live for a moment, one after the other.
 * Prints how many there were.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "tests/names/steady.h"

extern char **environ;

static bool run_one(char *program, char *life_s)
{
	char option[] = "-d";
	char *argv[] = { program, option, life_s, NULL };
	pid_t child;
	int status;

	return posix_spawn(&child, program, NULL, NULL, argv, environ) == 0 &&
	       waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
	unsigned long processes = 0;
	struct span span;
	char life_s[32];

	if (argc < 4) {
		fprintf(stderr, "usage: brief SECONDS LIFE_MS PROGRAM...\n");
		return 2;
	}
	span = span_of(strtod(argv[1], NULL));
	snprintf(life_s, sizeof(life_s), "%g", strtod(argv[2], NULL) / 1e3);
	for (; span_next(&span); processes++)
		if (!run_one(argv[3 + processes % (unsigned long)(argc - 3)], life_s)) {
			fprintf(stderr, "brief: a program failed\n");
			return 1;
		}
	printf("{\"processes\": %lu}\n", processes);
	return 0;
}

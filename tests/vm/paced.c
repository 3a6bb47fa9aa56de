/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paced.c - functions of which the disassembly says how many instructions a call is, and a loop of
 * system calls: what counters are held against.
 *
 *   paced user SECONDS      calls of step_short() and step_long() in turn
 *   paced kernel SECONDS    getppid() again and again
 *   paced calls N           N calls of step_short(), and nothing of any length beside them
 *
 * The steps are loops without a call or a branch that is not taken but at their end, so a call is
 * (instructions outside of the loop) + LOOPS * (instructions of the loop). The truth is printed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SHORT_LOOPS 10000
#define LONG_LOOPS  30000

#define STEP __attribute__((noinline, noclone, used))

static STEP void step_short(void)
{
	for (uint32_t i = 0; i < SHORT_LOOPS; i++)
		__asm__ volatile("");
}

static STEP void step_long(void)
{
	for (uint32_t i = 0; i < LONG_LOOPS; i++)
		__asm__ volatile("");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint64_t calls = 0;
	double end;

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "calls")) {
		uint64_t wanted = strtoull(argv[2], NULL, 10);

		for (calls = 0; calls < wanted; calls++)
			step_short();
	} else {
		end = now() + atof(argv[2]);
		for (calls = 0; calls % 64 || now() < end; calls++) {
			if (strcmp(argv[1], "user")) {
				syscall(SYS_getppid);
			} else {
				step_short();
				step_long();
			}
		}
	}
	printf("{\"workload\": \"paced\", \"calls\": %llu, \"loops\": {\"step_short\": %d, "
	       "\"step_long\": %d}}\n",
	       (unsigned long long)calls, SHORT_LOOPS, LONG_LOOPS);
	return 0;
}

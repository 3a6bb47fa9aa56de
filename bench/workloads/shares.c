/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares.c - one thread, main -> outer -> hot 60 %, warm 30 %, cool 10 % of CPU time.
 *
 * Work comes in blocks of ten units of the same length, six for hot, three for
 * warm, one for cool, in random order, each block with a length of its own: the
 * shares are exact, and no sampling period can beat with the pattern.
 */
#include "common.h"

#define UNITS	    10
#define UNIT_MIN_NS 20e3
#define UNIT_MAX_NS 50e3

static WORKLOAD void hot(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void warm(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void cool(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void outer(const char *order, uint64_t loops)
{
	for (int i = 0; i < UNITS; i++) {
		if (order[i] == 'h')
			hot(loops);
		else if (order[i] == 'w')
			warm(loops);
		else
			cool(loops);
	}
	barrier();
}

static void shuffle(char *order, uint64_t *random)
{
	for (unsigned int i = UNITS - 1; i > 0; i--) {
		unsigned int j = (unsigned int)(random_next(random) >> 32) % (i + 1);
		char swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

int main(int argc, char **argv)
{
	double seconds = 10;
	const struct workload_option options[] = { { "-d", &seconds }, { NULL, NULL } };
	uint64_t random = RANDOM_SEED, blocks = 0, spent_ns;
	char order[] = "hhhhhhwwwc";

	workload_options(argc, argv, options);
	uint64_t shortest = loops_for_ns(UNIT_MIN_NS), longest = loops_for_ns(UNIT_MAX_NS);
	uint64_t spread = longest > shortest ? longest - shortest : 1;
	do {
		shuffle(order, &random);
		outer(order, shortest + random_next(&random) % spread);
		blocks++;
		spent_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	} while ((double)spent_ns < seconds * NS_PER_S);
	printf("{\"workload\": \"shares\", \"cpu_ns\": %llu, \"units\": %llu, "
	       "\"shares\": {\"hot\": 0.6, \"warm\": 0.3, \"cool\": 0.1}}\n",
	       (unsigned long long)spent_ns, (unsigned long long)(blocks * UNITS));
	return 0;
}

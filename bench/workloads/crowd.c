/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd.c - a great many threads, processes or stacks, of which a few work at a time.
 *
 * What a recorder's cost may grow with: --threads, or --processes, of which as many work as there
 * are CPUs. Each works for a slice, gives its turn to the next in a circle and sleeps; so all of
 * them are seen in samples, and the machine is no busier with 10,000 than with two. The work lies
 * below --frames calls of left() and right(), whose order is the number of a stack: one of
 * --stacks, chosen anew for every unit of work.
 *
 * It writes "ready" when all are there, and then works for -d seconds of wall-clock time.
 */
#include "common.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT_NS	    20e3
#define SLICE_NS    500000u	 /* scaling.py knows it */
#define STACK_BYTES (256u << 10) /* of a thread; 500 frames need a tenth of it */

/* Shared by all members, which are threads or processes. */
struct crowd {
	uint32_t count;
	uint32_t stacks;
	uint32_t frames;
	uint64_t loops; /* of a unit */
	uint64_t end_ns;
	sem_t turn[]; /* of each member */
};

struct member {
	pthread_t thread;
	struct crowd *crowd;
	uint32_t number;
};

static void descend(uint64_t path, uint32_t frames, uint64_t loops);

static WORKLOAD void bottom(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void left(uint64_t path, uint32_t frames, uint64_t loops)
{
	descend(path, frames, loops);
	barrier();
}

static WORKLOAD void right(uint64_t path, uint32_t frames, uint64_t loops)
{
	descend(path, frames, loops);
	barrier();
}

/* Inlined, so that each frame is one of left() or right(). */
__attribute__((always_inline)) static inline void descend(uint64_t path, uint32_t frames,
							  uint64_t loops)
{
	if (!frames)
		bottom(loops);
	else if (path & 1)
		right(path >> 1, frames - 1, loops);
	else
		left(path >> 1, frames - 1, loops);
}

static WORKLOAD void slice(const struct crowd *c, uint64_t *random)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + SLICE_NS;

	do {
		descend((random_next(random) >> 16) % c->stacks, c->frames, c->loops);
	} while (clock_ns(CLOCK_MONOTONIC) < end_ns);
}

/* The turn goes round once more after the end, and everyone it comes to ends. */
static WORKLOAD void *act(void *arg)
{
	const struct member *m = arg;
	struct crowd *c = m->crowd;
	uint64_t random = RANDOM_SEED + m->number;
	bool over = false;

	while (!over) {
		if (sem_wait(&c->turn[m->number]))
			continue;
		over = clock_ns(CLOCK_MONOTONIC) >= c->end_ns;
		if (!over)
			slice(c, &random);
		sem_post(&c->turn[(m->number + 1) % c->count]);
	}
	return NULL;
}

static int start_threads(struct member *members, uint32_t count)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (uint32_t i = 0; i < count; i++) {
		err = pthread_create(&members[i].thread, &attr, act, &members[i]);
		if (err) {
			errno = err;
			return -1;
		}
	}
	return 0;
}

static int start_processes(struct member *members, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -1;
		if (pid == 0) {
			act(&members[i]);
			_exit(0);
		}
	}
	return 0;
}

static void wait_for_all(const struct member *members, uint32_t count, bool processes)
{
	for (uint32_t i = 0; i < count; i++) {
		if (processes)
			wait(NULL);
		else
			pthread_join(members[i].thread, NULL);
	}
}

static struct crowd *make_crowd(uint32_t count, uint32_t stacks, uint32_t frames)
{
	size_t bytes = sizeof(struct crowd) + count * sizeof(sem_t);
	struct crowd *c =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return NULL;
	c->count = count;
	c->stacks = stacks;
	c->frames = frames;
	c->loops = loops_for_ns(UNIT_NS);
	for (uint32_t i = 0; i < count; i++)
		sem_init(&c->turn[i], 1, 0);
	return c;
}

int main(int argc, char **argv)
{
	uint32_t cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	double seconds = 10, threads = cpus, processes = 0, stacks = 1, frames = 17;
	const struct workload_option options[] = {
		{ "-d", &seconds },	 { "--threads", &threads }, { "--processes", &processes },
		{ "--stacks", &stacks }, { "--frames", &frames },   { NULL, NULL }
	};

	workload_options(argc, argv, options);
	uint32_t count = (uint32_t)(processes > 0 ? processes : threads);
	uint32_t turns = count < cpus ? count : cpus;
	struct crowd *c = make_crowd(count, (uint32_t)stacks, (uint32_t)frames);
	struct member *members = calloc(count, sizeof(*members));
	if (!c || !members) {
		perror("crowd");
		return 1;
	}
	for (uint32_t i = 0; i < count; i++)
		members[i] = (struct member){ .crowd = c, .number = i };
	if (processes > 0 ? start_processes(members, count) : start_threads(members, count)) {
		perror("crowd: a member");
		return 1;
	}
	c->end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * NS_PER_S);
	puts("ready");
	fflush(stdout);
	for (uint32_t i = 0; i < turns; i++)
		sem_post(&c->turn[(uint64_t)i * count / turns]);
	wait_for_all(members, count, processes > 0);
	printf("{\"workload\": \"crowd\", \"members\": %u, \"stacks\": %u, \"frames\": %u}\n",
	       count, c->stacks, c->frames);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounds.c - the same work again and again, for bench/overhead.py, which wants to know how much
 * longer it takes while somebody records.
 *
 *     rounds KIND
 *
 *     cpu       multiplications, nothing else
 *     memory    a walk through 32 MB a thread, each load waiting for the one before
 *     syscalls  short system calls: getppid, a read of /dev/zero, a byte through a pipe
 *     threads   16 threads a CPU, which yield after each unit
 *
 * It says "ready", then each line on stdin with a number of milliseconds is a round: as much work
 * as took all CPUs so long when the program started, which for a number is the same amount every
 * time. It answers with the nanoseconds of wall-clock and of CPU time that the round took, and
 * with the units of work that it was.
 *
 * The units of a round are not dealt out beforehand: each thread takes the next one when it is done
 * with the last, so that the CPU which is disturbed does less and the time is that of the machine.
 */
#include "common.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNIT_NS		50e3
#define CALIBRATE_NS	300e6
#define THREADS_PER_CPU 16
#define WALK_ENTRIES	(4u << 20) /* of 8 bytes */
#define WALK_PER_UNIT	512
#define CALLS_PER_UNIT	32
#define ZERO_BYTES	256
#define MOST_MS		600e3

enum kind { CPU, MEMORY, SYSCALLS, THREADS, KINDS };

static const char *const kind_names[KINDS] = { "cpu", "memory", "syscalls", "threads" };

struct crew {
	enum kind kind;
	unsigned int cpus, count; /* that may be used; threads */
	uint64_t loops;		  /* of a unit of CPU and THREADS */
	pthread_barrier_t begin, end;
	atomic_uint_fast64_t next; /* units that were taken in this round */
	uint64_t units;		   /* of this round */
	uint64_t deadline_ns;	   /* while calibrating, else 0 */
};

struct worker {
	pthread_t thread;
	struct crew *crew;
	int cpu; /* -1: any */
	int zero, ends[2];
	uint64_t *walk, at;
};

static WORKLOAD void compute(uint64_t loops)
{
	work_loops(loops);
	barrier();
}

static WORKLOAD void walk(struct worker *w)
{
	uint64_t at = w->at;

	for (unsigned int i = 0; i < WALK_PER_UNIT; i++)
		at = w->walk[at];
	w->at = at;
	barrier();
}

static WORKLOAD void call_kernel(const struct worker *w)
{
	char buffer[ZERO_BYTES];

	for (unsigned int i = 0; i < CALLS_PER_UNIT; i++) {
		raw_syscall(SYS_getppid, 0, 0, 0);
		raw_syscall(SYS_read, w->zero, (long)(uintptr_t)buffer, sizeof(buffer));
		raw_syscall(SYS_write, w->ends[1], (long)(uintptr_t)buffer, 1);
		raw_syscall(SYS_read, w->ends[0], (long)(uintptr_t)buffer, 1);
	}
}

static WORKLOAD void unit(struct worker *w)
{
	switch (w->crew->kind) {
	case CPU:
		compute(w->crew->loops);
		break;
	case MEMORY:
		walk(w);
		break;
	case SYSCALLS:
		call_kernel(w);
		break;
	default:
		compute(w->crew->loops);
		sched_yield();
		break;
	}
}

/* A permutation that is one cycle (Sattolo's), so that the walk goes through all of it. */
static uint64_t *make_walk(uint64_t seed)
{
	uint64_t *walk = malloc(WALK_ENTRIES * sizeof(*walk));

	if (!walk)
		return NULL;
	for (uint64_t i = 0; i < WALK_ENTRIES; i++)
		walk[i] = i;
	for (uint64_t i = WALK_ENTRIES - 1; i; i--) {
		uint64_t j = random_next(&seed) % i, kept = walk[i];

		walk[i] = walk[j];
		walk[j] = kept;
	}
	return walk;
}

static int prepare(struct worker *w, unsigned int number)
{
	if (w->crew->kind == MEMORY) {
		w->walk = make_walk(RANDOM_SEED + number);
		return w->walk ? 0 : -ENOMEM;
	}
	if (w->crew->kind == SYSCALLS) {
		w->zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		if (w->zero < 0 || pipe2(w->ends, O_CLOEXEC))
			return -errno;
	}
	return 0;
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct crew *crew = w->crew;

	bind_to(w->cpu);
	for (;;) {
		pthread_barrier_wait(&crew->begin);
		while (!crew->deadline_ns || clock_ns(CLOCK_MONOTONIC) < crew->deadline_ns) {
			if (atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed) >=
			    crew->units)
				break;
			unit(w);
		}
		pthread_barrier_wait(&crew->end);
	}
	return NULL;
}

/* Returns the wall-clock time of a round of all threads. */
static uint64_t play(struct crew *crew, uint64_t units, uint64_t deadline_ns)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	atomic_store_explicit(&crew->next, 0, memory_order_relaxed);
	crew->units = units;
	crew->deadline_ns = deadline_ns;
	pthread_barrier_wait(&crew->begin);
	pthread_barrier_wait(&crew->end);
	return clock_ns(CLOCK_MONOTONIC) - start;
}

/*
 * Units that all CPUs do in a nanosecond. From CPU time, so that what else runs just now does not
 * make the rounds shorter.
 */
static double calibrate(struct crew *crew)
{
	uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	play(crew, UINT64_MAX, clock_ns(CLOCK_MONOTONIC) + (uint64_t)CALIBRATE_NS);
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	return (double)atomic_load_explicit(&crew->next, memory_order_relaxed) * crew->cpus /
	       (double)cpu_ns;
}

/* A worker for each CPU that may be used, or many that go where they like. */
static int start(struct crew *crew, struct worker **ret_workers)
{
	unsigned int per_cpu = crew->kind == THREADS ? THREADS_PER_CPU : 1, number = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	crew->cpus = (unsigned int)CPU_COUNT(&set);
	crew->count = crew->cpus * per_cpu;
	struct worker *workers = calloc(crew->count, sizeof(*workers));
	if (!workers)
		return -ENOMEM;
	pthread_barrier_init(&crew->begin, NULL, crew->count + 1);
	pthread_barrier_init(&crew->end, NULL, crew->count + 1);
	for (int cpu = 0; cpu < CPU_SETSIZE && number < crew->count; cpu++) {
		for (unsigned int i = 0; CPU_ISSET(cpu, &set) && i < per_cpu; i++) {
			struct worker *w = &workers[number++];
			*w = (struct worker){ .crew = crew, .cpu = per_cpu == 1 ? cpu : -1 };
			int err = prepare(w, number);
			if (!err)
				err = -pthread_create(&w->thread, NULL, work, w);
			if (err)
				return err;
		}
	}
	*ret_workers = workers;
	return 0;
}

static enum kind kind_of(int argc, char **argv)
{
	enum kind kind = CPU;

	while (argc == 2 && kind < KINDS && strcmp(argv[1], kind_names[kind]))
		kind++;
	return argc == 2 ? kind : KINDS;
}

/* A round for each line; 0, or 2 for a line that is none. */
static int answer(struct crew *crew, double units_per_ns)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		double ms = strtod(line, NULL);

		if (!(ms > 0 && ms <= MOST_MS)) {
			fprintf(stderr, "rounds: not a number of milliseconds: %s", line);
			return 2;
		}
		uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		uint64_t units = (uint64_t)(units_per_ns * ms * 1e6) + 1;
		uint64_t wall_ns = play(crew, units, 0);
		cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
		printf("%llu %llu %llu\n", (unsigned long long)wall_ns, (unsigned long long)cpu_ns,
		       (unsigned long long)units);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct crew crew = { .kind = kind_of(argc, argv) };
	struct worker *workers;

	if (crew.kind == KINDS) {
		fprintf(stderr, "usage: rounds cpu|memory|syscalls|threads\n");
		return 2;
	}
	crew.loops = loops_for_ns(UNIT_NS);
	errno = -start(&crew, &workers);
	if (errno) {
		perror("rounds");
		return 1;
	}
	double units_per_ns = calibrate(&crew);
	puts("ready");
	fflush(stdout);
	/* Not by return: the workers are on their way to a barrier, which lies in this frame. */
	exit(answer(&crew, units_per_ns));
}

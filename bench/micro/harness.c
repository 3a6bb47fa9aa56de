// SPDX-License-Identifier: Apache-2.0
/*
 * harness.c - runs the benches of a group by turns and measures each turn.
 *
 * Invariant: between stopwatch_start() and stopwatch_stop() there is only the bench. The clock is
 * read last before it and first after it; allocations and counters are read around that.
 *
 * Every bench of a group is set up before the first runs, and in every round they take turns in a
 * new order: a slow moment of the machine hits neighbours alike, and no bench always follows the
 * same one. A value is long enough for the clock not to matter, and short enough to be had whole
 * between two other programs' turns on the CPU: one that was interrupted by such a turn is taken
 * again. How many operations it takes is found while warming up.
 */
#include "bench/micro/measure.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench/micro/malloc_count.h"

#define WARM_UP_ROUNDS 3

/* A value is taken again when another thread had the CPU meanwhile, so often at most. */
#define TRIES_MAX 5

/*
 * The run that is being measured. Of the file, not of a caller: a run() is given its own state
 * only, and says what it has to say by the functions of harness.h.
 */
static struct {
	struct measured m;
	uint64_t since_ns;
	struct malloc_count allocated;
	int cycles_fd; /* leads instructions_fd; -1 without counters */
	int instructions_fd;
	int second_cpu;
	const char *failed;
} now = { .cycles_fd = -1, .second_cpu = -1 };

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void count_cycles(unsigned long request)
{
	if (now.cycles_fd >= 0)
		ioctl(now.cycles_fd, request, PERF_IOC_FLAG_GROUP);
}

static uint64_t read_counter(int fd)
{
	uint64_t value;

	return now.cycles_fd >= 0 && read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

void bench_resume(void)
{
	now.allocated = malloc_count_now();
	count_cycles(PERF_EVENT_IOC_ENABLE);
	now.since_ns = bench_now_ns();
}

void bench_pause(void)
{
	uint64_t until_ns = bench_now_ns();
	struct malloc_count allocated;

	count_cycles(PERF_EVENT_IOC_DISABLE);
	allocated = malloc_count_now();
	now.m.ns += until_ns - now.since_ns;
	now.m.allocations += allocated.calls - now.allocated.calls;
	now.m.allocated_bytes += allocated.bytes - now.allocated.bytes;
}

void bench_figure(const char *name, const char *unit, double value)
{
	if (now.m.figures < FIGURES_MAX)
		now.m.figure[now.m.figures++] = (struct figure){ name, unit, value };
}

void bench_check(int right, const char *what)
{
	if (!right && !now.failed)
		now.failed = what;
}

int bench_second_cpu(void)
{
	return now.second_cpu;
}

/* A function of its own, by whose name micro.py has instructions counted. */
static __attribute__((noinline)) uint64_t counted_run(const struct contender *c, uint64_t ops)
{
	return c->bench->run(c->state, ops);
}

static void measure(struct contender *c, uint64_t ops, struct measured *ret)
{
	uint64_t begin_ns = bench_now_ns();

	memset(&now.m, 0, sizeof(now.m));
	now.failed = NULL;
	count_cycles(PERF_EVENT_IOC_RESET);
	bench_resume();
	now.m.ops = counted_run(c, ops);
	bench_pause();
	now.m.wall_ns = bench_now_ns() - begin_ns;
	now.m.cycles = read_counter(now.cycles_fd);
	now.m.instructions = read_counter(now.instructions_fd);
	if (now.failed)
		c->failed = now.failed;
	else if (!now.m.ops)
		c->failed = "did nothing";
	*ret = now.m;
}

static void set_up(struct contender *c)
{
	const char *why = NULL;
	int err;

	if (c->bench->threads > 1 && now.second_cpu < 0) {
		c->skipped = "needs two CPUs";
		return;
	}
	now.failed = NULL;
	c->state = NULL;
	err = c->bench->setup ? c->bench->setup(&c->state) : 0;
	if (err == -EOPNOTSUPP) {
		why = c->state;
		c->state = NULL;
		c->skipped = why ? why : "not on this machine";
	} else if (err) {
		c->failed = strerror(-err);
	} else {
		c->failed = now.failed;
	}
}

static bool runs(const struct contender *c)
{
	return !c->skipped && !c->failed;
}

static void tear_down(struct contender *c)
{
	if (c->skipped || !c->state)
		return;
	now.failed = NULL;
	c->bytes = c->bench->bytes ? c->bench->bytes(c->state) : c->bench->bytes_per_op;
	if (c->bench->teardown)
		c->bench->teardown(c->state);
	if (now.failed)
		c->failed = now.failed;
}

/* Finds how many operations take @value_ns, and warms up by that. */
static void warm_up(struct contender *c, uint64_t value_ns)
{
	struct measured m;
	uint64_t ops = 1;

	for (;;) {
		measure(c, ops, &m);
		if (c->failed || m.wall_ns >= value_ns / 4)
			break;
		ops = m.wall_ns * 10 < value_ns ? m.ops * 8 : m.ops * 2;
	}
	for (uint32_t i = 0; i <= WARM_UP_ROUNDS && runs(c); i++) {
		/* Again each time: the one before may have been slow only because it was disturbed.
		 */
		if (i == 0 || m.wall_ns < value_ns / 2)
			ops = m.wall_ns ? m.ops * value_ns / m.wall_ns : m.ops;
		c->ops = ops ? ops : 1;
		if (i < WARM_UP_ROUNDS)
			measure(c, c->ops, &m);
	}
}

static void check_promise(struct contender *c, const struct measured *m)
{
	if (c->bench->allocates_nothing && m->allocations)
		c->failed = "allocated, and had promised not to";
}

/* How often this thread had to leave the CPU to another one. */
static long preemptions(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

static void take_value(struct contender *c, struct measured *ret)
{
	for (uint32_t i = 0; i < TRIES_MAX && runs(c); i++) {
		long before = preemptions();

		measure(c, c->ops, ret);
		check_promise(c, ret);
		ret->disturbed = preemptions() != before;
		if (!ret->disturbed)
			break;
	}
}

/* An order that differs from round to round; xorshift, and the bias of % does not matter. */
static void shuffle(uint32_t *order, uint32_t count, uint64_t *random)
{
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t j, other;

		*random ^= *random << 13;
		*random ^= *random >> 7;
		*random ^= *random << 17;
		j = (uint32_t)(*random % (i + 1));
		other = order[j];
		order[j] = order[i];
		order[i] = other;
	}
}

void measure_group(struct contender *c, uint32_t count, uint32_t rounds, uint64_t value_ns)
{
	uint64_t random = bench_now_ns() | 1;
	uint32_t order[GROUP_MAX];

	for (uint32_t i = 0; i < count; i++) {
		order[i] = i;
		set_up(&c[i]);
		if (runs(&c[i]))
			warm_up(&c[i], value_ns);
	}
	for (uint32_t r = 0; r < rounds; r++) {
		shuffle(order, count, &random);
		for (uint32_t i = 0; i < count; i++) {
			struct contender *next = &c[order[i]];

			take_value(next, &next->round[r]);
		}
	}
	for (uint32_t i = 0; i < count; i++)
		tear_down(&c[i]);
}

void measure_once(struct contender *c, uint64_t ops)
{
	set_up(c);
	if (!runs(c))
		return;
	c->ops = ops;
	measure(c, ops, &c->round[0]);
	tear_down(c);
}

/* Counts user instructions of this thread; -1 where the machine has no counters to lend. */
static int open_counter(uint64_t config, int group)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = config,
		.disabled = group < 0,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, group, PERF_FLAG_FD_CLOEXEC);
}

static void open_counters(void)
{
	int cycles = open_counter(PERF_COUNT_HW_CPU_CYCLES, -1);

	if (cycles < 0)
		return;
	now.instructions_fd = open_counter(PERF_COUNT_HW_INSTRUCTIONS, cycles);
	if (now.instructions_fd < 0)
		close(cycles);
	else
		now.cycles_fd = cycles;
}

/* The highest CPUs that we may use: the lowest ones take most interrupts. */
int measure_begin(struct cpus *ret)
{
	struct cpus found = { -1, -1, false };
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		found.second = found.first;
		found.first = cpu;
	}
	CPU_ZERO(&set);
	CPU_SET(found.first, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return -errno;
	now.second_cpu = found.second;
	open_counters();
	found.counters = now.cycles_fd >= 0;
	*ret = found;
	return 0;
}

double measure_mhz(void)
{
	const uint64_t additions = 1u << 20;
	uint64_t sum = 0, step = additions, best_ns = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t begin_ns = bench_now_ns(), ns;

		/* Each waits for the one before, one cycle each; four a turn. */
		for (uint64_t k = 0; k < additions; k += 4)
			__asm__ volatile(
#if defined(__aarch64__)
				"add %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, "
				"%1"
#else
				"add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0"
#endif
				: "+r"(sum)
				: "r"(step));
		ns = bench_now_ns() - begin_ns;
		if (ns < best_ns)
			best_ns = ns;
	}
	return best_ns ? (double)additions * 1e3 / (double)best_ns : 0;
}

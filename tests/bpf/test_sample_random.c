// SPDX-License-Identifier: Apache-2.0
/*
 * test_sample_random.c - the sampling program under any mixture of CPUs, events, stacks, filters,
 * a small ring, a held lock, new generations, and a reader that comes now and then.
 *
 * What must hold for each run: it ends in exactly one counter, and a stack id in the ring means
 * the very frames that the stack had.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/bpf/machine.h"
#include "tests/bpf/sample_reader.h"
#include "tests/unit/random.h"

#define POOL 200

struct expectation {
	const struct frames *user;
	const struct frames *kernel;
	uint32_t event;
	uint32_t tid;
};

static struct frames user_pool[POOL], kernel_pool[POOL];
static struct expectation expected[MACHINE_CPUS][4096];
static uint32_t expected_first[MACHINE_CPUS], expected_end[MACHINE_CPUS];

static uint64_t outcomes(const struct event_counters *c)
{
	return c->idle + c->filtered_target + c->filtered_mode + c->ring_full + c->ring_busy +
	       c->submitted;
}

static void make_pools(uint64_t *random)
{
	user_pool[0] = make_frames(USER_IP, MAX_FRAMES);
	kernel_pool[0] = make_frames(KERNEL_IP, MAX_KERNEL_FRAMES);
	for (uint32_t i = 1; i < POOL; i++) {
		bool is_short = random_below(random, 4);
		uint32_t user = is_short ? 40 : MAX_FRAMES;
		uint32_t kernel = is_short ? 40 : MAX_KERNEL_FRAMES;

		user_pool[i] = make_frames(USER_IP + i * 65536, 1 + random_below(random, user));
		kernel_pool[i] =
			make_frames(KERNEL_IP + i * 65536, 1 + random_below(random, kernel));
	}
}

static void check_sample(uint32_t cpu, const struct sample_event *s)
{
	const struct expectation *e = &expected[cpu][expected_first[cpu]++ % 4096];

	cr_assert(eq(u32, s->event, e->event));
	cr_assert(eq(u32, s->tid, e->tid));
	cr_assert(eq(u32, s->cpu, cpu));
	if (s->flags & SAMPLE_USER_LOST)
		cr_assert(eq(u32, s->user_stack, 0));
	else
		cr_assert(stack_is(cpu, s->user_stack, e->user));
	if (s->flags & SAMPLE_KERNEL_LOST)
		cr_assert(eq(u32, s->kernel_stack, 0));
	else
		cr_assert(stack_is(cpu, s->kernel_stack, e->kernel));
	cr_assert(zero(int, s->flags &SAMPLE_USER_TRUNCATED)); /* their outermost frame is known */
	cr_assert(eq(int, !!(s->flags & SAMPLE_KERNEL_TRUNCATED),
		     e->kernel && e->kernel->n == MAX_KERNEL_FRAMES));
	cr_assert(eq(int, !!(s->flags & SAMPLE_IN_KERNEL), e->kernel != NULL));
	cr_assert(eq(int, !!(s->flags & SAMPLE_IDLE), e->tid == 0));
}

static void read_some(uint32_t cpu, uint32_t samples)
{
	const struct sample_event *s;

	while (samples-- && (s = next_sample(cpu)))
		check_sample(cpu, s);
}

static struct expectation random_state(uint64_t *random)
{
	struct expectation e = { .event = random_below(random, MAX_EVENTS) };

	machine.cpu = random_below(random, MACHINE_CPUS);
	machine.pid = 10 + random_below(random, 3);
	machine.tid = e.tid = random_below(random, 5) ? machine.pid + random_below(random, 3) : 0;
	machine.period = next_random(random) >> random_below(random, 64);
	machine.lock_busy = !random_below(random, 20);
	e.user = random_below(random, 8) ? &user_pool[random_below(random, POOL)] : NULL;
	if (!e.user || random_below(random, 2)) {
		e.kernel = &kernel_pool[random_below(random, POOL)];
		in_kernel_mode(e.kernel, e.user);
	} else {
		in_user_mode(e.user);
	}
	return e;
}

static void check_run(const struct event_counters *a, const struct event_counters *b)
{
	cr_assert(eq(u64, b->entries, a->entries + 1));
	cr_assert(eq(u64, outcomes(b), outcomes(a) + 1));
	cr_assert(eq(u64, b->weight, a->weight + machine.period));
	cr_assert(eq(u64, b->idle_weight - a->idle_weight, machine.tid ? 0 : machine.period));
	cr_assert(le(u64, b->stack_lost + b->stack_records, a->stack_lost + a->stack_records + 2));
	/* A held lock is never taken for a full ring while there is room, nor the other way. */
	if (!machine.lock_busy)
		cr_assert(eq(u64, b->ring_busy, a->ring_busy));
	if (b->ring_full > a->ring_full)
		cr_assert(ge(u64, machine_used(machine.cpu) + 40, 8192));
}

static void random_runs(uint64_t seed, uint32_t filter, int runs)
{
	uint64_t random = seed;

	load((struct machine_settings){
		.filter = filter,
		.ring_bytes = 8192,
		.wakeup_bytes = 2048,
		.mode_filter = { MODE_ANY, MODE_ANY, MODE_USER_ONLY, MODE_KERNEL_ONLY },
	});
	machine.target_pid = 10;
	machine.target_tid = 12;
	make_pools(&random);
	for (int i = 0; i < runs; i++) {
		struct expectation e = random_state(&random);
		struct event_counters before = machine_counters(machine.cpu, e.event), after;

		machine_overflow(e.event);
		after = machine_counters(machine.cpu, e.event);
		check_run(&before, &after);
		if (after.submitted > before.submitted)
			expected[machine.cpu][expected_end[machine.cpu]++ % 4096] = e;
		if (!random_below(&random, 30))
			read_some(random_below(&random, MACHINE_CPUS), random_below(&random, 200));
		if (!random_below(&random, 5000))
			machine_raise_generation();
	}
	for (uint32_t cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		read_some(cpu, UINT32_MAX);
		cr_assert(eq(u32, expected_first[cpu], expected_end[cpu]));
		cr_assert(eq(u64, machine_used(cpu), 0));
	}
	cr_assert(eq(u32, machine.late_calls, 0), "something runs after the event is reserved");
	cr_assert(eq(u32, machine.bad_flags, 0));
}

Test(sample_random, runs_add_up_and_stacks_are_true)
{
	random_runs(1, 0, 150000);
}

Test(sample_random, runs_with_idle)
{
	random_runs(2, FILTER_KEEP_IDLE, 50000);
}

Test(sample_random, runs_with_targets)
{
	random_runs(3, FILTER_TARGET_PID | FILTER_TARGET_TID, 50000);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.c - a program that profiles itself: a timer's signal interrupts it anywhere, also where a
 * function has only half made its frame.
 *
 * The shares are not known, for nobody knows how many signals come.
 */
#include <signal.h>
#include <sys/time.h>

#include "tests/live/stacks/chain.h"

#define TICK_US	   1000
#define TICK_LOOPS 1000000
#define CALLS	   100

static WORKLOAD void in_tick(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void on_tick(int number)
{
	(void)number;
	mislead();
	in_tick(TICK_LOOPS);
	no_tail_call();
}

/* Short, so that much of its time is in the making and the taking down of the frame. */
static WORKLOAD uint64_t brief(uint64_t a, uint64_t b, uint64_t c)
{
	mislead();
	use_saved_registers();
	return a + b + c;
}

static WORKLOAD void busy(uint64_t loops)
{
	for (uint64_t i = 0; i < loops; i++)
		brief(i, loops, 1);
	no_tail_call();
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	const struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
	const struct itimerval none = { { 0, 0 }, { 0, 0 } };
	struct run r;
	uint64_t loops;

	sigaction(SIGPROF, &action, NULL);
	run_begin(&r, argc, argv, NULL, NULL);
	setitimer(ITIMER_PROF, &tick, NULL);
	while ((loops = run_next(&r)))
		busy(loops / CALLS);
	setitimer(ITIMER_PROF, &none, NULL);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * pair.c - the second thread of benches that use two.
 *
 * It sleeps between runs, so that it takes no CPU from other benches, and is made once: making a
 * thread allocates. Starting a call and waiting for its end do not sleep, so that the clock does
 * not measure the scheduler.
 */
#include "bench/micro/pair.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/micro/harness.h"

enum state { ASKED, BEGUN, ENDED };

struct pair {
	pthread_t thread;
	sem_t wake;
	void (*work)(void *); /* NULL: the end */
	void *arg;
	_Atomic int state;
};

static void *pair_main(void *arg)
{
	struct pair *p = arg;

	for (;;) {
		while (sem_wait(&p->wake))
			;
		if (!p->work)
			return NULL;
		atomic_store_explicit(&p->state, BEGUN, memory_order_release);
		p->work(p->arg);
		atomic_store_explicit(&p->state, ENDED, memory_order_release);
	}
}

static int start_on(struct pair *p, int cpu)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	err = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (!err)
		err = pthread_create(&p->thread, &attr, pair_main, p);
	pthread_attr_destroy(&attr);
	return -err;
}

int pair_start(struct pair **ret)
{
	struct pair *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	sem_init(&p->wake, 0, 0);
	err = start_on(p, bench_second_cpu());
	if (err) {
		free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void pair_go(struct pair *p, void (*work)(void *), void *arg)
{
	p->work = work;
	p->arg = arg;
	atomic_store_explicit(&p->state, ASKED, memory_order_relaxed);
	sem_post(&p->wake);
	while (atomic_load_explicit(&p->state, memory_order_acquire) == ASKED)
		;
}

void pair_wait(struct pair *p)
{
	while (atomic_load_explicit(&p->state, memory_order_acquire) != ENDED)
		;
}

void pair_free(struct pair *p)
{
	if (!p)
		return;
	p->work = NULL;
	sem_post(&p->wake);
	pthread_join(p->thread, NULL);
	sem_destroy(&p->wake);
	free(p);
}

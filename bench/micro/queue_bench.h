/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_bench.h - the same three runs over any queue of events from one thread to another.
 *
 * A queue Q is a struct Q with a member `struct queue_common common` and four functions, inlined
 * into the loops:
 *
 *	int Q_open(struct Q *q)				0 or -errno
 *	void Q_close(struct Q *q)
 *	uint64_t Q_put(struct Q *q, uint64_t k)		puts events from number k on, filled in
 *							place where the queue can; returns how many,
 *							0 when it is full
 *	uint64_t Q_take(struct Q *q, uint64_t *sum)	takes some, adds up all their bytes; returns
 *							how many, 0 when it is empty
 *	void Q_clear(struct Q *q)			empties it without looking
 *
 * QUEUE_SETUP(Q) makes of them what sets a bench up, and QUEUE_RUNS(Q) these:
 *
 *	Q_push		one thread puts; a full queue is emptied at a stroke
 *	Q_pushpop	one thread puts until it is full, then takes until it is empty
 *	Q_push2		one thread puts, another takes, on two CPUs
 *
 * The latter two check that every event arrived, unchanged. Also included from C++.
 */
#ifndef PROFILER_BENCH_QUEUE_BENCH_H
#define PROFILER_BENCH_QUEUE_BENCH_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/pair.h"
#include "bench/micro/push_event.h"

#define QUEUE_EVENTS 1024		 /* that a queue holds: 32 KiB, as others are used */
#define QUEUE_BATCH  256		 /* events, of those that put several at once */
#define QUEUE_BYTES  (QUEUE_EVENTS * 32) /* the same, of those that count bytes */

/** struct queue_common - what the runs keep beside the queue */
struct queue_common {
	struct pair *pair; /* of a bench with two threads */
	uint64_t wanted;   /* events for the second thread to take */
	uint64_t sum;	   /* of those it took */
	uint64_t begin_ns; /* for latencies: times are counted from here */
	uint32_t *latency_ns;
};

static inline void queue_spin(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* clang-format off */
#define QUEUE_RUNS(Q)                                                                             \
	static uint64_t Q##_push(void *state, uint64_t ops)                                       \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
		uint64_t k = 0, n;                                                                \
                                                                                                  \
		Q##_clear(q);                                                                     \
		while (k < ops) {                                                                 \
			while ((n = Q##_put(q, k)) && k + n < ops)                                \
				k += n;                                                           \
			k += n;                                                                   \
			Q##_clear(q);                                                             \
		}                                                                                 \
		return k;                                                                         \
	}                                                                                         \
                                                                                                  \
	static uint64_t Q##_pushpop(void *state, uint64_t ops)                                    \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
		uint64_t k = 0, taken = 0, sum = 0, n;                                            \
                                                                                                  \
		while (k < ops) {                                                                 \
			while ((n = Q##_put(q, k)) && k + n < ops)                                \
				k += n;                                                           \
			k += n;                                                                   \
			while ((n = Q##_take(q, &sum)))                                           \
				taken += n;                                                       \
		}                                                                                 \
		bench_check(taken == k && sum == push_event_total(k), "events lost or changed");  \
		return k;                                                                         \
	}                                                                                         \
                                                                                                  \
	static void Q##_consume(void *state)                                                      \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
		uint64_t taken = 0, sum = 0, n;                                                   \
                                                                                                  \
		while (taken < q->common.wanted) {                                                \
			n = Q##_take(q, &sum);                                                    \
			if (!n)                                                                   \
				queue_spin();                                                     \
			taken += n;                                                               \
		}                                                                                 \
		q->common.sum = sum;                                                              \
	}                                                                                         \
                                                                                                  \
	static uint64_t Q##_push2(void *state, uint64_t ops)                                      \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
		uint64_t k = 0, n;                                                                \
                                                                                                  \
		ops = (ops + QUEUE_BATCH - 1) / QUEUE_BATCH * QUEUE_BATCH;                        \
		q->common.wanted = ops;                                                           \
		bench_pause();                                                                    \
		pair_go(q->common.pair, Q##_consume, q);                                          \
		bench_resume();                                                                   \
		while (k < ops) {                                                                 \
			n = Q##_put(q, k);                                                        \
			if (!n)                                                                   \
				queue_spin();                                                     \
			k += n;                                                                   \
		}                                                                                 \
		pair_wait(q->common.pair);                                                        \
		bench_check(q->common.sum == push_event_total(k), "events lost or changed");      \
		return k;                                                                         \
	}

/* Q_setup(), Q_setup2() with a second thread, and Q_teardown() */
#define QUEUE_SETUP(Q)  \
	static void Q##_teardown(void *state)                                                     \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
                                                                                                  \
		pair_free(q->common.pair);                                                        \
		free(q->common.latency_ns);                                                       \
		Q##_close(q);                                                                     \
		free(q);                                                                          \
	}                                                                                         \
                                                                                                  \
	static int Q##_setup(void **ret_state)                                                    \
	{                                                                                         \
		struct Q *q = (struct Q *)aligned_alloc(64, (sizeof(*q) + 63) / 64 * 64);         \
		int err;                                                                          \
                                                                                                  \
		if (!q)                                                                           \
			return -ENOMEM;                                                           \
		q->common.pair = NULL;                                                            \
		q->common.latency_ns = NULL;                                                      \
		err = Q##_open(q);                                                                \
		if (err) {                                                                        \
			free(q);                                                                  \
			return err;                                                               \
		}                                                                                 \
		*ret_state = q;                                                                   \
		return 0;                                                                         \
	}                                                                                         \
                                                                                                  \
	static int Q##_setup2(void **ret_state)                                                   \
	{                                                                                         \
		void *state;                                                                      \
		int err = Q##_setup(&state);                                                      \
                                                                                                  \
		if (err)                                                                          \
			return err;                                                               \
		err = pair_start(&((struct Q *)state)->common.pair);                              \
		if (err) {                                                                        \
			Q##_teardown(state);                                                      \
			return err;                                                               \
		}                                                                                 \
		*ret_state = state;                                                               \
		return 0;                                                                         \
	}

/* The three benches of queue Q. */
#define QUEUE_BENCHES(Q, who, what, part)                                                         \
	{ "push", who, what, part, "event", EVENT_BYTES, 1,                                       \
	  Q##_setup, Q##_push, Q##_teardown, 1, NULL },                                           \
	{ "pushpop", who, what, part, "event", EVENT_BYTES, 1,                                    \
	  Q##_setup, Q##_pushpop, Q##_teardown, 1, NULL },                                        \
	{ "push2", who, what, part, "event", EVENT_BYTES, 1,                                      \
	  Q##_setup2, Q##_push2, Q##_teardown, 2, NULL }
/* clang-format on */

#endif /* PROFILER_BENCH_QUEUE_BENCH_H */

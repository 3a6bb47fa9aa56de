/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_bench.h - how long an event is on its way through a queue of queue_bench.h.
 *
 * The producer puts one event at a time, with a pause after each; the event's number is the time.
 * The consumer, on another CPU, subtracts it from the time at which it has the event in its hands.
 * The clock is read once on each side, so one reading of it is in every figure. Also included from
 * C++.
 */
#ifndef PROFILER_BENCH_LATENCY_BENCH_H
#define PROFILER_BENCH_LATENCY_BENCH_H

#include <stdlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/queue_bench.h"

#define LATENCY_PACE_NS 1000
#define LATENCY_EVENTS	5000 /* of a run; 5 lie beyond the 99.9th percentile */

static inline int latency_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/** latency_figures() - of a run of @n events; sorts @ns */
static inline void latency_figures(uint32_t *ns, uint64_t n)
{
	qsort(ns, n, sizeof(*ns), latency_order);
	bench_figure("p50", "ns", ns[n / 2]);
	bench_figure("p95", "ns", ns[n * 95 / 100]);
	bench_figure("p99", "ns", ns[n * 99 / 100]);
	bench_figure("p99.9", "ns", ns[n * 999 / 1000]);
	bench_figure("max", "ns", ns[n - 1]);
}

/* clang-format off */
/* Q_latency() and its setup, for queue Q that has QUEUE_RUNS; an event every @pace_ns. */
#define QUEUE_LATENCY(Q, pace_ns, events)                                                         \
	static void Q##_arrive(void *state)                                                       \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
		uint64_t taken = 0;                                                               \
                                                                                                  \
		while (taken < (events)) {                                                        \
			uint64_t sum = 0;                                                         \
                                                                                                  \
			if (Q##_take(q, &sum))                                                    \
				q->common.latency_ns[taken++] =                                   \
					(uint32_t)(bench_now_ns() - q->common.begin_ns -          \
						   push_event_number(sum));                       \
			else                                                                      \
				queue_spin();                                                     \
		}                                                                                 \
	}                                                                                         \
                                                                                                  \
	static uint64_t Q##_latency(void *state, uint64_t ops)                                    \
	{                                                                                         \
		struct Q *q = (struct Q *)state;                                                  \
		uint64_t now_ns;                                                                  \
                                                                                                  \
		(void)ops;                                                                        \
		q->common.begin_ns = bench_now_ns();                                              \
		pair_go(q->common.pair, Q##_arrive, q);                                           \
		for (uint64_t k = 0, next_ns = bench_now_ns(); k < (events); k++) {               \
			do                                                                        \
				now_ns = bench_now_ns();                                          \
			while (now_ns < next_ns || !Q##_put(q, now_ns - q->common.begin_ns));     \
			next_ns = now_ns + (pace_ns);                                             \
		}                                                                                 \
		pair_wait(q->common.pair);                                                        \
		bench_pause();                                                                    \
		latency_figures(q->common.latency_ns, (events));                                  \
		bench_resume();                                                                   \
		return (events);                                                                  \
	}                                                                                         \
                                                                                                  \
	static int Q##_setup_latency(void **ret_state)                                            \
	{                                                                                         \
		void *state;                                                                      \
		int err = Q##_setup2(&state);                                                     \
                                                                                                  \
		if (err)                                                                          \
			return err;                                                               \
		((struct Q *)state)->common.latency_ns =                                          \
			(uint32_t *)calloc((events), sizeof(uint32_t));                           \
		if (!((struct Q *)state)->common.latency_ns) {                                    \
			Q##_teardown(state);                                                      \
			return -ENOMEM;                                                           \
		}                                                                                 \
		*ret_state = state;                                                               \
		return 0;                                                                         \
	}

#define LATENCY_BENCH(Q, who, what, part)                                                         \
	{ "latency", who, what, part, NULL, EVENT_BYTES, 1,                                       \
	  Q##_setup_latency, Q##_latency, Q##_teardown, 2, NULL }
/* clang-format on */

#endif /* PROFILER_BENCH_LATENCY_BENCH_H */

// SPDX-License-Identifier: Apache-2.0
/*
 * bench_latency.c - how long an event is on its way from one thread to the other, and what becomes
 * of events that find no room.
 *
 * Group latency: the hand-off with a consumer that looks for events all the time, as the peers'
 * do; with one that sleeps until it is woken, as the writer thread does; and the limit, a single
 * cache line that goes back and forth. Group overflow: a consumer that is too slow.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "bench/micro/handoff_queue.h"
#include "bench/micro/latency_bench.h"

#define ASLEEP_PACE_NS 100000 /* long enough to fall asleep */
#define ASLEEP_EVENTS  500

#define OVERFLOW_EVENTS 50000 /* of a run, at least: many times what the queue holds */

QUEUE_SETUP(each)
QUEUE_LATENCY(each, LATENCY_PACE_NS, LATENCY_EVENTS)

/* The same, but the consumer sleeps. */
struct asleep {
	struct queue_common common;
	struct handoff *h;
};

static int asleep_open(struct asleep *q)
{
	return handoff_new(&q->h, QUEUE_BYTES);
}

static void asleep_close(struct asleep *q)
{
	handoff_free(q->h);
}

static inline uint64_t asleep_put(struct asleep *q, uint64_t k)
{
	struct handoff_packet *p = handoff_reserve(q->h, 0, EVENT_BYTES);

	if (!p)
		return 0;
	push_event_fill(events_of(p), k);
	handoff_commit(q->h, p);
	handoff_wake(q->h);
	return 1;
}

static inline uint64_t asleep_take(struct asleep *q, uint64_t *sum)
{
	struct handoff_packet *p = handoff_wait(q->h);

	*sum += push_event_sum(events_of(p));
	handoff_done(q->h, p);
	return 1;
}

QUEUE_SETUP(asleep)
QUEUE_LATENCY(asleep, ASLEEP_PACE_NS, ASLEEP_EVENTS)

/* The limit: one word, 0 when the consumer has taken what was in it. */
struct line {
	struct queue_common common;
	_Alignas(64) _Atomic uint64_t word;
	_Alignas(64) char next_line[64];
};

static int line_open(struct line *q)
{
	atomic_init(&q->word, 0);
	return 0;
}

static void line_close(struct line *q)
{
	(void)q;
}

static inline uint64_t line_put(struct line *q, uint64_t k)
{
	struct push_event e;

	if (atomic_load_explicit(&q->word, memory_order_relaxed))
		return 0;
	push_event_fill(&e, k);
	atomic_store_explicit(&q->word, push_event_sum(&e), memory_order_relaxed);
	return 1;
}

static inline uint64_t line_take(struct line *q, uint64_t *sum)
{
	*sum = atomic_load_explicit(&q->word, memory_order_relaxed);
	if (!*sum)
		return 0;
	atomic_store_explicit(&q->word, 0, memory_order_relaxed);
	return 1;
}

QUEUE_SETUP(line)
QUEUE_LATENCY(line, LATENCY_PACE_NS, LATENCY_EVENTS)

/* Takes what there is, then looks away for longer than it takes to fill the queue. */
static void take_slowly(void *state)
{
	struct each *q = state;
	uint64_t taken = 0;

	q->common.sum = 0;
	for (;;) {
		bool closed = handoff_closed(q->h); /* before the queue: nothing is left behind */

		while (each_take(q, &q->common.sum))
			taken++;
		if (closed)
			break;
		for (uint64_t until_ns = bench_now_ns() + 20000; bench_now_ns() < until_ns;)
			queue_spin();
	}
	q->common.wanted = taken;
}

static uint64_t run_overflow(void *state, uint64_t ops)
{
	struct each *q = state;
	uint64_t put = 0, sum = 0, refused = 0;

	if (ops < OVERFLOW_EVENTS)
		ops = OVERFLOW_EVENTS;
	bench_pause();
	pair_go(q->common.pair, take_slowly, q);
	bench_resume();
	for (uint64_t k = 0; k < ops; k++) {
		struct push_event e;

		if (!each_put(q, k)) {
			refused++;
			continue;
		}
		push_event_fill(&e, k);
		sum += push_event_sum(&e);
		put++;
	}
	bench_pause();
	handoff_close(q->h);
	pair_wait(q->common.pair);
	bench_check(refused > 0, "the queue never was full");
	bench_check(q->common.wanted == put && q->common.sum == sum, "events lost or changed");
	bench_figure("refused", "%", 100.0 * (double)refused / (double)ops);
	bench_figure("lost", "events", (double)(put - q->common.wanted));
	atomic_store(&q->h->closed, false);
	bench_resume();
	return ops;
}

static const struct bench benches[] = {
	LATENCY_BENCH(each, "profiler", "the hand-off, looked for all the time", BENCH_OURS),
	LATENCY_BENCH(asleep, "profiler-asleep", "the hand-off, the consumer woken for each",
		      BENCH_OURS),
	LATENCY_BENCH(line, "cache-line", "one word, from one CPU to the other", BENCH_LIMIT),
	{
		.group = "overflow",
		.name = "profiler",
		.about = "a consumer that is too slow: refused events are counted, none is lost",
		.role = BENCH_OURS,
		.op = "event",
		.bytes_per_op = EVENT_BYTES,
		.allocates_nothing = 1,
		.setup = each_setup2,
		.run = run_overflow,
		.teardown = each_teardown,
		.threads = 2,
	},
};

const struct bench_list bench_latency = { benches, sizeof(benches) / sizeof(*benches) };

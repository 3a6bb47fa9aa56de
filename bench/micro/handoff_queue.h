/* SPDX-License-Identifier: Apache-2.0 */
/* handoff_queue.h - the recorder's hand-off as a queue of queue_bench.h, a packet of one event. */
#ifndef PROFILER_BENCH_HANDOFF_QUEUE_H
#define PROFILER_BENCH_HANDOFF_QUEUE_H

#include "bench/micro/queue_bench.h"
#include "profiler/handoff.h"

struct each {
	struct queue_common common;
	struct handoff *h;
};

static inline int each_open(struct each *q)
{
	return handoff_new(&q->h, QUEUE_BYTES);
}

static inline void each_close(struct each *q)
{
	handoff_free(q->h);
}

static inline void each_clear(struct each *q)
{
	atomic_store_explicit(&q->h->tail, atomic_load_explicit(&q->h->head, memory_order_relaxed),
			      memory_order_release);
}

static inline struct push_event *events_of(struct handoff_packet *p)
{
	return (struct push_event *)(void *)handoff_bytes(p);
}

static inline uint64_t each_put(struct each *q, uint64_t k)
{
	struct handoff_packet *p = handoff_reserve(q->h, 0, EVENT_BYTES);

	if (!p)
		return 0;
	push_event_fill(events_of(p), k);
	handoff_commit(q->h, p);
	return 1;
}

static inline uint64_t each_take(struct each *q, uint64_t *sum)
{
	struct handoff_packet *p = handoff_take(q->h);

	if (!p)
		return 0;
	*sum += push_event_sum(events_of(p));
	handoff_done(q->h, p);
	return 1;
}

#endif /* PROFILER_BENCH_HANDOFF_QUEUE_H */

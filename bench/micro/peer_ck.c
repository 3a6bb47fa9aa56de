// SPDX-License-Identifier: Apache-2.0
/*
 * peer_ck.c - ConcurrencyKit's ring with one producer and one consumer (Debian: libck-dev), beside
 * the hand-off of bench_push.c. Events are filled in place; it has no call for several at once.
 */
#include <ck_ring.h>
#include <string.h>

#include "bench/micro/latency_bench.h"
#include "bench/micro/queue_bench.h"

CK_RING_PROTOTYPE(events, push_event)

struct ck {
	struct queue_common common;
	ck_ring_t ring;
	_Alignas(64) struct push_event event[QUEUE_EVENTS];
};

static int ck_open(struct ck *q)
{
	memset(q->event, 0, sizeof(q->event));
	ck_ring_init(&q->ring, QUEUE_EVENTS);
	return 0;
}

static void ck_close(struct ck *q)
{
	(void)q;
}

static void ck_clear(struct ck *q)
{
	ck_ring_init(&q->ring, QUEUE_EVENTS);
}

static inline uint64_t ck_put(struct ck *q, uint64_t k)
{
	struct push_event *e = ck_ring_enqueue_reserve_spsc_events(&q->ring, q->event);

	if (!e)
		return 0;
	push_event_fill(e, k);
	ck_ring_enqueue_commit_spsc(&q->ring);
	return 1;
}

static inline uint64_t ck_take(struct ck *q, uint64_t *sum)
{
	struct push_event e;

	if (!ck_ring_dequeue_spsc_events(&q->ring, q->event, &e))
		return 0;
	*sum += push_event_sum(&e);
	return 1;
}

QUEUE_SETUP(ck)
QUEUE_RUNS(ck)
QUEUE_LATENCY(ck, LATENCY_PACE_NS, LATENCY_EVENTS)

static const struct bench benches[] = {
	QUEUE_BENCHES(ck, "ck_ring", "ConcurrencyKit, filled in place", BENCH_PEER),
	LATENCY_BENCH(ck, "ck_ring", "ConcurrencyKit, looked for all the time", BENCH_PEER),
};

const struct bench_list peer_ck = { benches, sizeof(benches) / sizeof(*benches) };

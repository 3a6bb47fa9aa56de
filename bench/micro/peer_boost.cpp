// SPDX-License-Identifier: Apache-2.0
/*
 * peer_boost.cpp - Boost.Lockfree's queue with one producer and one consumer (Debian:
 * libboost-dev), beside the hand-off of bench_push.c. It copies events in; they are read in place.
 */
#include <boost/lockfree/spsc_queue.hpp>
#include <new>

#include "bench/micro/latency_bench.h"
#include "bench/micro/queue_bench.h"

namespace
{
typedef boost::lockfree::spsc_queue<push_event, boost::lockfree::capacity<QUEUE_EVENTS> > queue;

struct boost_each {
	queue_common common;
	queue *events;
};

int boost_each_open(boost_each *q)
{
	q->events = new (std::nothrow) queue;
	return q->events ? 0 : -ENOMEM;
}

void boost_each_close(boost_each *q)
{
	delete q->events;
}

void boost_each_clear(boost_each *q)
{
	q->events->reset();
}

inline uint64_t boost_each_put(boost_each *q, uint64_t k)
{
	push_event e;

	push_event_fill(&e, k);
	return q->events->push(e);
}

inline uint64_t boost_each_take(boost_each *q, uint64_t *sum)
{
	return q->events->consume_one([sum](const push_event &e) { *sum += push_event_sum(&e); });
}

QUEUE_SETUP(boost_each)
QUEUE_RUNS(boost_each)
QUEUE_LATENCY(boost_each, LATENCY_PACE_NS, LATENCY_EVENTS)

struct boost_batch {
	queue_common common;
	queue *events;
	push_event batch[QUEUE_BATCH];
};

int boost_batch_open(boost_batch *q)
{
	q->events = new (std::nothrow) queue;
	return q->events ? 0 : -ENOMEM;
}

void boost_batch_close(boost_batch *q)
{
	delete q->events;
}

void boost_batch_clear(boost_batch *q)
{
	q->events->reset();
}

inline uint64_t boost_batch_put(boost_batch *q, uint64_t k)
{
	if (!q->events->write_available())
		return 0;
	for (uint64_t i = 0; i < QUEUE_BATCH; i++)
		push_event_fill(&q->batch[i], k + i);
	return q->events->push(q->batch, QUEUE_BATCH);
}

inline uint64_t boost_batch_take(boost_batch *q, uint64_t *sum)
{
	uint64_t all = 0;
	uint64_t n = q->events->consume_all([&all](const push_event &e) { all += push_event_sum(&e); });

	*sum += all;
	return n;
}

QUEUE_SETUP(boost_batch)
QUEUE_RUNS(boost_batch)

const bench benches[] = {
	QUEUE_BENCHES(boost_each, "boost", "spsc_queue, copied in one by one", BENCH_PEER),
	QUEUE_BENCHES(boost_batch, "boost-batch", "spsc_queue, copied in 256 at a time", BENCH_PEER),
	LATENCY_BENCH(boost_each, "boost", "spsc_queue, looked for all the time", BENCH_PEER),
};
} // namespace

extern "C" {
extern const bench_list peer_boost;
const bench_list peer_boost = { benches, sizeof(benches) / sizeof(*benches) };
}

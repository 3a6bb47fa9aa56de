// SPDX-License-Identifier: Apache-2.0
/*
 * bench_push.c - handing 32-byte events from one thread to another: the recorder's hand-off, and
 * what copying the same bytes costs. The groups push, pushpop and push2 are those of queue_bench.h.
 *
 * The hand-off passes on packets, and the events in one cost nothing but being filled in. With a
 * packet for each event it is what the peers are: a queue of single events.
 */
#include <string.h>

#include "bench/micro/handoff_queue.h"

QUEUE_SETUP(each)
QUEUE_RUNS(each)

/* As the recorder does it: a packet holds what came together, and then the writer is woken. */
struct packet {
	struct queue_common common;
	struct handoff *h;
};

static int packet_open(struct packet *q)
{
	return handoff_new(&q->h, QUEUE_BYTES);
}

static void packet_close(struct packet *q)
{
	handoff_free(q->h);
}

static void packet_clear(struct packet *q)
{
	atomic_store_explicit(&q->h->tail, atomic_load_explicit(&q->h->head, memory_order_relaxed),
			      memory_order_release);
}

static inline uint64_t packet_put(struct packet *q, uint64_t k)
{
	struct handoff_packet *p = handoff_reserve(q->h, 1, EVENT_BYTES * QUEUE_BATCH);

	if (!p)
		return 0;
	for (uint64_t i = 0; i < QUEUE_BATCH; i++)
		push_event_fill(&events_of(p)[i], k + i);
	p->row[0] = (struct handoff_row){ .samples = QUEUE_BATCH };
	p->samples = QUEUE_BATCH;
	handoff_commit(q->h, p);
	handoff_wake(q->h);
	return QUEUE_BATCH;
}

static inline uint64_t packet_take(struct packet *q, uint64_t *sum)
{
	struct handoff_packet *p = handoff_take(q->h);
	uint64_t all = 0;

	if (!p)
		return 0;
	for (uint64_t i = 0; i < QUEUE_BATCH; i++)
		all += push_event_sum(&events_of(p)[i]);
	handoff_done(q->h, p);
	*sum += all;
	return QUEUE_BATCH;
}

QUEUE_SETUP(packet)
QUEUE_RUNS(packet)

/* The limit: the bytes are put down and nobody is told. */
struct copy {
	struct queue_common common;
	uint64_t used; /* events in to[] */
	struct push_event from[QUEUE_EVENTS];
	struct push_event to[QUEUE_EVENTS];
};

static int copy_open(struct copy *c)
{
	memset(c->to, 0, sizeof(c->to));
	for (uint64_t k = 0; k < QUEUE_EVENTS; k++)
		push_event_fill(&c->from[k], k);
	c->used = 0;
	return 0;
}

static uint64_t copy_run(void *state, uint64_t ops)
{
	struct copy *c = state;
	uint64_t k;

	for (k = 0; k < ops; k += QUEUE_BATCH) {
		memcpy(&c->to[k % QUEUE_EVENTS], &c->from[k % QUEUE_EVENTS],
		       sizeof(c->to[0]) * QUEUE_BATCH);
		__asm__ volatile("" : : : "memory");
	}
	return k;
}

static int copy_setup(void **ret_state)
{
	struct copy *c = aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);

	if (!c)
		return -ENOMEM;
	*ret_state = c;
	return copy_open(c);
}

static const struct bench benches[] = {
	QUEUE_BENCHES(packet, "profiler",
		      "as the recorder does it: filled in place, 256 a packet, one wake-up each",
		      BENCH_OURS),
	QUEUE_BENCHES(each, "profiler-single", "the same queue, a packet for each event",
		      BENCH_OURS),
	{
		.group = "push",
		.name = "memcpy",
		.about = "the same bytes copied, 256 events at a time",
		.role = BENCH_LIMIT,
		.op = "event",
		.bytes_per_op = EVENT_BYTES,
		.allocates_nothing = 1,
		.setup = copy_setup,
		.run = copy_run,
		.teardown = free,
	},
};

const struct bench_list bench_push = { benches, sizeof(benches) / sizeof(*benches) };

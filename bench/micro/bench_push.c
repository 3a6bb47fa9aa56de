// SPDX-License-Identifier: Apache-2.0
/*
 * bench_push.c - handing 32-byte events from one thread to another: the recorder's hand-off, and
 * what copying the same bytes costs.
 *
 * The groups are those of queue_bench.h: push, pushpop and push2 with an event at a time, and the
 * same with -batch, where a hand-off is of QUEUE_BATCH events.
 */
#include <string.h>

#include "bench/micro/queue_bench.h"

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

static uint64_t copy_each(void *state, uint64_t ops)
{
	struct copy *c = state;

	for (uint64_t k = 0; k < ops; k++) {
		memcpy(&c->to[k % QUEUE_EVENTS], &c->from[k % QUEUE_EVENTS], EVENT_BYTES);
		__asm__ volatile("" : : : "memory"); /* one by one, as events come */
	}
	return ops;
}

static uint64_t copy_batches(void *state, uint64_t ops)
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
	{
		.group = "push",
		.name = "memcpy",
		.about = "the same bytes copied, one event at a time",
		.role = BENCH_LIMIT,
		.op = "event",
		.bytes_per_op = EVENT_BYTES,
		.allocates_nothing = 1,
		.setup = copy_setup,
		.run = copy_each,
		.teardown = free,
	},
	{
		.group = "push-batch",
		.name = "memcpy",
		.about = "the same bytes copied, a batch at a time",
		.role = BENCH_LIMIT,
		.op = "event",
		.bytes_per_op = EVENT_BYTES,
		.allocates_nothing = 1,
		.setup = copy_setup,
		.run = copy_batches,
		.teardown = free,
	},
};

const struct bench_list bench_push = { benches, sizeof(benches) / sizeof(*benches) };

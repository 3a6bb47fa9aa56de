// SPDX-License-Identifier: Apache-2.0
/*
 * peer_urcu.c - liburcu's wait-free queue (Debian: liburcu-dev), beside the hand-off of
 * bench_push.c.
 *
 * It links nodes that are the caller's, and is made for many producers: one exchange an event. The
 * nodes are used in turn; as in the other queues, the consumer says how far it is.
 */
#define _LGPL_SOURCE /* the functions inlined, as those of the other queues are */
#include <stdatomic.h>
#include <string.h>
#include <urcu/wfcqueue.h>

#include "bench/micro/queue_bench.h"

struct node {
	struct cds_wfcq_node node;
	struct push_event event;
};

struct urcu {
	struct queue_common common;
	struct __cds_wfcq_head head;
	_Alignas(64) struct cds_wfcq_tail tail;
	uint64_t put;
	_Alignas(64) _Atomic uint64_t taken;
	_Alignas(64) struct node node[QUEUE_EVENTS];
};

static void urcu_clear(struct urcu *q)
{
	__cds_wfcq_init(&q->head, &q->tail);
	q->put = 0;
	atomic_init(&q->taken, 0);
}

static int urcu_open(struct urcu *q)
{
	memset(q->node, 0, sizeof(q->node));
	urcu_clear(q);
	return 0;
}

static void urcu_close(struct urcu *q)
{
	(void)q;
}

static inline uint64_t urcu_put(struct urcu *q, uint64_t k)
{
	struct node *n = &q->node[q->put % QUEUE_EVENTS];

	/* Pairs with the release in urcu_take(): the node's event has been read. */
	if (q->put - atomic_load_explicit(&q->taken, memory_order_acquire) == QUEUE_EVENTS)
		return 0;
	cds_wfcq_node_init(&n->node);
	push_event_fill(&n->event, k);
	cds_wfcq_enqueue(&q->head, &q->tail, &n->node);
	q->put++;
	return 1;
}

static inline uint64_t urcu_take(struct urcu *q, uint64_t *sum)
{
	struct cds_wfcq_node *found = __cds_wfcq_dequeue_nonblocking(&q->head, &q->tail);
	uint64_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed);

	if (!found || found == CDS_WFCQ_WOULDBLOCK)
		return 0;
	*sum += push_event_sum(&caa_container_of(found, struct node, node)->event);
	atomic_store_explicit(&q->taken, taken + 1, memory_order_release);
	return 1;
}

QUEUE_SETUP(urcu)
QUEUE_RUNS(urcu)

static const struct bench benches[] = {
	QUEUE_BENCHES(urcu, "liburcu", "wfcqueue, nodes filled in place", BENCH_PEER),
};

const struct bench_list peer_urcu = { benches, sizeof(benches) / sizeof(*benches) };

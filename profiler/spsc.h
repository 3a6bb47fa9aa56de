/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spsc.h - a queue of pointers from one thread to another; neither ever waits in here.
 *
 *   one thread (producer)                  the other (consumer)
 *
 *   read tail          (acquire) [B]       read head          (acquire) [A]
 *   is there room?                         is there an entry?
 *   entry[head] = p                        p = entry[tail]
 *   head += 1          (release) [A]       tail += 1          (release) [B]
 *
 *   A: whoever sees the new head sees the entry, and what it points to; without it the consumer
 *      could follow a pointer that is not there yet.
 *   B: the consumer has read the entry before its place is filled again.
 */
#ifndef PROFILER_SPSC_H
#define PROFILER_SPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPSC_ENTRIES 128u /* a power of two */

/* All zero is an empty queue. */
struct spsc {
	_Alignas(64) _Atomic uint32_t head;
	_Alignas(64) _Atomic uint32_t tail;
	void *entry[SPSC_ENTRIES];
};

/** spsc_push() - the producer's; false when the queue is full */
static inline bool spsc_push(struct spsc *q, void *p)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&q->tail, memory_order_acquire) == SPSC_ENTRIES)
		return false;
	q->entry[head % SPSC_ENTRIES] = p;
	atomic_store_explicit(&q->head, head + 1, memory_order_release);
	return true;
}

/** spsc_pop() - the consumer's; NULL when the queue is empty */
static inline void *spsc_pop(struct spsc *q)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
	void *p;

	if (tail == atomic_load_explicit(&q->head, memory_order_acquire))
		return NULL;
	p = q->entry[tail % SPSC_ENTRIES];
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
	return p;
}

#endif /* PROFILER_SPSC_H */

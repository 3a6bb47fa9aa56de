// SPDX-License-Identifier: Apache-2.0
/*
 * handoff.c - bounded queue of packets from the drain thread to the writer thread.
 *
 * Entries lie in a row in a power-of-two buffer; one that would cross the end begins at the
 * start again, behind a filler entry. Positions only grow.
 *
 *   drain thread (producer)                  writer thread (consumer)
 *
 *   read tail             (acquire) [B]      read head             (acquire) [A]
 *   is there room?                           is there an entry?
 *   fill the entry                           read the entry
 *   head += entry         (release) [A]      tail += entry         (release) [B]
 *
 *   asleep <-> false      (acq_rel) [C]      none: asleep <-> true (acq_rel) [C]
 *   it was: eventfd += 1                     look again; still none: read eventfd
 *
 *   A: whoever sees the new head sees the entry's bytes; without it the writer could seal and
 *      write a packet that is not all there.
 *   B: the writer's reads are done before the producer fills that room again; without it a
 *      packet could change while it is written.
 *   C: of the two exchanges one is first. If the consumer's is, the producer finds it asleep and
 *      writes to the eventfd, whose counter keeps the wake-up until it is read. If the
 *      producer's is, the consumer's takes over its release, so that its second look sees the
 *      packet. Without an exchange on either side both could miss the other.
 *
 * Each side remembers what it last read of the other's position, and reads it again only when
 * that does not do any more: the cache line stays where it is.
 */
#include "profiler/handoff.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "profiler/pages.h"

int handoff_new(struct handoff **ret, size_t size_bytes)
{
	struct handoff *h = aligned_alloc(64, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->mask = size_bytes - 1;
	atomic_init(&h->closed, false);
	atomic_init(&h->head, 0);
	atomic_init(&h->tail, 0);
	atomic_init(&h->asleep, false);
	h->free_until = 0;
	h->seen = 0;
	h->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (h->wake_fd < 0) {
		err = -errno;
		free(h);
		return err;
	}
	h->data = pages_new(size_bytes);
	if (!h->data) {
		close(h->wake_fd);
		free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	pages_free(h->data, h->mask + 1);
	close(h->wake_fd);
	free(h);
}

bool handoff_find_room(struct handoff *h, size_t entry)
{
	const size_t size = h->mask + 1;
	uint64_t head = atomic_load_explicit(&h->head, memory_order_relaxed); /* ours */
	uint64_t tail = atomic_load_explicit(&h->tail, memory_order_acquire); /* [B] */
	size_t to_end = size - (head & h->mask);
	size_t filler = entry > to_end ? to_end : 0;

	if (head + filler + entry - tail > size)
		return false;
	if (filler) {
		struct handoff_packet *p = handoff_at(h, head);

		p->entry_bytes = (uint32_t)filler;
		p->rows = HANDOFF_FILLER;
		head += filler;
		to_end = size;
		atomic_store_explicit(&h->head, head, memory_order_release); /* [A] */
	}
	h->free_until = tail + size < head + to_end ? tail + size : head + to_end;
	return true;
}

void handoff_wake(struct handoff *h)
{
	const uint64_t one = 1;

	if (!atomic_exchange_explicit(&h->asleep, false, memory_order_acq_rel)) /* [C] */
		return;
	/* Can only fail when the counter is full, and then the consumer has a wake-up waiting. */
	if (write(h->wake_fd, &one, sizeof(one)) < 0)
		return;
}

bool handoff_empty(const struct handoff *h)
{
	/* Acquire, so that what the consumer counted before it let go is seen too. */
	return atomic_load_explicit(&h->tail, memory_order_acquire) ==
	       atomic_load_explicit(&h->head, memory_order_relaxed);
}

void handoff_close(struct handoff *h)
{
	atomic_store_explicit(&h->closed, true, memory_order_release);
	handoff_wake(h);
}

bool handoff_closed(const struct handoff *h)
{
	return atomic_load_explicit(&h->closed, memory_order_acquire);
}

struct handoff_packet *handoff_wait(struct handoff *h)
{
	for (;;) {
		/* Closed is read before the queue: what was committed before closing is seen. */
		bool closed = handoff_closed(h);
		struct handoff_packet *p = handoff_take(h);
		uint64_t wakeups;

		if (p || closed)
			return p;
		if (!atomic_exchange_explicit(&h->asleep, true, memory_order_acq_rel)) /* [C] */
			continue;
		if (read(h->wake_fd, &wakeups, sizeof(wakeups)) < 0 && errno != EINTR)
			return NULL;
	}
}

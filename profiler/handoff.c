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
 *   eventfd += 1                             empty: read eventfd, look again
 *
 *   A: whoever sees the new head sees the entry's bytes; without it the writer could seal and
 *      write a packet that is not all there.
 *   B: the writer's reads are done before the producer fills that room again; without it a
 *      packet could change while it is written.
 *
 * The eventfd's counter keeps every wake-up, so none is lost between looking and sleeping.
 */
#include "profiler/handoff.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "profiler/pages.h"
#include "proto/packet.h"

#define FILLER UINT32_MAX /* in rows: no packet, go on at the start of the buffer */

struct handoff {
	uint8_t *data;
	size_t mask;
	int wake_fd;
	_Atomic bool closed;
	/* On cache lines of their own: each is written by one side and read by the other. */
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
};

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

static struct handoff_packet *entry_at(const struct handoff *h, uint64_t position)
{
	return (struct handoff_packet *)(void *)(h->data + (position & h->mask));
}

static size_t rows_bytes(uint32_t rows)
{
	return (sizeof(struct handoff_packet) + rows * sizeof(struct handoff_row) + 7) & ~(size_t)7;
}

uint8_t *handoff_bytes(struct handoff_packet *p)
{
	return (uint8_t *)p + rows_bytes(p->rows);
}

struct handoff_packet *handoff_reserve(struct handoff *h, uint32_t rows, uint32_t content_bytes)
{
	size_t size = rows_bytes(rows) + PACKET_PREFIX + content_bytes + PACKET_SUFFIX;
	size_t entry = (size + 15) & ~(size_t)15; /* so that a filler always fits */
	uint64_t head = atomic_load_explicit(&h->head, memory_order_relaxed); /* ours */
	uint64_t tail = atomic_load_explicit(&h->tail, memory_order_acquire); /* [B] */
	size_t to_end = h->mask + 1 - (head & h->mask);
	size_t filler = entry > to_end ? to_end : 0;
	struct handoff_packet *p;

	if (head + filler + entry - tail > h->mask + 1)
		return NULL;
	if (filler) {
		p = entry_at(h, head);
		p->entry_bytes = (uint32_t)filler;
		p->rows = FILLER;
		head += filler;
		atomic_store_explicit(&h->head, head, memory_order_release); /* [A] */
	}
	p = entry_at(h, head);
	p->entry_bytes = (uint32_t)entry;
	p->rows = rows;
	p->content_bytes = content_bytes;
	p->samples = 0;
	return p;
}

static void wake(struct handoff *h)
{
	const uint64_t one = 1;

	/* Can only fail when the counter is full, and then the consumer has a wake-up waiting. */
	if (write(h->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void handoff_commit(struct handoff *h, struct handoff_packet *p)
{
	atomic_store_explicit(&h->head,
			      atomic_load_explicit(&h->head, memory_order_relaxed) + p->entry_bytes,
			      memory_order_release); /* [A] */
	wake(h);
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
	wake(h);
}

bool handoff_closed(const struct handoff *h)
{
	return atomic_load_explicit(&h->closed, memory_order_acquire);
}

/* The oldest packet, or NULL; passes over fillers. */
static struct handoff_packet *oldest(struct handoff *h)
{
	for (;;) {
		uint64_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed); /* ours */
		struct handoff_packet *p;

		if (tail == atomic_load_explicit(&h->head, memory_order_acquire)) /* [A] */
			return NULL;
		p = entry_at(h, tail);
		if (p->rows != FILLER)
			return p;
		handoff_done(h, p);
	}
}

struct handoff_packet *handoff_wait(struct handoff *h)
{
	for (;;) {
		/* Closed is read before the queue: what was committed before closing is seen. */
		bool closed = handoff_closed(h);
		struct handoff_packet *p = oldest(h);
		uint64_t wakeups;

		if (p || closed)
			return p;
		if (read(h->wake_fd, &wakeups, sizeof(wakeups)) < 0 && errno != EINTR)
			return NULL;
	}
}

void handoff_done(struct handoff *h, const struct handoff_packet *p)
{
	atomic_store_explicit(&h->tail,
			      atomic_load_explicit(&h->tail, memory_order_relaxed) + p->entry_bytes,
			      memory_order_release); /* [B] */
}

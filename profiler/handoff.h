/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff.h - bounded queue of packets from the drain thread to the writer thread.
 *
 * One producer, one consumer, no lock. The producer never waits: no room is an answer. Passing a
 * packet on and waking the consumer are two calls, because only the second one costs. What runs for
 * every packet is here, to be inlined; for its barriers see handoff.c.
 */
#ifndef PROFILER_HANDOFF_H
#define PROFILER_HANDOFF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDOFF_FILLER UINT32_MAX /* in rows: no packet, go on at the start of the buffer */

/** struct handoff_row - samples of one CPU and event in a packet, for the ledger */
struct handoff_row {
	uint16_t cpu;
	uint16_t event;
	uint32_t samples;
};

/**
 * struct handoff_packet - a packet in the queue
 * @samples: samples of all rows together
 * @rows: entries of row[]
 * @bytes: of the packet
 * @row: followed, 8-byte aligned, by the packet: see handoff_bytes()
 */
struct handoff_packet {
	uint32_t entry_bytes;
	uint32_t samples;
	uint32_t rows;
	uint32_t bytes;
	struct handoff_row row[];
};

/**
 * struct handoff - the queue
 *
 * The fields belong to handoff.c and to the inline functions below. Positions are in bytes since
 * the queue was made.
 */
struct handoff {
	uint8_t *data;
	size_t mask;
	int wake_fd;
	_Atomic bool closed;
	/* On cache lines of their own: each is written by one side and read by the other. */
	_Alignas(64) _Atomic uint64_t head; /* end of what was committed */
	uint64_t free_until; /* the producer's: from head to here is room, in one piece */
	_Alignas(64) _Atomic uint64_t tail; /* end of what the consumer is done with */
	uint64_t seen;			    /* the consumer's: head, when last read */
	_Alignas(64) _Atomic bool asleep;   /* the consumer is, or is about to be */
};

/**
 * handoff_new() - an empty queue
 * @size_bytes: a power of two
 *
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int handoff_new(struct handoff **ret, size_t size_bytes);

/** handoff_free() - NULL is fine; no thread may be using it */
void handoff_free(struct handoff *h);

/* Where the packet of an entry begins, and how long the entry is; see handoff_reserve(). */
static inline size_t handoff_offset(uint32_t rows)
{
	return (sizeof(struct handoff_packet) + rows * sizeof(struct handoff_row) + 7) & ~(size_t)7;
}

static inline size_t handoff_entry(uint32_t rows, uint32_t bytes)
{
	return (handoff_offset(rows) + bytes + 15) & ~(size_t)15; /* so that a filler always fits */
}

static inline struct handoff_packet *handoff_at(const struct handoff *h, uint64_t position)
{
	return (struct handoff_packet *)(void *)(h->data + (position & h->mask));
}

/** handoff_bytes() - where the packet's bytes are; 8-byte aligned */
static inline uint8_t *handoff_bytes(struct handoff_packet *p)
{
	return (uint8_t *)p + handoff_offset(p->rows);
}

/** handoff_find_room() - of handoff_reserve(): look again how far the consumer is */
bool handoff_find_room(struct handoff *h, size_t entry);

/**
 * handoff_reserve() - room for a packet (producer)
 * @rows: rows that will be filled in
 * @bytes: of the packet
 *
 * Returns a packet with rows and bytes set, to be filled in and committed, or NULL when
 * the queue has no room.
 */
static inline struct handoff_packet *handoff_reserve(struct handoff *h, uint32_t rows,
						     uint32_t bytes)
{
	size_t entry = handoff_entry(rows, bytes);
	uint64_t head = atomic_load_explicit(&h->head, memory_order_relaxed); /* ours */
	struct handoff_packet *p;

	if (h->free_until - head < entry) {
		if (!handoff_find_room(h, entry))
			return NULL;
		head = atomic_load_explicit(&h->head, memory_order_relaxed); /* past a filler */
	}
	p = handoff_at(h, head);
	p->entry_bytes = (uint32_t)entry;
	p->samples = 0;
	p->rows = rows;
	p->bytes = bytes;
	return p;
}

/** handoff_commit() - pass the reserved packet to the consumer, which may be asleep */
static inline void handoff_commit(struct handoff *h, const struct handoff_packet *p)
{
	uint64_t entry =
		p->entry_bytes; /* before the atomics: inlined, it is known from reserving */
	uint64_t head = atomic_load_explicit(&h->head, memory_order_relaxed); /* ours */

	atomic_store_explicit(&h->head, head + entry, memory_order_release); /* [A] */
}

/** handoff_wake() - let the consumer see what was committed, if it sleeps (producer) */
void handoff_wake(struct handoff *h);

/** handoff_empty() - the consumer is done with all packets (producer) */
bool handoff_empty(const struct handoff *h);

/** handoff_close() - no packet will follow (producer) */
void handoff_close(struct handoff *h);

/** handoff_closed() - the producer has closed the queue (either side) */
bool handoff_closed(const struct handoff *h);

/** handoff_done() - give the room of the oldest packet back (consumer) */
static inline void handoff_done(struct handoff *h, const struct handoff_packet *p)
{
	uint64_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed); /* ours */

	atomic_store_explicit(&h->tail, tail + p->entry_bytes, memory_order_release); /* [B] */
}

/** handoff_take() - the oldest packet, or NULL when there is none (consumer) */
static inline struct handoff_packet *handoff_take(struct handoff *h)
{
	for (;;) {
		uint64_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed); /* ours */
		struct handoff_packet *p;

		if (tail == h->seen) {
			h->seen = atomic_load_explicit(&h->head, memory_order_acquire); /* [A] */
			if (tail == h->seen)
				return NULL;
		}
		p = handoff_at(h, tail);
		if (p->rows != HANDOFF_FILLER)
			return p;
		handoff_done(h, p);
	}
}

/**
 * handoff_wait() - the oldest packet (consumer); blocks while there is none
 *
 * Returns NULL when the queue is empty and closed.
 */
struct handoff_packet *handoff_wait(struct handoff *h);

#endif /* PROFILER_HANDOFF_H */

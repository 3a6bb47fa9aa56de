/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - our own consumer of one BPF ring buffer, in place. See ring.c for its barriers. */
#ifndef PROFILER_RING_H
#define PROFILER_RING_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ring - one BPF ring buffer and how far it has been read
 *
 * Used by one thread. The fields belong to ring.c and to the inline functions below. To read many
 * records fast, do so with a copy of the ring in a local variable, which the compiler can keep in
 * registers, and set the position of the ring itself before it is released.
 */
struct ring {
	unsigned long *consumer_pos;	   /* shared with the kernel: we write, it reads */
	const unsigned long *producer_pos; /* shared with the kernel: it writes, we read */
	const uint8_t *data;		   /* the ring's bytes, mapped twice in a row */
	unsigned long mask;
	unsigned long position; /* of the next record to read; >= *consumer_pos */
	void *consumer_map;
	void *producer_map;
	size_t producer_map_bytes;
};

/**
 * ring_open() - map the ring buffer of a BPF map
 * @r: filled in
 * @map_fd: fd of a BPF_MAP_TYPE_RINGBUF map; may be closed afterwards
 * @size_bytes: the map's max_entries
 *
 * Returns 0, or -errno of mmap.
 */
__attribute__((warn_unused_result)) int ring_open(struct ring *r, int map_fd, size_t size_bytes);

/** ring_close() - unmap; a ring that was never opened (all 0) is fine */
void ring_close(struct ring *r);

/**
 * ring_produced() - how far the kernel has reserved, in bytes since the ring was made
 *
 * Records before this position may still be unfinished; ring_peek() stops at those.
 */
unsigned long ring_produced(const struct ring *r);

/**
 * ring_advance() - step over the record that ring_peek() returned, of @bytes
 *
 * Where @bytes is known, better that than what was read: the next record can then be read before
 * this one's length has come from memory.
 */
static inline void ring_advance(struct ring *r, uint32_t bytes)
{
	r->position += (BPF_RINGBUF_HDR_SZ + (unsigned long)bytes + 7) & ~7UL;
}

/**
 * ring_peek() - the next finished record before @limit
 * @r: the ring
 * @limit: a value of ring_produced()
 * @ret_bytes: set to the record's length
 *
 * Discarded records are passed over. Returns a pointer into the ring, 8-byte aligned, valid
 * until the next ring_release(), or NULL when there is none.
 */
static inline const void *ring_peek(struct ring *r, unsigned long limit, uint32_t *ret_bytes)
{
	while (r->position < limit) {
		const uint8_t *header = r->data + (r->position & r->mask);
		uint32_t len = __atomic_load_n((const uint32_t *)(const void *)header,
					       __ATOMIC_ACQUIRE); /* [C] */

		if (__builtin_expect(!(len & (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)),
				     1)) {
			*ret_bytes = len;
			return header + BPF_RINGBUF_HDR_SZ;
		}
		if (len & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		ring_advance(r, len & ~BPF_RINGBUF_DISCARD_BIT);
	}
	return NULL;
}

/** ring_release() - give the kernel the room of all records stepped over; once per batch */
void ring_release(struct ring *r);

#endif /* PROFILER_RING_H */

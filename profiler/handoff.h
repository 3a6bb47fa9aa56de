/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff.h - bounded queue of packets from the drain thread to the writer thread.
 *
 * One producer, one consumer, no lock. The producer never waits: no room is an answer.
 */
#ifndef PROFILER_HANDOFF_H
#define PROFILER_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handoff;

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
 * @content_bytes: bytes of the packet's content
 * @row: followed, 8-byte aligned, by the packet: see handoff_bytes()
 */
struct handoff_packet {
	uint32_t entry_bytes;
	uint32_t samples;
	uint32_t rows;
	uint32_t content_bytes;
	struct handoff_row row[];
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

/**
 * handoff_reserve() - room for a packet (producer)
 * @rows: rows that will be filled in
 * @content_bytes: bytes of content; the packet's prefix and suffix are added to it
 *
 * Returns a packet with rows and content_bytes set, to be filled in and committed, or NULL when
 * the queue has no room.
 */
struct handoff_packet *handoff_reserve(struct handoff *h, uint32_t rows, uint32_t content_bytes);

/** handoff_commit() - pass the reserved packet to the consumer, and wake it */
void handoff_commit(struct handoff *h, struct handoff_packet *p);

/** handoff_empty() - the consumer is done with all packets (producer) */
bool handoff_empty(const struct handoff *h);

/** handoff_close() - no packet will follow (producer) */
void handoff_close(struct handoff *h);

/** handoff_closed() - the producer has closed the queue (either side) */
bool handoff_closed(const struct handoff *h);

/**
 * handoff_wait() - the oldest packet (consumer); blocks while there is none
 *
 * Returns NULL when the queue is empty and closed.
 */
struct handoff_packet *handoff_wait(struct handoff *h);

/** handoff_done() - give the room of the oldest packet back (consumer) */
void handoff_done(struct handoff *h, const struct handoff_packet *p);

/** handoff_bytes() - where the packet's PACKET_PREFIX bytes, content and suffix are */
uint8_t *handoff_bytes(struct handoff_packet *p);

#endif /* PROFILER_HANDOFF_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - protobuf's wire format for what is written per sample, frame and node.
 *
 * Headers and ledgers go through protobuf-c. The columns do not: they are appended a value at
 * a time as samples arrive, and copied whole into a packet when it closes.
 *
 * A buffer that could not grow is marked failed and takes nothing more; the packet it belongs to
 * is then given up and counted. Source: the "Encoding" chapter of the protobuf documentation.
 */
#ifndef PROFILER_WIRE_H
#define PROFILER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_VARINT	0
#define WIRE_BYTES	2
#define WIRE_VARINT_MAX 10

struct buffer {
	uint8_t *data;
	size_t size;
	size_t capacity;
	bool failed;
};

static inline void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}

/* Empties the buffer and keeps its memory. */
static inline void buffer_clear(struct buffer *b)
{
	b->size = 0;
	b->failed = false;
}

/* By half, so rarely: not inlined, so that what calls it for every sample stays small. */
static __attribute__((noinline, unused)) bool buffer_grow(struct buffer *b, size_t bytes)
{
	size_t capacity = b->capacity + b->capacity / 2 + bytes + 64;
	uint8_t *data = realloc(b->data, capacity);

	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

/* Makes room for bytes more; false when there is none. */
static inline bool buffer_reserve(struct buffer *b, size_t bytes)
{
	return b->capacity - b->size >= bytes || buffer_grow(b, bytes);
}

static inline uint64_t wire_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* Writes at p, where WIRE_VARINT_MAX bytes are free; returns the bytes written. */
static inline size_t wire_put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)v | 0x80;
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

static inline void wire_varint(struct buffer *b, uint64_t v)
{
	if (buffer_reserve(b, WIRE_VARINT_MAX))
		b->size += wire_put_varint(b->data + b->size, v);
}

static inline void wire_append(struct buffer *b, const void *data, size_t bytes)
{
	if (!bytes || !buffer_reserve(b, bytes))
		return;
	memcpy(b->data + b->size, data, bytes);
	b->size += bytes;
}

/* A varint field; 0 is the default and is left out. */
static inline void wire_field_varint(struct buffer *b, uint32_t field, uint64_t v)
{
	if (!v)
		return;
	wire_varint(b, field << 3 | WIRE_VARINT);
	wire_varint(b, v);
}

/* A length-delimited field: bytes, a string, a packed column or a message. */
static inline void wire_field_bytes(struct buffer *b, uint32_t field, const void *data,
				    size_t bytes)
{
	wire_varint(b, field << 3 | WIRE_BYTES);
	wire_varint(b, bytes);
	wire_append(b, data, bytes);
}

#endif /* PROFILER_WIRE_H */

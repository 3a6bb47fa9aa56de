/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - reads numbers from bytes that nobody vouches for.
 *
 * A read that does not fit gives 0 and leaves `bad` set, and so do all after it: a parser reads on
 * and looks at `bad` where it matters, at the latest before it uses what it read.
 */
#ifndef PROFILER_BYTES_H
#define PROFILER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
	return (struct bytes){ .at = data, .end = (const uint8_t *)data + size };
}

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

/* Takes @size bytes off the front; empty if there are not so many. */
static inline struct bytes bytes_take(struct bytes *b, uint64_t size)
{
	struct bytes taken = { .at = b->at, .end = b->at, .bad = true };

	if (b->bad || size > bytes_left(b)) {
		b->bad = true;
		return taken;
	}
	b->at += size;
	taken.end = b->at;
	taken.bad = false;
	return taken;
}

/* Copies @size bytes, or zeroes. */
static inline void bytes_read(struct bytes *b, void *to, size_t size)
{
	struct bytes from = bytes_take(b, size);

	if (from.bad)
		memset(to, 0, size);
	else
		memcpy(to, from.at, size);
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	uint8_t value;

	bytes_read(b, &value, sizeof(value));
	return value;
}

static inline uint16_t bytes_u16(struct bytes *b)
{
	uint16_t value;

	bytes_read(b, &value, sizeof(value));
	return value;
}

static inline uint32_t bytes_u32(struct bytes *b)
{
	uint32_t value;

	bytes_read(b, &value, sizeof(value));
	return value;
}

static inline uint64_t bytes_u64(struct bytes *b)
{
	uint64_t value;

	bytes_read(b, &value, sizeof(value));
	return value;
}

/* LEB128 of at most ten bytes; what does not fit in 64 bits is bad. */
static inline uint64_t bytes_uleb(struct bytes *b)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		uint8_t byte = bytes_u8(b);

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	b->bad = true;
	return 0;
}

static inline int64_t bytes_sleb(struct bytes *b)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		uint8_t byte = bytes_u8(b);

		if (shift == 63 && byte != 0 && byte != 0x7f)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (shift < 57 && byte & 0x40)
			value |= ~(uint64_t)0 << (shift + 7);
		return (int64_t)value;
	}
	b->bad = true;
	return 0;
}

#endif /* PROFILER_BYTES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * column.h - one packed column of a SampleBlock, appended a value at a time.
 *
 * As long as all values are the same the column is that one value and a sample costs nothing in
 * it; the first value that differs writes out those before it.
 */
#ifndef PROFILER_COLUMN_H
#define PROFILER_COLUMN_H

#include "profiler/wire.h"

struct column {
	struct buffer bytes;
	uint64_t value; /* of all entries, while not mixed */
	bool mixed;
};

static inline void column_clear(struct column *c)
{
	buffer_clear(&c->bytes);
	c->mixed = false;
}

static inline void column_free(struct column *c)
{
	buffer_free(&c->bytes);
}

/* The first value that differs is about to come behind count equal ones: writes them out. */
static __attribute__((noinline, unused)) void column_mix(struct column *c, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		wire_varint(&c->bytes, c->value);
	c->mixed = true;
}

/* Appends v behind the count entries that the column has; returns by how much it has grown. */
static inline size_t column_push(struct column *c, uint32_t count, uint64_t v)
{
	size_t before = c->bytes.size;

	if (!c->mixed) {
		if (!count)
			c->value = v;
		if (v == c->value)
			return 0;
		column_mix(c, count);
	}
	wire_varint(&c->bytes, v);
	return c->bytes.size - before;
}

/* Appends the column as a packed field: nothing for all 0, one entry when all are the same. */
static inline void column_encode(struct column *c, uint32_t field, struct buffer *out)
{
	if (!c->mixed && c->value)
		wire_varint(&c->bytes, c->value);
	if (c->bytes.size)
		wire_field_bytes(out, field, c->bytes.data, c->bytes.size);
	out->failed |= c->bytes.failed;
}

#endif /* PROFILER_COLUMN_H */

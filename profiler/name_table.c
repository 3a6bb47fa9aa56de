// SPDX-License-Identifier: Apache-2.0
/* name_table.c - message Names of the packet that is being filled, in columns. */
#include "profiler/name_table.h"

/* Field numbers in proto/stream.proto. */
enum {
	DEFINITIONS_NAMES = 7,
	NAMES_MAPPING = 1,
	NAMES_START_DELTA = 2,
	NAMES_SIZE = 3,
	NAMES_FUNCTION = 4,
	NAMES_UNKNOWN = 5,
};

/* Columns of equal length have an entry for each, or for all 0 none. */
static void encode_whole(struct column *c, uint32_t field, uint32_t count, struct buffer *out)
{
	for (uint32_t i = 0; !c->mixed && c->value && i < count; i++)
		wire_varint(&c->bytes, c->value);
	if (c->bytes.size)
		wire_field_bytes(out, field, c->bytes.data, c->bytes.size);
	out->failed |= c->bytes.failed;
}

void name_table_release(struct name_table *t)
{
	column_free(&t->mapping);
	column_free(&t->function);
	column_free(&t->unknown);
	buffer_free(&t->start);
	buffer_free(&t->size);
	buffer_free(&t->message);
}

void name_table_add(struct name_table *t, uint32_t mapping, uint64_t start, uint64_t end,
		    uint32_t function, uint32_t unknown)
{
	column_push(&t->mapping, t->count, mapping);
	column_push(&t->function, t->count, function);
	column_push(&t->unknown, t->count, unknown);
	wire_varint(&t->start, wire_zigzag((int64_t)(start - t->last_start)));
	wire_varint(&t->size, end - start);
	t->last_start = start;
	t->count++;
}

void name_table_encode(struct name_table *t, struct buffer *out)
{
	struct buffer *m = &t->message;

	if (!t->count)
		return;
	encode_whole(&t->mapping, NAMES_MAPPING, t->count, m);
	wire_field_bytes(m, NAMES_START_DELTA, t->start.data, t->start.size);
	wire_field_bytes(m, NAMES_SIZE, t->size.data, t->size.size);
	encode_whole(&t->function, NAMES_FUNCTION, t->count, m);
	encode_whole(&t->unknown, NAMES_UNKNOWN, t->count, m);
	wire_field_bytes(out, DEFINITIONS_NAMES, m->data, m->size);
	out->failed |= m->failed | t->start.failed | t->size.failed;
	name_table_clear(t);
}

size_t name_table_bytes(const struct name_table *t)
{
	return t->start.size + t->size.size + t->mapping.bytes.size + t->function.bytes.size +
	       t->unknown.bytes.size;
}

void name_table_clear(struct name_table *t)
{
	column_clear(&t->mapping);
	column_clear(&t->function);
	column_clear(&t->unknown);
	buffer_clear(&t->start);
	buffer_clear(&t->size);
	buffer_clear(&t->message);
	t->count = 0;
	t->last_start = 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * string_table.c - the string table of one epoch of the stream: each string once.
 *
 * Invariant: string id i is the i-th that was entered; its bytes never move within an epoch.
 */
#include "profiler/string_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pages.h"
#include "profiler/wire.h"

/* Room of an epoch. A full table gives frames without a name. */
#define STRINGS_MAX    (1u << 14)
#define TEXT_BYTES_MAX (1u << 19)

/* Field numbers in proto/stream.proto. */
enum {
	DEFINITIONS_STRINGS = 1,
	STRINGS_FIRST_ID = 1,
	STRINGS_VALUE = 2,
};

struct string_table {
	uint32_t count;
	uint32_t encoded;
	uint32_t text_bytes;
	struct buffer message;
	uint32_t start[STRINGS_MAX + 1]; /* of string id i + 1 in text */
	uint32_t index[STRINGS_MAX * 2]; /* ids, open addressing, 0 is empty */
	char text[TEXT_BYTES_MAX];
};

int string_table_new(struct string_table **ret)
{
	struct string_table *s = pages_new(sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

void string_table_free(struct string_table *s)
{
	if (!s)
		return;
	buffer_free(&s->message);
	pages_free(s, sizeof(*s));
}

/* FNV-1a: strings are short and this is off the path of a sample. */
static uint32_t hash_text(const char *value, size_t bytes)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ (uint8_t)value[i]) * 16777619u;
	return h ^ (h >> 15);
}

static uint32_t *index_find(struct string_table *s, const char *value, size_t bytes)
{
	uint32_t mask = STRINGS_MAX * 2 - 1, i = hash_text(value, bytes) & mask;

	for (; s->index[i]; i = (i + 1) & mask) {
		uint32_t id = s->index[i], start = s->start[id - 1];

		if (s->start[id] - start == bytes && !memcmp(s->text + start, value, bytes))
			break;
	}
	return &s->index[i];
}

uint32_t string_table_id(struct string_table *s, const char *value, size_t bytes)
{
	uint32_t *place;

	if (!bytes)
		return 0;
	place = index_find(s, value, bytes);
	if (*place)
		return *place;
	if (s->count == STRINGS_MAX || bytes > TEXT_BYTES_MAX - s->text_bytes)
		return 0;
	memcpy(s->text + s->text_bytes, value, bytes);
	s->start[s->count] = s->text_bytes;
	s->text_bytes += (uint32_t)bytes;
	*place = ++s->count;
	s->start[s->count] = s->text_bytes;
	return s->count;
}

bool string_table_crowded(const struct string_table *s)
{
	return s->count > STRINGS_MAX / 4 * 3 || s->text_bytes > TEXT_BYTES_MAX / 4 * 3;
}

void string_table_encode(struct string_table *s, struct buffer *out)
{
	if (s->encoded == s->count)
		return;
	wire_field_varint(&s->message, STRINGS_FIRST_ID, s->encoded + 1);
	for (uint32_t i = s->encoded; i < s->count; i++)
		wire_field_bytes(&s->message, STRINGS_VALUE, s->text + s->start[i],
				 s->start[i + 1] - s->start[i]);
	wire_field_bytes(out, DEFINITIONS_STRINGS, s->message.data, s->message.size);
	out->failed |= s->message.failed;
	buffer_clear(&s->message);
	s->encoded = s->count;
}

size_t string_table_pending_bytes(const struct string_table *s)
{
	return s->text_bytes - s->start[s->encoded];
}

void string_table_clear(struct string_table *s)
{
	memset(s->index, 0, sizeof(s->index));
	s->count = 0;
	s->encoded = 0;
	s->text_bytes = 0;
}

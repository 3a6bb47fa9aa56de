/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_writer.c - writing a gzipped profile.proto, see pprof_writer.h.
 */
#include "tools/pprof_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_LENGTH_DELIMITED 2
#define VARINT_MAX	      10

/* Field numbers, all below 16: a tag is one byte. */
enum sample_field {
	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
};

enum label_field {
	LABEL_FIELD_KEY = 1,
	LABEL_FIELD_STR = 2,
	LABEL_FIELD_NUM = 3,
	LABEL_FIELD_NUM_UNIT = 4,
	LABEL_FIELDS = 4,
};

void pprof_fail(struct pprof_writer *w, int err)
{
	if (!w->err)
		w->err = err;
}

int64_t pprof_string(struct pprof_writer *w, const char *text)
{
	uint32_t id = 0;
	int err = strtab_get(&w->strings, text, strlen(text), &id);

	if (err)
		pprof_fail(w, err);
	return id;
}

int64_t pprof_profile_string(struct pprof_writer *w, uint32_t id)
{
	uint32_t *known;

	if (!w->string_of)
		w->string_of = calloc(w->profile->strings.count + (size_t)1, sizeof(*known));
	if (!w->string_of) {
		pprof_fail(w, -ENOMEM);
		return 0;
	}
	known = &w->string_of[id];
	if (!*known)
		*known = (uint32_t)pprof_string(w, profile_text(w->profile, id));
	return *known;
}

void pprof_release(struct pprof_writer *w)
{
	strtab_release(&w->strings);
	free(w->string_of);
	free(w->buffer);
}

void pprof_write_bytes(struct pprof_writer *w, const void *data, size_t bytes)
{
	int result;

	if (w->err || !bytes)
		return;
	errno = 0;
	result = gzwrite(w->out, data, (unsigned int)bytes);
	if (result <= 0)
		pprof_fail(w, errno ? -errno : -EIO);
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)value | 0x80;
	*at++ = (uint8_t)value;
	return at;
}

void pprof_write_tag(struct pprof_writer *w, enum pprof_field field, size_t bytes)
{
	uint8_t head[16];
	uint8_t *end = put_varint(head, (uint64_t)field << 3 | WIRE_LENGTH_DELIMITED);

	end = put_varint(end, bytes);
	pprof_write_bytes(w, head, (size_t)(end - head));
}

static bool make_room(struct pprof_writer *w, size_t bytes)
{
	uint8_t *larger;

	if (bytes <= w->buffer_bytes)
		return true;
	larger = realloc(w->buffer, bytes * 2);
	if (!larger) {
		pprof_fail(w, -ENOMEM);
		return false;
	}
	w->buffer = larger;
	w->buffer_bytes = bytes * 2;
	return true;
}

size_t pprof_pack(struct pprof_writer *w, const ProtobufCMessage *message)
{
	return make_room(w, protobuf_c_message_get_packed_size(message))
		       ? protobuf_c_message_pack(message, w->buffer)
		       : 0;
}

void pprof_write_field(struct pprof_writer *w, enum pprof_field field,
		       const ProtobufCMessage *message)
{
	size_t bytes = pprof_pack(w, message);

	pprof_write_tag(w, field, bytes);
	pprof_write_bytes(w, w->buffer, bytes);
}

static size_t varint_bytes(uint64_t value)
{
	return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static uint8_t *put_head(uint8_t *at, uint32_t field, size_t bytes)
{
	*at++ = (uint8_t)(field << 3 | WIRE_LENGTH_DELIMITED);
	return put_varint(at, bytes);
}

/* Numbers of one field, of which there may be none. */
static uint8_t *put_packed(uint8_t *at, uint32_t field, const uint64_t *value, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += varint_bytes(value[i]);
	if (!count)
		return at;
	at = put_head(at, field, bytes);
	for (size_t i = 0; i < count; i++)
		at = put_varint(at, value[i]);
	return at;
}

static uint8_t *put_label(uint8_t *at, const Perftools__Profiles__Label *label)
{
	const uint64_t value[LABEL_FIELDS + 1] = {
		[LABEL_FIELD_KEY] = (uint64_t)label->key,
		[LABEL_FIELD_STR] = (uint64_t)label->str,
		[LABEL_FIELD_NUM] = (uint64_t)label->num,
		[LABEL_FIELD_NUM_UNIT] = (uint64_t)label->num_unit,
	};
	size_t bytes = 0;

	for (uint32_t i = 1; i <= LABEL_FIELDS; i++)
		bytes += value[i] ? 1 + varint_bytes(value[i]) : 0;
	at = put_head(at, SAMPLE_LABEL, bytes);
	for (uint32_t i = 1; i <= LABEL_FIELDS; i++) {
		if (!value[i])
			continue;
		*at++ = (uint8_t)(i << 3);
		at = put_varint(at, value[i]);
	}
	return at;
}

void pprof_write_sample(struct pprof_writer *w, const Perftools__Profiles__Sample *s)
{
	const size_t head = 1 + VARINT_MAX;
	const size_t numbers = s->n_location_id + s->n_value + s->n_label * LABEL_FIELDS;
	uint8_t start[1 + VARINT_MAX];
	uint8_t *body;
	uint8_t *end;
	size_t bytes;

	if (!make_room(w, (3 + s->n_label) * head + numbers * (1 + VARINT_MAX)))
		return;
	body = end = w->buffer + head;
	end = put_packed(end, SAMPLE_LOCATION_ID, s->location_id, s->n_location_id);
	end = put_packed(end, SAMPLE_VALUE, (const uint64_t *)s->value, s->n_value);
	for (size_t i = 0; i < s->n_label; i++)
		end = put_label(end, s->label[i]);
	/* what stands before it is only as long as it needs to be */
	bytes = (size_t)(put_head(start, PPROF_SAMPLE, (size_t)(end - body)) - start);
	memcpy(body - bytes, start, bytes);
	pprof_write_bytes(w, body - bytes, bytes + (size_t)(end - body));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* pb_buffer.c - protobuf messages in memory, a field at a time, see pb_buffer.h. */
#include "tools/pb_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_LENGTH_DELIMITED 2
#define VARINT_MAX	      10
#define FIRST_ROOM	      4096

/* Room for so many more bytes, or NULL. */
static uint8_t *make_room(struct pb_buffer *b, size_t bytes)
{
	size_t room = b->room ? b->room : FIRST_ROOM;
	uint8_t *larger;

	if (b->err)
		return NULL;
	if (bytes > b->room - b->bytes) {
		while (room - b->bytes < bytes)
			room *= 2;
		larger = realloc(b->data, room);
		if (!larger) {
			b->err = -ENOMEM;
			return NULL;
		}
		b->data = larger;
		b->room = room;
	}
	return b->data + b->bytes;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)value | 0x80;
	*at++ = (uint8_t)value;
	return at;
}

/* The tag and the length of a field, and the place for its bytes; NULL on failure. */
static uint8_t *put_head(struct pb_buffer *b, uint32_t field, size_t bytes)
{
	uint8_t *at = make_room(b, bytes + (size_t)2 * VARINT_MAX);

	if (!at)
		return NULL;
	at = put_varint(at, (uint64_t)field << 3 | WIRE_LENGTH_DELIMITED);
	at = put_varint(at, bytes);
	b->bytes = (size_t)(at - b->data) + bytes;
	return at;
}

void pb_put_message(struct pb_buffer *b, uint32_t field, const ProtobufCMessage *message)
{
	uint8_t *at = put_head(b, field, protobuf_c_message_get_packed_size(message));

	if (at)
		protobuf_c_message_pack(message, at);
}

void pb_put_fields(struct pb_buffer *b, const ProtobufCMessage *message)
{
	uint8_t *at = make_room(b, protobuf_c_message_get_packed_size(message));

	if (at)
		b->bytes += protobuf_c_message_pack(message, at);
}

void pb_put_bytes(struct pb_buffer *b, uint32_t field, const void *data, size_t bytes)
{
	uint8_t *at = put_head(b, field, bytes);

	if (at && bytes)
		memcpy(at, data, bytes);
}

void pb_put_buffer(struct pb_buffer *b, uint32_t field, struct pb_buffer *from)
{
	if (from->err && !b->err)
		b->err = from->err;
	pb_put_bytes(b, field, from->data, from->bytes);
	pb_release(from);
}

void pb_append(struct pb_buffer *b, struct pb_buffer *from)
{
	uint8_t *at;

	if (from->err && !b->err)
		b->err = from->err;
	at = make_room(b, from->bytes);
	if (at && from->bytes) {
		memcpy(at, from->data, from->bytes);
		b->bytes += from->bytes;
	}
	pb_release(from);
}

void pb_release(struct pb_buffer *b)
{
	free(b->data);
	*b = (struct pb_buffer){ 0 };
}

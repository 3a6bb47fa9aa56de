/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_writer.c - writing a gzipped profile.proto, see pprof_writer.h.
 */
#include "tools/pprof_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_LENGTH_DELIMITED 2

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
	return pprof_string(w, profile_text(w->profile, id));
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

size_t pprof_pack(struct pprof_writer *w, const ProtobufCMessage *message)
{
	size_t bytes = protobuf_c_message_get_packed_size(message);

	if (bytes > w->buffer_bytes) {
		uint8_t *larger = realloc(w->buffer, bytes * 2);

		if (!larger) {
			pprof_fail(w, -ENOMEM);
			return 0;
		}
		w->buffer = larger;
		w->buffer_bytes = bytes * 2;
	}
	return protobuf_c_message_pack(message, w->buffer);
}

void pprof_write_field(struct pprof_writer *w, enum pprof_field field,
		       const ProtobufCMessage *message)
{
	size_t bytes = pprof_pack(w, message);

	pprof_write_tag(w, field, bytes);
	pprof_write_bytes(w, w->buffer, bytes);
}

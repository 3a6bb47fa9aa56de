/* SPDX-License-Identifier: Apache-2.0 */
/* stream_out.c - writes a stream, see stream_out.h. */
#include "tools/stream_out.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/packet.h"

/* A packet closes before it grows over this, as the recorder's do. */
#define PACKET_TARGET ((size_t)64 << 10)

/* Field numbers of Packet. */
enum {
	PACKET_EPOCH = 4,
	PACKET_HEADER = 5,
	PACKET_DEFINITIONS = 6,
	PACKET_SAMPLES = 7,
	PACKET_LEDGER = 8,
};

/* Most bytes of a tag and a length. */
#define FIELD_BYTES_MAX 8

void stream_out_release(struct stream_out *out)
{
	free(out->packet);
	out->packet = NULL;
}

static void put_varint(struct stream_out *out, uint64_t value)
{
	uint8_t *at = out->packet + PACKET_PREFIX + out->content_bytes;

	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
		out->content_bytes++;
	}
	*at = (uint8_t)value;
	out->content_bytes++;
}

int stream_out_flush(struct stream_out *out)
{
	size_t bytes;

	if (!out->content_bytes)
		return 0;
	bytes = packet_seal(out->packet, out->content_bytes, out->sequence++, out->first_sample);
	out->first_sample += out->samples;
	out->samples = 0;
	out->content_bytes = 0;
	out->has_definitions = false;
	errno = EIO;
	return fwrite(out->packet, 1, bytes, out->file) == bytes ? 0 : -errno;
}

static int add(struct stream_out *out, uint32_t field, const ProtobufCMessage *message)
{
	size_t bytes = protobuf_c_message_get_packed_size(message);
	int err = 0;

	if (bytes > PACKET_CONTENT_MAX - 2 * FIELD_BYTES_MAX)
		return -EMSGSIZE;
	if (!out->packet) {
		out->packet = malloc(PACKET_TOTAL_MAX);
		if (!out->packet)
			return -ENOMEM;
	}
	if (out->content_bytes + bytes > PACKET_TARGET)
		err = stream_out_flush(out);
	if (err)
		return err;
	if (!out->content_bytes && out->epoch) {
		put_varint(out, PACKET_EPOCH << 3);
		put_varint(out, out->epoch);
	}
	put_varint(out, field << 3 | 2);
	put_varint(out, bytes);
	protobuf_c_message_pack(message, out->packet + PACKET_PREFIX + out->content_bytes);
	out->content_bytes += bytes;
	return 0;
}

int stream_out_begin(struct stream_out *out, const Profiler__Header *header)
{
	int err = stream_out_flush(out);

	if (err)
		return err;
	out->epoch++;
	return add(out, PACKET_HEADER, &header->base);
}

int stream_out_definitions(struct stream_out *out, const Profiler__Definitions *definitions)
{
	int err = out->has_definitions ? stream_out_flush(out) : 0;

	if (!err)
		err = add(out, PACKET_DEFINITIONS, &definitions->base);
	out->has_definitions = true;
	return err;
}

int stream_out_block(struct stream_out *out, const Profiler__SampleBlock *block)
{
	int err = add(out, PACKET_SAMPLES, &block->base);

	if (!err)
		out->samples += block->count;
	return err;
}

int stream_out_ledger(struct stream_out *out, const Profiler__Ledger *ledger)
{
	int err = add(out, PACKET_LEDGER, &ledger->base);

	return err ? err : stream_out_flush(out);
}

int stream_out_lose(struct stream_out *out, uint64_t packets, uint64_t samples)
{
	int err = packets || samples ? stream_out_flush(out) : 0;

	out->sequence += !packets && samples ? 1 : packets;
	out->first_sample += samples;
	return err;
}

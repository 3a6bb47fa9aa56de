/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet.c - the bytes around a packet's content. The layout is at the top of stream.proto.
 *
 * Why no name or path in a packet can look like a packet: the length is padded to four bytes
 * and at most 1 MiB, so its fourth byte is always 0, and names hold no 0.
 */
#include "proto/packet.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/crc32c.h"

/* Tags: field number << 3 | wire type, 1 = eight bytes, 2 = length-delimited, 5 = four bytes. */
#define TAG_PACKET	 0x0A /* Stream.packet */
#define TAG_SYNC	 0x09
#define TAG_SEQUENCE	 0x11
#define TAG_FIRST_SAMPLE 0x19
#define TAG_CRC_0	 0xFD /* Packet.crc, number 2047, as a varint of two bytes */
#define TAG_CRC_1	 0x7F

#define SYNC_OFFSET	    PACKET_FRAME
#define SEQUENCE_OFFSET	    (SYNC_OFFSET + 9)
#define FIRST_SAMPLE_OFFSET (SEQUENCE_OFFSET + 9)

/* Smallest value of the length field: no content. */
#define LENGTH_MIN (PACKET_PREFIX - PACKET_FRAME + PACKET_SUFFIX)

static_assert(SEQUENCE_OFFSET == PACKET_MARK, "the marker ends where sequence begins");
static_assert(FIRST_SAMPLE_OFFSET + 9 == PACKET_PREFIX, "prefix");
static_assert(PACKET_MAX < 1u << 21, "the fourth byte of the length is 0");

/* The tag of sync and its value. */
static const uint8_t marker[9] = { TAG_SYNC, 0x89, 'S', 'P', 'R', 'F', 0x0A, 0xF7, 0x1A };

static void put_fixed64(uint8_t *at, uint8_t tag, uint64_t value)
{
	value = htole64(value);
	at[0] = tag;
	memcpy(at + 1, &value, sizeof(value));
}

static uint64_t get_fixed64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at + 1, sizeof(value));
	return le64toh(value);
}

size_t packet_seal(uint8_t *packet, size_t content_bytes, uint64_t sequence, uint64_t first_sample)
{
	size_t suffix = PACKET_PREFIX + content_bytes;
	uint32_t length = (uint32_t)(suffix + PACKET_SUFFIX - PACKET_FRAME);
	uint32_t crc;

	assert(content_bytes <= PACKET_CONTENT_MAX);
	packet[0] = TAG_PACKET;
	packet[1] = (length & 0x7F) | 0x80;
	packet[2] = (length >> 7 & 0x7F) | 0x80;
	packet[3] = (length >> 14 & 0x7F) | 0x80;
	packet[4] = 0;
	put_fixed64(packet + SYNC_OFFSET, TAG_SYNC, STREAM_SYNC);
	put_fixed64(packet + SEQUENCE_OFFSET, TAG_SEQUENCE, sequence);
	put_fixed64(packet + FIRST_SAMPLE_OFFSET, TAG_FIRST_SAMPLE, first_sample);
	crc = htole32(crc32c(0, packet, suffix));
	packet[suffix] = TAG_CRC_0;
	packet[suffix + 1] = TAG_CRC_1;
	memcpy(packet + suffix + 2, &crc, sizeof(crc));
	return suffix + PACKET_SUFFIX;
}

/* Do the first bytes, as many as there are, look like a packet's, whatever the length says? */
static bool begins_packet(const uint8_t *data, size_t bytes)
{
	size_t marked;

	if (!bytes || data[0] != TAG_PACKET)
		return false;
	if (bytes <= SYNC_OFFSET)
		return true;
	marked = bytes - SYNC_OFFSET;
	return !memcmp(data + SYNC_OFFSET, marker,
		       marked < sizeof(marker) ? marked : sizeof(marker));
}

size_t packet_claim(const uint8_t *data)
{
	size_t length;

	if (!(data[1] & data[2] & data[3] & 0x80) || data[4])
		return 0;
	length = (data[1] & 0x7Fu) | (data[2] & 0x7Fu) << 7 | (data[3] & 0x7Fu) << 14;
	if (length < LENGTH_MIN || length > PACKET_MAX)
		return 0;
	return PACKET_FRAME + length;
}

ssize_t packet_check(const uint8_t *data, size_t bytes)
{
	uint32_t crc;
	size_t total;

	if (bytes && !begins_packet(data, bytes))
		return -ENOMSG;
	if (bytes < PACKET_MARK)
		return 0;
	total = packet_claim(data);
	if (!total)
		return -EBADMSG;
	if (bytes >= PACKET_PREFIX && (data[SEQUENCE_OFFSET] != TAG_SEQUENCE ||
				       data[FIRST_SAMPLE_OFFSET] != TAG_FIRST_SAMPLE))
		return -EBADMSG;
	if (bytes < total)
		return 0;
	if (data[total - PACKET_SUFFIX] != TAG_CRC_0 ||
	    data[total - PACKET_SUFFIX + 1] != TAG_CRC_1)
		return -EBADMSG;
	memcpy(&crc, data + total - sizeof(crc), sizeof(crc));
	if (le32toh(crc) != crc32c(0, data, total - PACKET_SUFFIX))
		return -EBADMSG;
	return (ssize_t)total;
}

size_t packet_find(const uint8_t *data, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		const uint8_t *tag = memchr(data + at, TAG_PACKET, bytes - at);

		if (!tag)
			break;
		at = (size_t)(tag - data);
		if (begins_packet(tag, bytes - at))
			return at;
		at++;
	}
	return bytes;
}

uint64_t packet_sequence(const uint8_t *packet)
{
	return get_fixed64(packet + SEQUENCE_OFFSET);
}

uint64_t packet_first_sample(const uint8_t *packet)
{
	return get_fixed64(packet + FIRST_SAMPLE_OFFSET);
}

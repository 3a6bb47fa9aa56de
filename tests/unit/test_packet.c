/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_packet.c - the checksum and the bytes around a packet.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include "packets.h"
#include "proto/crc32c.h"
#include "proto/packet.h"

/* The vectors of RFC 3720, B.4, and the check value of the CRC catalogues. */
Test(crc32c, known_values)
{
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];

	memset(ones, 0xFF, sizeof(ones));
	for (uint8_t i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = 31 - i;
	}
	cr_expect(eq(u32, crc32c(0, "123456789", 9), 0xE3069283));
	cr_expect(eq(u32, crc32c(0, zeros, 32), 0x8A9136AA));
	cr_expect(eq(u32, crc32c(0, ones, 32), 0x62A8AB43));
	cr_expect(eq(u32, crc32c(0, up, 32), 0x46DD794E));
	cr_expect(eq(u32, crc32c(0, down, 32), 0x113FDB5C));
	cr_expect(eq(u32, crc32c(0, "", 0), 0));
}

Test(crc32c, all_ways_agree_at_any_length_place_and_split)
{
	uint8_t data[128];
	uint64_t random = 1;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)next_random(&random);
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; n <= sizeof(data) - from; n++) {
			uint32_t whole = crc32c(0, data + from, n);
			uint32_t part = crc32c(0, data + from, n / 3);

			cr_assert(eq(u32, crc32c_by_table(0, data + from, n), whole));
			cr_assert(eq(u32, crc32c(part, data + from + n / 3, n - n / 3), whole));
		}
}

/* The bytes of stream.proto's layout, written down by hand. */
Test(packet, layout)
{
	static const uint8_t expected[] = {
		0x0A, 0xA3, 0x80, 0x80, 0x00,			      /* 35 bytes follow */
		0x09, 0x89, 'S',  'P',	'R',  'F',  0x0A, 0xF7, 0x1A, /* sync */
		0x11, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* sequence */
		0x19, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, /* first_sample */
		0x20, 0x05,					      /* epoch 5 */
		0xFD, 0x7F,					      /* crc, and its value */
	};
	uint8_t packet[PACKET_PREFIX + 2 + PACKET_SUFFIX] = { [PACKET_PREFIX] = 0x20, 0x05 };
	uint32_t crc = crc32c(0, expected, PACKET_PREFIX + 2);
	size_t size = packet_seal(packet, 2, 0x0102030405060708, 0x1112131415161718);

	cr_assert(eq(sz, size, sizeof(packet)));
	cr_expect(zero(int, memcmp(packet, expected, sizeof(expected))));
	for (int i = 0; i < 4; i++)
		cr_expect(eq(u8, packet[size - 4 + (size_t)i], (uint8_t)(crc >> 8 * i)));
	cr_expect(eq(u64, packet_sequence(packet), 0x0102030405060708));
	cr_expect(eq(u64, packet_first_sample(packet), 0x1112131415161718));
}

Test(packet, unpacks_as_protobuf)
{
	uint8_t data[4096];
	size_t first = make_kth(data, 0);
	size_t second = make_kth(data + first, 1);
	Profiler__Stream *s = profiler__stream__unpack(NULL, first + second, data);

	cr_assert(ne(ptr, s, NULL));
	cr_assert(eq(sz, s->n_packet, 2));
	cr_expect(eq(u64, s->packet[0]->sync, STREAM_SYNC));
	cr_expect(eq(u64, s->packet[1]->sequence, 1));
	cr_expect(eq(u32, s->packet[1]->crc, crc32c(0, data + first, second - PACKET_SUFFIX)));
	profiler__stream__free_unpacked(s, NULL);
}

Test(packet, largest_and_smallest)
{
	uint8_t *packet = calloc(1, PACKET_TOTAL_MAX);
	size_t size;

	cr_assert(ne(ptr, packet, NULL));
	size = packet_seal(packet, PACKET_CONTENT_MAX, 0, 0);
	cr_expect(eq(sz, size, PACKET_TOTAL_MAX));
	cr_expect(eq(long, packet_check(packet, size), (long)size));
	packet[1] = packet[2] = 0x81; /* more than 1 MiB */
	packet[3] = 0xC0;
	cr_expect(eq(long, packet_check(packet, size), -EBADMSG));
	size = packet_seal(packet, 0, 0, 0);
	cr_expect(eq(sz, size, PACKET_PREFIX + PACKET_SUFFIX));
	cr_expect(eq(long, packet_check(packet, size), (long)size));
	packet[1]--;
	cr_expect(eq(long, packet_check(packet, size), -EBADMSG), "shorter than prefix and suffix");
	free(packet);
}

Test(packet, any_beginning_needs_more)
{
	uint8_t data[1024];
	size_t size = make_kth(data, 0);

	for (size_t n = 0; n < size; n++)
		cr_assert(zero(long, packet_check(data, n)), "%zu bytes", n);
	cr_expect(eq(long, packet_check(data, size), (long)size));
	cr_expect(eq(long, packet_check(data, sizeof(data)), (long)size));
}

/* One flipped bit is found wherever it is; in the length it may also ask for more bytes. */
Test(packet, any_flipped_bit_is_found)
{
	uint8_t data[1024];
	size_t size = make_kth(data, 0);

	for (size_t bit = 0; bit < size * 8; bit++) {
		ssize_t got;

		data[bit / 8] ^= 1 << bit % 8;
		got = packet_check(data, size);
		cr_assert(le(long, got, 0), "bit %zu", bit);
		if (bit / 8 == 0 || (bit / 8 >= PACKET_FRAME && bit / 8 < PACKET_MARK))
			cr_assert(eq(long, got, -ENOMSG), "bit %zu", bit);
		else if (bit / 8 > 4)
			cr_assert(eq(long, got, -EBADMSG), "bit %zu", bit);
		data[bit / 8] ^= 1 << bit % 8;
	}
	cr_expect(eq(long, packet_check(data, size), (long)size));
}

Test(packet, find)
{
	uint8_t data[1024];
	size_t size = make_kth(data + 100, 0);

	memset(data, '\n', 100); /* 0x0A, as a packet's first byte */
	cr_expect(eq(sz, packet_find(data, 100 + size), 100));
	cr_expect(eq(sz, packet_find(data + 101, size - 1), size - 1), "no packet in the packet");
	for (size_t n = 1; n < size; n++)
		cr_assert(le(sz, packet_find(data, 100 + n), 100), "%zu bytes of it", n);
	cr_expect(eq(sz, packet_find(data, 100 + PACKET_MARK - 1), 100));
	cr_expect(eq(sz, packet_find(data, 0), 0));
	data[100 + 7] ^= 1;
	cr_expect(eq(sz, packet_find(data, 100 + size), 100 + size));
}

// SPDX-License-Identifier: Apache-2.0
/*
 * bench_crc.c - the checksum of a packet: CRC-32C of 64 KiB.
 *
 * The peer is zlib's crc32(), another polynomial of the same length. The limit reads the same bytes
 * and adds them up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/sample_mix.h"
#include "bench/micro/scan.h"
#include "proto/crc32c.h"

#define PACKET_BYTES (64u << 10)
#define OP_BYTES     1024

static int make_packet(void **ret_state)
{
	uint8_t *packet = malloc(PACKET_BYTES);
	uint64_t random = 1, word;

	if (!packet)
		return -ENOMEM;
	for (size_t i = 0; i < PACKET_BYTES; i += sizeof(word)) {
		word = mix_random(&random);
		memcpy(packet + i, &word, sizeof(word));
	}
	if (crc32c(0, packet, PACKET_BYTES) != crc32c_by_table(0, packet, PACKET_BYTES) ||
	    crc32c(0, "123456789", 9) != 0xE3069283) {
		free(packet);
		return -EBADMSG;
	}
	*ret_state = packet;
	return 0;
}

/* @ops KiB, in whole packets. */
#define RUN(name, expression)                                               \
	static uint64_t name(void *state, uint64_t ops)                     \
	{                                                                   \
		const uint8_t *packet = state;                              \
		uint64_t done;                                              \
                                                                            \
		for (done = 0; done < ops; done += PACKET_BYTES / OP_BYTES) \
			bench_keep(expression);                             \
		return done;                                                \
	}

RUN(run_crc32c, crc32c(0, packet, PACKET_BYTES))
RUN(run_table, crc32c_by_table(0, packet, PACKET_BYTES))
RUN(run_zlib, crc32(0, packet, PACKET_BYTES))
RUN(run_scan, scan_words(packet, PACKET_BYTES))

static const struct bench benches[] = {
	{
		.group = "crc",
		.name = "profiler",
		.about = "CRC-32C by the CPU's instructions, where it has them",
		.role = BENCH_OURS,
		.op = "KiB",
		.bytes_per_op = OP_BYTES,
		.allocates_nothing = 1,
		.setup = make_packet,
		.run = run_crc32c,
		.teardown = free,
	},
	{
		.group = "crc",
		.name = "profiler-table",
		.about = "the same by table, on other CPUs",
		.role = BENCH_OURS,
		.op = "KiB",
		.bytes_per_op = OP_BYTES,
		.allocates_nothing = 1,
		.setup = make_packet,
		.run = run_table,
		.teardown = free,
	},
	{
		.group = "crc",
		.name = "zlib",
		.about = "crc32() of zlib, another polynomial",
		.role = BENCH_PEER,
		.op = "KiB",
		.bytes_per_op = OP_BYTES,
		.setup = make_packet,
		.run = run_zlib,
		.teardown = free,
	},
	{
		.group = "crc",
		.name = "scan",
		.about = "the sum of the same bytes as words",
		.role = BENCH_LIMIT,
		.op = "KiB",
		.bytes_per_op = OP_BYTES,
		.setup = make_packet,
		.run = run_scan,
		.teardown = free,
	},
};

const struct bench_list bench_crc = { benches, sizeof(benches) / sizeof(benches[0]) };

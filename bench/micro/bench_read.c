// SPDX-License-Identifier: Apache-2.0
/*
 * bench_read.c - a stream to its samples, all their fields added up.
 *
 * The product's reader checks the CRC and all of the content, skips damage, and puts the
 * definitions into tables; the peer is handed the packets' bounds and only unpacks them. Both walk
 * the columns by proto/samples.h, and both sums have to be what the samples were made with.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/micro/harness.h"
#include "bench/micro/scan.h"
#include "bench/micro/sample_mix.h"
#include "proto/packet.h"
#include "proto/reader.h"

#define SAMPLES (4u * 4000 * MIX_CPUS) /* four epochs: what a reader costs to open is little */

struct read {
	struct mix_bytes stream;
	int fd; /* of the same bytes */
};

static void free_read(void *state)
{
	struct read *r = state;

	if (r->fd >= 0)
		close(r->fd);
	mix_bytes_free(&r->stream);
	free(r);
}

static uint64_t add_samples(struct sample_iter *it)
{
	struct reader_sample s;
	uint64_t sum = 0;

	while (sample_iter_next(it, &s))
		sum += mix_sum(s.time_ns, s.weight, s.thread, s.user_stack, s.kernel_stack,
			       s.flags);
	return sum;
}

static uint64_t add_packets(struct reader *r)
{
	const Profiler__Packet *packet;
	struct sample_iter it;
	uint64_t sum = 0;

	while (reader_next(r, &packet) > 0)
		for (size_t i = 0; i < packet->n_samples; i++) {
			reader_samples(r, packet->samples[i], &it);
			sum += add_samples(&it);
		}
	return reader_damaged(r) ? 0 : sum;
}

static uint64_t read_memory(const struct read *r)
{
	struct reader *reader;
	uint64_t sum;

	if (reader_open_memory(&reader, r->stream.data, r->stream.bytes))
		return 0;
	sum = add_packets(reader);
	reader_free(reader);
	return sum;
}

static uint64_t read_file(const struct read *r)
{
	struct reader *reader;
	uint64_t sum;

	if (lseek(r->fd, 0, SEEK_SET) || reader_open(&reader, r->fd))
		return 0;
	sum = add_packets(reader);
	reader_free(reader);
	return sum;
}

static uint64_t unpack_packets(const struct read *r)
{
	const uint8_t *at = r->stream.data, *end = at + r->stream.bytes;
	struct sample_iter it;
	uint64_t sum = 0;

	while (at < end) {
		size_t bytes = packet_claim(at);
		Profiler__Packet *packet =
			profiler__packet__unpack(NULL, bytes - PACKET_FRAME, at + PACKET_FRAME);

		if (!packet)
			return 0;
		for (size_t i = 0; i < packet->n_samples; i++) {
			sample_iter_init(&it, packet->samples[i], 0);
			sum += add_samples(&it);
		}
		profiler__packet__free_unpacked(packet, NULL);
		at += bytes;
	}
	return sum;
}

static uint64_t scan(const struct read *r)
{
	return scan_words(r->stream.data, r->stream.bytes);
}

static int make_read(void **ret_state)
{
	struct read *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->fd = memfd_create("stream", MFD_CLOEXEC);
	err = mix_bytes_new(&r->stream, SAMPLES);
	if (!err && (r->fd < 0 ||
		     write(r->fd, r->stream.data, r->stream.bytes) != (ssize_t)r->stream.bytes))
		err = -EIO;
	if (!err && (read_memory(r) != r->stream.sum || read_file(r) != r->stream.sum ||
		     unpack_packets(r) != r->stream.sum))
		err = -EBADMSG;
	if (err) {
		free_read(r);
		return err;
	}
	*ret_state = r;
	return 0;
}

/* @ops samples, in whole streams. */
#define RUN(name, pass)                                     \
	static uint64_t name(void *state, uint64_t ops)     \
	{                                                   \
		uint64_t done;                              \
                                                            \
		for (done = 0; done < ops; done += SAMPLES) \
			bench_keep(pass(state));            \
		return done;                                \
	}

RUN(run_memory, read_memory)
RUN(run_file, read_file)
RUN(run_protobuf_c, unpack_packets)
RUN(run_scan, scan)

static double read_bytes(void *state)
{
	const struct read *r = state;

	return (double)r->stream.bytes / SAMPLES;
}

static const struct bench benches[] = {
	{
		.group = "read",
		.name = "profiler",
		.about = "CRC, validation, definitions, samples; from memory",
		.role = BENCH_OURS,
		.op = "sample",
		.setup = make_read,
		.run = run_memory,
		.teardown = free_read,
		.bytes = read_bytes,
	},
	{
		.group = "read",
		.name = "profiler-file",
		.about = "the same from a file in the page cache",
		.role = BENCH_OURS,
		.op = "sample",
		.setup = make_read,
		.run = run_file,
		.teardown = free_read,
		.bytes = read_bytes,
	},
	{
		.group = "read",
		.name = "protobuf-c",
		.about = "its unpack() of the same packets, nothing checked",
		.role = BENCH_PEER,
		.op = "sample",
		.setup = make_read,
		.run = run_protobuf_c,
		.teardown = free_read,
		.bytes = read_bytes,
	},
	{
		.group = "read",
		.name = "scan",
		.about = "the sum of the stream's bytes as words",
		.role = BENCH_LIMIT,
		.op = "sample",
		.setup = make_read,
		.run = run_scan,
		.teardown = free_read,
		.bytes = read_bytes,
	},
};

const struct bench_list bench_read = { benches, sizeof(benches) / sizeof(benches[0]) };

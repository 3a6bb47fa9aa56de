/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packets.h - streams made by hand, for the tests of the reader.
 *
 * What packet k of a made stream holds follows from k alone, so that a test can tell whether what
 * it read is right. An epoch lasts EPOCH_PACKETS packets. Packet k defines, in its epoch, string,
 * mapping, process, thread, frame and node number k % EPOCH_PACKETS + 1, and holds
 * packet_samples(k) samples that use them.
 */
#ifndef PROFILER_PACKETS_H
#define PROFILER_PACKETS_H

#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/packet.h"
#include "stream.pb-c.h"

#define EPOCH_PACKETS 4
#define MADE_PACKETS  15
#define MADE_INTERVAL 1000
#define MADE_SHIFT    3

struct made_stream {
	uint8_t *data;
	size_t bytes;
	size_t packets;
	size_t offset[MADE_PACKETS + 1]; /* of packet k, and the end */
};

/* splitmix64: small, and the same everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static inline uint32_t packet_samples(uint64_t k)
{
	return k % 3 == 2 ? 0 : (uint32_t)(k % 5) + 1;
}

static inline uint32_t packet_epoch(uint64_t k)
{
	return (uint32_t)(k / EPOCH_PACKETS) + 1;
}

static inline uint32_t packet_id(uint64_t k)
{
	return (uint32_t)(k % EPOCH_PACKETS) + 1;
}

static inline uint64_t samples_before(uint64_t k)
{
	uint64_t n = 0;

	while (k--)
		n += packet_samples(k);
	return n;
}

static inline uint64_t sample_time(uint64_t k, uint32_t i)
{
	return k * 1000000 + (uint64_t)i * MADE_INTERVAL + (uint64_t)i * (i & 1 ? 1 : 2);
}

static inline uint32_t sample_weight(uint64_t k, uint32_t i)
{
	return (uint32_t)k * 7 + (k & 1 ? i : 0);
}

static inline uint64_t frame_offset(uint32_t epoch, uint32_t id)
{
	return (uint64_t)epoch << 32 | id << 4;
}

/* Packs and seals @content; returns the size of the packet at @to. */
static inline size_t make_packet(uint8_t *to, const Profiler__Packet *content, uint64_t sequence,
				 uint64_t first_sample)
{
	size_t bytes = profiler__packet__pack(content, to + PACKET_PREFIX);

	return packet_seal(to, bytes, sequence, first_sample);
}

static inline size_t make_header_packet(uint8_t *to, uint32_t version, uint64_t sequence)
{
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Header header = PROFILER__HEADER__INIT;

	header.version = version;
	packet.epoch = 1;
	packet.header = &header;
	return make_packet(to, &packet, sequence, 0);
}

static inline void make_block(Profiler__SampleBlock *b, uint64_t k, int64_t *deviation,
			      uint32_t *weight, uint32_t *id)
{
	*b = (Profiler__SampleBlock)PROFILER__SAMPLE_BLOCK__INIT;
	b->cpu = (uint32_t)k;
	b->event = 1;
	b->count = packet_samples(k);
	b->first_time_ns = sample_time(k, 0);
	b->interval_ns = MADE_INTERVAL;
	for (uint32_t i = 0; i < b->count; i++) {
		if (i)
			deviation[i] = (int64_t)(sample_time(k, i) - sample_time(k, i - 1)) -
				       MADE_INTERVAL;
		weight[i] = sample_weight(k, i);
	}
	b->n_time_deviation = b->count;
	b->time_deviation = deviation;
	b->n_weight = k & 1 ? b->count : 1; /* even packets have the same weight throughout */
	b->weight = weight;
	b->n_thread = b->n_user_stack = 1;
	b->thread = b->user_stack = id;
}

/* Packet k of the made stream. */
static inline size_t make_kth(uint8_t *to, uint64_t k)
{
	static uint8_t run_id[16] = "made by a test.";
	static char recorder[] = "a test", cycles_name[] = "cycles", clock_name[] = "cpu-clock";
	uint32_t epoch = packet_epoch(k), id = packet_id(k);
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Header header = PROFILER__HEADER__INIT;
	Profiler__Event cycles = PROFILER__EVENT__INIT, clock = PROFILER__EVENT__INIT;
	Profiler__Event *events[] = { &cycles, &clock };
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Strings strings = PROFILER__STRINGS__INIT;
	Profiler__Mapping mapping = PROFILER__MAPPING__INIT, *mappings = &mapping;
	Profiler__Process process = PROFILER__PROCESS__INIT, *processes = &process;
	Profiler__Thread thread = PROFILER__THREAD__INIT, *threads = &thread;
	Profiler__Frames frames = PROFILER__FRAMES__INIT;
	Profiler__Nodes nodes = PROFILER__NODES__INIT;
	Profiler__SampleBlock block, *blocks = &block;
	Profiler__Ledger ledger = PROFILER__LEDGER__INIT;
	char text[32];
	ProtobufCBinaryData value;
	int64_t offset = (int64_t)frame_offset(epoch, id), deviation[8] = { 0 };
	uint32_t one = 1, weight[8];
	int32_t frame = (int32_t)id;

	packet.epoch = epoch;
	if (id == 1) {
		header.version = STREAM_VERSION;
		header.recorder = recorder;
		cycles.name = cycles_name;
		clock.name = clock_name;
		clock.weight_shift = MADE_SHIFT;
		header.n_event = 2;
		header.event = events;
		header.run_id = (ProtobufCBinaryData){ sizeof(run_id), run_id };
		packet.header = &header;
	}
	snprintf(text, sizeof(text), "string %" PRIu32 " of epoch %" PRIu32, id, epoch);
	value = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
	strings.first_id = id;
	strings.n_value = 1;
	strings.value = &value;
	mapping.id = mapping.path = id;
	mapping.build_id = value;
	process.id = process.comm = id;
	process.pid = epoch * 100 + id;
	thread.id = thread.process = thread.comm = id;
	thread.tid = process.pid;
	frames.first_id = id;
	frames.n_mapping = frames.n_offset_delta = frames.n_function = 1;
	frames.mapping = frames.function = &id;
	frames.offset_delta = &offset;
	nodes.first_id = id;
	nodes.n_parent_back = nodes.n_frame_delta = 1;
	nodes.parent_back = &one;
	nodes.frame_delta = &frame;
	d.strings = &strings;
	d.n_mapping = d.n_process = d.n_thread = 1;
	d.mapping = &mappings;
	d.process = &processes;
	d.thread = &threads;
	d.frames = &frames;
	d.nodes = &nodes;
	packet.definitions = &d;
	if (packet_samples(k)) {
		make_block(&block, k, deviation, weight, &id);
		packet.n_samples = 1;
		packet.samples = &blocks;
	}
	if (k % 3 == 2) {
		ledger.time_ns = k;
		ledger.final = k == MADE_PACKETS - 1;
		packet.ledger = &ledger;
	}
	return make_packet(to, &packet, k, samples_before(k));
}

static inline struct made_stream make_stream(void)
{
	struct made_stream s = { .data = malloc(MADE_PACKETS * 1024), .packets = MADE_PACKETS };

	assert(s.data);
	for (size_t k = 0; k < s.packets; k++) {
		s.bytes += make_kth(s.data + s.bytes, k);
		s.offset[k + 1] = s.bytes;
	}
	assert(s.bytes <= MADE_PACKETS * 1024);
	return s;
}

#endif /* PROFILER_PACKETS_H */

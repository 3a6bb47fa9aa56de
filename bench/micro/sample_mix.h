/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_mix.h - made samples with the statistics of real ones, and streams of them.
 *
 * A clock event at 1 kHz on MIX_CPUS CPUs: times a little off the period, a few threads and stacks
 * that most samples are of, one sample in four in the kernel. The same samples in every run.
 */
#ifndef PROFILER_BENCH_SAMPLE_MIX_H
#define PROFILER_BENCH_SAMPLE_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/handoff.h"
#include "profiler/stream.h"
#include "proto/packet.h"

#define MIX_CPUS	8
#define MIX_INTERVAL_NS 1000000
#define MIX_THREADS	64
#define MIX_STACKS	1000
#define MIX_DEPTH	24   /* frames of a stack */
#define MIX_SHARED	20   /* of them, those that other stacks have too */
#define MIX_PACKET	2000 /* samples of a quarter of a second, which is when a packet closes */

/** mix_random() - xorshift*, from any state but 0: the same numbers in every run */
static inline uint64_t mix_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545F4914F6CDD1D);
}

/** mix_below() - a number from 0 up to, not including, @limit */
static inline uint32_t mix_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((mix_random(state) >> 32) * limit >> 32);
}

/**
 * mix_samples() - @count samples; thread and stacks are numbers from 1 to MIX_THREADS and
 * MIX_STACKS, 0 for none
 */
void mix_samples(struct stream_sample *ret, uint32_t count);

/** mix_frame() - an address for frame @i, from the root, of a stack: below 2 MiB */
uint64_t mix_frame(uint32_t stack, uint32_t i);

/** mix_header() - a header that lives for ever, of one event, cpu-clock; made anew by each call */
Profiler__Header *mix_header(void);

/** mix_stream_new() - a stream for these samples, and the hand-off that it writes to; 0 or -errno
 */
int mix_stream_new(struct stream **ret, struct handoff **ret_handoff)
	__attribute__((warn_unused_result));

/** mix_content_bytes() - of a packet in a hand-off */
static inline size_t mix_content_bytes(const struct handoff_packet *p)
{
	return p->bytes - PACKET_PREFIX - PACKET_SUFFIX;
}

/** mix_drain() - takes all packets out of a hand-off; returns their bytes of content */
uint64_t mix_drain(struct handoff *h);

/** struct mix_bytes - a stream in memory, and what the fields of all its samples add up to */
struct mix_bytes {
	uint8_t *data;
	size_t bytes;
	uint32_t packets;
	uint64_t sum; /* as mix_sum() */
};

/** mix_sum() - what a sample adds: all of its fields, so that a reader has to decode them */
static inline uint64_t mix_sum(uint64_t time_ns, uint64_t weight, uint32_t thread,
			       uint32_t user_stack, uint32_t kernel_stack, uint32_t flags)
{
	return time_ns + weight + thread + user_stack + kernel_stack + flags;
}

/**
 * mix_bytes_new() - a stream of @samples samples as the recorder writes them, with the definitions
 * of their threads and stacks in each epoch of four seconds; 0 or -errno
 */
int mix_bytes_new(struct mix_bytes *ret, uint32_t samples) __attribute__((warn_unused_result));

/** mix_bytes_free() - frees the stream */
void mix_bytes_free(struct mix_bytes *m);

#endif /* PROFILER_BENCH_SAMPLE_MIX_H */

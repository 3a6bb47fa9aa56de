/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_out.h - writes a stream of proto/stream.proto, a field of a packet at a time.
 *
 * Messages are packed as they are added, so nothing of theirs has to stay, and a packet closes
 * before it grows over its size. Whatever is added, packets are numbered without a gap but for
 * those that stream_out_lose() makes, and the first one of an epoch has its header.
 */
#ifndef PROFILER_STREAM_OUT_H
#define PROFILER_STREAM_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "stream.pb-c.h"

/* All zero but the file is one that nothing was written to. */
struct stream_out {
	FILE *file; /* the caller's */
	uint8_t *packet;
	size_t content_bytes; /* of the packet that is being filled */
	bool has_definitions; /* it can have them only once */
	uint64_t sequence;
	uint64_t first_sample;
	uint32_t samples; /* in the packet that is being filled */
	uint32_t epoch;
};

/** stream_out_release() - free what it owns; what was not flushed is lost */
void stream_out_release(struct stream_out *out);

/**
 * stream_out_begin() - a new epoch, whose ids begin again
 *
 * Return: 0, -EMSGSIZE when the header is larger than a packet can be, -ENOMEM, -errno of writing.
 */
int stream_out_begin(struct stream_out *out, const Profiler__Header *header)
	__attribute__((warn_unused_result));

/** stream_out_definitions() - ids of the epoch, before what uses them; returns as above */
int stream_out_definitions(struct stream_out *out, const Profiler__Definitions *definitions)
	__attribute__((warn_unused_result));

/** stream_out_block() - samples of the epoch; returns as above */
int stream_out_block(struct stream_out *out, const Profiler__SampleBlock *block)
	__attribute__((warn_unused_result));

/** stream_out_ledger() - a ledger, which ends its packet; returns as above */
int stream_out_ledger(struct stream_out *out, const Profiler__Ledger *ledger)
	__attribute__((warn_unused_result));

/** stream_out_flush() - write the packet that is being filled, if there is one; returns as above */
int stream_out_flush(struct stream_out *out) __attribute__((warn_unused_result));

/** stream_out_lose() - say here that packets and samples are missing; returns as above */
int stream_out_lose(struct stream_out *out, uint64_t packets, uint64_t samples)
	__attribute__((warn_unused_result));

#endif /* PROFILER_STREAM_OUT_H */

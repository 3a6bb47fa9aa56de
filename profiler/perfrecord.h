/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perfrecord.h - the records in one CPU's side-band buffer, read in place.
 *
 * Byte formats: perf_event_open(2), "MMAP layout", for sample_id_all with
 * sample_type TID | TIME | CPU.
 */
#ifndef PROFILER_PERFRECORD_H
#define PROFILER_PERFRECORD_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/sideband.h"

/* A record's size is a u16, so none is larger: room for one that wraps around. */
#define PERFRECORD_MAX 65536

/* What sample_id_all appends to every record: u32 pid, tid; u64 time; u32 cpu, reserved. */
#define PERFRECORD_TRAILER 24

/* A buffer shared with the kernel. */
struct perfbuf {
	struct perf_event_mmap_page *page;
	const uint8_t *data;
	uint64_t size;	/* of the data, a power of two */
	uint64_t tail;	/* next byte to read; counts on and on, like data_tail */
	uint64_t limit; /* data_head when it was last asked for */
};

/** perfbuf_refresh() - see what the kernel has written by now. */
void perfbuf_refresh(struct perfbuf *b);

/** perfbuf_release() - give the bytes before the tail back to the kernel. */
void perfbuf_release(struct perfbuf *b);

/**
 * perfbuf_peek() - the record at the tail, whole.
 * @wrapped: room for PERFRECORD_MAX bytes, used when the record wraps around
 *
 * Its header.size is at least that of the header, and that many bytes are there.
 * Return: 0; -ENODATA at the limit; -EBADMSG when the size is impossible (nothing behind
 * the tail can be trusted then).
 */
int perfbuf_peek(const struct perfbuf *b, uint8_t *wrapped, const struct perf_event_header **ret);

/** perfrecord_time() - the time of any record, or 0 for one too short to have a trailer. */
uint64_t perfrecord_time(const struct perf_event_header *header);

/**
 * perfrecord_decode() - one record; strings point into it.
 *
 * Return: 0; -ENOENT for a type of no interest; -EINVAL for one that is cut short or has
 * an unterminated name.
 */
int perfrecord_decode(const struct perf_event_header *header, struct sideband_record *ret);

#endif /* PROFILER_PERFRECORD_H */

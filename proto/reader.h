/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - reading a profiler stream; the one way for all tools.
 *
 * A tool opens the stream on a file, pipe or socket and takes packet after packet. By the time
 * it gets one, its CRC was right, all of it was validated, its definitions are in the tables and
 * its header or ledger is at hand:
 *
 *	struct reader *r;
 *	const Profiler__Packet *packet;
 *	int err = reader_open(&r, fd);
 *
 *	if (err)
 *		...
 *	while ((err = reader_next(r, &packet)) > 0) {
 *		for (size_t i = 0; i < packet->n_samples; i++) {
 *			struct sample_iter it;
 *			struct reader_sample sample;
 *
 *			reader_samples(r, packet->samples[i], &it);
 *			while (sample_iter_next(&it, &sample))
 *				...	look ids up in reader_tables(r), see tables.h
 *		}
 *	}
 *	if (err == -EBADMSG)
 *		... not a profiler stream
 *	else if (err == -EPROTONOSUPPORT)
 *		... written by a newer profiler, format version reader_damage(r)->version_too_new
 *	else if (err < 0)
 *		... cannot read: strerror(-err)
 *	if (reader_damaged(r))
 *		... say what was lost, from reader_damage(r)
 *	reader_free(r);
 *
 * Damage costs the packets it hit and nothing else: the reader searches for the next packet and
 * goes on. A packet counts as a whole or not at all. What was lost can be told exactly, because
 * packets carry their number and that of their first sample. Definitions lost with a packet make
 * the ids of the rest of its epoch unknown, never wrong.
 *
 * Memory is bounded whatever the input says: about 2 MiB of buffer, at most READER_MAX_UNPACKED
 * for an unpacked packet, header and ledger, and the limits of tables.h.
 *
 * Not thread-safe: one stream, one thread. Nothing here seeks, prints or exits. The fd stays the
 * caller's. Streams may be longer than 2 GiB.
 */
#ifndef PROFILER_READER_H
#define PROFILER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/samples.h"
#include "proto/tables.h"
#include "stream.pb-c.h"

/*
 * Most memory for one unpacked packet. 64 KiB of columns unpack to at most 512 KiB, so this is
 * met only by packets made to hurt.
 */
#define READER_MAX_UNPACKED (64u << 20)

/* Most events in a header, and most CPUs: what an event of the recorder has bits for. */
#define READER_MAX_EVENTS 256
#define READER_MAX_CPUS	  65536

/* Most counters of a group, the leader's own among them; the recorder has 8. */
#define READER_MAX_COUNTERS 16

/* A file whose first 4 MiB hold no marker of a packet is given up as not being a stream. */
#define READER_MAX_SEARCH (4u << 20)

struct reader;

/*
 * What reading cost so far. All 0 for an undamaged stream that was read to its end. A stream
 * that begins with a later packet than number 0 (a suffix) counts those before as lost.
 */
struct reader_damage {
	/* Bytes that were no whole and right packet, less truncated_bytes. */
	uint64_t bytes_skipped;
	/* Places with a packet's marker where its length, CRC or content was wrong. */
	uint64_t packets_damaged;
	/* Numbers missing in the sequence; those of damaged packets are among them. */
	uint64_t packets_lost;
	/* Samples of lost packets. */
	uint64_t samples_lost;
	/* Packets with a number lower than one before, ignored: another stream appended. */
	uint64_t packets_strayed;
	/* Samples of events, or of groups, that no header told of, left out of their packets. */
	uint64_t samples_strange;
	/* Bytes of a last packet that ends too early: the stream was cut, its writer killed. */
	uint64_t truncated_bytes;
	/* Header.version where it is one that we do not know, else 0. */
	uint32_t version_too_new;
};

/**
 * reader_open() - read a stream from a file descriptor
 * @ret: the stream
 * @fd: file, pipe or socket; read from where it stands, never closed here
 *
 * Reads nothing yet. Return: 0 or -errno.
 */
int reader_open(struct reader **ret, int fd) __attribute__((warn_unused_result));

/**
 * reader_open_memory() - read a stream from memory
 * @ret: the stream
 * @data: its bytes; must stay until reader_free()
 * @bytes: how many
 *
 * Return: 0 or -errno.
 */
int reader_open_memory(struct reader **ret, const void *data, size_t bytes)
	__attribute__((warn_unused_result));

/** reader_free() - free a stream and all it gave out; NULL is fine */
void reader_free(struct reader *r);

/**
 * reader_next() - the next whole packet
 * @r: the stream
 * @ret: the packet, untouched unless 1 is returned; valid until the next call
 *
 * Waits for input where there is none yet, and gives a packet as soon as its last byte is there.
 * In the packet, every block of samples is fit for reader_samples(); CPU numbers are below
 * READER_MAX_CPUS, and events of samples below the header's n_event. A block has no counters, or
 * those of the whole group: first that of its own event, then those it leads, in their order.
 *
 * Return: 1 with a packet; 0 at the end of the stream, also when it is cut there, damaged or
 * empty (tell by reader_damage() and reader_packets()); or
 *   -EBADMSG          the input is not a profiler stream: no trace of a packet in it;
 *   -EPROTONOSUPPORT  the format is newer than this reader;
 *   -ENOMEM, or what read() gave (after -EAGAIN on a non-blocking fd, call again).
 * After an end or any error but -EAGAIN all further calls return the same.
 */
int reader_next(struct reader *r, const Profiler__Packet **ret) __attribute__((warn_unused_result));

/**
 * reader_samples() - begin a walk over a block of samples, see samples.h
 * @r: the stream
 * @block: of the packet that reader_next() gave last
 * @ret: the iterator
 */
void reader_samples(const struct reader *r, const Profiler__SampleBlock *block,
		    struct sample_iter *ret);

/**
 * reader_header() - the latest header
 *
 * A copy that survives its packet; it is replaced when a later packet has a header (same run,
 * as many events with the same leaders; clock and notices may differ). An event's leader is one
 * that takes samples. Valid until the next reader_next().
 *
 * Return: the header, NULL before the first. A packet that has samples left is never given out
 * before a header.
 */
const Profiler__Header *reader_header(const struct reader *r);

/**
 * reader_ledger() - the latest ledger
 *
 * A copy that survives its packet; valid until the next reader_next(). At the end of a run that
 * ended in order, final is set in it.
 *
 * Return: the ledger, NULL before the first.
 */
const Profiler__Ledger *reader_ledger(const struct reader *r);

/** reader_tables() - the definitions of the current epoch, never NULL; see tables.h */
const struct tables *reader_tables(const struct reader *r);

/** reader_damage() - what was lost so far, never NULL; complete once reader_next() gave 0 */
const struct reader_damage *reader_damage(const struct reader *r);

/** reader_damaged() - is anything in reader_damage() not 0? */
bool reader_damaged(const struct reader *r);

/** reader_packets() - packets given out so far; 0 at the end and no damage: the input was empty */
uint64_t reader_packets(const struct reader *r);

/** reader_bytes() - bytes read so far, in packets or not */
uint64_t reader_bytes(const struct reader *r);

#endif /* PROFILER_READER_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet.h - the bytes around a packet's content: finding, checking, sealing.
 *
 * The layout is at the top of stream.proto. Neither half allocates or copies.
 */
#ifndef PROFILER_PACKET_H
#define PROFILER_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The bytes 89 'S' 'P' 'R' 'F' 0A F7 1A when written in little endian. */
#define STREAM_SYNC UINT64_C(0x1AF70A4652505389)

/* The format that this code writes and the newest that it reads; Header.version. */
#define STREAM_VERSION 1

/* 0x0A + padded length, then sync, sequence and first_sample with their tags. */
#define PACKET_FRAME  5
#define PACKET_PREFIX (PACKET_FRAME + 3 * 9)
#define PACKET_SUFFIX 6

/* Largest value of the length field, which counts all that follows it. */
#define PACKET_MAX (1u << 20)

/* Most content bytes (fields of Packet from 4 on, less the CRC) that fit a packet. */
#define PACKET_CONTENT_MAX (PACKET_MAX + PACKET_FRAME - PACKET_PREFIX - PACKET_SUFFIX)

/* Largest packet in all. */
#define PACKET_TOTAL_MAX (PACKET_MAX + PACKET_FRAME)

/* Bytes of the fixed part that tell whether a packet begins here: up to the end of the marker. */
#define PACKET_MARK 14

/**
 * packet_seal() - make a packet of packed content
 * @packet: buffer with the content at @packet + PACKET_PREFIX and PACKET_SUFFIX bytes of
 *          room behind it
 * @content_bytes: size of the content, at most PACKET_CONTENT_MAX (asserted)
 * @sequence: the packet's number, from 0
 * @first_sample: samples in all packets before this one
 *
 * The content is the fields of Packet with numbers from 4 up, without crc: for instance a
 * Profiler__Packet packed with sync, sequence, first_sample and crc left 0.
 *
 * Return: size of the whole packet: PACKET_PREFIX + @content_bytes + PACKET_SUFFIX.
 */
size_t packet_seal(uint8_t *packet, size_t content_bytes, uint64_t sequence, uint64_t first_sample);

/**
 * packet_check() - is there a whole, undamaged packet at @data?
 * @data: where a packet should begin
 * @bytes: how many bytes there are; more than a packet is fine
 *
 * The CRC is looked at only once all bytes of the packet are there.
 *
 * Return: the size of the packet, frame included;
 *         0 when the bytes so far may be the beginning of a packet and more are needed;
 *         -ENOMSG when no packet begins here (wrong first byte or marker);
 *         -EBADMSG when one begins here but its length or its CRC is wrong.
 */
ssize_t packet_check(const uint8_t *data, size_t bytes) __attribute__((warn_unused_result));

/**
 * packet_claim() - the size that a packet says it has, not checked any further
 * @data: PACKET_FRAME bytes from where a packet should begin
 *
 * Return: its size, frame included, or 0 when the length is malformed or out of bounds.
 */
size_t packet_claim(const uint8_t *data);

/**
 * packet_find() - the next place where a packet may begin
 * @data: bytes to look through
 * @bytes: how many
 *
 * Looks for the first byte and the marker only. A beginning of both that the end of the data
 * cuts counts as found, so that a search can go on when more bytes have come.
 *
 * Return: its offset, or @bytes when there is none.
 */
size_t packet_find(const uint8_t *data, size_t bytes);

/**
 * packet_sequence() - sequence number of a checked packet
 * @packet: a packet for which packet_check() gave a size
 */
uint64_t packet_sequence(const uint8_t *packet);

/**
 * packet_first_sample() - first_sample of a checked packet
 * @packet: a packet for which packet_check() gave a size
 */
uint64_t packet_first_sample(const uint8_t *packet);

#endif /* PROFILER_PACKET_H */

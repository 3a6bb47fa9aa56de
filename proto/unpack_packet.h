/* SPDX-License-Identifier: Apache-2.0 */
/* unpack_packet.h - a packet's message out of its bytes; the columns of samples fast. See
 * unpack_packet.c. */
#ifndef PROFILER_UNPACK_PACKET_H
#define PROFILER_UNPACK_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "stream.pb-c.h"

/**
 * unpack_packet() - what profiler__packet__unpack() gives, for the same bytes
 * @allocator: owns all that is made; what it gives is never given back one by one
 * @data: the message: a packet from PACKET_FRAME on
 * @bytes: how many
 *
 * Return: the message, or NULL when it is malformed or memory is short.
 */
Profiler__Packet *unpack_packet(ProtobufCAllocator *allocator, const uint8_t *data, size_t bytes);

#endif /* PROFILER_UNPACK_PACKET_H */

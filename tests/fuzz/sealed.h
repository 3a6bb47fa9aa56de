/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealed.h - packets of which a fuzzer makes the contents.
 *
 * An input is contents behind one another: u16 size (little endian), u8 steps the sequence goes on,
 * u8 how much first_sample goes on, content. Each is sealed here, so that the fuzzer gets behind
 * the CRC, which it could not guess.
 */
#ifndef PROFILER_SEALED_H
#define PROFILER_SEALED_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/packet.h"

#define SEALED_HEADER 4

/* A stream of the contents, to be freed; NULL without memory. */
static inline uint8_t *sealed_make(const uint8_t *data, size_t size, size_t *ret_bytes)
{
	/* an empty content, of a header alone, takes the most room */
	uint8_t *to = malloc((size / SEALED_HEADER + 1) * (PACKET_PREFIX + PACKET_SUFFIX) + size);
	uint64_t sequence = 0, first_sample = 0;
	size_t at = 0;

	while (to && size > SEALED_HEADER) {
		size_t bytes = data[0] | (size_t)data[1] << 8;

		sequence += data[2];
		first_sample += data[3];
		data += SEALED_HEADER;
		size -= SEALED_HEADER;
		if (bytes > size)
			bytes = size;
		memcpy(to + at + PACKET_PREFIX, data, bytes);
		at += packet_seal(to + at, bytes, sequence++, first_sample);
		data += bytes;
		size -= bytes;
	}
	*ret_bytes = at;
	return to;
}

#endif /* PROFILER_SEALED_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - reading memory and doing next to nothing with it: the limit for much that reads. */
#ifndef PROFILER_BENCH_SCAN_H
#define PROFILER_BENCH_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** scan_words() - the sum of @bytes bytes as 64-bit words; what is behind the last is left out */
static inline uint64_t scan_words(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint64_t sum = 0, word;

	for (size_t i = 0; i + sizeof(word) <= bytes; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		sum += word;
	}
	return sum;
}

#endif /* PROFILER_BENCH_SCAN_H */

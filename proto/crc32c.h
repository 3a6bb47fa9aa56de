/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.h - the checksum at the end of every packet.
 */
#ifndef PROFILER_CRC32C_H
#define PROFILER_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - CRC-32C (Castagnoli: polynomial 0x1EDC6F41, reflected, as in RFC 3720)
 * @crc: 0 to begin, or the result over the bytes before @data to go on
 * @data: bytes to add
 * @bytes: how many
 *
 * Uses the CPU's CRC instructions where there are any. Thread-safe.
 *
 * Return: the checksum of all bytes so far; 0xE3069283 for "123456789".
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/** crc32c_by_table() - the same without special instructions, for CPUs that have none */
uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t bytes);

#endif /* PROFILER_CRC32C_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c - CRC-32C with the CPU's instructions, or by table.
 *
 * No library of the distributions we build on offers this checksum by itself. The three ways give
 * the same value for the same bytes; which one runs is chosen on each call, which costs a load
 * and a branch.
 *
 * All work on the inverted register, as the reflected form of RFC 3720 wants it.
 */
#include "proto/crc32c.h"

#include <stdbool.h>
#include <string.h>

/* Reflected polynomial. */
#define POLYNOMIAL UINT32_C(0x82F63B78)

/*
 * Remainders of four bits at a time: entry i is i shifted out of the register. Sixteen entries fit
 * a cache line; this path serves CPUs that are no target of ours, so size goes before speed.
 */
static const uint32_t nibble_table[16] = {
	0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
	0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
	0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

static uint32_t crc_table(uint32_t crc, const uint8_t *data, size_t bytes)
{
	for (; bytes; bytes--) {
		crc ^= *data++;
		crc = (crc >> 4) ^ nibble_table[crc & 15];
		crc = (crc >> 4) ^ nibble_table[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static bool crc_cpu_has(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t crc_cpu(uint32_t crc, const uint8_t *data,
							  size_t bytes)
{
	uint64_t wide = crc;
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word), data += sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t)wide;
	for (; bytes; bytes--)
		crc = _mm_crc32_u8(crc, *data++);
	return crc;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7) /* arch/arm64/include/uapi/asm/hwcap.h */
#endif

static bool crc_cpu_has(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}

/*
 * In assembly: the intrinsics of arm_acle.h are there only when all of the file may use them, and
 * compilers spell the function attribute that would allow them here in two ways.
 */
static uint32_t crc_cpu(uint32_t crc, const uint8_t *data, size_t bytes)
{
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word), data += sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
	}
	for (; bytes; bytes--)
		__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1"
			: "+r"(crc)
			: "r"((uint32_t)*data++));
	return crc;
}

#else

static bool crc_cpu_has(void)
{
	return false;
}

static uint32_t crc_cpu(uint32_t crc, const uint8_t *data, size_t bytes)
{
	return crc_table(crc, data, bytes);
}

#endif

uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t bytes)
{
	return ~crc_table(~crc, data, bytes);
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	if (!crc_cpu_has())
		return crc32c_by_table(crc, data, bytes);
	return ~crc_cpu(~crc, data, bytes);
}

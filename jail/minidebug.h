/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minidebug.h - MiniDebugInfo: a small ELF file with the symbols that a distribution has stripped,
 * compressed with xz, in the section .gnu_debugdata of the stripped one.
 *
 * The compressed bytes are a hostile file's, and may end with a SIGBUS: they are copied before the
 * decoder sees them, so that who leaves by siglongjmp() leaves it whole, and releases it later.
 */
#ifndef PROFILER_MINIDEBUG_H
#define PROFILER_MINIDEBUG_H

#include <lzma.h>
#include <stddef.h>
#include <stdint.h>

#include "jail/bytes.h"

/*
 * Decompressed: 200 KB to 3 MB in most programs that have it, and little more time than 0.1 s to
 * decompress. The decoder takes as much as the window that xz uses by default, and a bit.
 */
#define MINIDEBUG_BYTES_MAX	(16u << 20)
#define MINIDEBUG_DECODER_BYTES ((8u << 20) + (128u << 10))

/* All zero: released. */
struct minidebug {
	uint8_t *data; /* NULL: none */
	size_t size;
	lzma_stream stream;
	uint8_t input[16384];
};

/**
 * minidebug_open() - decompress
 * @m: released
 * @xz: of .gnu_debugdata
 *
 * Return: 0, -ENODATA not whole, not xz, or too large, -ENOMEM. On failure, too,
 * minidebug_release() is the caller's to call.
 */
__attribute__((warn_unused_result)) int minidebug_open(struct minidebug *m, struct bytes xz);

/** minidebug_release() - frees everything; twice is in order. */
void minidebug_release(struct minidebug *m);

#endif /* PROFILER_MINIDEBUG_H */

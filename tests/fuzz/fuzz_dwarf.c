/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dwarf.c - functions, inlined functions and lines from an ELF file of libFuzzer's making.
 *
 * The input is the file. libdw reads it first, and is not instrumented: a crash in it is found,
 * though not where it began. What symbolize() promises of its answers is required.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/symbolize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUERIES	  256
#define CHAIN_MAX 600 /* more than the walk goes deep */

/* Not assert(): the build type may have turned that off. */
static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_answer(const struct symbol_query *q)
{
	size_t length = 0;

	require(q->has_address || !q->frame);
	for (const struct symbol_frame *frame = q->frame; frame; frame = frame->caller) {
		require(++length <= CHAIN_MAX);
		require(!frame->name || *frame->name);
		require(!frame->file || *frame->file);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct symbol_options options = { .debug_dirs = 0 };
	struct symbol_query query[QUERIES] = { 0 };
	struct symbolizer *symbolizer;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	int result;

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < QUERIES; i++)
		query[i].offset = size * i / QUERIES;
	require(!symbolizer_open(&symbolizer, &options));
	result = symbolize(symbolizer,
			   &(struct symbol_file){ .path = path, .recorded_ns = UINT64_MAX }, query,
			   QUERIES);
	require(result == 1 || result == -ENOEXEC || result == -ENOMEM);
	for (size_t i = 0; result == 1 && i < QUERIES; i++)
		check_answer(&query[i]);
	symbolizer_free(symbolizer);
	close(fd);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * unpack.c - compressed sections of ELF files.
 *
 * What zlib works with lies behind the content, in one piece of memory with it: so nothing is lost
 * when the file ends in the middle and all is left behind by siglongjmp().
 */
#include "jail/unpack.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* zlib's needs: a window of 32 KB, and 7 KB of state. */
#define WORK_BYTES (48u << 10)

static void *take_work(void *work, uInt count, uInt size)
{
	struct bytes *left = work;
	struct bytes taken = bytes_take(left, ((uint64_t)count * size + 15) & ~15ull);

	return taken.bad ? NULL : (void *)(uintptr_t)taken.at;
}

static void give_back_nothing(void *work, void *address)
{
	(void)work, (void)address;
}

static int inflate_all(const struct bytes *from, uint8_t *to, size_t size, void *work)
{
	struct bytes left = bytes_of(work, WORK_BYTES);
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)from->at,
		       .avail_in = (uInt)bytes_left(from),
		       .next_out = to,
		       .avail_out = (uInt)size,
		       .zalloc = take_work,
		       .zfree = give_back_nothing,
		       .opaque = &left };

	if (inflateInit(&z) != Z_OK)
		return -ENOMEM;
	return inflate(&z, Z_FINISH) == Z_STREAM_END && !z.avail_out ? 0 : -EINVAL;
}

int unpack(struct bytes *section, uint32_t limit, uint8_t **memory)
{
	struct bytes from = *section;
	size_t size;
	Elf64_Chdr header;
	int err;

	bytes_read(&from, &header, sizeof(header));
	if (from.bad || header.ch_type != ELFCOMPRESS_ZLIB || !header.ch_size)
		return -EINVAL;
	if (header.ch_size > limit || bytes_left(&from) > limit)
		return -E2BIG;
	size = header.ch_size;
	*memory = malloc(((size + 15) & ~(size_t)15) + WORK_BYTES);
	if (!*memory)
		return -ENOMEM;
	err = inflate_all(&from, *memory, size, *memory + ((size + 15) & ~(size_t)15));
	if (!err)
		*section = bytes_of(*memory, size);
	return err;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * minidebug.c - decompresses MiniDebugInfo, see minidebug.h.
 */
#include "jail/minidebug.h"

#include <errno.h>
#include <sys/mman.h>

static int decode(struct minidebug *m, struct bytes xz)
{
	lzma_stream *stream = &m->stream;

	for (;;) {
		lzma_ret status;

		if (!stream->avail_in) {
			size_t size = bytes_left(&xz);

			if (size > sizeof(m->input))
				size = sizeof(m->input);
			bytes_read(&xz, m->input, size);
			stream->next_in = m->input;
			stream->avail_in = size;
		}
		status = lzma_code(stream, bytes_left(&xz) ? LZMA_RUN : LZMA_FINISH);
		if (status == LZMA_STREAM_END)
			return 0;
		if (status != LZMA_OK)
			return status == LZMA_MEM_ERROR ? -ENOMEM : -ENODATA;
	}
}

int minidebug_open(struct minidebug *m, struct bytes xz)
{
	int err;

	m->stream = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&m->stream, MINIDEBUG_DECODER_BYTES, 0) != LZMA_OK)
		return -ENOMEM;
	m->data = mmap(NULL, MINIDEBUG_BYTES_MAX, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->data == MAP_FAILED) {
		m->data = NULL;
		return -ENOMEM;
	}
	m->stream.next_out = m->data;
	m->stream.avail_out = MINIDEBUG_BYTES_MAX;
	err = decode(m, xz);
	m->size = (size_t)m->stream.total_out;
	lzma_end(&m->stream); /* its window is not needed any more */
	return err;
}

void minidebug_release(struct minidebug *m)
{
	lzma_end(&m->stream);
	if (m->data)
		munmap(m->data, MINIDEBUG_BYTES_MAX);
	m->data = NULL;
	m->size = 0;
}

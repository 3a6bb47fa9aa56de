// SPDX-License-Identifier: Apache-2.0
/*
 * ring.c - reads one BPF ring buffer in place.
 *
 * Invariant: consumer_pos <= position <= producer_pos; bytes before position are never
 * read again, bytes before consumer_pos belong to the kernel.
 *
 * The source of the layout is kernel/bpf/ringbuf.c: a page with the consumer's position, a
 * page with the producer's, then the data, which the kernel maps twice in a row so that
 * a record never wraps. Each record has a header of 8 bytes: its length, of which bit 31
 * says "reserved, not finished" and bit 30 "discarded", and an offset that is the kernel's.
 *
 *   kernel (one CPU, any context)          recorder (one thread)
 *
 *   read consumer_pos      (acquire) [D]   read producer_pos        (acquire) [B]
 *   is there room?                         for each record before it:
 *   header.len = len | BUSY                  read header.len        (acquire) [C]
 *   producer_pos += len    (release) [B]     stop when BUSY
 *   fill the record                          read the record
 *   header.len = len       (xchg)    [C]   consumer_pos = position  (release) [D]
 *
 *   B: whoever sees the new producer_pos sees the header with its BUSY bit. Without it we
 *      could read a stale header, of an older lap, as a finished record.
 *   C: whoever sees BUSY gone sees the record's bytes. Without it we read half a record.
 *   D: our reads of the record are done before the kernel may write there again. Without it
 *      a slow read could return bytes of the next lap.
 *
 * There is no lock and no read-modify-write on our side. What the records mean is parse.h's.
 */
#include "profiler/ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long load_acquire_pos(const unsigned long *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

int ring_open(struct ring *r, int map_fd, size_t size_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct ring new = { .mask = size_bytes - 1 };

	new.consumer_map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (new.consumer_map == MAP_FAILED)
		return -errno;
	new.producer_map_bytes = page + 2 * size_bytes;
	new.producer_map =
		mmap(NULL, new.producer_map_bytes, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (new.producer_map == MAP_FAILED) {
		int err = -errno;

		munmap(new.consumer_map, page);
		return err;
	}
	new.consumer_pos = new.consumer_map;
	new.producer_pos = new.producer_map;
	new.data = (const uint8_t *)new.producer_map + page;
	new.position = load_acquire_pos(new.consumer_pos);
	*r = new;
	return 0;
}

void ring_close(struct ring *r)
{
	if (!r->consumer_map)
		return;
	munmap(r->consumer_map, (size_t)sysconf(_SC_PAGESIZE));
	munmap(r->producer_map, r->producer_map_bytes);
	*r = (struct ring){ 0 };
}

unsigned long ring_produced(const struct ring *r)
{
	return load_acquire_pos(r->producer_pos); /* [B] */
}

void ring_release(struct ring *r)
{
	__atomic_store_n(r->consumer_pos, r->position, __ATOMIC_RELEASE); /* [D] */
}

// SPDX-License-Identifier: Apache-2.0
/*
 * perfrecord.c - the records in one CPU's side-band buffer, read in place.
 *
 * How the buffer is shared (data_head in include/uapi/linux/perf_event.h):
 *
 *        kernel                              this file
 *
 *   C:  load  data_tail                 A:  load  data_head   (acquire)
 *       (control dependency)            B:  load  records
 *   D:  store records                   E:  store data_tail   (release)
 *   F:  smp_wmb
 *       store data_head
 *
 * A pairs with F: without it bytes could be read that are not written yet. E pairs with C: without
 * it the kernel could overwrite (D) what is still being read (B). The buffer is mapped writable, so
 * the kernel never writes over what lies between data_tail and data_head; it drops the record and
 * says so in a LOST record.
 *
 * Invariant: nothing outside of [tail, limit) is read, whatever the sizes in the records say.
 */
#include "profiler/perfrecord.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Offsets of fields in the records, from the record's start. */
enum {
	TASK_PID = 8,
	TASK_PARENT_PID = 12,
	TASK_TID = 16,
	TASK_PARENT_TID = 20,
	TASK_SIZE = 32,
	COMM_PID = 8,
	COMM_TID = 12,
	COMM_NAME = 16,
	MMAP_PID = 8,
	MMAP_TID = 12,
	MMAP_ADDR = 16,
	MMAP_LENGTH = 24,
	MMAP_OFFSET = 32,
	MMAP_MAJOR = 40,
	MMAP_MINOR = 44,
	MMAP_INODE = 48,
	MMAP_BUILD_ID_SIZE = 40,
	MMAP_BUILD_ID = 44,
	MMAP_PROT = 64,
	MMAP_NAME = 72,
	KSYMBOL_ADDR = 8,
	KSYMBOL_LENGTH = 16,
	KSYMBOL_TYPE = 20,
	KSYMBOL_FLAGS = 22,
	KSYMBOL_NAME = 24,
	LOST_COUNT = 16,
	LOST_SIZE = 24,
	/* From the start of the trailer. */
	TRAILER_PID = 0,
	TRAILER_TID = 4,
	TRAILER_TIME = 8,
	TRAILER_CPU = 16,
};

_Static_assert(MMAP_BUILD_ID + SIDEBAND_BUILD_ID_SIZE == MMAP_PROT, "build id fills the union");

void perfbuf_refresh(struct perfbuf *b)
{
	/* A in the diagram. */
	b->limit = __atomic_load_n(&b->page->data_head, __ATOMIC_ACQUIRE);
}

void perfbuf_release(struct perfbuf *b)
{
	/* E in the diagram. */
	__atomic_store_n(&b->page->data_tail, b->tail, __ATOMIC_RELEASE);
}

int perfbuf_peek(const struct perfbuf *b, uint8_t *wrapped, const struct perf_event_header **ret)
{
	uint64_t at = b->tail & (b->size - 1);
	uint64_t there = b->limit - b->tail;
	const uint8_t *record = b->data + at;
	struct perf_event_header header;

	if (!there)
		return -ENODATA;
	/* Records are multiples of 8 bytes, so a header never wraps around. */
	if (there < sizeof(header) || there > b->size || at % 8)
		return -EBADMSG;
	memcpy(&header, record, sizeof(header));
	if (header.size < sizeof(header) || header.size % 8 || header.size > there)
		return -EBADMSG;
	if (at + header.size > b->size) {
		uint64_t first = b->size - at;

		memcpy(wrapped, record, first);
		memcpy(wrapped + first, b->data, header.size - first);
		record = wrapped;
	}
	*ret = (const void *)record;
	return 0;
}

static const uint8_t *bytes_of(const struct perf_event_header *header)
{
	return (const uint8_t *)header;
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/*
 * Where the trailer begins: at the record's end, but for KSYMBOL. There the kernel (6.18 still)
 * adds the trailer's size to the header anew for each event that gets the record, so where
 * somebody else listens too, the size is too large and the end is bytes of long ago. The name,
 * padded to 8 bytes, says where it really is.
 */
static size_t trailer_offset(const struct perf_event_header *header)
{
	size_t end = header->size - PERFRECORD_TRAILER;
	size_t name;

	if (header->type != PERF_RECORD_KSYMBOL || end <= KSYMBOL_NAME)
		return end;
	name = strnlen((const char *)header + KSYMBOL_NAME, end - KSYMBOL_NAME) + 1;
	name = KSYMBOL_NAME + ((name + 7) & ~(size_t)7);
	return name < end ? name : end;
}

uint64_t perfrecord_time(const struct perf_event_header *header)
{
	if (header->size < sizeof(*header) + PERFRECORD_TRAILER)
		return 0;
	return get_u64(bytes_of(header) + trailer_offset(header) + TRAILER_TIME);
}

/* The name that fills a record from @offset to the trailer at @end; NULL if it has no end. */
static const char *get_name(const uint8_t *record, size_t offset, size_t end)
{
	if (end <= offset || !memchr(record + offset, '\0', end - offset))
		return NULL;
	return (const char *)record + offset;
}

static int decode_task(const uint8_t *at, size_t end, struct sideband_record *ret)
{
	if (end < TASK_SIZE)
		return -EINVAL;
	ret->pid = get_u32(at + TASK_PID);
	ret->tid = get_u32(at + TASK_TID);
	ret->fork.parent_pid = get_u32(at + TASK_PARENT_PID);
	ret->fork.parent_tid = get_u32(at + TASK_PARENT_TID);
	return 0;
}

static int decode_comm(const uint8_t *at, size_t end, bool exec, struct sideband_record *ret)
{
	const char *name = get_name(at, COMM_NAME, end);

	if (!name)
		return -EINVAL;
	ret->pid = get_u32(at + COMM_PID);
	ret->tid = get_u32(at + COMM_TID);
	ret->comm.exec = exec;
	memset(ret->comm.name, 0, sizeof(ret->comm.name));
	memcpy(ret->comm.name, name, strnlen(name, sizeof(ret->comm.name) - 1));
	return 0;
}

static int decode_mmap(const uint8_t *at, size_t end, bool has_build_id,
		       struct sideband_record *ret)
{
	struct sideband_mmap *mmap = &ret->mmap;
	const char *path = get_name(at, MMAP_NAME, end);

	if (!path)
		return -EINVAL;
	if (!(get_u32(at + MMAP_PROT) & PROT_EXEC))
		return -ENOENT;
	memset(mmap, 0, sizeof(*mmap));
	ret->pid = get_u32(at + MMAP_PID);
	ret->tid = get_u32(at + MMAP_TID);
	mmap->addr = get_u64(at + MMAP_ADDR);
	mmap->size = get_u64(at + MMAP_LENGTH);
	mmap->file_offset = get_u64(at + MMAP_OFFSET);
	mmap->path = path;
	if (has_build_id) {
		mmap->build_id_size = at[MMAP_BUILD_ID_SIZE];
		if (mmap->build_id_size > SIDEBAND_BUILD_ID_SIZE)
			return -EINVAL;
		memcpy(mmap->build_id, at + MMAP_BUILD_ID, mmap->build_id_size);
	} else {
		mmap->dev_major = get_u32(at + MMAP_MAJOR);
		mmap->dev_minor = get_u32(at + MMAP_MINOR);
		mmap->inode = get_u64(at + MMAP_INODE);
	}
	return 0;
}

static int decode_ksymbol(const uint8_t *at, size_t end, struct sideband_record *ret)
{
	const char *name = get_name(at, KSYMBOL_NAME, end);

	if (!name)
		return -EINVAL;
	ret->ksymbol.addr = get_u64(at + KSYMBOL_ADDR);
	ret->ksymbol.size = get_u32(at + KSYMBOL_LENGTH);
	ret->ksymbol.bpf = get_u16(at + KSYMBOL_TYPE) == PERF_RECORD_KSYMBOL_TYPE_BPF;
	ret->ksymbol.unregister =
		get_u16(at + KSYMBOL_FLAGS) & PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER;
	ret->ksymbol.name = name;
	return 0;
}

static int decode_lost(const uint8_t *at, size_t end, struct sideband_record *ret)
{
	if (end < LOST_SIZE)
		return -EINVAL;
	ret->lost = get_u64(at + LOST_COUNT);
	return 0;
}

static int decode_body(const struct perf_event_header *header, size_t end,
		       struct sideband_record *ret)
{
	const uint8_t *at = bytes_of(header);

	switch (header->type) {
	case PERF_RECORD_FORK:
		ret->kind = SIDEBAND_FORK;
		return decode_task(at, end, ret);
	case PERF_RECORD_EXIT:
		ret->kind = SIDEBAND_EXIT;
		return decode_task(at, end, ret);
	case PERF_RECORD_COMM:
		ret->kind = SIDEBAND_COMM;
		return decode_comm(at, end, header->misc & PERF_RECORD_MISC_COMM_EXEC, ret);
	case PERF_RECORD_MMAP2:
		ret->kind = SIDEBAND_MMAP;
		return decode_mmap(at, end, header->misc & PERF_RECORD_MISC_MMAP_BUILD_ID, ret);
	case PERF_RECORD_KSYMBOL:
		ret->kind = SIDEBAND_KSYMBOL;
		return decode_ksymbol(at, end, ret);
	case PERF_RECORD_LOST:
		ret->kind = SIDEBAND_LOST;
		return decode_lost(at, end, ret);
	default:
		return -ENOENT;
	}
}

int perfrecord_decode(const struct perf_event_header *header, struct sideband_record *ret)
{
	const uint8_t *trailer;
	size_t end;

	if (header->size < sizeof(*header) + PERFRECORD_TRAILER)
		return -EINVAL;
	end = trailer_offset(header);
	trailer = bytes_of(header) + end;
	ret->pid = get_u32(trailer + TRAILER_PID);
	ret->tid = get_u32(trailer + TRAILER_TID);
	ret->time_ns = get_u64(trailer + TRAILER_TIME);
	ret->cpu = get_u32(trailer + TRAILER_CPU);
	return decode_body(header, end, ret);
}

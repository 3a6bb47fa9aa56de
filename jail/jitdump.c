// SPDX-License-Identifier: Apache-2.0
/*
 * jitdump.c - names by a jitdump, see jitdump.h.
 *
 * While the records go by, a place keeps which one names it; the names are read when that is
 * settled. Where code was moved its load has to be found by its index: a second pass.
 */
#include "jail/jitdump.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC	0x4a695444u
#define VERSION 1

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#endif

enum record_id {
	CODE_LOAD,
	CODE_MOVE,
	CODE_DEBUG_INFO,
	CODE_CLOSE,
};

struct header {
	uint32_t magic;
	uint32_t version;
	uint32_t size;
	uint32_t machine;
	uint8_t others[24];
};

/* A load or a move, up to what they have in common. */
struct record {
	uint32_t id;
	uint32_t size;
	uint64_t time;
	uint32_t pid;
	uint32_t tid;
	uint64_t linked_address;
	union {
		struct {
			uint64_t address;
			uint64_t code_size;
			uint64_t index;
		} load;
		struct {
			uint64_t old_address;
			uint64_t address;
			uint64_t code_size;
			uint64_t index;
		} move;
	};
};

#define PREFIX_BYTES 16
#define LOAD_BYTES   56
#define MOVE_BYTES   64

_Static_assert(sizeof(struct header) == 40, "header");
_Static_assert(offsetof(struct record, load.index) + 8 == LOAD_BYTES, "load");
_Static_assert(offsetof(struct record, move.index) + 8 == MOVE_BYTES, "move");
_Static_assert(sizeof(struct record) == MOVE_BYTES, "record");

static int read_header(struct filewindow *file, uint64_t *ret_first)
{
	const uint8_t *at;
	struct header header;

	if (file->size > JITDUMP_BYTES_MAX)
		return -E2BIG;
	if (filewindow_at(file, 0, sizeof(header), &at) < sizeof(header))
		return -EINVAL;
	memcpy(&header, at, sizeof(header));
	if (header.magic != MAGIC || header.version != VERSION || header.size < sizeof(header))
		return -EINVAL;
	if (header.machine != MACHINE)
		return -ENOEXEC;
	*ret_first = header.size;
	return 0;
}

/* Is it a record that names code? If so, which code. */
static bool names_code(const struct record *r, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t size;

	if (r->id == CODE_LOAD && r->size >= LOAD_BYTES &&
	    r->load.code_size <= r->size - LOAD_BYTES) {
		*ret_start = r->load.address;
		size = r->load.code_size;
	} else if (r->id == CODE_MOVE && r->size >= MOVE_BYTES) {
		*ret_start = r->move.address;
		size = r->move.code_size;
	} else {
		return false;
	}
	return size && !__builtin_add_overflow(*ret_start, size, ret_end);
}

/*
 * The record at an offset; what it has not is 0. Return: false at the end: of the file, of what is
 * written, or of what makes sense.
 */
static bool read_record(struct filewindow *file, uint64_t offset, struct record *ret)
{
	const uint8_t *at = NULL;
	size_t have = filewindow_at(file, offset, sizeof(*ret), &at);

	*ret = (struct record){ 0 };
	if (have < PREFIX_BYTES)
		return false;
	memcpy(ret, at, PREFIX_BYTES);
	if (ret->id == CODE_CLOSE || ret->size < PREFIX_BYTES || ret->size > file->size - offset)
		return false;
	if (have > ret->size)
		have = ret->size;
	memcpy(ret, at, have < sizeof(*ret) ? have : sizeof(*ret));
	return true;
}

static int read_records(struct jitdump *j, uint64_t first, uint64_t before, uint32_t *work)
{
	struct record r;

	for (uint64_t at = first; read_record(&j->file, at, &r); at += r.size) {
		struct jitdump_code code = { .record = at };
		struct places_span span = { 0 };
		uint64_t start, end;

		if (names_code(&r, &start, &end))
			span = places_add(&j->places, start, end);
		if (r.id == CODE_MOVE)
			code = (struct jitdump_code){ .index = r.move.index, .moved = true };
		if (*work < 1 + span.last - span.first)
			return -E2BIG;
		*work -= 1 + span.last - span.first;
		for (uint32_t i = span.first; i < span.last; i++) {
			const struct jitdump_code *old = &j->code[i];

			code.changed =
				old->changed || ((old->record || old->moved) && at >= before);
			j->code[i] = code;
		}
	}
	return 0;
}

static int compare_moved(const void *a, const void *b)
{
	const struct jitdump_code *x = *(struct jitdump_code *const *)a;
	const struct jitdump_code *y = *(struct jitdump_code *const *)b;

	return (x->index > y->index) - (x->index < y->index);
}

/* The first of the moved ones whose index is not less. */
static uint32_t find_moved(struct jitdump_code *const *moved, uint32_t count, uint64_t index)
{
	uint32_t low = 0;

	while (low < count) {
		const uint32_t middle = low + (count - low) / 2;

		if (moved[middle]->index < index)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

/* Finds the loads of code that was moved. */
static int read_moved(struct jitdump *j, uint64_t first, uint32_t *work)
{
	struct jitdump_code *moved[JAIL_NAMES_MAX];
	uint32_t count = 0;
	struct record r;

	for (uint32_t i = 0; i < j->places.count; i++) {
		if (j->code[i].moved)
			moved[count++] = &j->code[i];
	}
	if (!count)
		return 0;
	qsort(moved, count, sizeof(*moved), compare_moved);
	for (uint64_t at = first; read_record(&j->file, at, &r); at += r.size) {
		if (!*work)
			return -E2BIG;
		--*work;
		if (r.id != CODE_LOAD || r.size < LOAD_BYTES)
			continue;
		for (uint32_t i = find_moved(moved, count, r.load.index);
		     i < count && moved[i]->index == r.load.index && *work; i++, --*work)
			moved[i]->record = at;
	}
	return 0;
}

/* Adds the stretch of a place; false if the answer is full. */
static bool answer_place(struct jitdump *j, uint32_t i, struct name_answer *ret)
{
	const uint64_t start = j->places.gap[i].last, end = j->places.gap[i + 1].first;
	const uint8_t *name = NULL;
	size_t size = 0;
	struct record r;

	if (j->code[i].changed)
		return name_answer_add_changed(ret, start, end);
	/* Room for the name is between the header of the record and its code. */
	if (j->code[i].record && read_record(&j->file, j->code[i].record, &r) &&
	    r.id == CODE_LOAD && r.size >= LOAD_BYTES && r.load.code_size <= r.size - LOAD_BYTES) {
		const size_t room = (size_t)(r.size - LOAD_BYTES - r.load.code_size);

		size = filewindow_at(&j->file, j->code[i].record + LOAD_BYTES,
				     room < JAIL_NAME_BYTES_MAX ? room : JAIL_NAME_BYTES_MAX,
				     &name);
		if (size > room)
			size = room;
		size = size ? strnlen((const char *)name, size) : 0;
	}
	return name_answer_add(ret, start, end, (const char *)name, size);
}

int jitdump_names(struct jitdump *j, int fd, uint64_t before, const uint64_t *addresses,
		  uint32_t count, struct name_answer *ret)
{
	uint32_t work = JITDUMP_WORK_MAX;
	uint64_t first = 0;
	int err = filewindow_open(&j->file, fd);

	name_answer_init(ret);
	if (!err)
		err = read_header(&j->file, &first);
	if (err)
		return err;
	places_init(&j->places, addresses, count);
	memset(j->code, 0, count * sizeof(j->code[0]));
	err = read_records(j, first, before, &work);
	if (!err)
		err = read_moved(j, first, &work);
	places_settle(&j->places);
	for (uint32_t i = 0; !err && i < count; i++) {
		/* every other place of the same stretch has the same name */
		if (i && j->places.gap[i].last == j->places.gap[i - 1].last)
			continue;
		if (!answer_place(j, i, ret))
			break;
	}
	return err;
}

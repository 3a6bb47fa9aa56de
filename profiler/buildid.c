// SPDX-License-Identifier: Apache-2.0
/*
 * buildid.c - the GNU build id of an ELF file, read with bounded preads only.
 *
 * Source: the System V ABI (ELF header, program headers, notes). Invariant: no length taken
 * from the file decides how much is read or how often beyond the caps below, so the
 * worst file costs MAX_SEGMENTS small reads and NOTES_BYTES of notes.
 */
#include "profiler/buildid.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Real files have 7 to 15 program headers; those with more than this are not worth the reads. */
#define MAX_SEGMENTS 256

/* All note segments of a file together. Real ones have under 1 KiB (core files are not wanted). */
#define NOTES_BYTES (64 * 1024)

/* Notes are read in pieces this large; a build id is in the first hundred bytes. */
#define NOTES_CHUNK 4096

#define NOTE_HEADER sizeof(Elf64_Nhdr)

struct segment {
	uint64_t offset;
	uint64_t size;
	bool note;
};

struct elf_file {
	int fd;
	bool wide; /* 64 bits */
	uint64_t table_offset;
	unsigned int segments;
	unsigned int segment_bytes;
};

/* Fills the buffer from @offset; a file that ends early is -ENOEXEC. */
static int read_exactly(int fd, void *buffer, size_t size, uint64_t offset)
{
	uint8_t *at = buffer;

	if (offset > INT64_MAX - size)
		return -ENOEXEC;
	while (size) {
		ssize_t n = pread(fd, at, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOEXEC;
		at += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_header(struct elf_file *elf)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr narrow;
		Elf64_Ehdr wide;
	} header;
	int err = read_exactly(elf->fd, &header, sizeof(header.narrow), 0);

	if (err)
		return err;
	if (memcmp(header.ident, ELFMAG, SELFMAG) != 0 || header.ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	elf->wide = header.ident[EI_CLASS] == ELFCLASS64;
	if (elf->wide) {
		err = read_exactly(elf->fd, &header, sizeof(header.wide), 0);
		elf->table_offset = header.wide.e_phoff;
		elf->segments = header.wide.e_phnum;
		elf->segment_bytes = header.wide.e_phentsize;
	} else {
		elf->table_offset = header.narrow.e_phoff;
		elf->segments = header.narrow.e_phnum;
		elf->segment_bytes = header.narrow.e_phentsize;
		err = header.ident[EI_CLASS] == ELFCLASS32 ? 0 : -ENOEXEC;
	}
	if (elf->segment_bytes != (elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    elf->segments > MAX_SEGMENTS || elf->table_offset > INT64_MAX / 2)
		return -ENOEXEC;
	return err;
}

static int read_segment(const struct elf_file *elf, unsigned int index, struct segment *ret)
{
	union {
		Elf32_Phdr narrow;
		Elf64_Phdr wide;
	} header;
	uint64_t offset = elf->table_offset + (uint64_t)index * elf->segment_bytes;
	int err = read_exactly(elf->fd, &header, elf->segment_bytes, offset);

	if (err)
		return err;
	if (elf->wide) {
		ret->note = header.wide.p_type == PT_NOTE;
		ret->offset = header.wide.p_offset;
		ret->size = header.wide.p_filesz;
	} else {
		ret->note = header.narrow.p_type == PT_NOTE;
		ret->offset = header.narrow.p_offset;
		ret->size = header.narrow.p_filesz;
	}
	return 0;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

int buildid_parse_notes(const uint8_t *notes, size_t size, uint8_t ret[BUILDID_SIZE])
{
	while (size >= NOTE_HEADER) {
		Elf64_Nhdr note; /* the same for 32 bits */
		size_t name, total;

		memcpy(&note, notes, sizeof(note));
		if (note.n_namesz > size || note.n_descsz > size)
			break;
		name = NOTE_HEADER + align4(note.n_namesz);
		total = name + align4(note.n_descsz);
		if (name + note.n_descsz > size)
			break;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(notes + NOTE_HEADER, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 &&
		    note.n_descsz >= 1 && note.n_descsz <= BUILDID_SIZE) {
			memcpy(ret, notes + name, note.n_descsz);
			return (int)note.n_descsz;
		}
		if (total >= size)
			break;
		notes += total;
		size -= total;
	}
	return -ENODATA;
}

/* Looks at the first NOTES_CHUNK bytes of one segment, as far as the file's budget goes. */
static int read_notes(int fd, const struct segment *segment, size_t *budget,
		      uint8_t ret[BUILDID_SIZE])
{
	uint8_t chunk[NOTES_CHUNK];
	size_t size = sizeof(chunk);
	int err;

	if (size > segment->size)
		size = segment->size;
	if (size > *budget)
		size = *budget;
	*budget -= size;
	err = read_exactly(fd, chunk, size, segment->offset);
	return err ? err : buildid_parse_notes(chunk, size, ret);
}

int buildid_read(int fd, uint8_t ret[BUILDID_SIZE])
{
	struct elf_file elf = { .fd = fd };
	size_t budget = NOTES_BYTES;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	err = read_header(&elf);
	if (err)
		return err;
	for (unsigned int i = 0; i < elf.segments; i++) {
		struct segment segment;
		int n;

		err = read_segment(&elf, i, &segment);
		if (err)
			return err;
		n = segment.note ? read_notes(fd, &segment, &budget, ret) : -ENODATA;
		if (n > 0)
			return n;
	}
	return -ENODATA;
}

int buildid_read_kernel(uint8_t ret[BUILDID_SIZE])
{
	uint8_t notes[NOTES_CHUNK];
	int fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, notes, sizeof(notes));
	close(fd);
	return n < 0 ? -EIO : buildid_parse_notes(notes, (size_t)n, ret);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * elf_file.c - where the parts of an ELF file lie that the jail reads.
 *
 * Program headers are what the kernel and the dynamic linker go by: a file without usable ones is
 * refused. Section headers may be missing or wrong: they only ever add something.
 */
#include "jail/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>

#include "jail/bytes.h"

/* Entries of the tables that are looked at, from the first on. */
#define PROGRAM_HEADERS_MAX 64
#define SECTION_HEADERS_MAX 4096

/* Longest note section that is read: a build id lies in the first or second note. */
#define NOTES_MAX	4096
#define NOTE_GO_BUILDID 4

/* Copies an object of the file's; -EINVAL if it is not wholly in it. */
static int copy_out(const struct elf_file *file, uint64_t offset, void *to, size_t size)
{
	if (offset > file->size || size > file->size - offset)
		return -EINVAL;
	memcpy(to, file->data + offset, size);
	return 0;
}

/* A part as the file says, cut at the end of the file; -EINVAL if its addresses wrap. */
static int make_part(const struct elf_file *file, uint64_t offset, uint64_t address, uint64_t size,
		     struct elf_part *ret)
{
	uint64_t end;

	if (offset >= file->size)
		return -EINVAL;
	if (size > file->size - offset)
		size = file->size - offset;
	if (!size || __builtin_add_overflow(address, size, &end))
		return -EINVAL;
	*ret = (struct elf_part){ .offset = offset, .address = address, .size = size };
	return 0;
}

static struct bytes part_bytes(const struct elf_file *file, const struct elf_part *part)
{
	return bytes_of(file->data + part->offset, part->size);
}

static void read_notes(struct elf_file *file, const struct elf_part *part)
{
	struct bytes notes = part_bytes(file, part);

	if (bytes_left(&notes) > NOTES_MAX)
		notes.end = notes.at + NOTES_MAX;
	while (bytes_left(&notes)) {
		uint32_t name_size = bytes_u32(&notes);
		uint32_t size = bytes_u32(&notes);
		uint32_t type = bytes_u32(&notes);
		struct bytes name = bytes_take(&notes, ((uint64_t)name_size + 3) & ~3ull);
		struct bytes content = bytes_take(&notes, size);

		if (notes.bad)
			return;
		if (type == NT_GNU_BUILD_ID && name_size == 4 && !memcmp(name.at, "GNU", 4) &&
		    size && size <= sizeof(file->build_id)) {
			memcpy(file->build_id, content.at, size);
			file->build_id_size = (uint8_t)size;
		}
		if (type == NOTE_GO_BUILDID && name_size == 4 && !memcmp(name.at, "Go\0", 4))
			file->go = true;
		bytes_take(&notes, -size & 3);
	}
}

static void read_program_header(struct elf_file *file, const Elf64_Phdr *header)
{
	struct elf_part part;

	if (make_part(file, header->p_offset, header->p_vaddr, header->p_filesz, &part))
		return;
	switch (header->p_type) {
	case PT_LOAD:
		if (file->load_count < ELF_FILE_LOADS)
			file->loads[file->load_count++] =
				(struct elf_load){ .part = part,
						   .executable = header->p_flags & PF_X };
		break;
	case PT_NOTE:
		read_notes(file, &part);
		break;
	case PT_GNU_EH_FRAME:
		file->eh_frame_hdr = part;
		break;
	default:
		break;
	}
}

/* A name, 0 to 3 zeroes, and a checksum in the last four bytes. */
static void read_debug_link(struct elf_file *file, const struct elf_part *part)
{
	struct bytes link = part_bytes(file, part);
	size_t size = strnlen((const char *)link.at, bytes_left(&link)) + 1;
	char name[sizeof(file->debug_link)];
	uint32_t crc;

	if (size > sizeof(name))
		return;
	bytes_read(&link, name, size);
	bytes_take(&link, -size & 3);
	crc = bytes_u32(&link);
	if (link.bad || strchr(name, '/') || strcmp(name, "..") == 0)
		return;
	memcpy(file->debug_link, name, size);
	file->debug_link_crc = crc;
}

static void read_section(struct elf_file *file, const Elf64_Shdr *header, const char *name)
{
	struct elf_part part;

	if (header->sh_type == SHT_NOBITS ||
	    make_part(file, header->sh_offset, header->sh_addr, header->sh_size, &part))
		return;
	if (strcmp(name, ".debug_frame") == 0) {
		file->debug_frame = part;
		file->debug_frame_packed = header->sh_flags & SHF_COMPRESSED;
	}
	if (header->sh_flags & SHF_COMPRESSED)
		return;
	if (header->sh_type == SHT_SYMTAB)
		file->has_symtab = true;
	if (strcmp(name, ".eh_frame") == 0)
		file->eh_frame = part;
	else if (strcmp(name, ".init") == 0)
		file->init = part;
	else if (strcmp(name, ".fini") == 0)
		file->fini = part;
	else if (strcmp(name, ".plt") == 0)
		file->plt = part;
	else if (strcmp(name, ".gnu_debuglink") == 0)
		read_debug_link(file, &part);
	else if (strcmp(name, ".gopclntab") == 0 || strcmp(name, ".data.rel.ro.gopclntab") == 0)
		file->go = true;
	else if (header->sh_type == SHT_NOTE && !file->build_id_size)
		read_notes(file, &part);
}

static void read_sections(struct elf_file *file, const Elf64_Ehdr *header)
{
	uint32_t count = header->e_shnum;
	Elf64_Shdr section, names;

	if (header->e_shentsize != sizeof(section) || header->e_shstrndx >= count ||
	    header->e_shoff > file->size ||
	    copy_out(file, header->e_shoff + header->e_shstrndx * sizeof(names), &names,
		     sizeof(names)))
		return;
	if (count > SECTION_HEADERS_MAX)
		count = SECTION_HEADERS_MAX;
	for (uint32_t i = 0; i < count; i++) {
		char name[sizeof(".data.rel.ro.gopclntab")] = "";
		uint64_t at;

		if (copy_out(file, header->e_shoff + i * sizeof(section), &section,
			     sizeof(section)))
			return;
		if (__builtin_add_overflow(names.sh_offset, section.sh_name, &at) ||
		    at >= file->size)
			continue;
		if (copy_out(file, at, name,
			     file->size - at < sizeof(name) ? file->size - at : sizeof(name)) ||
		    !memchr(name, '\0', sizeof(name))) /* longer than any that is looked for */
			continue;
		read_section(file, &section, name);
	}
}

static int read_headers(struct elf_file *file)
{
	uint32_t count;
	Elf64_Ehdr header;
	Elf64_Phdr program;

	if (copy_out(file, 0, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64) ||
	    header.e_phentsize != sizeof(program) || header.e_phoff > file->size)
		return -ENOEXEC;
	file->machine = header.e_machine;
	file->entry = header.e_entry;
	count = header.e_phnum < PROGRAM_HEADERS_MAX ? header.e_phnum : PROGRAM_HEADERS_MAX;
	for (uint32_t i = 0; i < count; i++) {
		if (copy_out(file, header.e_phoff + i * sizeof(program), &program, sizeof(program)))
			return -ENOEXEC;
		read_program_header(file, &program);
	}
	read_sections(file, &header);
	return 0;
}

int elf_file_open_debug_fd(struct elf_file *file, int fd)
{
	struct stat st;
	void *data;

	*file = (struct elf_file){ 0 };
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < (off_t)sizeof(Elf64_Ehdr))
		return -ENOEXEC;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	file->data = data;
	file->size = (size_t)st.st_size;
	file->mapped = true;
	return read_headers(file);
}

/* Without segments there is no code. */
static int need_segments(const struct elf_file *file, int err)
{
	return err || file->load_count ? err : -ENOEXEC;
}

int elf_file_open_fd(struct elf_file *file, int fd)
{
	return need_segments(file, elf_file_open_debug_fd(file, fd));
}

int elf_file_open_memory(struct elf_file *file, const void *data, size_t size)
{
	*file = (struct elf_file){ .data = data, .size = size };
	return need_segments(file, read_headers(file));
}

void elf_file_close(struct elf_file *file)
{
	if (file->mapped)
		munmap((void *)(uintptr_t)file->data, file->size);
	*file = (struct elf_file){ 0 };
}

uint32_t elf_file_crc(const struct elf_file *file)
{
	return (uint32_t)crc32_z(0, file->data, file->size);
}

int elf_file_locate(const struct elf_file *file, uint64_t address, struct elf_part *ret)
{
	for (uint32_t i = 0; i < file->load_count; i++) {
		const struct elf_part *part = &file->loads[i].part;
		uint64_t skip = address - part->address;

		if (address < part->address || skip >= part->size)
			continue;
		*ret = (struct elf_part){ .offset = part->offset + skip,
					  .address = address,
					  .size = part->size - skip };
		return 0;
	}
	return -ENOENT;
}

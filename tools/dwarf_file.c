/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_file.c - the DWARF of a binary, see dwarf_file.h.
 */
#include "tools/dwarf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const string_sections[DWARF_STRING_SECTIONS] = {
	"debug_info",
	"debug_str",
	"debug_line_str",
};

/* A section by its name behind "." or, when compressed in the old way, ".z". */
static Elf_Scn *find_section(Elf *elf, const char *wanted)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *name = NULL;

		if (gelf_getshdr(section, &header) && header.sh_type != SHT_NOBITS)
			name = elf_strptr(elf, names, header.sh_name);
		if (name && *name++ == '.' && !strcmp(name + (*name == 'z'), wanted))
			return section;
	}
	return NULL;
}

/*
 * libdw does not always look whether strings end in their section. Nearly always its last byte is
 * 0 and all do; else libdw gets a copy with one more. What libelf allocated it frees by pointers
 * of its own.
 */
static int end_strings(struct dwarf_elf *e)
{
	for (size_t i = 0; i < DWARF_STRING_SECTIONS; i++) {
		Elf_Scn *section = find_section(e->elf, string_sections[i]);
		Elf_Data *raw = elf_rawdata(section, NULL);
		Elf_Data *data = elf_getdata(section, NULL);

		if (!raw || !raw->d_buf || !raw->d_size || !data || e->copy[i] ||
		    !((const char *)raw->d_buf)[raw->d_size - 1])
			continue;
		e->copy[i] = malloc(raw->d_size + 1);
		if (!e->copy[i])
			return -ENOMEM;
		memcpy(e->copy[i], raw->d_buf, raw->d_size);
		e->copy[i][raw->d_size] = 0;
		raw->d_buf = e->copy[i]; /* versions of libdw differ in which they use */
		if (data->d_size == raw->d_size)
			data->d_buf = e->copy[i];
	}
	return 0;
}

static void close_elf(struct dwarf_elf *e)
{
	dwarf_end(e->dwarf);
	elf_end(e->elf);
	for (size_t i = 0; i < DWARF_STRING_SECTIONS; i++)
		free(e->copy[i]);
	if (e->fd >= 0)
		close(e->fd);
	*e = (struct dwarf_elf){ .fd = -1 };
}

static int begin(struct dwarf_elf *e)
{
	e->dwarf = dwarf_begin_elf(e->elf, DWARF_C_READ, NULL); /* also uncompresses sections */
	return e->dwarf ? end_strings(e) : -ENOENT;
}

static bool is_compressed(Elf_Scn *section)
{
	GElf_Shdr header;

	return gelf_getshdr(section, &header) && header.sh_flags & SHF_COMPRESSED;
}

/*
 * Takes @fd over. What is compressed comes into memory as a whole anyway, so there it is not
 * mapped as well.
 */
static int open_elf(struct dwarf_elf *e, int fd)
{
	Elf_Scn *info = NULL;
	int err = -ENOENT;

	*e = (struct dwarf_elf){ .fd = fd };
	if (fd >= 0)
		e->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (e->elf)
		info = find_section(e->elf, "debug_info");
	if (info && is_compressed(info)) {
		elf_end(e->elf);
		e->elf = elf_begin(fd, ELF_C_READ, NULL);
	}
	if (info && e->elf)
		err = begin(e);
	if (err)
		close_elf(e);
	return err;
}

/* Where the first segment is loaded; false when there is none. */
static bool first_address(Elf *elf, uint64_t *ret)
{
	size_t count;
	GElf_Phdr segment;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD)
			continue;
		*ret = segment.p_vaddr;
		return true;
	}
	return false;
}

/* prelink moved binaries without their debug files. */
static bool same_addresses(Elf *elf, Elf *debug)
{
	uint64_t a;
	uint64_t b;

	return !first_address(elf, &a) || !first_address(debug, &b) || a == b;
}

static bool has_build_id(Elf *elf, const void *id, ssize_t bytes)
{
	const void *other;

	return dwelf_elf_gnu_build_id(elf, &other) == bytes && !memcmp(id, other, (size_t)bytes);
}

/* Opens the shared file by the name that the debug file gives it. */
static int open_named(int debug_fd, const char *name)
{
	char link[64];
	char path[2 * PATH_MAX];
	ssize_t bytes = 0;

	if (*name != '/') {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", debug_fd);
		bytes = readlink(link, path, PATH_MAX);
		while (bytes > 0 && path[bytes - 1] != '/')
			bytes--;
		if (bytes <= 0)
			return -1;
	}
	if (strlen(name) >= PATH_MAX)
		return -1;
	strcpy(path + bytes, name);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* Takes @fd over. */
static int take_shared(struct dwarf_file *f, int fd, const void *id, ssize_t bytes)
{
	int err = open_elf(&f->shared, fd);

	if (!err && !has_build_id(f->shared.elf, id, bytes)) {
		close_elf(&f->shared);
		err = -ENOENT;
	}
	return err;
}

/* Without the shared file most names would be missing, so it must be there. */
static int open_shared(struct dwarf_file *f, struct binary *b)
{
	const char *name;
	const void *id;
	ssize_t bytes = dwelf_dwarf_gnu_debugaltlink(f->main.dwarf, &name, &id);
	int err;

	if (bytes <= 0)
		return (int)bytes;
	err = take_shared(f, binary_open_shared(b, id, (size_t)bytes), id, bytes);
	if (err)
		err = take_shared(f, open_named(f->main.fd, name), id, bytes);
	if (!err)
		dwarf_setalt(f->main.dwarf, f->shared.dwarf);
	return err;
}

int dwarf_file_open(struct dwarf_file *f, struct binary *b)
{
	int err;

	*f = (struct dwarf_file){ .shared = { .fd = -1 } };
	err = open_elf(&f->main, fcntl(b->fd, F_DUPFD_CLOEXEC, 0));
	if (err)
		err = open_elf(&f->main, binary_open_debug(b));
	if (!err && !same_addresses(b->elf, f->main.elf))
		err = -ENOENT;
	if (!err && open_shared(f, b))
		err = -ENOENT;
	if (err)
		dwarf_file_release(f);
	f->dwarf = f->main.dwarf;
	return err;
}

int dwarf_file_forget(struct dwarf_file *f)
{
	int err;

	dwarf_end(f->main.dwarf);
	err = begin(&f->main);
	f->dwarf = f->main.dwarf;
	if (!err && f->shared.dwarf)
		dwarf_setalt(f->dwarf, f->shared.dwarf);
	return err;
}

void dwarf_file_release(struct dwarf_file *f)
{
	close_elf(&f->main);
	close_elf(&f->shared);
	f->dwarf = NULL;
}

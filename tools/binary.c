/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binary.c - the file that was recorded, and its debug file, see binary.h.
 */
#include "tools/binary.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any vDSO has: they are of two to four pages. */
#define VDSO_BYTES_MAX (1u << 20)

/* Beside the binary, and where distributions put debug files; "+": a debug link's sum must fit. */
#define USUAL_PLACES "+:.debug:/usr/lib/debug"

int binary_places_init(struct binary_places *p, const struct symbol_options *options)
{
	size_t bytes = sizeof(USUAL_PLACES) + options->debug_dirs * (PATH_MAX + 1);
	int err = -ENOMEM;

	*p = (struct binary_places){
		.folder = calloc(options->debug_dirs + 1, sizeof(*p->folder)),
		.debug_path = malloc(bytes),
	};
	if (!p->folder || !p->debug_path)
		goto err;
	strcpy(p->debug_path, USUAL_PLACES);
	for (size_t i = 0; i < options->debug_dirs; i++) {
		char *folder = realpath(options->debug_dir[i], NULL);

		err = -errno;
		if (!folder)
			goto err;
		p->folder[p->folders++] = folder;
		err = -EINVAL;
		if (strchr(folder, ':'))
			goto err;
		strcat(strcat(p->debug_path, ":"), folder);
	}
	return 0;
err:
	binary_places_release(p);
	return err;
}

void binary_places_release(struct binary_places *p)
{
	for (size_t i = 0; i < p->folders; i++)
		free(p->folder[i]);
	free(p->folder);
	free(p->debug_path);
	*p = (struct binary_places){ .folders = 0 };
}

/* Opens a file if it is one that can be read without harm: no device, no pipe that blocks. */
static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st))
		err = -errno;
	else if (!S_ISREG(st->st_mode))
		err = -ENOENT;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* What `objcopy --only-keep-debug` makes has the build id, but not where the code is in the file.
 */
static bool has_code(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_flags & SHF_EXECINSTR &&
		    header.sh_type == SHT_NOBITS)
			return false;
	return true;
}

/* Is the file the one that was recorded? Without a build id open_path() looks at its age. */
static int check_build(int fd, const struct symbol_file *file)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const void *id;
	ssize_t bytes;
	int err = 0;

	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		err = -ENOEXEC;
	} else if (file->build_id_bytes) {
		bytes = dwelf_elf_gnu_build_id(elf, &id);
		if (bytes <= 0 || (size_t)bytes != file->build_id_bytes ||
		    memcmp(id, file->build_id, file->build_id_bytes) || !has_code(elf))
			err = -ESTALE;
	}
	elf_end(elf);
	return err;
}

/* A copy of this kernel's vDSO as a file, since libdwfl wants one. */
static int open_vdso(const struct symbol_file *file)
{
	const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)image;
	size_t bytes;
	int fd;
	int err;

	if (!file->build_id_bytes || !image || header->e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOENT;
	bytes = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	if (bytes > VDSO_BYTES_MAX)
		return -ENOEXEC;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, image, bytes) == (ssize_t)bytes ? check_build(fd, file) : -EIO;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_path(const char *path, const struct symbol_file *file)
{
	struct stat st;
	uint64_t changed_ns;
	int fd = open_regular(path, &st);
	int err = 0;

	if (fd < 0)
		return fd;
	changed_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec;
	if (!file->build_id_bytes && changed_ns >= file->recorded_ns)
		err = -ESTALE;
	if (!err)
		err = check_build(fd, file);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/*
 * Asks libdwfl for a file by its build id. It does so for modules that have told theirs; so there
 * is one that has nothing else.
 */
static int find_by_id(struct binary *b, const void *id, size_t bytes, bool is_debug)
{
	static const char name[] = "by build id";
	Dwfl *dwfl = dwfl_begin(&b->callbacks);
	Dwfl_Module *module = NULL;
	Elf *elf = NULL;
	char *path = NULL;
	int fd = -1;
	int copy = -1;

	if (dwfl) {
		dwfl_report_begin(dwfl);
		module = dwfl_report_module(dwfl, name, 0, 1);
	}
	if (module && !dwfl_module_report_build_id(module, id, bytes, 0))
		fd = is_debug ? dwfl_standard_find_debuginfo(module, NULL, name, 0, NULL, NULL, 0,
							     &path)
			      : dwfl_build_id_find_elf(module, NULL, name, 0, &path, &elf);
	if (fd >= 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		elf_end(elf);
		close(fd);
	}
	dwfl_end(dwfl);
	free(path);
	return copy < 0 ? -ENOENT : copy;
}

static int open_build_id(struct binary *b, const struct symbol_file *file)
{
	int fd = find_by_id(b, file->build_id, file->build_id_bytes, false);

	if (fd >= 0 && check_build(fd, file)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* The user's folders first: what is there is meant to be used, and may have more symbols. */
static int open_anywhere(struct binary *b, const struct binary_places *places,
			 const struct symbol_file *file)
{
	char path[PATH_MAX];
	int fd;
	int other;

	if (!file->path)
		return open_vdso(file);
	for (size_t i = 0; i < places->folders; i++) {
		int bytes = snprintf(path, sizeof(path), "%s/%s", places->folder[i], file->path);

		if (bytes >= (int)sizeof(path))
			continue;
		fd = open_path(path, file);
		if (fd >= 0) {
			b->path = strdup(path);
			return fd;
		}
	}
	b->path = strdup(file->path);
	fd = open_path(file->path, file);
	if (fd >= 0 || !file->build_id_bytes)
		return fd;
	other = open_build_id(b, file);
	return other >= 0 ? other : fd;
}

/* libdwfl would also take a file that nothing vouches for, by its name alone. */
static int find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			  const char *path, const char *link, GElf_Word sum, char **ret_path)
{
	const unsigned char *id;
	GElf_Addr where;

	if (dwfl_module_build_id(module, &id, &where) <= 0 && (!link || !sum))
		return -1;
	return dwfl_standard_find_debuginfo(module, data, name, base, path, link, sum, ret_path);
}

/* Makes the file a module of libdwfl, at the addresses that it says itself. */
static Dwfl_Module *report(Dwfl *dwfl, const struct binary *b)
{
	const char *path = b->path ? b->path : "[vdso]";
	int fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
	Dwfl_Module *module;

	if (fd < 0)
		return NULL;
	dwfl_report_begin(dwfl);
	module = dwfl_report_elf(dwfl, path, path, fd, 0, true); /* takes fd over */
	if (!module)
		close(fd);
	dwfl_report_end(dwfl, NULL, NULL);
	return module;
}

int binary_open(struct binary *b, struct binary_places *places, const struct symbol_file *file)
{
	GElf_Addr bias = 0;
	int err = -ENOMEM;

	*b = (struct binary){
		.fd = -1,
		.callbacks = {
			.find_elf = dwfl_build_id_find_elf,
			.find_debuginfo = find_debuginfo,
			.section_address = dwfl_offline_section_address,
			.debuginfo_path = &places->debug_path,
		},
	};
	elf_version(EV_CURRENT);
	b->dwfl = dwfl_begin(&b->callbacks);
	if (b->dwfl) {
		b->fd = open_anywhere(b, places, file);
		err = b->fd < 0 ? b->fd : 0;
	}
	if (!err)
		b->module = report(b->dwfl, b);
	if (!err && b->module)
		b->elf = dwfl_module_getelf(b->module, &bias);
	if (!err && (!b->elf || bias))
		err = -ENOEXEC;
	if (err)
		binary_release(b);
	return err;
}

void binary_release(struct binary *b)
{
	dwfl_end(b->dwfl);
	free(b->path);
	if (b->fd >= 0)
		close(b->fd);
	*b = (struct binary){ .fd = -1 };
}

int binary_open_debug(struct binary *b)
{
	/* a module looks only once for its debug file, and ours keeps what it has found */
	Dwfl *dwfl = dwfl_begin(&b->callbacks);
	Dwfl_Module *module = dwfl ? report(dwfl, b) : NULL;
	GElf_Word sum = 0;
	const char *link = dwelf_elf_gnu_debuglink(b->elf, &sum);
	char *path = NULL;
	int fd = -1;

	if (module)
		fd = find_debuginfo(module, NULL, "debug", 0, b->path, link, sum, &path);
	dwfl_end(dwfl);
	free(path);
	return fd < 0 ? -ENOENT : fd;
}

int binary_open_shared(struct binary *b, const void *id, size_t bytes)
{
	return find_by_id(b, id, bytes, true);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_file.h - what the jail has to know of an ELF file: where its code and its call frame
 * information lie, and which file it is.
 *
 * Two coordinates: an *offset* counts bytes of the file, an *address* is what the file itself
 * calls a place (p_vaddr). Outside of the jail there are offsets only.
 *
 * The file is hostile. Whatever is kept here has been checked: every part lies inside the data,
 * and no sum of offset and size or address and size wraps. The file may change while it is mapped:
 * what is read from the data has to be checked at each use. A file that is cut short
 * meanwhile raises SIGBUS in whoever reads it; all functions here may be left by siglongjmp()
 * then, and elf_file_close() is in order.
 */
#ifndef PROFILER_ELF_FILE_H
#define PROFILER_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PT_LOAD segments that are kept; real files have 1 to 10. */
#define ELF_FILE_LOADS 32

/* Longest build id and name that are kept; a longer one counts as none. */
#define ELF_FILE_BUILD_ID 32
#define ELF_FILE_NAME	  256

/* A part of a file: `size` bytes from `offset` on, which lie at `address`. Size 0: not there. */
struct elf_part {
	uint64_t offset;
	uint64_t address;
	uint64_t size;
};

/* A PT_LOAD segment, as far as it is in the file (p_filesz). */
struct elf_load {
	struct elf_part part;
	bool executable;
};

/* Plain data, to read; made and ended by the functions below only. */
struct elf_file {
	const uint8_t *data;
	size_t size;
	bool mapped;	  /* data is ours to unmap */
	bool go;	  /* made by the Go compiler: it keeps frame pointers */
	uint16_t machine; /* EM_X86_64 or EM_AARCH64 */
	uint16_t load_count;
	uint64_t entry; /* address where the program begins; 0: none */
	struct elf_load loads[ELF_FILE_LOADS];
	struct elf_part eh_frame_hdr; /* PT_GNU_EH_FRAME */
	struct elf_part eh_frame;     /* by section headers, as the next */
	struct elf_part init, fini;   /* code without call frame information, see crti.S */
	struct elf_part plt;	      /* neither has this any, on arm64 */
	struct elf_part debug_frame;  /* has no address: 0 */
	bool debug_frame_packed;      /* it is compressed: behind an Elf64_Chdr */
	bool has_symtab;	      /* there is a .symtab */
	uint8_t build_id[ELF_FILE_BUILD_ID];
	uint8_t build_id_size;		/* 0: none */
	char debug_link[ELF_FILE_NAME]; /* .gnu_debuglink: a name without '/'; "": none */
	uint32_t debug_link_crc;	/* of the whole file of that name */
};

/**
 * elf_file_open_fd() - maps a whole regular file, privately and read-only
 * @file: the caller's, made anew; in order for elf_file_close() after a failure too
 * @fd:   open for reading; stays the caller's, and may be closed at once
 *
 * Return: 0, -EINVAL not a regular file, -ENOEXEC not a 64-bit little-endian ELF program or library
 * for x86_64 or arm64, or the errno of fstat() and mmap() (-ENOMEM: beyond RLIMIT_AS).
 */
__attribute__((warn_unused_result)) int elf_file_open_fd(struct elf_file *file, int fd);

/**
 * elf_file_open_debug_fd() - the same for a separate debug file, which may have no segments: it has
 * sections, and the code that they are about is in another file
 */
__attribute__((warn_unused_result)) int elf_file_open_debug_fd(struct elf_file *file, int fd);

/**
 * elf_file_open_memory() - the same as elf_file_open_fd(), over an image in memory: a vDSO, a
 * test's input
 * @data: has to outlive @file, which only points into it; any alignment
 */
__attribute__((warn_unused_result)) int elf_file_open_memory(struct elf_file *file,
							     const void *data, size_t size);

/** elf_file_close() - unmaps what was mapped; closing twice is in order. */
void elf_file_close(struct elf_file *file);

/**
 * elf_file_crc() - what a debug link says of the file that it names
 *
 * Reads all of it. Return: CRC-32 of the data.
 */
uint32_t elf_file_crc(const struct elf_file *file);

/**
 * elf_file_locate() - the rest of the segment from an address on
 * @ret: as much of one PT_LOAD segment as follows @address, at least one byte
 *
 * Return: 0, or -ENOENT if no segment has that address in the file.
 */
__attribute__((warn_unused_result)) int elf_file_locate(const struct elf_file *file,
							uint64_t address, struct elf_part *ret);

#endif /* PROFILER_ELF_FILE_H */

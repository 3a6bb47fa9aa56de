/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_file.h - the DWARF of a binary: in the file itself or a separate one, and what dwz moved
 * out of it to a file that several share.
 *
 * libdw keeps all that it has decoded, so it is closed and opened anew from time to time.
 */
#ifndef PROFILER_DWARF_FILE_H
#define PROFILER_DWARF_FILE_H

#include <elfutils/libdw.h>

#include "tools/binary.h"

/* .debug_info, .debug_str, .debug_line_str */
#define DWARF_STRING_SECTIONS 3

/* An ELF file with DWARF. */
struct dwarf_elf {
	int fd;
	Elf *elf;
	Dwarf *dwarf;
	char *copy[DWARF_STRING_SECTIONS]; /* of sections that do not end with a 0 */
};

struct dwarf_file {
	Dwarf *dwarf; /* of main */
	struct dwarf_elf main;
	struct dwarf_elf shared; /* by dwz */
};

/**
 * dwarf_file_open() - open the DWARF of a binary
 * @f: uninitialised; owns nothing on failure
 * @b: the binary
 *
 * Return: 0, or -ENOENT when there is none that fits.
 */
int dwarf_file_open(struct dwarf_file *f, struct binary *b) __attribute__((warn_unused_result));

/**
 * dwarf_file_forget() - free what libdw has decoded
 * @f: open; all DIEs, lines and texts from it end
 *
 * Return: 0, or -ENOENT: it is closed then, and to be released only.
 */
int dwarf_file_forget(struct dwarf_file *f) __attribute__((warn_unused_result));

/** dwarf_file_release() - close it */
void dwarf_file_release(struct dwarf_file *f);

#endif /* PROFILER_DWARF_FILE_H */

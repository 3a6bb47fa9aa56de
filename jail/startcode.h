/* SPDX-License-Identifier: Apache-2.0 */
/*
 * startcode.h - what is known of some code that has no call frame information: where a program
 * begins and ends; on arm64 the linkage table, and where a signal handler returns to.
 *
 * The code at the entry point begins the process, so nobody called it; most files say so in their
 * call frame information, the dynamic linker has none there. _init() and _fini() are put together
 * by the linker of pieces without any: on x86_64 `sub $8,%rsp`, calls, `add $8,%rsp; ret`; they
 * are believed only if they look so. On arm64 the code that signal handlers return to has none on
 * purpose, neither the vDSO's nor a C library's own: it is known by its two instructions. By
 * Linux 6.1 the whole vDSO has none there, and linkage tables never had. What is known is told as
 * an entry of a frame section would.
 */
#ifndef PROFILER_STARTCODE_H
#define PROFILER_STARTCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "jail/cfi.h"
#include "jail/elf_file.h"

/* The code at the entry point is taken for so long at most. */
#define STARTCODE_ENTRY_BYTES 64

/* Points into itself: not to be copied. */
struct startcode {
	struct cfi_fde fde;
	bool outermost; /* nobody called it */
	uint8_t program[16];
};

/**
 * startcode_next() - the first known piece of code in a gap between functions
 * @from: address; the gap is [from, to)
 * @ret: the caller's; pieces follow each other without overlap when the next call is from the end
 * of the last
 *
 * Return: false when there is no more.
 */
bool startcode_next(const struct elf_file *file, uint64_t from, uint64_t to, struct startcode *ret);

/**
 * startcode_at() - the known piece of code at an address where no function is
 * @cfi: with its .more
 *
 * Return: false when nothing is known there.
 */
bool startcode_at(const struct cfi *cfi, uint64_t address, struct startcode *ret);

/**
 * startcode_is_all() - is it arm64's vDSO, of which something is known even without any tables?
 */
bool startcode_is_all(const struct elf_file *file);

#endif /* PROFILER_STARTCODE_H */

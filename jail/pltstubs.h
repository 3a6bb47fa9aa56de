/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pltstubs.h - which function a stub of the procedure linkage table calls.
 *
 * A stub jumps to where an entry of the global offset table points to, and a relocation of that
 * entry names the function. So stubs are decoded, which holds for every layout that linkers have
 * thought of (.plt, .plt.sec, .plt.got; with and without landing pads for indirect jumps); one that
 * is not understood has no name. Sources: the psABIs of x86_64 and arm64.
 */
#ifndef PROFILER_PLTSTUBS_H
#define PROFILER_PLTSTUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jail/bytes.h"
#include "jail/elf_file.h"
#include "jail/sections.h"

#define STUB_SECTIONS 3

struct stub_section {
	uint64_t start; /* addresses */
	uint64_t end;
	uint64_t stub_bytes; /* of x86_64 */
	struct bytes code;
};

/* Plain data, pointing into the file. */
struct stubs {
	uint16_t machine;
	uint32_t count;
	struct stub_section sections[STUB_SECTIONS];
	struct bytes relocations[2]; /* .rela.plt and .rela.dyn */
	struct bytes symbols;	     /* .dynsym */
	struct bytes names;	     /* .dynstr */
};

/* A stub, [start, end). */
struct stub {
	uint64_t start;
	uint64_t end;
	const char *name; /* of its function, at most `room` bytes; NULL: not known */
	size_t room;
	uint64_t resolver; /* of a function that is chosen at start; 0: none is */
};

/** stubs_open() - finds the sections; without any there are no stubs. */
void stubs_open(struct stubs *stubs, const struct elf_file *file, const struct sections *sections);

/**
 * stubs_find() - the stub at an address
 * @work: less by each relocation that was looked at; none are without any left
 *
 * Return: false if there is none.
 */
bool stubs_find(const struct stubs *stubs, uint64_t address, uint32_t *work, struct stub *ret);

#endif /* PROFILER_PLTSTUBS_H */

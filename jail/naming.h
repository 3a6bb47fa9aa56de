/* SPDX-License-Identifier: Apache-2.0 */
/*
 * naming.h - what is asked by NAMES and JIT, from the body of the request to that of the answer.
 *
 * Both are alike but for where names come from: a number, how many places, and the places.
 */
#ifndef PROFILER_NAMING_H
#define PROFILER_NAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "jail/elf_file.h"
#include "jail/jailwire.h"
#include "jail/jitdump.h"
#include "jail/perfmap.h"
#include "jail/places.h"
#include "jail/symtab.h"

/* All zero at first. */
struct naming {
	struct symtab symtab;
	union {
		struct perfmap perf_map;
		struct jitdump dump;
	} jit;
	struct name_answer answer;
};

/** naming_file_is_whole() - does a NAMES have as many places as it says, all in order? */
bool naming_file_is_whole(const void *body, size_t size);

/** naming_jit_is_whole() - the same of a JIT */
bool naming_jit_is_whole(const void *body, size_t size);

/**
 * naming_file() - answers NAMES
 * @debug: the separate debug file; closed for none
 * @body: whole; at a multiple of 8
 *
 * May be left by siglongjmp(). Return: of symtab_names().
 */
__attribute__((warn_unused_result)) int naming_file(struct naming *n, const struct elf_file *file,
						    const struct elf_file *debug, const void *body);

/**
 * naming_jit() - answers JIT
 * @fd: -1: it did not come
 * @body: as above
 *
 * Return: of perfmap_names() or jitdump_names().
 */
__attribute__((warn_unused_result)) int naming_jit(struct naming *n, int fd, const void *body);

#endif /* PROFILER_NAMING_H */

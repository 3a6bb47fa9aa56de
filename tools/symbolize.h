/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolize.h - names for offsets in an ELF file, from the symbol tables on this machine.
 *
 * A file is believed only when its build id is the one that was recorded: a name from another
 * build of a program is worse than none. Where none was recorded, a file is used if it has not
 * been touched since before the recording, and the caller is told that nothing vouched for it.
 *
 * Symbols come from the file itself, from its separate debug file (by build id under
 * /usr/lib/debug/.build-id, or by debug link) and from compressed .gnu_debugdata. Works off one
 * file after another and keeps none, so memory is that of the largest symbol table. Not for
 * privileged processes: files are read through libelf, whoever they belong to. The network is
 * never asked.
 */
#ifndef PROFILER_SYMBOLIZE_H
#define PROFILER_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which file is meant. */
struct symbol_file {
	const char *path; /* NULL: the vDSO of the running kernel */
	const void *build_id;
	size_t build_id_bytes; /* 0: not recorded */
	uint64_t recorded_ns;  /* when the recording began, since 1970 UTC; 0: not known */
};

/* What is asked about one place, and the answer. */
struct symbol_query {
	uint64_t offset;  /* in the file, of a byte of the instruction in question */
	uint64_t address; /* answer: the ELF virtual address */
	char *name;	  /* answer: demangled, to be freed by the caller; NULL: no symbol there */
	uint32_t id;	  /* the caller's own */
	bool has_address; /* answer: the offset lies in a loaded segment */
};

/**
 * symbolize() - answer questions about one file
 * @file: which one
 * @query: the questions, answers 0 so far; put into another order
 * @count: how many
 *
 * Return: 0 when the file was right, 1 when it was used but nothing vouched for it,
 * -ENOENT (or what open() gave) when it is not there or not a regular file, -ESTALE when it is
 * another one than was recorded or was changed since, -ENOEXEC when it is no ELF file, -ENOMEM.
 */
int symbolize(const struct symbol_file *file, struct symbol_query *query, size_t count)
	__attribute__((warn_unused_result));

#endif /* PROFILER_SYMBOLIZE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbolize.h - functions, files and lines for offsets in an ELF file, from what this machine has.
 *
 * A file is believed only when its build id is the one that was recorded: a name from another
 * build of a program is worse than none. Where none was recorded, a file is used if it has not
 * been touched since before the recording, and the caller is told that nothing vouched for it.
 *
 * Names come from the symbol tables of the file, of its separate debug file and of compressed
 * .gnu_debugdata; inlined functions, source files and lines from DWARF in either. Works off one
 * file after another and keeps none. Not for privileged processes: files are read through libdw,
 * whoever they belong to. The network is asked only when the user said so.
 */
#ifndef PROFILER_SYMBOLIZE_H
#define PROFILER_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where to look, and how to write. All zero is fine. */
struct symbol_options {
	/*
	 * Besides the usual places. Each may hold binaries by their path (DIR/usr/bin/x), and
	 * binaries and debug files by build id (DIR/.build-id/xx/yyy, yyy.debug).
	 */
	const char *const *debug_dir;
	size_t debug_dirs;
	bool ask_debuginfod; /* the servers in DEBUGINFOD_URLS, for what is not here */
	bool short_names;    /* see readable_name() */
};

/* Which file is meant. */
struct symbol_file {
	const char *path; /* NULL: the vDSO of the running kernel */
	const void *build_id;
	size_t build_id_bytes; /* 0: not recorded */
	uint64_t recorded_ns;  /* when the recording began, since 1970 UTC; 0: not known */
};

/* One function at a place. Its strings and callers end with the next symbolize(). */
struct symbol_frame {
	const char *name;		   /* readable; NULL: not known */
	const char *file;		   /* source file of the place in it; NULL: not known */
	const struct symbol_frame *caller; /* it is inlined into; NULL: not inlined */
	uint32_t line;			   /* in that file; 0: not known */
	uint32_t reserved;
};

/* What is asked about one place, and the answer. */
struct symbol_query {
	uint64_t offset;  /* in the file, of a byte of the instruction in question */
	uint64_t address; /* answer: the ELF virtual address */
	const struct symbol_frame *frame; /* answer: innermost function; NULL: nothing is known */
	uint32_t id;			  /* the caller's own */
	bool has_address;		  /* answer: the offset lies in a loaded segment */
	bool is_guess; /* answer: the name is of a label before it, without a size */
};

struct symbolizer;

/**
 * symbolizer_open() - get ready to look into files
 * @ret: the symbolizer
 * @options: not used any more afterwards
 *
 * Takes DEBUGINFOD_URLS out of the environment unless the user wants it asked, so to be called
 * before there are threads.
 *
 * Return: 0; -ENOMEM; -EINVAL for a folder with a ':' in its path, which libdwfl cannot be told
 * of; or -errno for one that is not there.
 */
int symbolizer_open(struct symbolizer **ret, const struct symbol_options *options)
	__attribute__((warn_unused_result));

/** symbolizer_free() - free a symbolizer and its answers; NULL is fine */
void symbolizer_free(struct symbolizer *s);

/**
 * symbolize() - answer questions about one file
 * @s: the symbolizer; its answers to earlier questions end
 * @file: which one
 * @query: the questions, answers 0 so far; put into another order
 * @count: how many
 *
 * Return: 0 when the file was right, 1 when it was used but nothing vouched for it,
 * -ENOENT (or what open() gave) when it is not there or not a regular file, -ESTALE when it is
 * another one than was recorded or was changed since, -ENOEXEC when it is no ELF file, -ENOMEM.
 */
int symbolize(struct symbolizer *s, const struct symbol_file *file, struct symbol_query *query,
	      size_t count) __attribute__((warn_unused_result));

#endif /* PROFILER_SYMBOLIZE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binary.h - the file that was recorded, and its separate debug file, wherever they are.
 *
 * Nothing is taken for a file that it is not: a binary must have the recorded build id, or else
 * be unchanged since the recording; a debug file must have the build id of its binary, or else
 * the checksum that the binary's debug link says.
 */
#ifndef PROFILER_BINARY_H
#define PROFILER_BINARY_H

#include <elfutils/libdwfl.h>
#include <gelf.h>

#include "tools/symbolize.h"

/* The places to look at. All paths are absolute. */
struct binary_places {
	char **folder; /* the user's, see struct symbol_options */
	size_t folders;
	char *debug_path; /* all places of debug files, as libdwfl wants them */
};

struct binary {
	Dwfl *dwfl;
	Dwfl_Module *module;
	Elf *elf; /* of the module */
	int fd;	  /* the binary, independent of the module */
	char *path;
	Dwfl_Callbacks callbacks;
};

/**
 * binary_places_init() - get ready to look for files
 * @p: the places
 * @options: the user's
 *
 * Return: 0; -ENOMEM; -EINVAL for a folder with a ':' in its path, which libdwfl cannot be told
 * of; or -errno for one that is not there.
 */
int binary_places_init(struct binary_places *p, const struct symbol_options *options)
	__attribute__((warn_unused_result));

/** binary_places_release() - free what places own */
void binary_places_release(struct binary_places *p);

/**
 * binary_open() - find and open the file that was recorded
 * @b: the binary, uninitialised; owns nothing on failure
 * @places: must outlive it
 * @file: which one
 *
 * Return: 0, or as symbolize() does.
 */
int binary_open(struct binary *b, struct binary_places *places, const struct symbol_file *file)
	__attribute__((warn_unused_result));

/** binary_release() - close a binary */
void binary_release(struct binary *b);

/**
 * binary_open_debug() - open the separate debug file
 * @b: the binary
 *
 * Return: a file descriptor that is the caller's, or -ENOENT.
 */
int binary_open_debug(struct binary *b) __attribute__((warn_unused_result));

/**
 * binary_open_shared() - open the file to which dwz moved what several debug files share
 * @b: any of their binaries
 * @id: its build id, which the caller has to compare
 * @bytes: size of @id
 *
 * Return: a file descriptor that is the caller's, or -ENOENT.
 */
int binary_open_shared(struct binary *b, const void *id, size_t bytes)
	__attribute__((warn_unused_result));

#endif /* PROFILER_BINARY_H */

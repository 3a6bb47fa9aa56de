/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openfile.h - open the file behind a mapping of another process, whatever that process does.
 *
 * Invariant: what is opened is a regular file of at most OPENFILE_BYTES_MAX, opened without
 * side effects (no FIFO, device or terminal is ever opened for reading), and no link of the
 * process's making leads out of its own root. Its content stays hostile: hand it to the jail.
 */
#ifndef PROFILER_OPENFILE_H
#define PROFILER_OPENFILE_H

#include <stdbool.h>
#include <stdint.h>

struct stat;

#define OPENFILE_BYTES_MAX (4ull << 30)

/* A mapping as the kernel told it. */
struct openfile_mapping {
	uint32_t pid;
	uint64_t start;
	uint64_t end;
	const char *path;
	uint64_t inode; /* 0 = not known, nor is the device */
	uint32_t dev_major;
	uint32_t dev_minor;
};

/**
 * openfile_open() - the file of a mapping.
 * @ret_certain: false when it is a file of the right name that could not be told to be the one
 * that was mapped: use it only if its build id is the one recorded
 *
 * Tries the mapping itself (/proc/PID/map_files), the path below the process's root, and when the
 * process has gone the path below our own.
 *
 * Return: a file descriptor of the caller's, read-only; -ENOENT for what has no path or is not
 * there any more; -EINVAL for what is no regular file; -EFBIG; or another -errno of opening.
 */
int openfile_open(const struct openfile_mapping *map, bool *ret_certain)
	__attribute__((warn_unused_result));

/**
 * openfile_below() - a file by its path, as a process with that root sees it
 * @ret: of what was opened
 *
 * Links on the way lead nowhere but below the root; where the file should be there may be none.
 * Return: a file descriptor of the caller's, read-only; -EINVAL for what is no regular file;
 * -EFBIG; or another -errno of opening.
 */
int openfile_below(const char *root, const char *path, struct stat *ret)
	__attribute__((warn_unused_result));

/* Whose separate debug file is wanted. */
struct openfile_debug {
	uint32_t pid;	  /* of a process that has it mapped */
	const char *path; /* of the file itself */
	const uint8_t *build_id;
	uint8_t build_id_size;	/* 0: none */
	const char *debug_link; /* a name without '/'; "": none */
};

/**
 * openfile_debug() - a separate debug file, from where distributions put them.
 * @at: 0 to begin with; kept for the next call, which goes on with the next place
 *
 * Below /usr/lib/debug by build id, then by the name in the debug link: beside the file, in .debug
 * there, below /usr/lib/debug; all that below the process's root, and then below our own. What is
 * opened may be of another file: only its content tells.
 *
 * Return: a file descriptor of the caller's, read-only, of a regular file as above; -ENOENT when
 * there are no more.
 */
int openfile_debug(const struct openfile_debug *wanted, unsigned int *at)
	__attribute__((warn_unused_result));

/**
 * openfile_vdso() - a sealed copy of the kernel's vDSO, the same for all 64-bit processes.
 *
 * Return: a file descriptor of the caller's, or -errno; -ENOENT without a vDSO.
 */
int openfile_vdso(void) __attribute__((warn_unused_result));

#endif /* PROFILER_OPENFILE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - the call chain of a thread that has long moved on: its registers and a copy of its
 * stack, walked with libunwind.
 *
 * libunwind sees a target whose memory is the copy of the stack, and of the mapped files what
 * the current frame's tables need; nothing is ever written. Code without a file (made at run time)
 * and Go's are walked by their frame pointers. Only snapshots of the architecture
 * of the build. Everything here is hostile: registers, stack and tables.
 */
#ifndef PROFILER_SNAPSHOT_H
#define PROFILER_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "jail/cfi.h"
#include "jail/elf_file.h"
#include "jail/jailwire.h"

struct unw_addr_space;

enum snapshot_tables {
	SNAPSHOT_TABLES,
	SNAPSHOT_FRAME_POINTERS, /* has no tables, but frame pointers */
	SNAPSHOT_UNUSABLE,	 /* end the walk */
	SNAPSHOT_UNKNOWN,	 /* end the walk, ask for the file */
};

/* A snapshot. mappings and stack are as many as the request says, of any alignment. */
struct snapshot {
	const struct jail_walk_request *request;
	const struct jail_mapping *mappings;
	const uint8_t *stack;
	/* What there is for a file id; ret is for SNAPSHOT_TABLES. */
	enum snapshot_tables (*find)(void *files, uint32_t id, const struct cfi **ret);
	void *files;
};

/** snapshot_space() - what libunwind needs once; NULL without memory. For the process's life. */
struct unw_addr_space *snapshot_space(void);

/**
 * snapshot_walk() - walk
 * @space: of snapshot_space()
 * @ret: all of it
 * @frames: leaf first, ret->frames of them
 *
 * Time is bounded by the frames and the size of the tables. May be left by siglongjmp() (see
 * elf_file.h).
 */
void snapshot_walk(struct unw_addr_space *space, const struct snapshot *snapshot,
		   struct jail_walk_answer *ret, uint64_t frames[MAX_FRAMES]);

#endif /* PROFILER_SNAPSHOT_H */

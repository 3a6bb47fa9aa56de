/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitfile.h - find and open what the makers of code at run time write down about it.
 *
 * A perf map is a text file of the process's own making, found by its name in the process's own
 * root and by its pid as the process itself sees it. Invariant: what is opened is a regular file of
 * at most OPENFILE_BYTES_MAX, opened without side effects, that belongs to the user the process
 * runs as, or to root, and was written since the process began. Its content stays hostile: hand it
 * to the jail.
 *
 * A jitdump is mapped by the process that writes it, so openfile_open() opens it as any other
 * mapped file.
 */
#ifndef PROFILER_JITFILE_H
#define PROFILER_JITFILE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct jitfile_process - whose map it is; all but the pid help only once the process has gone
 * @inner_pid: in its innermost pid namespace, 0 when it has only the one
 * @uid: owner of its /proc/PID, UINT32_MAX when it is not known
 * @start_ns: CLOCK_BOOTTIME when it began, 0 when that is not known
 */
struct jitfile_process {
	uint32_t pid;
	uint32_t inner_pid;
	uint32_t uid;
	uint64_t start_ns;
};

/**
 * struct jitfile_state - of a map when it was opened
 *
 * Another device or inode: another file. The same with more bytes or a later time: it has grown.
 */
struct jitfile_state {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	uint64_t mtime_ns;
};

/**
 * jitfile_open() - the perf map of a process.
 *
 * Of a process that has gone, or whose pid is another's by now (@start_ns), the map is taken from
 * our own root, if the process was in no pid namespace of its own and its user and start are known.
 * A child that was forked without exec, and has no map of its own, runs its parent's code: ask
 * again with the parent.
 *
 * Return: a file descriptor of the caller's, read-only; -ENOENT: there is no map; -EPERM: it
 * belongs to another user; -ESTALE: it is older than the process; -EINVAL: no regular file; -EFBIG;
 * -ESRCH: the process has gone and too little is known of it; or another -errno of opening.
 */
int jitfile_open(const struct jitfile_process *process, struct jitfile_state *ret)
	__attribute__((warn_unused_result));

/** jitfile_is_dump() - is the file of a mapping a jitdump, by its name: jit-PID.dump? */
bool jitfile_is_dump(const char *path);

#endif /* PROFILER_JITFILE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procread.h - what /proc says of one process, now.
 *
 * Processes come and go while they are read: every function may fail with
 * -ENOENT or -ESRCH at any time, and two calls may be about two processes.
 */
#ifndef PROFILER_PROCREAD_H
#define PROFILER_PROCREAD_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/image.h"
#include "profiler/proctext.h"

/** procread_stat() - /proc/PID/stat. Return: 0 or -errno. */
int procread_stat(uint32_t pid, struct proctext_stat *ret);

/** procread_status() - /proc/PID/status. Return: 0 or -errno. */
int procread_status(uint32_t pid, struct proctext_status *ret);

/** procread_comm() - the name of a thread. Return: 0 or -errno. */
int procread_comm(uint32_t pid, uint32_t tid, char ret[16]);

/* A path has at most 4095 bytes. */
#define PROCREAD_CGROUP 4096

/**
 * struct procread_who - who a process is
 * @inner_pid: in its innermost pid namespace, 0 when it has but ours
 * @uid: whose /proc/PID is: the effective user's, or root's where the process may not be looked
 * into, as one that has dropped root's rights
 * @cgroup: path, as seen from our cgroup namespace; "" when it is not known
 */
struct procread_who {
	uint32_t inner_pid;
	uint32_t uid;
	char cgroup[PROCREAD_CGROUP];
};

/** procread_namespace() - our own pid namespace; 0 when that is hidden. */
uint64_t procread_namespace(void);

/**
 * procread_who() - cgroup, user and inner pid of a process.
 * @own_namespace: of procread_namespace(): saves a look at each process that has the same; or 0
 *
 * Return: 0 or -errno, and then @ret is void.
 */
int procread_who(uint32_t pid, uint64_t own_namespace, struct procread_who *ret);

/**
 * procread_ids() - the numeric names in a directory of /proc.
 * @path: "/proc" for all processes, "/proc/PID/task" for a process's threads
 * @ret: allocated, the caller frees it
 *
 * Return: how many, or -errno and @ret untouched.
 */
int procread_ids(const char *path, uint32_t **ret);

/**
 * procread_maps() - add the executable mappings of a process to an image.
 * @refused: counts those that did not fit
 *
 * Return: 0 or -errno of opening and reading.
 */
int procread_maps(uint32_t pid, struct image_set *set, struct image **image, uint64_t *refused);

/**
 * procread_build_id() - of the file of a mapping, while the process has it mapped.
 *
 * Asks the kernel (PROCMAP_QUERY, 6.11 and later) if the file is still the one of @map. Return: its
 * size; -ENODATA for a file without one; -ENOTTY from an older kernel; or another -errno (the
 * process is gone, no right to look).
 */
int procread_build_id(uint32_t pid, const struct mapping *map, uint8_t ret[BUILD_ID_MAX]);

#endif /* PROFILER_PROCREAD_H */

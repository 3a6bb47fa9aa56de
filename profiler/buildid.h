/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildid.h - the GNU build id of an ELF file, read with bounded preads only.
 *
 * The files belong to the people being profiled and may change or lie while they
 * are read: every size is capped, nothing is mapped, nothing is trusted.
 */
#ifndef PROFILER_BUILDID_H
#define PROFILER_BUILDID_H

#include <stddef.h>
#include <stdint.h>

#define BUILDID_SIZE 20

/**
 * buildid_read() - from an open ELF file (32 or 64 bits, little endian).
 * @fd: opened O_RDONLY | O_NONBLOCK | O_CLOEXEC by the caller
 *
 * Return: size of the build id (1 to BUILDID_SIZE); -EINVAL for what is no regular
 * file, -ENOEXEC for what is no such ELF file, -ENODATA without a build id, or the
 * -errno of reading.
 */
int buildid_read(int fd, uint8_t ret[BUILDID_SIZE]);

/** buildid_read_kernel() - that of the running kernel, from /sys/kernel/notes. Return: as above. */
int buildid_read_kernel(uint8_t ret[BUILDID_SIZE]);

/**
 * buildid_parse_notes() - find it in the bytes of a note section (4-byte aligned notes).
 *
 * Return: size of the build id or -ENODATA.
 */
int buildid_parse_notes(const uint8_t *notes, size_t size, uint8_t ret[BUILDID_SIZE]);

#endif /* PROFILER_BUILDID_H */

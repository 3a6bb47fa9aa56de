/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - locks the calling process up, for good.
 *
 * Afterwards it has no capabilities and no way to any, and can do nothing but read and write what
 * it has open, take files that are sent to it, map them (never executable) and end. Any other
 * system call kills it. Its memory and its files are limited.
 */
#ifndef PROFILER_SANDBOX_H
#define PROFILER_SANDBOX_H

/*
 * Private writable memory: the buffers of a request are 1.4 MB, an index of the largest program
 * that brings none 4 MB, MiniDebugInfo at its largest 24 MB. Address space: two of the largest
 * files that are opened.
 */
#define SANDBOX_DATA_BYTES    (32ull << 20)
#define SANDBOX_ADDRESS_BYTES (9ull << 30)

/**
 * sandbox_enter() - lock up
 * @keep_fd: the only file that stays open; files that are sent get the numbers below it
 * @ret_step: on failure what could not be done, a constant string
 *
 * Return: 0, or -errno: then this process is not safe and has to end.
 */
int sandbox_enter(int keep_fd, const char **ret_step) __attribute__((warn_unused_result));

#endif /* PROFILER_SANDBOX_H */

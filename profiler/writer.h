/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - the thread that numbers packets and writes them out.
 *
 * The only place that can wait for a disk, a pipe or a terminal.
 */
#ifndef PROFILER_WRITER_H
#define PROFILER_WRITER_H

#include <stdbool.h>
#include <stdint.h>

struct handoff;
struct writer;

/**
 * writer_start() - start the thread
 * @handoff: its packets are written until it is closed and empty
 * @fd: file, pipe or socket; the caller's, open until writer_finish()
 * @notify_fd: an eventfd that is raised when the output has failed for good
 * @cpus: CPU numbers in the packets' rows are below this
 *
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int writer_start(struct writer **ret, struct handoff *handoff,
						     int fd, int notify_fd, uint32_t cpus);

/**
 * writer_finish() - wait until everything is written
 *
 * The hand-off must have been closed. While the output makes no progress this waits, except for
 * a full disk, which is given up. May be called once. Counters stay readable.
 */
void writer_finish(struct writer *w);

/** writer_free() - after writer_finish(); NULL is fine */
void writer_free(struct writer *w);

/** writer_error() - why the output has failed for good: -errno, 0 when it has not */
int writer_error(const struct writer *w);

/** writer_disk_full() - the output is full right now, and the writer waits for room */
bool writer_disk_full(const struct writer *w);

/** writer_bytes() - bytes of whole packets written */
uint64_t writer_bytes(const struct writer *w);

/** writer_written() - samples of a CPU and event in packets written whole */
uint64_t writer_written(const struct writer *w, uint32_t cpu, uint32_t event);

/** writer_lost() - samples of a CPU and event in packets that could not be written */
uint64_t writer_lost(const struct writer *w, uint32_t cpu, uint32_t event);

#endif /* PROFILER_WRITER_H */

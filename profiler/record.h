/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - one recording, from the options to the last packet.
 *
 * The stages of the figure in README, made, connected, run and taken apart. Prints nothing:
 * what the user should know comes back as text.
 */
#ifndef PROFILER_RECORD_H
#define PROFILER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/options.h"

#define RECORD_ERROR_BYTES 512

struct recorder;

/**
 * struct record_totals - sums over all CPUs and events
 * @busy_expected, @busy_blind: of clock events only on CPUs that were busy for more than nine
 *                  tenths of the run: on an idle one the kernel's clock of idle time, in
 *                  steps of 10 ms and without interrupts, is too coarse for a statement
 * @stacks: samples with a user stack that was walked by tables; 0 where none are
 * @stacks_whole: of these, as far as the outermost frame
 * @disk_was_full: the output had no room for some time
 */
struct record_totals {
	uint64_t busy_expected;
	int64_t busy_blind;
	uint64_t expected;
	uint64_t throttled;
	uint64_t entries;
	uint64_t idle;
	uint64_t filtered;
	uint64_t ring_full;
	uint64_t ring_busy;
	uint64_t handoff;
	uint64_t output;
	uint64_t written;
	uint64_t in_flight;
	int64_t unaccounted;
	uint64_t stack_lost;
	uint64_t truncated;
	uint64_t user_failed;
	uint64_t sideband_lost;
	uint64_t stacks;
	uint64_t stacks_whole;
	uint64_t bytes;
	bool disk_was_full;
	double seconds;
	const char *stopped_by;
};

/**
 * struct record_listener - who hears of a recording while it goes on
 * @progress: about once a second; NULL when nobody wants it
 * @message: something happened that the user should know now; one line
 */
struct record_listener {
	void (*progress)(const struct record_totals *totals);
	void (*message)(const char *text);
};

/**
 * record_open() - make everything ready; nothing is sampled yet
 * @options: the caller's, must outlive the recorder
 * @err: on failure, one line: cause; remedy
 *
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int
record_open(struct recorder **ret, const struct options *options, char *err, size_t err_bytes);

/** record_notice() - the i-th thing the user should know before or after the run, NULL at the end
 */
const char *record_notice(const struct recorder *r, size_t i);

/**
 * record_run() - sample until the run is over
 * @err: on failure, one line: cause; remedy
 *
 * The stream is complete and closed when this returns, on failure as far as it went. A command
 * that has not ended got SIGTERM, and may still run: record_wait(). Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int
record_run(struct recorder *r, const struct record_listener *listener, char *err, size_t err_bytes);

/**
 * record_wait() - wait for the command's end, after record_run() and record_totals()
 * @timeout_ms: at most so long; -1 for as long as it takes
 *
 * Sampling is taken apart first: a command that will not end costs nothing. Returns false when
 * the command still runs; without one, true.
 */
bool record_wait(struct recorder *r, int timeout_ms);

/** record_totals() - where the samples went; final once record_run() has returned */
struct record_totals record_totals(const struct recorder *r);

/** record_output_path() - the file that was written, NULL for stdout */
const char *record_output_path(const struct recorder *r);

/** record_exit_status() - what the command's exit asks the recorder to exit with, else 0 */
int record_exit_status(const struct recorder *r);

/** record_close() - NULL is fine */
void record_close(struct recorder *r);

#endif /* PROFILER_RECORD_H */

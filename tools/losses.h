/* SPDX-License-Identifier: Apache-2.0 */
/*
 * losses.h - where every sample went, in sums and in words.
 */
#ifndef PROFILER_LOSSES_H
#define PROFILER_LOSSES_H

#include <stddef.h>
#include <stdint.h>

#include "tools/profile.h"

/* Longest result of ledger_text(). */
#define LEDGER_TEXT_MAX 512

/*
 * Sums over rows of the ledger, in samples:
 * expected = blind + throttled + entries;
 * entries = idle + filtered + dropped + written + in_flight + unaccounted.
 */
struct ledger_sum {
	uint64_t expected;
	int64_t blind;
	uint64_t throttled;
	uint64_t entries;
	uint64_t idle;
	uint64_t filtered; /* by target or by mode */
	uint64_t dropped;  /* ring full or busy, hand-off, output */
	uint64_t written;
	uint64_t in_flight;
	int64_t unaccounted;
};

/**
 * ledger_sum() - add up the rows of one event, or of all
 * @ledger: what the stream had, or NULL
 * @event: index, or PROFILE_ALL_EVENTS
 *
 * Return: the sums, all 0 without a ledger.
 */
struct ledger_sum ledger_sum(const Profiler__Ledger *ledger, uint32_t event);

/* What became of one event's own counter, over the rows of all CPUs. */
struct ledger_counter {
	uint64_t count;
	uint64_t counted;     /* in samples; with a group only */
	uint64_t uncounted;   /* at samples that nobody wanted; with a group only */
	uint64_t counts_lost; /* samples; of a leader */
	uint64_t entries;     /* samples */
	uint64_t idle;	      /* samples */
	uint64_t throttled;   /* samples, an estimate */
	uint64_t throttles;
	uint64_t enabled_ns;
	uint64_t running_ns;
	uint64_t busy_ns; /* running, less what the CPU was idle meanwhile */
	uint32_t rows;
	uint32_t never; /* rows of CPUs where it was enabled and never on the hardware */
};

/** ledger_counter() - add up the rows of an event; all 0 without a ledger */
struct ledger_counter ledger_counter(const Profiler__Ledger *ledger, uint32_t event);

/** ledger_achieved_hz() - samples a second and CPU, while that was not idle; 0 when not known */
double ledger_achieved_hz(const struct ledger_counter *c);

/**
 * ledger_busy_blind() - blind samples on CPUs that were busy
 * @header: of the stream that had the ledger
 * @ledger: what the stream had, or NULL
 * @event: index, or PROFILE_ALL_EVENTS
 *
 * What a clock event should have been on a CPU that was idle for a tenth of the time or more
 * follows from the kernel's clock of idle time, too coarse to tell single samples by (see
 * LedgerRow in stream.proto). Their blind samples are left out; the recorder does the same.
 *
 * Return: the sum; below 0 within the error of that clock.
 */
int64_t ledger_busy_blind(const Profiler__Header *header, const Profiler__Ledger *ledger,
			  uint32_t event);

/**
 * ledger_text() - the sums as one sentence
 * @p: a profile that was read
 * @event: index, or PROFILE_ALL_EVENTS
 * @ret: "10,000 expected = 9,900 written + 90 idle + 0 dropped + 10 blind"
 *
 * written, dropped and blind are always there, the other terms where they are not 0. Where not
 * all blind samples are of busy CPUs it says how many are: "10 blind (2 on busy CPUs)".
 *
 * Return: @ret.
 */
const char *ledger_text(const struct profile *p, uint32_t event, char ret[LEDGER_TEXT_MAX]);

/** stack_how_text() - "table", "frame pointer", "snapshot" for a StackCount.How, "?" for others */
const char *stack_how_text(uint32_t how);

/** stack_end_text() - "whole" or why a stack ends early for a StackCount.End, "?" for others */
const char *stack_end_text(uint32_t end);

#endif /* PROFILER_LOSSES_H */

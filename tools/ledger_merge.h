/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_merge.h - the ledger of several streams, of which samples were left out.
 *
 * Ledgers count from the start of their run, so that of the whole is the sum of the last ones of
 * those that have ended and the latest of the one that is being read. What was left out moves from
 * written to filtered_target, and from counted to uncounted: all sums of stream.proto still hold.
 */
#ifndef PROFILER_LEDGER_MERGE_H
#define PROFILER_LEDGER_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/merge.h"

/* How and why stacks end: what there can be of StackCount, and room for what is new. */
#define LEDGER_STACKS_MAX 256

/* Most changes of the limit of the rate, by stream.proto. */
#define LEDGER_LIMITS_MAX 64

/* What a ledger has beside its rows, and can be added up. */
struct ledger_totals {
	Profiler__StackCount stack[LEDGER_STACKS_MAX];
	Profiler__RateLimit limit[LEDGER_LIMITS_MAX];
	Profiler__ProgramRuns program[READER_MAX_EVENTS];
	size_t stacks;
	size_t limits;
	size_t programs;
	uint64_t sideband_lost;
	uint64_t stacks_unresolved;
	uint64_t unknown_process;
	uint64_t packets_dropped;
};

struct ledger_merge {
	struct idmap places;	  /* by CPU and event */
	struct ledger_totals sum; /* of the streams that have ended */
	struct ledger_totals now; /* and of the one that is being read */
	Profiler__StackCount *stacks[LEDGER_STACKS_MAX];
	Profiler__RateLimit *limits[LEDGER_LIMITS_MAX];
	Profiler__ProgramRuns *programs[READER_MAX_EVENTS];
	Profiler__LedgerRow **row;
	Profiler__Clock clock;
	bool is_unended; /* a stream before had no final ledger */
};

/** ledger_merge_init() - nothing counted yet */
void ledger_merge_init(struct ledger_merge *l);

/** ledger_merge_release() - free what it owns */
void ledger_merge_release(struct ledger_merge *l);

/** ledger_merge_leave_out() - samples that were not written; 0 or -ENOMEM */
int ledger_merge_leave_out(struct ledger_merge *l, uint32_t cpu, uint32_t event, uint64_t samples)
	__attribute__((warn_unused_result));

/** ledger_merge_leave_count() - what such samples carried of a counter; 0 or -ENOMEM */
int ledger_merge_leave_count(struct ledger_merge *l, uint32_t cpu, uint32_t event, uint64_t count)
	__attribute__((warn_unused_result));

/**
 * ledger_merge_make() - the ledger of the whole
 * @l: what was before
 * @in: the stream that is being read
 * @ledger: its own, the latest
 * @is_last: no stream follows
 * @ret: valid until the next call
 *
 * Return: 0 or -ENOMEM.
 */
int ledger_merge_make(struct ledger_merge *l, const struct merge_input *in,
		      const Profiler__Ledger *ledger, bool is_last, Profiler__Ledger *ret)
	__attribute__((warn_unused_result));

/** ledger_merge_end() - a stream has ended, with this ledger or NULL; 0 or -ENOMEM */
int ledger_merge_end(struct ledger_merge *l, const struct merge_input *in,
		     const Profiler__Ledger *ledger) __attribute__((warn_unused_result));

#endif /* PROFILER_LEDGER_MERGE_H */

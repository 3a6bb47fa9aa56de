/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - where every sample went, for one event on one CPU. See ledger.c for the sums. */
#ifndef PROFILER_LEDGER_H
#define PROFILER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "profiler/session.h"
#include "stream.pb-c.h"

/**
 * struct ledger_input - what the stages counted, each on its own, since the start of the run
 * @kernel: by the sampling program
 * @count: by the event itself
 * @idle_ns: time the CPU was idle while the event was open
 * @steal_ns: time a hypervisor ran something else meanwhile
 * @handoff: samples in packets that the hand-off had no room for
 * @output: samples in packets that could not be written
 * @written: samples in packets written
 */
struct ledger_input {
	struct event_counters kernel;
	struct session_count count;
	uint64_t idle_ns;
	uint64_t steal_ns;
	uint64_t handoff;
	uint64_t output;
	uint64_t written;
};

/**
 * ledger_row() - one row of the ledger
 * @event: its rate and kind
 * @in: the counts
 * @final: nothing is on its way any more, so what is missing is unaccounted, not in flight
 * @row: initialised by the caller, cpu and event set; the sums are filled in
 */
void ledger_row(const struct event_spec *event, const struct ledger_input *in, bool final,
		Profiler__LedgerRow *row);

/** ledger_dropped() - samples of a row that were lost after the program's entry */
uint64_t ledger_dropped(const Profiler__LedgerRow *row);

#endif /* PROFILER_LEDGER_H */

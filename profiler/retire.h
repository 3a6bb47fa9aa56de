/* SPDX-License-Identifier: Apache-2.0 */
/* retire.h - when has every program ended that may still read what was taken back? See retire.c. */
#ifndef PROFILER_RETIRE_H
#define PROFILER_RETIRE_H

#include <stdint.h>

#include "bpf/event.h"

struct retire;

/* Gives a copy of the counters of a CPU and event; an outcome is never ahead of its entry. */
typedef struct event_counters (*retire_read)(void *context, uint32_t cpu, uint32_t event);

/**
 * retire_open() - nothing retired yet
 * @cpus, @events: whose programs read the tables
 * @read, @context: sampler_counters()
 *
 * Returns 0, or -ENOMEM. One thread, like all below.
 */
__attribute__((warn_unused_result)) int
retire_open(struct retire **ret, uint32_t cpus, uint32_t events, retire_read read, void *context);

/** retire_free() - NULL is fine */
void retire_free(struct retire *r);

/**
 * retire_ticket() - for a place that no new reader can find any more
 *
 * Call it after the store that took the place back. At most two different tickets are out at any
 * time: retire_done() + 1 and retire_done() + 2.
 */
uint64_t retire_ticket(struct retire *r);

/** retire_done() - places with a ticket up to this one may be used again */
uint64_t retire_done(const struct retire *r);

/**
 * retire_poll() - look how far the programs are; once a round
 * @now_ns: of any clock that goes on; read after the last store that took something back
 *
 * Costs nothing while no ticket is out. A ticket is done after two or three calls that are
 * RETIRE_SETTLE_NS apart.
 */
void retire_poll(struct retire *r, uint64_t now_ns);

/* For so long a CPU may keep its latest stores to itself; hardware takes about 1 us. */
#define RETIRE_SETTLE_NS UINT64_C(1000000)

#endif /* PROFILER_RETIRE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - the perf events of a run, one per event and CPU, through CPU hotplug. */
#ifndef PROFILER_SESSION_H
#define PROFILER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/cpulist.h"
#include "profiler/pmu.h"

struct sampler;
struct session;

/** struct session_count - what the kernel says of an event on a CPU since the start of the run */
struct session_count {
	uint64_t count; /* the event's own counter */
	uint64_t enabled_ns;
	uint64_t running_ns;   /* of these, on the hardware */
	uint64_t throttled_ns; /* of these, stopped by the kernel for taking too many samples */
	uint64_t throttles;
};

/**
 * session_open() - open every event on every CPU of @cpus that is online, not yet counting
 * @events: the caller's, must outlive the session; granted rates may be lowered; those that only
 *          count come after the one that leads them
 * @cpus: the CPUs wanted, online or not
 * @online: the CPUs online now
 * @sampler: its program i runs on overflow of event i, and reads its group; makes the CPUs' rings
 * @cpu_limit: CPU numbers are below this
 * @err: on failure, one line: cause; remedy
 *
 * An event is left out on CPUs that its PMU does not cover. Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int
session_open(struct session **ret, struct event_spec *events, uint32_t n_events,
	     const struct cpulist *cpus, const struct cpulist *online, struct sampler *sampler,
	     uint32_t cpu_limit, char *err, size_t err_bytes);

/** session_close() - NULL is fine */
void session_close(struct session *s);

/** session_enable() - start counting everywhere; 0 or -errno */
__attribute__((warn_unused_result)) int session_enable(struct session *s);

/** session_disable() - stop counting; no sample is taken after it has returned */
void session_disable(struct session *s);

/**
 * session_hotplug() - open events on CPUs that have come, and close those that have gone
 * @online: the CPUs online now
 * @ret_came: set to the CPUs that were opened
 *
 * A CPU that fails is tried again at the next call. Returns the number that came and went.
 */
uint32_t session_hotplug(struct session *s, const struct cpulist *online, struct cpulist *ret_came);

/** session_has() - the event is or was open on the CPU */
bool session_has(const struct session *s, uint32_t cpu, uint32_t event);

/**
 * session_poll() - take in what the kernel says of throttling
 *
 * To be called every 250 ms or sooner: the kernel's buffer for it is small, and what does not fit
 * is blind instead of throttled in the ledger.
 */
void session_poll(struct session *s);

/** session_read() - the counts of an event on a CPU, all zero where it never was open */
struct session_count session_read(struct session *s, uint32_t cpu, uint32_t event);

#endif /* PROFILER_SESSION_H */

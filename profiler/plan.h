/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what the options come to on this machine: events, CPUs, filters, sizes, notices. */
#ifndef PROFILER_PLAN_H
#define PROFILER_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/cpulist.h"
#include "profiler/options.h"
#include "profiler/pmu.h"

#define PLAN_EVENTS_MAX	  (MAX_EVENTS * MAX_GROUP)
#define PLAN_NOTICES_MAX  16
#define PLAN_NOTICE_BYTES 256

/**
 * struct plan - everything decided before the first system resource is taken
 *
 * The events that take samples come first: their index is that of their BPF program. Members of
 * groups follow, with 1 + the index of their leader in @events, in the order of their group.
 */
struct plan {
	struct event_spec events[PLAN_EVENTS_MAX];
	uint32_t n_sampling;
	uint32_t n_events;		  /* all */
	uint64_t interval_ns[MAX_EVENTS]; /* expected time between samples of a CPU, 0 = unknown */
	struct cpulist online;
	struct cpulist wanted; /* of -C, else all there could ever be */
	uint32_t cpu_limit;    /* CPU numbers are below this */
	uint32_t filter;       /* enum filter_bit */
	int cgroup_fds[MAX_TARGET_CGROUPS];
	uint32_t n_cgroups;
	size_t ring_bytes; /* of each CPU */
	uint64_t ring_ns;  /* so long the samples of a busy CPU take to fill it; 0 = unknown */
	uint32_t n_notices;
	char notices[PLAN_NOTICES_MAX][PLAN_NOTICE_BYTES];
};

/**
 * plan_make() - decide
 * @err: on failure, one line: cause; remedy
 *
 * Opens nothing that lasts but the cgroups' directories. Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int plan_make(struct plan *ret, const struct options *options,
						  char *err, size_t err_bytes);

/** plan_release() - closes what plan_make() opened */
void plan_release(struct plan *plan);

/** plan_notice() - something more that the user and the stream's readers should know */
__attribute__((format(printf, 2, 3))) void plan_notice(struct plan *plan, const char *format, ...);

#endif /* PROFILER_PLAN_H */

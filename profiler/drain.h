/* SPDX-License-Identifier: Apache-2.0 */
/* drain.h - one round over all rings and the side-band, merged by time. See drain.c. */
#ifndef PROFILER_DRAIN_H
#define PROFILER_DRAIN_H

#include <stdint.h>

struct completer;
struct counts_record;
struct jitnamer;
struct kallsyms;
struct namer;
struct procmap;
struct resolver;
struct sampler;
struct sideband;
struct stacks;
struct unwind_job;
struct unwinder;

/**
 * struct drain - what a round works on, all of it the caller's
 * @cpus: CPU numbers are below this
 * @unwinder: NULL where nothing is asked for
 * @completer: NULL where the walker has no tables
 * @namer, @jitnamer: NULL where functions stay without names
 * @snapshots: by CPU, the snapshot that waits for its sample, or NULL
 * @counts: by CPU, the counts that wait for their sample; 0 where none do
 * @limits: room for one position per CPU
 * @invalid: counts ring records that were not valid
 * @rounds_in_generation: since the stacks were last forgotten
 */
struct drain {
	struct sampler *sampler;
	struct sideband *sideband;
	struct procmap *procmap;
	struct kallsyms *kallsyms;
	struct stacks *stacks;
	struct resolver *resolver;
	struct unwinder *unwinder;
	struct completer *completer;
	struct namer *namer;
	struct jitnamer *jitnamer;
	struct unwind_job **snapshots;
	struct counts_record *counts;
	uint32_t cpus;
	unsigned long *limits;
	uint64_t invalid;
	uint32_t rounds_in_generation;
};

/**
 * drain_round() - resolve all samples and side-band records before a time
 * @cut_ns: CLOCK_BOOTTIME; a moment ago, so that all CPUs have finished writing what is older;
 *          UINT64_MAX for everything, once sampling has stopped
 * @now_ns: CLOCK_BOOTTIME
 */
void drain_round(struct drain *d, uint64_t cut_ns, uint64_t now_ns);

#endif /* PROFILER_DRAIN_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_names.h - where names of events come from; only for pmu*.c and its test.
 */
#ifndef PROFILER_PMU_NAMES_H
#define PROFILER_PMU_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define PMU_SYSFS "/sys/bus/event_source/devices"

/* What a name comes down to: the fields of perf_event_attr that choose an event. */
struct pmu_encoding {
	uint32_t type;
	uint64_t config;
	uint64_t config1;
	uint64_t config2;
};

/* A name that every perf user knows, for an event that the kernel defines. */
struct pmu_generic {
	const char *name;
	const char *alias; /* NULL if none */
	uint32_t type;
	uint64_t config;
	const char *description;
};

/**
 * pmu_generic_at() - the table of generic events
 *
 * Return: entry @i, NULL behind the last one.
 */
const struct pmu_generic *pmu_generic_at(size_t i);

/**
 * pmu_pfm_encode() - look a name up in libpfm4
 *
 * Return: 0; -ENOENT if libpfm4 has no such event for this CPU; -EINVAL if it
 * has, but not with this unit mask or attribute; -EOPNOTSUPP for an attribute
 * that would change how the event is sampled.
 */
int pmu_pfm_encode(const char *name, struct pmu_encoding *ret) __attribute__((warn_unused_result));

/**
 * pmu_pfm_each() - call @fn for every event of the CPU that libpfm4 knows
 * @fn: gets "EVENT" or "EVENT:UMASK" and a description
 * @arg: passed to @fn
 */
void pmu_pfm_each(void (*fn)(const char *name, const char *description, void *arg), void *arg);

/**
 * pmu_pfm_counters() - counters of a core for events of all kinds, as libpfm4 knows it
 *
 * The most that the model has: with hyper-threading or a watchdog there may be fewer.
 *
 * Return: their number, 0 if it does not know this CPU.
 */
unsigned int pmu_pfm_counters(void);

/**
 * pmu_sysfs_encode() - the event "terms" of a PMU, as in pmu/terms/
 * @root: PMU_SYSFS, or a copy of it in a test
 * @pmu: name of the PMU
 * @terms: "cache-misses" or "event=0x3c,umask=1" or "config=0x13c"
 * @ret: filled on success
 *
 * Return: 0, -ENODEV for an unknown PMU, -EINVAL for a term it does not have.
 */
int pmu_sysfs_encode(const char *root, const char *pmu, const char *terms, struct pmu_encoding *ret)
	__attribute__((warn_unused_result));

/**
 * pmu_sysfs_each() - call @fn for every named event of every PMU
 * @root: PMU_SYSFS, or a copy of it in a test
 * @fn: gets the names of PMU and event; ends the walk by returning non-zero
 * @arg: passed to @fn
 *
 * Return: what @fn returned last, 0 if there was nothing.
 */
int pmu_sysfs_each(const char *root, int (*fn)(const char *pmu, const char *event, void *arg),
		   void *arg);

#endif /* PROFILER_PMU_NAMES_H */

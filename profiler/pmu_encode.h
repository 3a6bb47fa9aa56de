/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_encode.h - from one name to the numbers that choose an event, on machines whose cores are
 * of several kinds too; only for pmu*.c and its test.
 */
#ifndef PROFILER_PMU_ENCODE_H
#define PROFILER_PMU_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/pmu.h"
#include "profiler/pmu_names.h"

/* Kinds of core that one machine may have; three are known. */
#define PMU_MAX_CORES 4

/* The PMUs of the CPUs' cores, where these are of several kinds; n is 0 where they are not. */
struct pmu_cores {
	uint32_t n;
	struct pmu_core {
		char name[PMU_NAME_BYTES];
		uint32_t type;
		struct cpulist cpus;
	} core[PMU_MAX_CORES];
};

/*
 * What a name was found to be. Without a core, each kind of core has an event of this name:
 * pmu_put_on_core() makes it.
 */
struct pmu_named {
	struct pmu_encoding enc;
	char name[PMU_NAME_BYTES];   /* as typed, without modifiers */
	char pmu[PMU_NAME_BYTES];    /* of sysfs, "" if it does not matter */
	bool every_core;	     /* of all kinds, one event each */
	bool in_sysfs;		     /* with every_core: to be looked up with each of them */
	const struct pmu_core *core; /* of this kind only, NULL for all others */
};

/**
 * pmu_sysfs_cores() - the kinds of core of a hybrid machine
 * @root: PMU_SYSFS, or a copy of it in a test
 *
 * They are the PMUs with a list of CPUs in a file "cpus", if there are several.
 */
void pmu_sysfs_cores(const char *root, struct pmu_cores *ret);

/**
 * pmu_sysfs_is_core() - whether a PMU counts what CPUs execute, not what is around them
 */
bool pmu_sysfs_is_core(const char *root, const char *pmu);

/**
 * pmu_sysfs_max_precise() - the highest precise level that the kernel claims for a PMU
 *
 * Return: it, or -errno where it claims nothing.
 */
int pmu_sysfs_max_precise(const char *root, const char *pmu) __attribute__((warn_unused_result));

/**
 * pmu_encode() - look a name without modifiers up, wherever there are names
 * @root: PMU_SYSFS, or a copy of it in a test
 * @cores: of @root; @ret points into it
 * @err: on failure, one line: cause; remedy
 *
 * Return: 0 or -errno as pmu_parse().
 */
int pmu_encode(const char *root, const struct pmu_cores *cores, const char *name,
	       struct pmu_named *ret, char *err, size_t err_bytes)
	__attribute__((warn_unused_result));

/**
 * pmu_put_on_core() - the event for one kind of core, where pmu_named.every_core is set
 *
 * Return: 0, or -ENOENT if this kind has no event of the name.
 */
int pmu_put_on_core(const char *root, const struct pmu_core *core, struct pmu_named *event)
	__attribute__((warn_unused_result));

/**
 * pmu_parse_in() - pmu_parse() with another sysfs, for tests
 */
int pmu_parse_in(const char *root, const char *text, struct event_spec *ret, uint32_t room,
		 char *err, size_t err_bytes) __attribute__((warn_unused_result));

/**
 * pmu_list_in() - pmu_list() with another sysfs, for tests
 */
int pmu_list_in(const char *root, FILE *out, unsigned int cpu) __attribute__((warn_unused_result));

#endif /* PROFILER_PMU_ENCODE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_pfm.c - names of events through libpfm4.
 *
 * A file of its own because libpfm4 brings its own struct perf_event_attr, which
 * cannot live beside the kernel's. Only the fields that choose an event leave it.
 */
#include "profiler/pmu_names.h"

#include <errno.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ALL_LEVELS (PFM_PLM0 | PFM_PLM3 | PFM_PLMH)

/*
 * libpfm4's attributes (precise=, period=, pinned, h, ...) would be lost when only
 * type and config are taken over. exclude_guest is its default, not a wish.
 */
static bool changes_sampling(const struct perf_event_attr *attr, int cpu)
{
	return attr->precise_ip || attr->sample_period || attr->freq || attr->pinned ||
	       attr->exclusive || attr->exclude_user || attr->exclude_kernel || attr->exclude_hv ||
	       attr->exclude_host || attr->exclude_idle || cpu != -1;
}

int pmu_pfm_encode(const char *name, struct pmu_encoding *ret)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };

	/* Initialising again costs nothing: the library remembers. */
	if (pfm_initialize() != PFM_SUCCESS)
		return -ENOENT;
	switch (pfm_get_os_event_encoding(name, ALL_LEVELS, PFM_OS_PERF_EVENT_EXT, &arg)) {
	case PFM_SUCCESS:
		break;
	case PFM_ERR_UMASK:
	case PFM_ERR_ATTR:
	case PFM_ERR_ATTR_VAL:
	case PFM_ERR_ATTR_SET:
	case PFM_ERR_FEATCOMB:
		return -EINVAL;
	default:
		return -ENOENT;
	}
	if (changes_sampling(&attr, arg.cpu))
		return -EOPNOTSUPP;
	ret->type = attr.type;
	ret->config = attr.config;
	ret->config1 = attr.config1;
	ret->config2 = attr.config2;
	return 0;
}

/* Calls fn for an event without unit masks, else for each of its unit masks. */
static void each_umask(int idx, void (*fn)(const char *, const char *, void *), void *arg)
{
	pfm_event_info_t event = { .size = sizeof(event) };
	bool has_umask = false;
	char name[128];

	if (pfm_get_event_info(idx, PFM_OS_NONE, &event) != PFM_SUCCESS)
		return;
	for (int i = 0; i < event.nattrs; i++) {
		pfm_event_attr_info_t attr = { .size = sizeof(attr) };

		if (pfm_get_event_attr_info(idx, i, PFM_OS_NONE, &attr) != PFM_SUCCESS ||
		    attr.type != PFM_ATTR_UMASK)
			continue;
		has_umask = true;
		snprintf(name, sizeof(name), "%s:%s", event.name, attr.name);
		fn(name, attr.desc, arg);
	}
	if (!has_umask)
		fn(event.name, event.desc, arg);
}

void pmu_pfm_each(void (*fn)(const char *name, const char *description, void *arg), void *arg)
{
	if (pfm_initialize() != PFM_SUCCESS)
		return;
	for (int pmu = PFM_PMU_NONE; pmu < PFM_PMU_MAX; pmu++) {
		pfm_pmu_info_t info = { .size = sizeof(info) };

		if (pfm_get_pmu_info((pfm_pmu_t)pmu, &info) != PFM_SUCCESS || !info.is_present ||
		    info.type != PFM_PMU_TYPE_CORE)
			continue;
		for (int i = info.first_event; i != -1; i = pfm_get_event_next(i))
			each_umask(i, fn, arg);
	}
}

unsigned int pmu_pfm_counters(void)
{
	if (pfm_initialize() != PFM_SUCCESS)
		return 0;
	for (int pmu = PFM_PMU_NONE; pmu < PFM_PMU_MAX; pmu++) {
		pfm_pmu_info_t info = { .size = sizeof(info) };

		if (pfm_get_pmu_info((pfm_pmu_t)pmu, &info) == PFM_SUCCESS && info.is_present &&
		    info.type == PFM_PMU_TYPE_CORE && info.num_cntrs > 0)
			return (unsigned int)info.num_cntrs;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pmu_models.c - names of the events of CPUs that are not here, through libpfm4.
 *
 * The numbers are the vendors': Intel's Software Developer's Manual, volume 3B, and its event
 * lists (config = umask << 8 | event); AMD's Processor Programming References (event bits 11:8
 * are config bits 35:32); Arm's Technical Reference Manuals. libpfm4 is told the model by
 * LIBPFM_FORCE_PMU, which it reads once: every test is a process of its own.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pmu.h"
#include "profiler/pmu_names.h"

struct model_event {
	const char *name;
	uint64_t config, config1;
};

static void expect_model(const char *pmu, const struct model_event *events, size_t n)
{
	struct event_spec spec;
	char err[PMU_ERROR_BYTES] = "";

	setenv("LIBPFM_FORCE_PMU", pmu, 1);
	for (size_t i = 0; i < n; i++) {
		cr_assert(eq(int, pmu_parse(events[i].name, &spec, 1, err, sizeof(err)), 1),
			  "%s, %s: %s", pmu, events[i].name, err);
		cr_expect(eq(u32, spec.attr.type, PERF_TYPE_RAW), "%s", events[i].name);
		cr_expect(eq(u64, spec.attr.config, events[i].config), "%s", events[i].name);
		cr_expect(eq(u64, spec.attr.config1, events[i].config1), "%s", events[i].name);
	}
	cr_expect(not(eq(uint, pmu_pfm_counters(), 0)), "%s has counters", pmu);
	cr_expect(eq(int, pmu_parse("NO_SUCH_EVENT", &spec, 1, err, sizeof(err)), -ENOENT));
}

#define COUNT(events) (sizeof(events) / sizeof(events[0]))

#if defined(__x86_64__)
Test(pmu_models, skylake)
{
	static const struct model_event events[] = {
		{ "INST_RETIRED:ANY_P", 0xc0, 0 },
		{ "CPU_CLK_UNHALTED:THREAD_P", 0x3c, 0 },
		{ "LONGEST_LAT_CACHE:MISS", 0x412e, 0 },
		{ "MEM_LOAD_RETIRED:L3_MISS:u", 0x20d1, 0 },
		{ "BR_MISP_RETIRED:ALL_BRANCHES:pp", 0xc5, 0 },
	};

	expect_model("skl", events, COUNT(events));
}

Test(pmu_models, ice_lake)
{
	static const struct model_event events[] = {
		{ "CPU_CLK_UNHALTED:DISTRIBUTED", 0x2ec, 0 },
		{ "MEM_INST_RETIRED:ALL_LOADS", 0x81d0, 0 },
		{ "LONGEST_LAT_CACHE:MISS", 0x412e, 0 },
		/* MSR_PEBS_FRONTEND goes to config1 */
		{ "FRONTEND_RETIRED:DSB_MISS:p", 0x1c6, 0x11 },
		/* cmask=1 in bits 31:24, inv in bit 23 */
		{ "UOPS_ISSUED:ANY:c=1:i", 0x180010e, 0 },
	};

	expect_model("icl", events, COUNT(events));
}

Test(pmu_models, sapphire_rapids)
{
	static const struct model_event events[] = {
		{ "INST_RETIRED:ANY_P", 0xc0, 0 },
		{ "CPU_CLK_UNHALTED:DISTRIBUTED", 0x2ec, 0 },
		{ "LONGEST_LAT_CACHE:MISS", 0x412e, 0 },
	};

	expect_model("spr", events, COUNT(events));
}

Test(pmu_models, zen3)
{
	static const struct model_event events[] = {
		{ "CYCLES_NOT_IN_HALT", 0x76, 0 },
		{ "RETIRED_INSTRUCTIONS", 0xc0, 0 },
		{ "RETIRED_BRANCH_INSTRUCTIONS_MISPREDICTED", 0xc3, 0 },
		{ "RETIRED_BRANCH_MISPREDICTED_DIRECTION_MISMATCH", 0x1000000c7, 0 },
		{ "OP_CACHE_HIT_MISS:OC_MISS:u", 0x20000048f, 0 },
	};

	expect_model("amd64_fam19h_zen3", events, COUNT(events));
}

Test(pmu_models, zen4)
{
	static const struct model_event events[] = {
		{ "CYCLES_NOT_IN_HALT", 0x76, 0 },
		{ "RETIRED_INSTRUCTIONS:k", 0xc0, 0 },
		{ "RETIRED_BRANCH_INSTRUCTIONS_MISPREDICTED", 0xc3, 0 },
		{ "IC_TAG_HIT_MISS:IC_MISS", 0x10000188e, 0 },
	};

	expect_model("amd64_fam19h_zen4", events, COUNT(events));
}

/* A unit mask that looks like our letters is not taken for them, nor the other way round. */
Test(pmu_models, unit_masks_and_modifiers)
{
	struct event_spec spec;
	char err[PMU_ERROR_BYTES];

	setenv("LIBPFM_FORCE_PMU", "skl", 1);
	cr_assert(eq(int, pmu_parse("LONGEST_LAT_CACHE:MISS:ku", &spec, 1, err, sizeof(err)), 1));
	cr_expect(eq(int, (int)spec.mode, MODE_ANY));
	cr_expect(
		eq(int, pmu_parse("LONGEST_LAT_CACHE:NONE", &spec, 1, err, sizeof(err)), -EINVAL));
	cr_expect(eq(int, pmu_parse("LONGEST_LAT_CACHE:MISS:pppp", &spec, 1, err, sizeof(err)),
		     -EOPNOTSUPP));
	cr_expect(eq(int,
		     pmu_parse("LONGEST_LAT_CACHE:MISS:precise=1", &spec, 1, err, sizeof(err)) < 0,
		     1));
}
#endif

#if defined(__aarch64__)
Test(pmu_models, neoverse_n1)
{
	static const struct model_event events[] = {
		{ "CPU_CYCLES", 0x11, 0 },
		{ "INST_RETIRED", 0x08, 0 },
		{ "BR_MIS_PRED_RETIRED", 0x22, 0 },
	};

	expect_model("arm_n1", events, COUNT(events));
}

Test(pmu_models, cortex_a57)
{
	static const struct model_event events[] = {
		{ "CPU_CYCLES", 0x11, 0 },
		{ "INST_RETIRED", 0x08, 0 },
		{ "BRANCH_MISPRED", 0x10, 0 },
	};

	expect_model("arm_ac57", events, COUNT(events));
}
#endif

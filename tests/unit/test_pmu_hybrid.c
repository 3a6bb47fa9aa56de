/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pmu_hybrid.c - machines whose cores are of several kinds, and PMUs that nobody has heard
 * of, as sysfs shows them; made up in a directory.
 *
 * How generic events are addressed: tools/perf/Documentation/intel-hybrid.txt of the kernel
 * (type of the PMU in the upper half of config), and for arm64 the CPU on which they are opened.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/pmu_encode.h"
#include "tests/unit/sysfs_tree.h"

#define ROOM 64

static const struct sysfs_entry intel[] = {
	{ "/cpu_atom", NULL },
	{ "/cpu_atom/events", NULL },
	{ "/cpu_atom/format", NULL },
	{ "/cpu_atom/type", "10\n" },
	{ "/cpu_atom/cpus", "8-11\n" },
	{ "/cpu_atom/format/event", "config:0-7\n" },
	{ "/cpu_atom/format/umask", "config:8-15\n" },
	{ "/cpu_atom/format/ldlat", "config1:0-15\n" },
	{ "/cpu_atom/events/cpu-cycles", "event=0x3c\n" },
	{ "/cpu_atom/events/mem-loads", "event=0xd0,umask=0x5,ldlat=3\n" },
	{ "/cpu_core", NULL },
	{ "/cpu_core/caps", NULL },
	{ "/cpu_core/events", NULL },
	{ "/cpu_core/format", NULL },
	{ "/cpu_core/type", "4\n" },
	{ "/cpu_core/cpus", "0-7\n" },
	{ "/cpu_core/caps/max_precise", "3\n" },
	{ "/cpu_core/format/event", "config:0-7\n" },
	{ "/cpu_core/format/umask", "config:8-15\n" },
	{ "/cpu_core/format/ldlat", "config1:0-15\n" },
	{ "/cpu_core/events/mem-loads", "event=0xcd,umask=0x1,ldlat=3\n" },
	{ "/cpu_core/events/topdown-bad-spec", "event=0x00,umask=0x81\n" },
	{ "/uncore_imc", NULL },
	{ "/uncore_imc/type", "20\n" },
	{ "/uncore_imc/cpumask", "0\n" },
	{ "/software", NULL },
	{ "/software/type", "1\n" },
	{ NULL, NULL },
};

static const struct sysfs_entry arm[] = {
	{ "/armv8_cortex_a53", NULL },
	{ "/armv8_cortex_a53/format", NULL },
	{ "/armv8_cortex_a53/events", NULL },
	{ "/armv8_cortex_a53/type", "8\n" },
	{ "/armv8_cortex_a53/cpus", "0-3\n" },
	{ "/armv8_cortex_a53/format/event", "config:0-15\n" },
	{ "/armv8_cortex_a53/events/inst_retired", "event=0x0008\n" },
	{ "/armv8_cortex_a72", NULL },
	{ "/armv8_cortex_a72/format", NULL },
	{ "/armv8_cortex_a72/events", NULL },
	{ "/armv8_cortex_a72/type", "9\n" },
	{ "/armv8_cortex_a72/cpus", "4,5\n" },
	{ "/armv8_cortex_a72/format/event", "config:0-15\n" },
	{ "/armv8_cortex_a72/events/inst_retired", "event=0x0008\n" },
	{ NULL, NULL },
};

/* All CPUs of the other kind are offline. */
static const struct sysfs_entry one_kind_left[] = {
	{ "/cpu_atom", NULL }, { "/cpu_atom/type", "10\n" }, { "/cpu_atom/cpus", "\n" },
	{ "/cpu_core", NULL }, { "/cpu_core/type", "4\n" },  { "/cpu_core/cpus", "0-7\n" },
	{ NULL, NULL },
};

/* A CPU of the day after tomorrow. */
static const struct sysfs_entry unknown[] = {
	{ "/cpu", NULL },
	{ "/cpu/events", NULL },
	{ "/cpu/format", NULL },
	{ "/cpu/type", "4\n" },
	{ "/cpu/format/event", "config:0-7,32-35\n" },
	{ "/cpu/format/umask", "config:8-15\n" },
	{ "/cpu/format/metric", "config2:4-7\n" },
	{ "/cpu/events/frobs", "event=0x12e,umask=0x41\n" },
	{ "/cpu/events/topdown.frobs", "event=0x01,metric=5\n" },
	{ NULL, NULL },
};

/* libpfm4 is to know the generic events only, and none of the CPU that runs this. */
static void forget_this_cpu(void)
{
	setenv("LIBPFM_FORCE_PMU", "perf", 1);
}

TestSuite(pmu_hybrid, .init = forget_this_cpu);

/* One event: name<leader type:config cpus */
static void describe(const struct event_spec *spec, char *ret, size_t ret_bytes)
{
	char leader[16] = "", cpus[64] = "";

	if (spec->leader)
		snprintf(leader, sizeof(leader), "<%u", spec->leader);
	for (uint32_t cpu = 0; spec->cpus.count && cpu < 64; cpu++)
		if (cpulist_has(&spec->cpus, cpu))
			snprintf(cpus + strlen(cpus), sizeof(cpus) - strlen(cpus), "%s%u",
				 *cpus ? "," : " ", cpu);
	snprintf(ret, ret_bytes, "%s%s %u:%llx%s", spec->typed, leader, spec->attr.type,
		 (unsigned long long)spec->attr.config, cpus);
}

static void expect_events(const char *root, const char *text, const char *expected)
{
	static struct event_spec events[ROOM];
	char err[PMU_ERROR_BYTES] = "", all[1024] = "", one[PMU_NAME_BYTES + 128];
	int n = pmu_parse_in(root, text, events, ROOM, err, sizeof(err));

	cr_assert(gt(int, n, 0), "%s: %s", text, err);
	for (int i = 0; i < n; i++) {
		describe(&events[i], one, sizeof(one));
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? "; " : "", one);
	}
	cr_expect(eq(int, strcmp(all, expected), 0), "%s is\n%s, not\n%s", text, all, expected);
}

#define ATOM " 8,9,10,11"
#define CORE " 0,1,2,3,4,5,6,7"

Test(pmu_hybrid, one_event_for_each_kind_of_core)
{
	static const struct {
		const char *text, *events;
	} cases[] = {
		{ "cycles",
		  "cpu_atom/cycles/ 0:a00000000" ATOM "; cpu_core/cycles/ 0:400000000" CORE },
		{ "instructions:u", "cpu_atom/instructions/u 0:a00000001" ATOM
				    "; cpu_core/instructions/u 0:400000001" CORE },
		{ "r1c2:kp", "cpu_atom/r1c2/kp 10:1c2" ATOM "; cpu_core/r1c2/kp 4:1c2" CORE },
		{ "L1-dcache-load-misses", "cpu_atom/L1-dcache-load-misses/ 3:a00010000" ATOM
					   "; cpu_core/L1-dcache-load-misses/ 3:400010000" CORE },
		/* each by its own number */
		{ "mem-loads",
		  "cpu_atom/mem-loads/ 10:5d0" ATOM "; cpu_core/mem-loads/ 4:1cd" CORE },
		/* only one of them has it */
		{ "topdown-bad-spec", "cpu_core/topdown-bad-spec/ 4:8100" CORE },
		/* the kernel's own events know no kinds */
		{ "cpu-clock", "cpu-clock 1:0" },
		{ "page-faults:u", "page-faults:u 1:2" },
	};
	char root[] = "/tmp/test-pmu-XXXXXX";

	sysfs_make(root, intel);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_events(root, cases[i].text, cases[i].events);
	sysfs_remove(root, intel);
}

/* What the recorder writes can be typed, and means the same. */
Test(pmu_hybrid, a_kind_can_be_chosen)
{
	static const struct {
		const char *text, *events;
	} cases[] = {
		{ "cpu_core/cycles/", "cpu_core/cycles/ 0:400000000" CORE },
		{ "cpu_atom/cycles/u", "cpu_atom/cycles/u 0:a00000000" ATOM },
		{ "cpu_atom/r1c2/kp", "cpu_atom/r1c2/kp 10:1c2" ATOM },
		{ "cpu_atom/L1-dcache-load-misses/",
		  "cpu_atom/L1-dcache-load-misses/ 3:a00010000" ATOM },
		{ "cpu_atom/mem-loads/", "cpu_atom/mem-loads/ 10:5d0" ATOM },
		{ "cpu_core/event=0x3c,umask=1/P", "cpu_core/event=0x3c,umask=1/P 4:13c" CORE },
		/* sysfs first, where it has the name */
		{ "cpu_atom/cpu-cycles/", "cpu_atom/cpu-cycles/ 10:3c" ATOM },
	};
	char root[] = "/tmp/test-pmu-XXXXXX", err[PMU_ERROR_BYTES];
	struct event_spec event;

	sysfs_make(root, intel);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_events(root, cases[i].text, cases[i].events);
	cr_expect(eq(int, pmu_parse_in(root, "uncore_imc/cycles/", &event, 1, err, sizeof(err)),
		     -EINVAL),
		  "that PMU has no cycles");
	cr_expect(eq(int, pmu_parse_in(root, "cpu_core/page-faults/", &event, 1, err, sizeof(err)),
		     -EINVAL),
		  "and this one no page faults");
	sysfs_remove(root, intel);
}

/* The counters of a group are of one PMU, whose CPUs are those of all its events. */
Test(pmu_hybrid, one_group_for_each_kind_of_core)
{
	static const struct {
		const char *text, *events;
	} cases[] = {
		{ "{cycles,instructions}",
		  "cpu_atom/cycles/ 0:a00000000" ATOM "; cpu_atom/instructions/<1 0:a00000001" ATOM
		  "; cpu_core/cycles/ 0:400000000" CORE
		  "; cpu_core/instructions/<3 0:400000001" CORE },
		{ "{cycles,faults}:u",
		  "cpu_atom/cycles/u 0:a00000000" ATOM "; faults:u<1 1:2" ATOM
		  "; cpu_core/cycles/u 0:400000000" CORE "; faults:u<3 1:2" CORE },
		{ "{cpu_core/cycles/,instructions}",
		  "cpu_core/cycles/ 0:400000000" CORE
		  "; cpu_core/instructions/<1 0:400000001" CORE },
		{ "{cycles,cpu_core/mem-loads/}",
		  "cpu_atom/cycles/ 0:a00000000" ATOM "; cpu_core/cycles/ 0:400000000" CORE
		  "; cpu_core/mem-loads/<2 4:1cd" CORE },
		{ "{cycles,topdown-bad-spec}",
		  "cpu_atom/cycles/ 0:a00000000" ATOM "; cpu_core/cycles/ 0:400000000" CORE
		  "; cpu_core/topdown-bad-spec/<2 4:8100" CORE },
		/* one clock on all CPUs, and on each what it has */
		{ "{cpu-clock,cycles},cs", "cpu-clock 1:0; cpu_atom/cycles/<1 0:a00000000" ATOM
					   "; cpu_core/cycles/<1 0:400000000" CORE "; cs 1:3" },
	};
	char root[] = "/tmp/test-pmu-XXXXXX", err[PMU_ERROR_BYTES];
	struct event_spec events[3];

	sysfs_make(root, intel);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_events(root, cases[i].text, cases[i].events);
	cr_expect(eq(int, pmu_parse_in(root, "{cycles,instructions}", events, 3, err, sizeof(err)),
		     -E2BIG));
	cr_expect(eq(int,
		     pmu_parse_in(root, "{cpu-clock,r1,r2,r3,r4}", events, 3, err, sizeof(err)),
		     -E2BIG));
	sysfs_remove(root, intel);
}

Test(pmu_hybrid, arm64)
{
	static const struct {
		const char *text, *events;
	} cases[] = {
		{ "cycles",
		  "armv8_cortex_a53/cycles/ 0:0 0,1,2,3; armv8_cortex_a72/cycles/ 0:0 4,5" },
		{ "r11:u", "armv8_cortex_a53/r11/u 8:11 0,1,2,3; armv8_cortex_a72/r11/u 9:11 4,5" },
		{ "inst_retired", "armv8_cortex_a53/inst_retired/ 8:8 0,1,2,3; "
				  "armv8_cortex_a72/inst_retired/ 9:8 4,5" },
		{ "armv8_cortex_a72/cycles/", "armv8_cortex_a72/cycles/ 0:0 4,5" },
	};
	char root[] = "/tmp/test-pmu-XXXXXX";

	sysfs_make(root, arm);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_events(root, cases[i].text, cases[i].events);
	sysfs_remove(root, arm);
}

Test(pmu_hybrid, one_kind_left)
{
	char root[] = "/tmp/test-pmu-XXXXXX";

	sysfs_make(root, one_kind_left);
	expect_events(root, "cycles", "cycles 0:0");
	expect_events(root, "r3c", "r3c 4:3c");
	expect_events(root, "cpu_core/cycles/", "cpu_core/cycles/ 0:0" CORE);
	sysfs_remove(root, one_kind_left);
}

Test(pmu_hybrid, a_pmu_without_names)
{
	static const struct {
		const char *text, *events;
	} cases[] = {
		{ "cycles", "cycles 0:0" },
		{ "r10000412e:u", "r10000412e:u 4:10000412e" },
		{ "frobs", "frobs 4:10000412e" },
		{ "{cycles,frobs}", "cycles 0:0; frobs<1 4:10000412e" },
		{ "cpu/event=0x3c,umask=0x01/kP", "cpu/event=0x3c,umask=0x01/kP 4:13c" },
		{ "cpu/frobs,umask=2/", "cpu/frobs,umask=2/ 4:10000022e" },
		{ "cpu/cycles/u", "cpu/cycles/u 0:0" },
	};
	char root[] = "/tmp/test-pmu-XXXXXX", err[PMU_ERROR_BYTES];
	struct event_spec event;

	sysfs_make(root, unknown);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_events(root, cases[i].text, cases[i].events);
	cr_assert(eq(int, pmu_parse_in(root, "topdown.frobs", &event, 1, err, sizeof(err)), 1));
	cr_expect(eq(u64, event.attr.config2, 0x50));
	sysfs_remove(root, unknown);
}

Test(pmu_hybrid, max_precise)
{
	char root[] = "/tmp/test-pmu-XXXXXX";

	sysfs_make(root, intel);
	cr_expect(eq(int, pmu_sysfs_max_precise(root, "cpu_core"), 3));
	cr_expect(eq(int, pmu_sysfs_max_precise(root, "cpu_atom"), -ENOENT));
	sysfs_remove(root, intel);
}

/* The list shows nothing that does not open, whatever sysfs says; a PMU of software type does. */
Test(pmu_hybrid, the_list_tries_what_sysfs_names)
{
	static const struct sysfs_entry tree[] = {
		{ "/gadget", NULL },
		{ "/gadget/events", NULL },
		{ "/gadget/type", "1\n" },
		{ "/gadget/events/faults", "config=2\n" },
		{ "/gadget/events/nothing", "config=1000\n" },
		{ "/phantom", NULL },
		{ "/phantom/events", NULL },
		{ "/phantom/type", "1000\n" },
		{ "/phantom/events/ghosts", "config=1\n" },
		{ NULL, NULL },
	};
	char root[] = "/tmp/test-pmu-XXXXXX", *text = NULL;
	size_t bytes = 0;

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	sysfs_make(root, tree);
	FILE *out = open_memstream(&text, &bytes);
	cr_expect(eq(int, pmu_list_in(root, out, 0), 0));
	fclose(out);
	char *refused = strstr(text, "does not open here");
	cr_assert(not(eq(ptr, refused, NULL)));
	char *opens = strstr(text, "\n  gadget/faults/");
	cr_expect(opens && opens < refused, "%s", text);
	cr_expect(strstr(text, "gadget/nothing/") > refused, "%s", text);
	cr_expect(strstr(text, "phantom/ghosts/") > refused, "%s", text);
	free(text);
	sysfs_remove(root, tree);
}

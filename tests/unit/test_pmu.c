/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pmu.c - names of events, rates and their limits, messages, and on this
 * machine, as root, that what should open does.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/pmu.h"
#include "profiler/pmu_names.h"
#include "tests/unit/sysfs_tree.h"

TestSuite(pmu, .init = need_one_kind_of_core);

/* eq(str, ...) does not take a const char *. */
#define expect_text(actual, expected) \
	cr_expect(eq(int, strcmp(actual, expected), 0), "'%s' is not '%s'", actual, expected)

static struct event_spec parsed(const char *name)
{
	struct event_spec spec = { .weight_shift = 77 };
	char err[PMU_ERROR_BYTES] = "";

	cr_assert(eq(int, pmu_parse(name, &spec, 1, err, sizeof(err)), 1), "%s: %s", name, err);
	return spec;
}

Test(pmu, names)
{
	static const struct {
		const char *name;
		uint32_t type;
		uint64_t config;
	} cases[] = {
		{ "cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK },
		{ "task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
		{ "page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
		{ "faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
		{ "minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN },
		{ "major-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ },
		{ "context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
		{ "cs", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
		{ "cpu-migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS },
		{ "alignment-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS },
		{ "emulation-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS },
		{ "cgroup-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CGROUP_SWITCHES },
		{ "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
		{ "cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
		{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
		{ "cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES },
		{ "cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
		{ "branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
		{ "branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
		{ "ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES },
		{ "stalled-cycles-frontend", PERF_TYPE_HARDWARE,
		  PERF_COUNT_HW_STALLED_CYCLES_FRONTEND },
		{ "r01c2", PERF_TYPE_RAW, 0x1c2 },
		/* libpfm4's names */
		{ "PERF_COUNT_HW_CPU_CYCLES", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
		{ "perf::PAGE-FAULTS", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
		{ "L1-dcache-load-misses", PERF_TYPE_HW_CACHE,
		  PERF_COUNT_HW_CACHE_L1D | PERF_COUNT_HW_CACHE_RESULT_MISS << 16 },
		{ "PERF_COUNT_HW_CACHE_LL:WRITE:ACCESS", PERF_TYPE_HW_CACHE,
		  PERF_COUNT_HW_CACHE_LL | PERF_COUNT_HW_CACHE_OP_WRITE << 8 },
		/* sysfs: the PMU that every kernel has */
		{ "software/config=2/", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_spec spec = parsed(cases[i].name);

		cr_expect(eq(u32, spec.attr.type, cases[i].type), "%s", cases[i].name);
		cr_expect(eq(u64, spec.attr.config, cases[i].config), "%s", cases[i].name);
		expect_text(spec.name, cases[i].name);
		expect_text(spec.requested, "");
	}
}

Test(pmu, attributes)
{
	struct event_spec clock = parsed("cpu-clock"), cycles = parsed("cycles");
	const uint64_t times = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;

	cr_expect(clock.clock);
	expect_text(clock.unit, "nanoseconds");
	cr_expect(clock.attr.use_clockid && clock.attr.clockid == CLOCK_BOOTTIME);
	cr_expect(not(cycles.clock));
	expect_text(cycles.unit, "count");
	cr_expect(not(cycles.attr.use_clockid), "hardware PMUs refuse BOOTTIME");
	cr_expect(eq(u64, cycles.attr.read_format, times));
	cr_expect(cycles.attr.disabled && cycles.attr.sample_id_all);
	cr_expect(eq(u64, cycles.attr.sample_type, PERF_SAMPLE_TIME));
}

Test(pmu, modifiers)
{
	static const struct {
		const char *name, *modifier;
		enum mode_filter mode;
	} cases[] = {
		{ "cycles", "", MODE_ANY },
		{ "cycles:u", "u", MODE_USER_ONLY },
		{ "cpu-clock:k", "k", MODE_KERNEL_ONLY },
		{ "cycles:uk", "", MODE_ANY },
		{ "r3c:u", "u", MODE_USER_ONLY },
		{ "software/config=2/:k", "k", MODE_KERNEL_ONLY },
		{ "PERF_COUNT_HW_CACHE_LL:READ:u", "u", MODE_USER_ONLY },
		{ "software/config=2/k", "k", MODE_KERNEL_ONLY },
		{ "cycles:upp", "u", MODE_USER_ONLY },
		{ "cycles:Pk", "k", MODE_KERNEL_ONLY },
		{ "cycles:ukp", "", MODE_ANY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_spec spec = parsed(cases[i].name);

		cr_expect(eq(int, (int)spec.mode, (int)cases[i].mode), "%s", cases[i].name);
		expect_text(spec.modifier, cases[i].modifier);
		size_t len = strlen(spec.name);
		cr_expect(eq(int, strncmp(spec.name, cases[i].name, len), 0));
		cr_expect(eq(int, !cases[i].name[len], i == 0), "'%s' has no modifier", spec.name);
		cr_expect(not(spec.attr.exclude_user || spec.attr.exclude_kernel ||
			      spec.attr.exclude_hv || spec.attr.exclude_idle),
			  "%s: modes are filtered in the program, not by the kernel",
			  cases[i].name);
	}
}

/* A program that asks for call chains can only be attached if the event has them too. */
Test(pmu, precise_levels)
{
	static const struct {
		const char *name;
		uint32_t level;
		bool highest;
	} cases[] = {
		{ "cycles", 0, false },	    { "cycles:p", 1, false },	{ "cycles:pp", 2, false },
		{ "cycles:ppp", 3, false }, { "cycles:kpp", 2, false }, { "r3c:up", 1, false },
		{ "cycles:P", 3, true },    { "cycles:uP", 3, true },	{ "cpu-clock:P", 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_spec spec = parsed(cases[i].name);
		bool chains = spec.attr.sample_type & PERF_SAMPLE_CALLCHAIN;

		cr_expect(eq(u32, spec.attr.precise_ip, cases[i].level), "%s", cases[i].name);
		cr_expect(eq(int, spec.precise_max, cases[i].highest), "%s", cases[i].name);
		cr_expect(eq(int, chains, cases[i].level > 0), "%s", cases[i].name);
		cr_expect(not(spec.attr.exclude_callchain_user ||
			      spec.attr.exclude_callchain_kernel));
	}
}

/* Where cycles do not open at any level there is none; else it opens with what was found. */
Test(pmu, a_precise_level_that_opens)
{
	struct event_spec spec = parsed("cycles:P");
	uint32_t failed;

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	pmu_find_precise(&spec, 0);
	if (!spec.attr.precise_ip)
		cr_expect(not(spec.attr.sample_type & PERF_SAMPLE_CALLCHAIN));
	else
		cr_expect(eq(int, pmu_probe(&spec, 1, 0, &failed), 0));
}

#define MODIFIERS                                                                                \
	" not supported; they are :u (user mode only), :k (kernel only), and precise levels :p " \
	"to "                                                                                    \
	":ppp and :P"

Test(pmu, refusals)
{
	static const struct {
		const char *name;
		int error;
		const char *message;
	} cases[] = {
		{ "foo", -ENOENT, "no such event on this CPU; profiler --list-events shows them" },
		{ "", -EINVAL,
		  "a name has 1 to 127 characters; profiler --list-events shows events" },
		{ "cycles:pppp", -EOPNOTSUPP, "modifier 'pppp'" MODIFIERS },
		{ "cycles:ppP", -EOPNOTSUPP, "modifier 'ppP'" MODIFIERS },
		{ "software/config=2/:x", -EOPNOTSUPP, "modifier 'x'" MODIFIERS },
		{ "software/config=2/ux", -EOPNOTSUPP, "modifier 'ux'" MODIFIERS },
		{ "software/config=2/:", -EOPNOTSUPP, "modifier ''" MODIFIERS },
		{ "cpu-clock:pp", -EOPNOTSUPP,
		  "a software event has no precise level; leave the p out" },
		{ "cycles:precise=2", -EOPNOTSUPP, "modifier" MODIFIERS },
		{ "cycles:period=5", -EOPNOTSUPP, "modifier" MODIFIERS },
		{ "cycles:foo", -EINVAL,
		  "the event has no such unit mask or modifier; profiler --list-events shows "
		  "unit masks, modifiers are of the letters u, k, p and P" },
		{ "nosuch:tracepoint", -ENOENT,
		  "no such event on this CPU, and tracepoints, probes and breakpoints cannot be "
		  "sampled; profiler --list-events shows what can" },
		{ "tracepoint/config=1/", -EOPNOTSUPP,
		  "tracepoints, probes and breakpoints cannot be sampled; profiler --list-events "
		  "shows what can" },
		{ "breakpoint/config=1/", -EOPNOTSUPP,
		  "tracepoints, probes and breakpoints cannot be sampled; profiler --list-events "
		  "shows what can" },
		{ "software/config=9/", -EOPNOTSUPP,
		  "it never counts; profiler --list-events shows what can be sampled" },
		{ "software/config=10/", -EOPNOTSUPP,
		  "it never counts; profiler --list-events shows what can be sampled" },
		{ "nosuch/event=1/", -ENOENT, "no PMU 'nosuch' here; " PMU_SYSFS " has them" },
		{ "../config=1/", -ENOENT, "no PMU '..' here; " PMU_SYSFS " has them" },
		{ "software/nosuch/", -EINVAL,
		  "PMU 'software' has no such event, term or value; see " PMU_SYSFS
		  "/software/events and format" },
		{ "software/config=2", -EINVAL,
		  "not of the form pmu/name/ or pmu/config=0x3c/; profiler --list-events shows "
		  "events" },
		{ "software//", -EINVAL,
		  "not of the form pmu/name/ or pmu/config=0x3c/; profiler --list-events shows "
		  "events" },
		{ "r", -ENOENT, "no such event on this CPU; profiler --list-events shows them" },
		{ "r11112222333344445", -ENOENT,
		  "no such event on this CPU; profiler --list-events shows them" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_spec spec;
		char err[PMU_ERROR_BYTES] = "";

		cr_expect(eq(int, pmu_parse(cases[i].name, &spec, 1, err, sizeof(err)),
			     cases[i].error),
			  "%s", cases[i].name);
		expect_text(err, cases[i].message);
	}
}

Test(pmu, a_name_too_long)
{
	char name[PMU_NAME_BYTES + 1], err[PMU_ERROR_BYTES];
	struct event_spec spec;

	memset(name, 'x', PMU_NAME_BYTES);
	name[PMU_NAME_BYTES] = '\0';
	cr_expect(eq(int, pmu_parse(name, &spec, 1, err, sizeof(err)), -EINVAL));
	name[PMU_NAME_BYTES - 1] = '\0';
	cr_expect(eq(int, pmu_parse(name, &spec, 1, err, sizeof(err)), -ENOENT));
}

Test(pmu, clocks_have_a_fixed_period)
{
	struct event_spec spec = parsed("cpu-clock");
	char note[PMU_ERROR_BYTES];

	cr_assert(eq(int, pmu_set_hz(&spec, 99, 100000, note, sizeof(note)), 0));
	expect_text(note, "");
	cr_expect(not(spec.frequency_mode || spec.attr.freq));
	cr_expect(spec.asked_in_hz);
	cr_expect(eq(u64, spec.asked, 99));
	cr_expect(eq(u64, spec.granted, 99));
	cr_expect(eq(u64, spec.attr.sample_period, 10101010));
	cr_expect(eq(u32, spec.weight_shift, 0));
	cr_assert(eq(int, pmu_set_hz(&spec, 3, 100000, note, sizeof(note)), 0));
	cr_expect(eq(u64, spec.attr.sample_period, 333333333));
}

Test(pmu, rates_over_the_limit_are_lowered)
{
	struct event_spec clock = parsed("cpu-clock"), faults = parsed("page-faults");
	char note[PMU_ERROR_BYTES];

	cr_assert(eq(int, pmu_set_hz(&faults, 10001, 10000, note, sizeof(note)), 0));
	expect_text(note, "page-faults: 10001 Hz lowered to 10000 Hz, the limit of "
			  "kernel.perf_event_max_sample_rate; raise it with sysctl");
	cr_expect(faults.frequency_mode && faults.attr.freq);
	cr_expect(eq(u64, faults.attr.sample_freq, 10000));
	cr_expect(eq(u64, faults.asked, 10001));
	cr_expect(eq(u64, faults.granted, 10000));
	cr_assert(eq(int, pmu_set_hz(&faults, 10000, 10000, note, sizeof(note)), 0));
	expect_text(note, "");
	cr_assert(eq(int, pmu_set_hz(&clock, 500000, 1000000, note, sizeof(note)), 0));
	expect_text(note, "cpu-clock: 500000 Hz lowered to 100000 Hz, the kernel's limit for clock "
			  "events");
	cr_expect(eq(u64, clock.attr.sample_period, 10000));
	cr_expect(eq(int, pmu_set_hz(&clock, 0, 100, note, sizeof(note)), -EINVAL));
	cr_expect(eq(int, pmu_set_hz(&clock, 1, 0, note, sizeof(note)), -EINVAL));
}

Test(pmu, counts)
{
	struct event_spec clock = parsed("cpu-clock"), faults = parsed("page-faults");
	char note[PMU_ERROR_BYTES];

	cr_assert(eq(int, pmu_set_count(&faults, 1, 100000, note, sizeof(note)), 0));
	expect_text(note, "");
	cr_expect(not(faults.frequency_mode || faults.asked_in_hz || faults.attr.freq));
	cr_expect(eq(u64, faults.attr.sample_period, 1));
	cr_assert(eq(int, pmu_set_count(&clock, 1, 100000, note, sizeof(note)), 0));
	expect_text(note,
		    "cpu-clock: period of 1 ns raised to 10000 ns, the kernel's limit for clock "
		    "events");
	cr_expect(eq(u64, clock.granted, 10000));
	cr_assert(eq(int, pmu_set_count(&clock, 20000, 30000, note, sizeof(note)), 0));
	expect_text(note, "cpu-clock: period of 20000 ns raised to 33334 ns, the limit of "
			  "kernel.perf_event_max_sample_rate");
	cr_expect(eq(int, pmu_set_count(&faults, 0, 100000, note, sizeof(note)), -EINVAL));
	cr_expect(eq(int, pmu_set_count(&faults, 1ull << 62, 100000, note, sizeof(note)), -EINVAL));
}

Test(pmu, weights_fit_32_bits)
{
	struct event_spec spec = parsed("instructions"), faults = parsed("page-faults");
	char note[PMU_ERROR_BYTES];

	cr_assert(eq(int, pmu_set_count(&spec, UINT32_MAX, 1000, note, sizeof(note)), 0));
	cr_expect(eq(u32, spec.weight_shift, 0));
	cr_assert(eq(int, pmu_set_count(&spec, 1ull << 32, 1000, note, sizeof(note)), 0));
	cr_expect(eq(u32, spec.weight_shift, 1));
	cr_assert(eq(int, pmu_set_count(&spec, (1ull << 62) - 1, 1000, note, sizeof(note)), 0));
	cr_expect(eq(u32, spec.weight_shift, 30));
	cr_assert(eq(int, pmu_set_hz(&spec, 99, 1000, note, sizeof(note)), 0));
	cr_expect(eq(u32, spec.weight_shift, 0));
	cr_assert(eq(int, pmu_set_hz(&spec, 1, 1000, note, sizeof(note)), 0));
	cr_expect(eq(u32, spec.weight_shift, 4), "48e9 instructions a second");
	cr_assert(eq(int, pmu_set_hz(&faults, 1, 1000, note, sizeof(note)), 0));
	cr_expect(eq(u32, faults.weight_shift, 0), "a shift would lose single faults");
}

static const struct sysfs_entry tree[] = {
	{ "/cpu", NULL },
	{ "/cpu/events", NULL },
	{ "/cpu/format", NULL },
	{ "/cpu/caps", NULL },
	{ "/cpu/type", "4\n" },
	{ "/cpu/caps/max_precise", "2\n" },
	{ "/cpu/events/frobs", "event=0x2e,umask=0x41\n" },
	{ "/cpu/events/frobs.scale", "1\n" },
	{ "/cpu/events/asks", "event=0x2e,umask=?\n" },
	{ "/cpu/events/loops", "loops\n" },
	{ "/cpu/format/event", "config:0-7,32-35\n" },
	{ "/cpu/format/umask", "config:8-15\n" },
	{ "/cpu/format/any", "config:21\n" },
	{ "/cpu/format/ldlat", "config1:0-15\n" },
	{ "/cpu/format/broken", "config:70\n" },
	{ NULL, NULL },
};

static int count_events(const char *pmu, const char *event, void *arg)
{
	int *count = arg;

	cr_expect(eq(int, strcmp(pmu, "cpu"), 0));
	cr_expect(eq(ptr, strstr(event, ".scale"), NULL));
	(*count)++;
	return 0;
}

Test(pmu, sysfs)
{
	static const struct {
		const char *terms;
		int result;
		uint64_t config, config1;
	} cases[] = {
		{ "frobs", 0, 0x412e, 0 },
		{ "event=0x12e,umask=1", 0, 0x10000012e, 0 },
		{ "event=0x3c", 0, 0x3c, 0 },
		{ "event=60,any", 0, 0x20003c, 0 },
		{ "frobs,umask=0x2,ldlat=30", 0, 0x022e, 30 },
		{ "config=0x123,config1=7", 0, 0x123, 7 },
		{ "event=0x1000", -EINVAL, 0, 0 }, /* 13 bits into 12 */
		{ "any=2", -EINVAL, 0, 0 },
		{ "broken=1", -EINVAL, 0, 0 },
		{ "event=", -EINVAL, 0, 0 },
		{ "event=0x", -EINVAL, 0, 0 },
		{ "event=-1", -EINVAL, 0, 0 },
		{ "asks", -EINVAL, 0, 0 },
		{ "loops", -EINVAL, 0, 0 },
		{ "nothing", -EINVAL, 0, 0 },
		{ "../type", -EINVAL, 0, 0 },
	};
	char root[] = "/tmp/test-pmu-XXXXXX";
	int count = 0;

	sysfs_make(root, tree);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pmu_encoding enc = { .type = 77 };
		int result = pmu_sysfs_encode(root, "cpu", cases[i].terms, &enc);

		cr_expect(eq(int, result, cases[i].result), "%s", cases[i].terms);
		cr_expect(eq(u32, enc.type, result ? 77 : 4), "%s", cases[i].terms);
		cr_expect(eq(u64, enc.config, cases[i].config), "%s", cases[i].terms);
		cr_expect(eq(u64, enc.config1, cases[i].config1), "%s", cases[i].terms);
	}
	struct pmu_encoding enc;
	cr_expect(eq(int, pmu_sysfs_encode(root, "gpu", "x", &enc), -ENODEV));
	pmu_sysfs_each(root, count_events, &count);
	cr_expect(eq(int, count, 3));
	sysfs_remove(root, tree);
}

Test(pmu, explanations)
{
	struct event_spec cycles = parsed("cycles"), cs = parsed("cs");
	char text[PMU_ERROR_BYTES];

	pmu_explain(-ENOENT, &cycles, text, sizeof(text));
	cr_expect(not(eq(ptr, strstr(text, "virtual machines; use -e cpu-clock"), NULL)), "%s",
		  text);
	pmu_explain(-ENOENT, &cs, text, sizeof(text));
	expect_text(text, "this kernel does not have it; --list-events shows what opens");
	pmu_explain(-EACCES, &cs, text, sizeof(text));
	cr_expect(not(eq(ptr, strstr(text, "kernel.perf_event_paranoid is "), NULL)), "%s", text);
	cr_expect(not(eq(ptr, strstr(text, "CAP_PERFMON"), NULL)), "%s", text);
	static const int others[] = { EMFILE, ENODEV, EBUSY, EINVAL, ENOSYS, EOPNOTSUPP, ENOMEM };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		pmu_explain(-others[i], &cycles, text, sizeof(text));
		cr_expect(not(eq(ptr, strchr(text, ';'), NULL)), "cause; remedy: %s", text);
		cr_expect(lt(sz, strlen(text), 200), "%s", text);
	}
}

/* Live: software events open wherever a user may open any. */
Test(pmu, opens_software_events)
{
	static const char *const names[] = { "cpu-clock", "task-clock", "page-faults", "cs:u" };
	char note[PMU_ERROR_BYTES];

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct event_spec spec = parsed(names[i]);
		uint32_t failed;
		uint64_t values[3] = { 1, 1, 1 };

		cr_expect(eq(int, pmu_probe(&spec, 1, 0, &failed), 0), "%s", names[i]);
		cr_assert(eq(int,
			     pmu_set_hz(&spec, 1000, pmu_max_sample_rate(), note, sizeof(note)),
			     0));
		int fd = pmu_open(&spec, 0, -1);
		cr_assert(ge(int, fd, 0), "%s: %s", names[i], strerror(-fd));
		cr_expect(eq(sz, (size_t)read(fd, values, sizeof(values)), sizeof(values)));
		cr_expect(eq(u64, values[0], 0), "it is opened disabled");
		close(fd);
	}
}

/* A limit that the kernel lowers between asking and opening costs the rate, not the event. */
Test(pmu, lowers_the_rate_on_opening)
{
	struct event_spec spec = parsed("page-faults");
	uint32_t max_hz = pmu_max_sample_rate();
	char note[PMU_ERROR_BYTES];

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	cr_assert(eq(int, pmu_set_hz(&spec, 2 * (uint64_t)max_hz, UINT32_MAX, note, sizeof(note)),
		     0));
	int fd = pmu_open(&spec, 0, -1);
	cr_assert(ge(int, fd, 0), "%s", strerror(-fd));
	cr_expect(eq(u64, spec.granted, max_hz));
	cr_expect(eq(u64, spec.attr.sample_freq, max_hz));
	close(fd);
}

/* One group, and nothing in it that does not open together. */
Test(pmu, hardware_events_or_a_clock)
{
	struct event_spec events[MAX_EVENTS * PMU_HW_EVENTS];
	struct cpulist cpus;
	char note[PMU_ERROR_BYTES];
	uint32_t failed;

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	cr_assert(eq(int, cpulist_read("/sys/devices/system/cpu/online", &cpus), 0));
	int n = pmu_hw_events(events, sizeof(events) / sizeof(events[0]), &cpus, note,
			      sizeof(note));
	cr_assert(ge(int, n, 1), "%s", note);
	cr_expect(eq(u32, events[0].leader, 0));
	if (events[0].requested[0]) {
		cr_expect(eq(int, n, 1));
		expect_text(events[0].name, "cpu-clock");
		expect_text(events[0].requested, "cycles");
		cr_expect(not(eq(ptr, strstr(note, "no hardware counters here"), NULL)));
		return;
	}
	cr_expect(eq(u64, events[0].attr.config & UINT32_MAX, PERF_COUNT_HW_CPU_CYCLES));
	for (uint32_t i = 0, size; i < (uint32_t)n; i += size) {
		size = pmu_group_size(events, (uint32_t)n, i);
		cr_expect(eq(int,
			     pmu_probe(&events[i], size, pmu_cpu_for(&events[i], &cpus), &failed),
			     0));
	}
}

Test(pmu, list_fits_a_terminal)
{
	char *text = NULL, *save = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (geteuid() != 0)
		cr_skip_test("system-wide events need root");
	cr_expect(eq(int, pmu_list(out, 0), 0));
	fclose(out);
	cr_expect(not(eq(ptr, strstr(text, "\n  cpu-clock  "), NULL)), "%s", text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		cr_expect(le(sz, strlen(line), 80), "%s", line);
	free(text);
}

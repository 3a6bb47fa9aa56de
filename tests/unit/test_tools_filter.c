/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_filter.c - which samples a filter wants, and what it says when it is asked for
 * nonsense.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/tables.h"
#include "tools/filter.h"

#define START_NS UINT64_C(1000000000)

static struct filter filter;
static struct tables *tables;

enum {
	NGINX = 1, /* thread 1: its own name is "worker" */
	SHELL,	   /* thread 2 */
	NOWHERE,   /* thread 3, whose process was lost */
};

static void set_up(void)
{
	static const char *const text[] = { "nginx", "sh", "worker", "/web.slice/nginx.service",
					    "/web.slicer" };
	ProtobufCBinaryData value[5];
	Profiler__Strings strings = PROFILER__STRINGS__INIT;
	Profiler__Process process[2] = { PROFILER__PROCESS__INIT, PROFILER__PROCESS__INIT };
	Profiler__Process *processes[] = { &process[0], &process[1] };
	Profiler__Thread thread[3] = { PROFILER__THREAD__INIT, PROFILER__THREAD__INIT,
				       PROFILER__THREAD__INIT };
	Profiler__Thread *threads[] = { &thread[0], &thread[1], &thread[2] };
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;

	for (size_t i = 0; i < 5; i++)
		value[i] = (ProtobufCBinaryData){ strlen(text[i]), (uint8_t *)(uintptr_t)text[i] };
	strings.first_id = 1;
	strings.n_value = 5;
	strings.value = value;
	for (uint32_t i = 0; i < 2; i++) {
		process[i].id = i + 1;
		process[i].pid = i ? 200 : 100;
		process[i].comm = i + 1;
		process[i].cgroup = i + 4;
	}
	for (uint32_t i = 0; i < 3; i++) {
		thread[i].id = i + 1;
		thread[i].tid = i == 2 ? 300 : process[i].pid + 1;
		thread[i].process = i + 1;
		thread[i].comm = i ? 2 : 3;
	}
	d.strings = &strings;
	d.n_process = 2;
	d.process = processes;
	d.n_thread = 3;
	d.thread = threads;
	cr_assert(zero(int, tables_open(&tables)));
	cr_assert(zero(int, tables_check(tables, 1, &d)));
	cr_assert(zero(int, tables_apply(tables, 1, &d)));
	filter = (struct filter){ 0 };
}

static void tear_down(void)
{
	filter_release(&filter);
	tables_free(tables);
}

TestSuite(filter, .init = set_up, .fini = tear_down);

static void want(enum filter_by by, const char *text)
{
	char err[FILTER_ERROR_BYTES] = "";

	cr_assert(zero(int, filter_add(&filter, by, text, err)), "'%s' %s", text, err);
}

static bool is_wanted(uint32_t thread, uint32_t cpu, uint64_t after_ns, uint32_t flags)
{
	const struct reader_sample sample = {
		.time_ns = START_NS + after_ns, .cpu = cpu, .thread = thread, .flags = flags
	};

	return filter_wants(&filter, tables, &sample, START_NS);
}

/* The threads that are wanted, as bits: NGINX 1, SHELL 2, NOWHERE 4, none at all 8. */
static unsigned int threads_wanted(void)
{
	unsigned int bits = 0;

	for (uint32_t thread = 1; thread <= 3; thread++)
		bits |= (unsigned int)is_wanted(thread, 0, 0, 0) << (thread - 1);
	return bits | (unsigned int)is_wanted(0, 0, 0, 0) << 3;
}

Test(filter, nothing_asked_everything_wanted)
{
	cr_expect(not(filter_is_set(&filter)));
	cr_expect(eq(u32, threads_wanted(), 15));
	want(FILTER_BY_CPU, "0");
	cr_expect(filter_is_set(&filter));
	filter_release(&filter);
	cr_expect(not(filter_is_set(&filter)));
}

Test(filter, names_of_processes_and_of_threads)
{
	want(FILTER_BY_COMM, "worker");
	cr_expect(eq(u32, threads_wanted(), 1), "the thread's name");
	want(FILTER_BY_COMM, "no,sh");
	cr_expect(eq(u32, threads_wanted(), 1 | 2 | 4),
		  "any of them; the thread of no process, too");
	filter_release(&filter);
	want(FILTER_BY_COMM, "nginx");
	cr_expect(eq(u32, threads_wanted(), 1), "the process's name");
	filter_release(&filter);
	want(FILTER_BY_COMM, "ngin");
	cr_expect(eq(u32, threads_wanted(), 0), "no part of it");
}

Test(filter, pids_and_tids)
{
	want(FILTER_BY_PID, "1-99,200");
	cr_expect(eq(u32, threads_wanted(), 2));
	want(FILTER_BY_TID, "100-101");
	cr_expect(eq(u32, threads_wanted(), 0), "both have to hold");
	filter_release(&filter);
	want(FILTER_BY_TID, "101");
	want(FILTER_BY_TID, "300");
	cr_expect(eq(u32, threads_wanted(), 1 | 4), "either will do");
}

Test(filter, a_cgroup_and_what_is_below_it)
{
	want(FILTER_BY_CGROUP, "/web.slice");
	cr_expect(eq(u32, threads_wanted(), 1), "not /web.slicer");
	filter_release(&filter);
	want(FILTER_BY_CGROUP, "/web.slice/nginx.service/");
	cr_expect(eq(u32, threads_wanted(), 1), "with a slash behind it");
	filter_release(&filter);
	want(FILTER_BY_CGROUP, "/");
	cr_expect(eq(u32, threads_wanted(), 1 | 2), "all that is in one");
}

Test(filter, cpus)
{
	want(FILTER_BY_CPU, "1,3-4");
	for (uint32_t cpu = 0; cpu < 6; cpu++)
		cr_expect(eq(int, is_wanted(NGINX, cpu, 0, 0), cpu == 1 || cpu == 3 || cpu == 4));
}

Test(filter, user_and_kernel)
{
	want(FILTER_BY_USER, NULL);
	cr_expect(is_wanted(NGINX, 0, 0, 0));
	cr_expect(not(is_wanted(NGINX, 0, 0, PROFILER__SAMPLE_FLAG__IN_KERNEL)));
	want(FILTER_BY_KERNEL, NULL);
	cr_expect(is_wanted(NGINX, 0, 0, 0), "both are asked for");
	cr_expect(is_wanted(NGINX, 0, 0, PROFILER__SAMPLE_FLAG__IN_KERNEL));
	filter_release(&filter);
	want(FILTER_BY_KERNEL, NULL);
	cr_expect(not(is_wanted(NGINX, 0, 0, 0)));
}

static void expect_time(const char *text, uint64_t first_ns, uint64_t end_ns)
{
	want(FILTER_BY_TIME, text);
	cr_expect(is_wanted(NGINX, 0, first_ns, 0), "%s: its first", text);
	cr_expect(not(first_ns && is_wanted(NGINX, 0, first_ns - 1, 0)), "%s: before", text);
	cr_expect(is_wanted(NGINX, 0, end_ns - 1, 0), "%s: its last", text);
	cr_expect(not(end_ns != UINT64_MAX / 2 && is_wanted(NGINX, 0, end_ns, 0)), "%s: behind",
		  text);
	filter_release(&filter);
}

Test(filter, time_since_the_start)
{
	expect_time("2.5s..4s", 2500000000, 4000000000);
	expect_time("2..4", 2000000000, 4000000000);
	expect_time("2.5..4.25", 2500000000, 4250000000);
	expect_time("300ms..", 300000000, UINT64_MAX / 2);
	expect_time("..1", 0, 1000000000);
	expect_time("15us..20us", 15000, 20000);
	expect_time("7ns..1ms", 7, 1000000);
	want(FILTER_BY_TIME, "..1ms");
	want(FILTER_BY_TIME, "5ms..6ms");
	cr_expect(is_wanted(NGINX, 0, 5000000, 0), "either of two");
	cr_expect(not(is_wanted(NGINX, 0, 3000000, 0)), "not between them");
}

Test(filter, nonsense_is_refused)
{
	static const struct {
		enum filter_by by;
		const char *text;
	} cases[] = {
		{ FILTER_BY_COMM, "" },
		{ FILTER_BY_COMM, ",a" },
		{ FILTER_BY_PID, "" },
		{ FILTER_BY_PID, "a" },
		{ FILTER_BY_PID, "1," },
		{ FILTER_BY_PID, "1-" },
		{ FILTER_BY_PID, "5-4" },
		{ FILTER_BY_PID, "-4" },
		{ FILTER_BY_PID, "1 2" },
		{ FILTER_BY_PID, "4294967296" },
		{ FILTER_BY_TID, "99999999999999999999" },
		{ FILTER_BY_CPU, "0x1" },
		{ FILTER_BY_CGROUP, "" },
		{ FILTER_BY_CGROUP, "web.slice" },
		{ FILTER_BY_TIME, "" },
		{ FILTER_BY_TIME, "5" },
		{ FILTER_BY_TIME, "4..2" },
		{ FILTER_BY_TIME, "2..2" },
		{ FILTER_BY_TIME, "a..b" },
		{ FILTER_BY_TIME, "1h..2h" },
		{ FILTER_BY_TIME, "1e99.." },
		{ FILTER_BY_TIME, "nan..2" },
		{ FILTER_BY_TIME, "1..2x" },
		{ FILTER_BY_TIME, "1...2" },
	};
	char err[FILTER_ERROR_BYTES];
	char quoted[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		*err = 0;
		cr_expect(eq(int, filter_add(&filter, cases[i].by, cases[i].text, err), -EINVAL),
			  "'%s'", cases[i].text);
		snprintf(quoted, sizeof(quoted), "not '%s'", cases[i].text);
		cr_expect(zero(int, strncmp(err, "wants ", strlen("wants "))), "%s", err);
		cr_expect(ne(ptr, strstr(err, quoted), NULL), "'%s': %s", cases[i].text, err);
	}
}

Test(filter, it_says_what_it_wants)
{
	char text[FILTER_TEXT_BYTES];

	cr_expect(zero(int, strcmp(filter_text(&filter, text), "")));
	want(FILTER_BY_COMM, "a,b");
	want(FILTER_BY_CPU, "0-2,5");
	want(FILTER_BY_TIME, "300ms..");
	want(FILTER_BY_TIME, "1..2.5");
	want(FILTER_BY_KERNEL, NULL);
	filter_text(&filter, text);
	cr_expect(zero(int, strcmp(text, "comm a or b, CPU 0 to 2 or 5, time from 0.3 s or 1 to "
					 "2.5 s, in the kernel")),
		  "%s", text);
	for (int i = 0; i < 100; i++)
		want(FILTER_BY_COMM, "a-long-name");
	cr_expect(eq(sz, strlen(filter_text(&filter, text)), FILTER_TEXT_BYTES - 1), "cut");
}

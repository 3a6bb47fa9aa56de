// SPDX-License-Identifier: Apache-2.0
/*
 * test_proctext.c - what the kernel writes in /proc, as it is and as it should never be.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/proctext.h"
#include "tests/unit/random.h"

#define STAT_TAIL \
	" S 1 1234 1234 34816 1300 4194560 1 2 3 4 5 6 7 8 20 0 3 0 98765 1000 200 184467440737"

static int parse_map(const char *line, struct proctext_map *ret)
{
	return proctext_parse_map(line, strlen(line), ret);
}

static int parse_stat(const char *text, struct proctext_stat *ret)
{
	return proctext_parse_stat(text, strlen(text), ret);
}

static int parse_symbol(const char *line, struct proctext_symbol *ret)
{
	return proctext_parse_symbol(line, strlen(line), ret);
}

static int parse_module(const char *line, struct proctext_module *ret)
{
	return proctext_parse_module(line, strlen(line), ret);
}

static bool is_text(const char *at, size_t size, const char *wanted)
{
	return size == strlen(wanted) && memcmp(at, wanted, size) == 0;
}

Test(proctext, map_of_a_file)
{
	struct proctext_map m;

	cr_assert(zero(int, parse_map("7f0b1c028000-7f0b1c1bd000 r-xp 00028000 fe:01 1835083    "
				      "                /usr/lib/libc.so.6",
				      &m)));
	cr_expect(eq(u64, m.start, 0x7f0b1c028000));
	cr_expect(eq(u64, m.end, 0x7f0b1c1bd000));
	cr_expect(eq(u64, m.file_offset, 0x28000));
	cr_expect(eq(u64, m.inode, 1835083));
	cr_expect(eq(u32, m.dev_major, 0xfe));
	cr_expect(eq(u32, m.dev_minor, 1));
	cr_expect(m.executable);
	cr_expect(is_text(m.path, m.path_size, "/usr/lib/libc.so.6"));
}

Test(proctext, map_without_a_file)
{
	struct proctext_map m;

	/* The kernel ends such a line with a blank. */
	cr_assert(zero(int, parse_map("00400000-00401000 rw-p 00000000 00:00 0 ", &m)));
	cr_expect(zero(sz, m.path_size));
	cr_expect(not(m.executable));
	cr_assert(zero(int, parse_map("00400000-00401000 rwxs 00000000 00:00 0", &m)));
	cr_expect(zero(sz, m.path_size));
	cr_expect(m.executable);
	cr_assert(zero(int, parse_map("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
				      "                 [vsyscall]",
				      &m)));
	cr_expect(is_text(m.path, m.path_size, "[vsyscall]"));
}

Test(proctext, map_with_a_strange_path)
{
	struct proctext_map m;

	cr_assert(zero(int, parse_map("1000-2000 r-xp 0 0:0 9 /tmp/a b (deleted) (deleted)", &m)));
	cr_expect(is_text(m.path, m.path_size, "/tmp/a b (deleted) (deleted)"));
	cr_assert(zero(int, parse_map("1000-2000 r-xp 0 0:0 9 /\\012\xff\x01\\", &m)));
	cr_expect(is_text(m.path, m.path_size, "/\\012\xff\x01\\"));
}

Test(proctext, map_refused)
{
	static const char *const bad[] = {
		"",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 r-xp",
		"2000-1000 r-xp 0 0:0 0",
		"1000-1000 r-xp 0 0:0 0",
		"1000-2000 r-x 0 0:0 0",
		"1000-2000 r-xpp 0 0:0 0",
		"1000-2000 r-xp g 0:0 0",
		"1000-2000 r-xp 0 00 0",
		"1000-2000 r-xp 0 0:0 ",
		"1000-2000 r-xp 0 0:0 x",
		"1000-2000 r-xp 0 0:0 1/path",
		"1000-10000000000000000 r-xp 0 0:0 0",
		"1000-2000 r-xp 0 100000000:0 0",
		"1000-2000 r-xp 0 0:0 18446744073709551616",
		"-2000 r-xp 0 0:0 0",
		"0x1000-2000 r-xp 0 0:0 0",
		" 1000-2000 r-xp 0 0:0 0",
	};
	struct proctext_map m = { .start = 77 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, parse_map(bad[i], &m), -EINVAL), "'%s'", bad[i]);
	cr_expect(eq(u64, m.start, 77), "untouched on failure");
	cr_expect(zero(int, parse_map("ffff-ffffffffffffffff r-xp ffffffffffffffff ffffffff:0 "
				      "18446744073709551615",
				      &m)));
}

Test(proctext, stat_of_a_process)
{
	struct proctext_stat s;

	cr_assert(zero(int, parse_stat("1234 (bash)" STAT_TAIL "\n", &s)));
	cr_expect(eq(u32, s.pid, 1234));
	cr_expect(eq(u32, s.parent_pid, 1));
	cr_expect(eq(chr, s.state, 'S'));
	cr_expect(eq(u32, s.threads, 3));
	cr_expect(eq(u64, s.start_ticks, 98765));
	cr_expect(not(s.kernel_thread));
	cr_expect(zero(int, strcmp(s.comm, "bash")));
}

Test(proctext, stat_of_a_kernel_thread)
{
	struct proctext_stat s;

	cr_assert(zero(int, parse_stat("17 (kworker/0:1-events_long) I 2 0 0 0 -1 69238880 0 0 0 0 "
				       "0 24 0 0 20 -5 1 0 8 0 0",
				       &s)));
	cr_expect(s.kernel_thread);
	cr_expect(eq(u32, s.threads, 1));
	cr_expect(zero(int, strcmp(s.comm, "kworker/0:1-eve")), "cut to what the kernel keeps");
}

Test(proctext, stat_with_a_strange_name)
{
	static const struct {
		const char *text;
		const char *comm;
	} cases[] = {
		{ "5 ()" STAT_TAIL, "" },
		{ "5 (a) S 9)" STAT_TAIL, "a) S 9" },
		{ "5 (((()" STAT_TAIL, "(((" },
		{ "5 ()))))" STAT_TAIL, "))))" },
		{ "5 (a b\tc)" STAT_TAIL, "a b\tc" },
		{ "5 (new\\nline)" STAT_TAIL, "new\nline" },
		{ "5 (a\\\\n)" STAT_TAIL, "a\\n" },
		{ "5 (end\\)" STAT_TAIL, "end\\" },
		{ "5 (\xff\xfe\x01)" STAT_TAIL, "\xff\xfe\x01" },
	};
	struct proctext_stat s;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(zero(int, parse_stat(cases[i].text, &s)), "'%s'", cases[i].text);
		cr_expect(zero(int, strcmp(s.comm, cases[i].comm)), "%s", s.comm);
		cr_expect(eq(u32, s.parent_pid, 1));
	}
}

Test(proctext, stat_refused)
{
	static const char *const bad[] = {
		"",
		"5",
		"5 ",
		"5 (",
		"5 (a",
		"5 a)" STAT_TAIL,
		") 5 (a" STAT_TAIL,
		"x (a)" STAT_TAIL,
		"5 (a)",
		"5 (a) S 1 2 3",
		"5 (a) SS 1 1234 1234 34816 1300 0 1 2 3 4 5 6 7 8 20 0 3 0 98765",
		"5 (a) S -1 1234 1234 34816 1300 0 1 2 3 4 5 6 7 8 20 0 3 0 98765",
		"5 (a) S 1 1234 1234 34816 1300 x 1 2 3 4 5 6 7 8 20 0 3 0 98765",
		"5 (a) S 1 1234 1234 34816 1300 0 1 2 3 4 5 6 7 8 20 0 99999999999 0 98765",
		"5 (a) S 1 1234  1234 34816 1300 0 1 2 3 4 5 6 7 8 20 0 3 0 98765",
	};
	struct proctext_stat s = { .pid = 77 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, parse_stat(bad[i], &s), -EINVAL), "'%s'", bad[i]);
	cr_expect(eq(u32, s.pid, 77), "untouched on failure");
}

Test(proctext, symbols)
{
	struct proctext_symbol s;

	cr_assert(zero(int, parse_symbol("ffffffff81000000 T _stext", &s)));
	cr_expect(eq(u64, s.addr, 0xffffffff81000000));
	cr_expect(eq(chr, s.type, 'T'));
	cr_expect(is_text(s.name, s.name_size, "_stext"));
	cr_expect(zero(sz, s.module_size));
	cr_assert(zero(int, parse_symbol("ffffffffc0201000 t ext4_map.isra.0\t[ext4]", &s)));
	cr_expect(is_text(s.name, s.name_size, "ext4_map.isra.0"));
	cr_expect(is_text(s.module, s.module_size, "ext4"));
	cr_assert(zero(int, parse_symbol("0000000000000000 A fixed_percpu_data", &s)));
	cr_expect(zero(u64, s.addr));
	cr_assert(zero(int, parse_symbol("c0008000 T start [old] ", &s)), "32 bits, blanks");
	cr_expect(is_text(s.module, s.module_size, "old"));
}

Test(proctext, symbols_refused)
{
	static const char *const bad[] = {
		"",	      "ffff",	   "ffff T",	     "ffff T ",	    "ffff TT name",
		"fffg T x",   "ffff  T x", "ffff T x [y",    "ffff T x []", "ffff T x y",
		"ffff T x [", "-1 T x",	   "ffff T x [y] z", "(null) T x",  "10000000000000000 T x",
	};
	struct proctext_symbol s = { .addr = 77 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, parse_symbol(bad[i], &s), -EINVAL), "'%s'", bad[i]);
	cr_expect(eq(u64, s.addr, 77), "untouched on failure");
}

Test(proctext, modules)
{
	struct proctext_module m;

	cr_assert(zero(int, parse_module("ext4 942080 1 - Live 0xffffffffc0200000", &m)));
	cr_expect(is_text(m.name, m.name_size, "ext4"));
	cr_expect(eq(u64, m.size, 942080));
	cr_expect(eq(u64, m.addr, 0xffffffffc0200000));
	cr_assert(zero(int, parse_module("a 1 2 b,c, Live 0x10 (OE)", &m)));
	cr_expect(eq(u64, m.addr, 0x10));
	cr_expect(eq(int, parse_module("", &m), -EINVAL));
	cr_expect(eq(int, parse_module("a 1 2 - Live", &m), -EINVAL));
	cr_expect(eq(int, parse_module("a x 2 - Live 0x10", &m), -EINVAL));
	cr_expect(eq(int, parse_module("a 1 2 - Live 10", &m), -EINVAL));
}

/* What is chosen of the hierarchies, and whether the answer may be that of an exiting process. */
Test(proctext, cgroups)
{
	static const struct {
		const char *text;
		const char *path;
		bool or_exiting;
	} cases[] = {
		{ "0::/\n", "/", false },
		{ "0::/user.slice/a:b c\n", "/user.slice/a:b c", false },
		{ "0::/box/42 (deleted)\n", "/box/42", false },
		{ "0::/../other\n", "/../other", false },
		{ "2:cpu,cpuacct:/\n1:name=systemd:/\n", "/", true },
		{ "2:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n", "/", true },
		{ "4:memory:/\n1:name=systemd:/\n0::/box\n", "/box", false },
		{ "4:cpu,cpuacct:/a\n3:perf_event:/b\n1:name=systemd:/c\n0::/d\n", "/d", false },
		{ "4:cpu,cpuacct:/a\n3:perf_event:/b\n1:name=systemd:/c\n0::/\n", "/c", false },
		{ "4:cpu,cpuacct:/a\n3:perf_event:/b\n1:name=systemd:/\n0::/\n", "/b", false },
		{ "4:cpuacct,cpu:/a\n3:perf_event:/\n", "/a", false },
		{ "4:memory:/m\n3:cpu:/\n1:name=systemd:/\n", "/m", false },
		{ "4:cpuset:/set\n3:cpu:/cpu\n", "/cpu", false },
		{ "0::/whole\n1:cpu:/cu", "/whole", false }, /* cut: the rest does not count */
	};
	struct proctext_cgroup cgroup;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;

		cr_assert(zero(int, proctext_parse_cgroup(text, strlen(text), &cgroup)), "%s",
			  text);
		cr_expect(is_text(cgroup.path, cgroup.path_size, cases[i].path), "%.*s of %s",
			  (int)cgroup.path_size, cgroup.path, text);
		cr_expect(eq(int, cgroup.or_exiting, cases[i].or_exiting), "%s", text);
	}
}

Test(proctext, cgroups_refused)
{
	static const char *const bad[] = {
		"",	     "\n",  "0::/",	     "0:/\n", "::/\n", "0::\n", "0::relative\n",
		"x:cpu:/\n", "0\n", "0::/a\njunk\n",
	};
	struct proctext_cgroup cgroup = { .path_size = 77 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(eq(int, proctext_parse_cgroup(bad[i], strlen(bad[i]), &cgroup), -EINVAL),
			  "'%s'", bad[i]);
	cr_expect(eq(sz, cgroup.path_size, 77), "untouched on failure");
}

#define UID "Uid:\t1000\t1001\t1002\t1003\n"

Test(proctext, status)
{
	static const struct {
		const char *text;
		int result;
		uint32_t inner_pid;
	} cases[] = {
		{ "Name:\tsh\n" UID "Groups:\t4 5 \nNSpid:\t42\nNSsid:\t7\t8\n", 0, 0 },
		{ "Name:\tsh\n" UID "Groups:\t\nNSpid:\t42\t1\nNSsid:\t7\t8\n", 0, 1 },
		{ UID "NSpid:\t42\t17\t3\n", 0, 3 },
		{ "Name:\tNSpid: 9\n" UID "NSpid:\t42\t3\n", 0, 3 },
		{ "Name:\t\\nNSpid:\t9\t9\n" UID "NSpid:\t42\t3\n", 0, 3 },
		{ UID "NSpid:\t42\t17", -EINVAL, 77 }, /* cut: might be 175 */
		{ UID "NSpid:\n", -EINVAL, 77 },
		{ UID "NSpid:\t42\tx\n", -EINVAL, 77 },
		{ UID "NSpid:\t42\t99999999999\n", -EINVAL, 77 },
		{ UID "no key\nNSpid:\t42\n", -EINVAL, 77 },
		{ "Name:\tsh\n" UID "Pid:\t42\n", -EINVAL, 77 },
		{ "NSpid:\t42\t1\n", -EINVAL, 77 },
		{ "Uid:\t1000\t1001\nNSpid:\t42\t1\n", -EINVAL, 77 },
		{ "", -EINVAL, 77 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;
		struct proctext_status status = { 77, 77 };

		cr_expect(eq(int, proctext_parse_status(text, strlen(text), &status),
			     cases[i].result),
			  "%s", text);
		cr_expect(eq(u32, status.inner_pid, cases[i].inner_pid), "%s", text);
		cr_expect(eq(u32, status.uid, cases[i].result ? 77 : 1001), "%s", text);
	}
}

/* Runs every parser on exactly these bytes, so that a sanitizer sees a step beyond them. */
static void parse_exactly(const char *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct proctext_map map;
	struct proctext_stat stat;
	struct proctext_symbol symbol;
	struct proctext_module module;
	struct proctext_cgroup cgroup;
	struct proctext_status status;

	cr_assert(copy != NULL);
	memcpy(copy, bytes, size);
	if (proctext_parse_map(copy, size, &map) == 0)
		cr_assert(map.end > map.start && map.path_size <= size);
	if (proctext_parse_stat(copy, size, &stat) == 0)
		cr_assert(strnlen(stat.comm, sizeof(stat.comm)) < sizeof(stat.comm));
	if (proctext_parse_symbol(copy, size, &symbol) == 0)
		cr_assert(symbol.name_size > 0 && symbol.name_size + symbol.module_size < size);
	if (proctext_parse_module(copy, size, &module) == 0)
		cr_assert(module.name_size > 0 && module.name_size < size);
	if (proctext_parse_cgroup(copy, size, &cgroup) == 0)
		cr_assert(cgroup.path > copy && *cgroup.path == '/' && cgroup.path_size < size);
	(void)proctext_parse_status(copy, size, &status);
	free(copy);
}

Test(proctext, cut_and_flipped_anywhere)
{
	static const char *const lines[] = {
		"7f0b1c028000-7f0b1c1bd000 r-xp 00028000 fe:01 1835083 /usr/lib/libc.so.6",
		"1234 (a) b)" STAT_TAIL,
		"ffffffffc0201000 t ext4_map.isra.0\t[ext4]",
		"ext4 942080 1 - Live 0xffffffffc0200000",
		"4:cpu,cpuacct:/\n1:name=systemd:/a\n0::/box (deleted)\n",
		"Name:\tsh\nPid:\t42\n" UID "NSpid:\t42\t1\n",
	};
	uint64_t random = 1;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t size = strlen(lines[i]);

		for (size_t n = 0; n <= size; n++)
			parse_exactly(lines[i], n);
		for (int k = 0; k < 2000; k++) {
			char line[256];

			memcpy(line, lines[i], size);
			line[random_below(&random, (uint32_t)size)] = (char)next_random(&random);
			parse_exactly(line, size);
		}
	}
}

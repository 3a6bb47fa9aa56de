// SPDX-License-Identifier: Apache-2.0
/*
 * test_ksymask.c - names of kernel addresses by asking the kernel: what it prints, and its answers
 * held against its own table.
 *
 * All but the parser's tests need the right to load BPF programs, and are skipped without.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/kallsyms.h"
#include "profiler/ksymask.h"
#include "profiler/proctext.h"

/* "name module offset/size", or "refused". */
static void expect_parsed(const char *text, const char *wanted)
{
	struct ksymask_answer a = { .name = "untouched" };
	char got[1200] = "refused";

	if (ksymask_parse(text, strlen(text), &a))
		cr_expect(zero(int, strcmp(a.name, "untouched")));
	else
		snprintf(got, sizeof(got), "%.*s %.*s %" PRIu64 "/%" PRIu64, (int)a.name_size,
			 a.name, (int)a.module_size, a.module_size ? a.module : "", a.offset,
			 a.size);
	cr_expect(zero(int, strcmp(got, wanted)), "'%s' is '%s', not '%s'", text, got, wanted);
}

Test(ksymask_parse, symbols)
{
	expect_parsed("do_idle+0x1f/0x2b0", "do_idle  31/688");
	expect_parsed("x+0x0/0x1", "x  0/1");
	expect_parsed("foo.isra.0+0x10/0x20 [mod_a]", "foo.isra.0 mod_a 16/32");
	expect_parsed("a+b/c+0x1/0x2", "a+b/c  1/2");
	expect_parsed("x+0xfffffffffffffffe/0xffffffffffffffff",
		      "x  18446744073709551614/18446744073709551615");
}

Test(ksymask_parse, all_else_is_refused)
{
	static const char *const bad[] = {
		"",
		"0xffffffff81000000",
		"do_idle",
		"do_idle+0x1f",
		"do_idle/0x1f",
		"+0x1/0x2",
		"x+0x/0x2",
		"x+0x1/0x",
		"x+1/2",
		"x+0x1/0x2/",
		"x+0x1g/0x20",
		"x+0x1/0xG0",
		"x+0x2/0x2", /* behind its end */
		"x+0x0/0x0",
		"x+0x1/0x10000000000000000",
		"x+0x1/0x2 ",
		"x+0x1/0x2 []",
		"x+0x1/0x2 [mod",
		"x+0x1/0x2 mod]",
		"x+0x1/0x2[mod]",
		"x+0x1/0x2 [a b]",
		"x y+0x1/0x2",
		"x\n+0x1/0x2",
		"x\x80+0x1/0x2",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_parsed(bad[i], "refused");
}

static struct kallsyms *asked, *table;

static int be_quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void open_both(void)
{
	struct ksymask *k;

	libbpf_set_print(be_quiet);
	if (ksymask_open(&k))
		cr_skip_test("the kernel cannot be asked: before 5.13, or no right to");
	ksymask_free(k);
	cr_assert(zero(int, kallsyms_open(&asked)));
	if (kallsyms_open_at(&table, "/proc/kallsyms", "/proc/modules"))
		cr_skip_test("the kernel hides its addresses");
}

static void close_both(void)
{
	kallsyms_free(asked);
	kallsyms_free(table);
}

TestSuite(ksymask, .init = open_both, .fini = close_both);

/* Calls @check with the text symbols of the file, and the address behind each. */
typedef void (*check_symbol)(size_t i, uint64_t addr, uint64_t next, void *data);

static void each_symbol(check_symbol check, void *data)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	uint64_t last = 0;
	char line[1024];

	cr_assert(f != NULL);
	for (size_t i = 0; fgets(line, sizeof(line), f);) {
		struct proctext_symbol s;

		if (proctext_parse_symbol(line, strcspn(line, "\n"), &s) ||
		    !strchr("tTwW", s.type) || s.module_size || s.addr == last)
			continue;
		if (last)
			check(i++, last, s.addr, data);
		last = s.addr;
	}
	fclose(f);
}

struct agreement {
	unsigned int checked;
	unsigned int named_otherwise;
	unsigned int wrong;
};

static void compare(uint64_t addr, struct agreement *sum)
{
	struct ksym a, t;

	/* The kernel still names its init code, which is no longer there. */
	if (kallsyms_find(table, addr, &t))
		return;
	sum->checked++;
	if (kallsyms_find(asked, addr, &a) || a.start != t.start || a.kind != t.kind ||
	    strcmp(a.module, t.module) != 0)
		sum->wrong++;
	else if (strcmp(a.name, t.name) != 0)
		sum->named_otherwise++;
}

static void compare_some(size_t i, uint64_t addr, uint64_t next, void *data)
{
	if (i % 50)
		return;
	/* The first is asked for, the others are found in what is kept of it. */
	compare(addr + (next - addr) / 2, data);
	compare(addr + 1, data);
	compare(addr, data);
}

Test(ksymask, agrees_with_the_table)
{
	struct agreement sum = { 0 };

	cr_expect(eq(u64, kallsyms_text_start(asked), kallsyms_text_start(table)));
	each_symbol(compare_some, &sum);
	cr_log_info("%u addresses, %u of them of another name at the same address", sum.checked,
		    sum.named_otherwise);
	cr_expect(not(le(uint, sum.checked, 1000)));
	cr_expect(zero(uint, sum.wrong));
	/* Of some hundred functions with several names another is taken. */
	cr_expect(le(uint, sum.named_otherwise, sum.checked / 100));
}

static void ask(size_t i, uint64_t addr, uint64_t next, void *data)
{
	struct ksym s;

	(void)i;
	(void)next;
	*(unsigned int *)data += kallsyms_find(asked, addr, &s) == 0;
}

Test(ksymask, what_is_kept_is_bounded)
{
	struct kallsyms_stats stats;
	unsigned int known = 0;

	each_symbol(ask, &known);
	cr_expect(not(le(uint, known, 10000)));
	kallsyms_stats(asked, &stats);
	cr_expect(le(u64, stats.symbols, 4096));
	cr_expect(le(u64, stats.bytes, 1000000));
}

Test(ksymask, side_band_comes_first)
{
	uint64_t addr = kallsyms_text_start(asked);
	struct kallsyms_stats stats;
	struct ksym s;

	cr_assert(zero(int, kallsyms_find(asked, addr, &s)));
	cr_expect(eq(int, s.kind, KSYM_KERNEL));
	cr_assert(zero(int, kallsyms_add(asked, KSYM_BPF, addr, 4, "mine")));
	cr_assert(zero(int, kallsyms_find(asked, addr + 3, &s)));
	cr_expect(zero(int, strcmp(s.name, "mine")));
	cr_expect(zero(int, strcmp(s.module, "[bpf]")));
	kallsyms_del(asked, addr);
	cr_assert(zero(int, kallsyms_find(asked, addr, &s)));
	cr_expect(eq(int, s.kind, KSYM_KERNEL));
	cr_expect(not(zero(int, strcmp(s.name, "mine"))));
	kallsyms_stats(asked, &stats);
	cr_expect(zero(u64, stats.added));
	cr_expect(eq(u64, stats.symbols, 1));
}

Test(ksymask, no_name_outside)
{
	static const uint64_t nothing[] = { 0, 1, 4096, UINT64_MAX };
	struct ksym s = { .start = 77 };

	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		cr_expect(eq(int, kallsyms_find(asked, nothing[i], &s), -ENOENT));
	cr_expect(eq(int, kallsyms_find(asked, kallsyms_text_start(asked) - 1, &s), -ENOENT));
	cr_expect(eq(u64, s.start, 77));
}

/* Where the kernel put the program with that name, or 0. */
static uint64_t program_address(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	uint64_t addr = 0;
	char line[1024];

	cr_assert(f != NULL);
	while (!addr && fgets(line, sizeof(line), f))
		if (strstr(line, "bpf_prog_") && strstr(line, name))
			sscanf(line, "%" SCNx64, &addr);
	fclose(f);
	return addr;
}

static int load_program(const char *name)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, name, "GPL", nothing, 2, NULL);
}

Test(ksymask, a_program_loaded_later)
{
	int fd = load_program("ksymask_later");
	uint64_t addr;
	struct ksym s;

	cr_assert(ge(int, fd, 0));
	addr = program_address("ksymask_later");
	if (!addr)
		cr_skip_test("the kernel runs its programs uncompiled");
	cr_assert(zero(int, kallsyms_find(asked, addr, &s)));
	cr_expect(strstr(s.name, "_ksymask_later") != NULL);
	cr_expect(eq(int, s.kind, KSYM_BPF));
	cr_expect(zero(int, strcmp(s.module, "[bpf]")));
	cr_expect(eq(u64, s.start, addr));
	/* The record of its end takes also what was only asked for. */
	close(fd);
	kallsyms_del(asked, addr);
	for (int i = 0; i < 100 && program_address("ksymask_later"); i++)
		usleep(10000);
	cr_expect(not(zero(int, kallsyms_find(asked, addr, &s))));
}

static void drop_capability(unsigned int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	cr_assert(zero(long, syscall(SYS_capget, &header, data)));
	data[number / 32].effective &= ~(1u << number % 32);
	cr_assert(zero(long, syscall(SYS_capset, &header, data)));
}

Test(ksymask, names_where_the_file_hides_addresses)
{
	struct kallsyms *own;
	struct ksym s;

	drop_capability(CAP_SYSLOG);
	cr_assert(zero(int, kallsyms_open(&own)));
	cr_expect(eq(u64, kallsyms_text_start(own), kallsyms_text_start(asked)));
	cr_expect(zero(int, kallsyms_find(own, kallsyms_text_start(own), &s)));
	kallsyms_free(own);
}

Test(ksymask, the_table_where_asking_is_refused)
{
	struct kallsyms_stats stats, of_table;
	struct kallsyms *own;

	drop_capability(CAP_SYS_ADMIN);
	drop_capability(CAP_PERFMON);
	drop_capability(CAP_BPF);
	cr_assert(zero(int, kallsyms_open(&own)));
	kallsyms_stats(own, &stats);
	kallsyms_stats(table, &of_table);
	cr_expect(eq(u64, stats.symbols, of_table.symbols));
	kallsyms_free(own);
}

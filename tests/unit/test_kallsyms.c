// SPDX-License-Identifier: Apache-2.0
/*
 * test_kallsyms.c - names of kernel addresses: a made table, code that comes and goes, and the
 * running kernel's own table. That the kernel can be asked instead is test_ksymask.c's.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/kallsyms.h"
#include "profiler/proctext.h"

static const char made_symbols[] = "0000000000000000 A fixed_percpu_data\n"
				   "ffffffff81000000 T _stext\n"
				   "ffffffff81000000 T startup\n"
				   "ffffffff81000000 T _text\n"
				   "ffffffff81000100 t __pfx_first\n"
				   "ffffffff81000110 t first\n"
				   "ffffffff81000200 W weak_name\n"
				   "ffffffff81000200 T __strong_name\n"
				   "ffffffff81000200 t local_name\n"
				   "ffffffff81000300 d not_text\n"
				   "ffffffff81000400 t __schedule\n"
				   "ffffffff81000400 T __sched_text_start\n"
				   "ffffffff81001000 T _etext\n"
				   "ffffffff81900000 T in_init_text\n"
				   "not a line of kallsyms\n"
				   "ffffffffc0202000 t second_in_a\t[mod_a]\n"
				   "ffffffffc0201000 t first_in_a\t[mod_a]\n"
				   "ffffffffc0100000 t only_in_b\t[mod_b]\n"
				   "ffffffffc0300000 t bpf_prog_1234_mine\t[bpf]\n"
				   "ffffffffc0300080 t bpf_prog_5678_yours\t[bpf]\n"
				   "ffffffffc0400000 t kprobe_insn_page\t[__builtin__kprobes]\n";

static const char made_modules[] = "mod_a 12288 0 - Live 0xffffffffc0200000\n"
				   "elsewhere 4096 0 - Live 0xffffffffd0000000\n";

static char symbols_path[] = "/tmp/test_kallsyms.XXXXXX";
static char modules_path[] = "/tmp/test_modules.XXXXXX";
static struct kallsyms *ks;

static void write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	cr_assert(eq(sz, (size_t)write(fd, text, strlen(text)), strlen(text)));
	close(fd);
}

static void make(void)
{
	write_file(symbols_path, made_symbols);
	write_file(modules_path, made_modules);
	cr_assert(zero(int, kallsyms_open_at(&ks, symbols_path, modules_path)));
}

static void clean(void)
{
	kallsyms_free(ks);
	unlink(symbols_path);
	unlink(modules_path);
}

TestSuite(kallsyms, .init = make, .fini = clean);

/* "name+offset" of an address, with the module if there is one, or "-". */
static const char *name_of(uint64_t addr)
{
	static char text[128];
	struct ksym s;

	if (kallsyms_find(ks, addr, &s))
		return "-";
	snprintf(text, sizeof(text), "%s%s%s+%#" PRIx64, s.module, *s.module ? " " : "", s.name,
		 addr - s.start);
	return text;
}

static void expect_name(uint64_t addr, const char *wanted)
{
	const char *name = name_of(addr);

	cr_expect(zero(int, strcmp(name, wanted)), "%#" PRIx64 " is '%s', not '%s'", addr, name,
		  wanted);
}

Test(kallsyms, kernel_functions)
{
	expect_name(0xffffffff81000000, "startup+0");
	expect_name(0xffffffff810000ff, "startup+0xff");
	expect_name(0xffffffff81000110, "first+0");
	expect_name(0xffffffff810001ff, "first+0xef");
	cr_expect(eq(u64, kallsyms_text_start(ks), 0xffffffff81000000));
}

Test(kallsyms, one_name_of_several)
{
	expect_name(0xffffffff81000200, "__strong_name+0");
	expect_name(0xffffffff81000300, "__strong_name+0x100");
	expect_name(0xffffffff81000400, "__schedule+0");
}

Test(kallsyms, padding_is_of_the_function_behind)
{
	expect_name(0xffffffff81000100, "first+0");
	expect_name(0xffffffff8100010f, "first+0xf");
}

Test(kallsyms, no_name_outside)
{
	struct ksym s = { .start = 77 };

	expect_name(0, "-");
	expect_name(0xffffffff80ffffff, "-");
	expect_name(0xffffffff81000fff, "__schedule+0xbff");
	expect_name(0xffffffff81001000, "-");
	expect_name(0xffffffff81900000, "-");
	expect_name(UINT64_MAX, "-");
	cr_expect(eq(int, kallsyms_find(ks, 0, &s), -ENOENT));
	cr_expect(eq(u64, s.start, 77), "untouched on failure");
}

Test(kallsyms, modules)
{
	struct ksym s;

	expect_name(0xffffffffc0201000, "[mod_a] first_in_a+0");
	expect_name(0xffffffffc0201fff, "[mod_a] first_in_a+0xfff");
	expect_name(0xffffffffc0202fff, "[mod_a] second_in_a+0xfff");
	expect_name(0xffffffffc0203000, "-");
	expect_name(0xffffffffc0200fff, "-");
	expect_name(0xffffffffc0100fff, "[mod_b] only_in_b+0xfff");
	expect_name(0xffffffffc0101000, "-");
	cr_assert(zero(int, kallsyms_find(ks, 0xffffffffc0201000, &s)));
	cr_expect(eq(int, s.kind, KSYM_MODULE));
}

Test(kallsyms, programs)
{
	struct ksym s;

	expect_name(0xffffffffc030007f, "[bpf] bpf_prog_1234_mine+0x7f");
	expect_name(0xffffffffc0300080, "[bpf] bpf_prog_5678_yours+0");
	expect_name(0xffffffffc0400000, "kprobe_insn_page+0");
	cr_assert(zero(int, kallsyms_find(ks, 0xffffffffc0300000, &s)));
	cr_expect(eq(int, s.kind, KSYM_BPF));
	cr_assert(zero(int, kallsyms_find(ks, 0xffffffffc0400000, &s)));
	cr_expect(eq(int, s.kind, KSYM_OTHER));
}

Test(kallsyms, programs_come_and_go)
{
	struct kallsyms_stats before, after;

	kallsyms_stats(ks, &before);
	cr_assert(zero(int, kallsyms_add(ks, KSYM_BPF, 0xffffffffc0500000, 256, "new_one")));
	expect_name(0xffffffffc05000ff, "[bpf] new_one+0xff");
	expect_name(0xffffffffc0500100, "-");
	expect_name(0xffffffffc04fffff, "-");
	/* Known from the file without a size; the record has it. */
	cr_assert(zero(int,
		       kallsyms_add(ks, KSYM_BPF, 0xffffffffc0300000, 64, "bpf_prog_1234_mine")));
	expect_name(0xffffffffc030003f, "[bpf] bpf_prog_1234_mine+0x3f");
	expect_name(0xffffffffc0300040, "-");
	expect_name(0xffffffffc0300080, "[bpf] bpf_prog_5678_yours+0");
	/* One record about going was lost. */
	cr_assert(zero(int, kallsyms_add(ks, KSYM_BPF, 0xffffffffc0500080, 256, "newer")));
	expect_name(0xffffffffc0500000, "-");
	expect_name(0xffffffffc0500080, "[bpf] newer+0");
	kallsyms_del(ks, 0xffffffffc0500000);
	kallsyms_del(ks, 0xffffffffc0500080);
	expect_name(0xffffffffc0500080, "-");
	kallsyms_stats(ks, &after);
	cr_expect(eq(u64, after.added, before.added));
	cr_expect(eq(int, kallsyms_add(ks, KSYM_BPF, UINT64_MAX - 4, 8, "wraps"), -EINVAL));
	cr_expect(eq(int, kallsyms_add(ks, KSYM_KERNEL, 0x1000, 8, "kind"), -EINVAL));
}

Test(kallsyms, programs_are_bounded)
{
	struct kallsyms_stats stats;
	int err = 0;

	for (uint64_t i = 0; i < 70000; i++)
		err = kallsyms_add(ks, KSYM_BPF, 0x1000 + i * 16, 16, "p");
	cr_expect(eq(int, err, -ENOSPC));
	kallsyms_stats(ks, &stats);
	cr_expect(eq(u64, stats.added, 65536));
	cr_expect(eq(u64, stats.added + stats.refused, 70003));
	expect_name(0x1000 + 16 * 60000, "[bpf] p+0");
}

static int open_text(const char *text)
{
	char path[] = "/tmp/test_kallsyms.XXXXXX";
	struct kallsyms *other = NULL;
	int err;

	write_file(path, text);
	err = kallsyms_open_at(&other, path, NULL);
	unlink(path);
	kallsyms_free(other);
	return err;
}

Test(kallsyms, refusals)
{
	struct kallsyms *other = NULL;

	cr_expect(eq(int, open_text(""), -ENODATA));
	cr_expect(eq(int, open_text("0000000000000000 T _text\n0000000000000000 t x\n"), -EPERM));
	cr_expect(eq(int, open_text("ffffffff81000000 d data\n"), -ENODATA));
	cr_expect(eq(int, kallsyms_open_at(&other, "/nonexistent", NULL), -ENOENT));
	cr_expect(zero(ptr, other));
	/* Without _etext and modules. */
	cr_expect(zero(int, open_text("1000 T a\n2000 t b\t[m]\n")));
}

/* Holds every text symbol of the running kernel against what is found for its address. */
static unsigned int count_wrong(FILE *f, struct kallsyms *own, unsigned int *checked)
{
	char line[1024];
	unsigned int wrong = 0;

	while (fgets(line, sizeof(line), f)) {
		struct proctext_symbol s;
		struct ksym found;

		if (proctext_parse_symbol(line, strcspn(line, "\n"), &s) || s.type != 'T' ||
		    s.module_size || memcmp(s.name, "__pfx_", 6) == 0 ||
		    kallsyms_find(own, s.addr, &found))
			continue;
		*checked += 1;
		/* Another name of the same address is fine. */
		wrong += found.start != s.addr;
	}
	return wrong;
}

Test(kallsyms, of_this_kernel)
{
	struct kallsyms *own;
	struct kallsyms_stats stats;
	unsigned int checked = 0;
	FILE *f;
	int err = kallsyms_open_at(&own, "/proc/kallsyms", "/proc/modules");

	if (err == -EPERM || err == -ENOENT)
		cr_skip_test("the kernel hides its symbols");
	cr_assert(zero(int, err));
	f = fopen("/proc/kallsyms", "r");
	cr_assert(f != NULL);
	cr_expect(zero(uint, count_wrong(f, own, &checked)));
	cr_expect(checked > 1000);
	fclose(f);
	kallsyms_stats(own, &stats);
	cr_log_info("%" PRIu64 " symbols, %" PRIu64 " bytes, %" PRIu64 " us", stats.symbols,
		    stats.bytes, stats.load_ns / 1000);
	cr_expect(stats.bytes < 4000000);
	kallsyms_free(own);
}

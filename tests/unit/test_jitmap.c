// SPDX-License-Identifier: Apache-2.0
/*
 * test_jitmap.c - names of code made at run time, by perf maps and jitdumps as their makers write
 * them, half written, and as nobody should.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jail/jitdump.h"
#include "jail/perfmap.h"
#include "tests/unit/random.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

static struct perfmap perfmap;
static struct jitdump jitdump;
static struct name_answer answer;
static int fd;

static void setup(void)
{
	fd = memfd_create("map", MFD_CLOEXEC);
	cr_assert(ge(int, fd, 0));
}

static void teardown(void)
{
	close(fd);
}

TestSuite(jitmap, .init = setup, .fini = teardown, .timeout = 30);

static void append(const void *data, size_t size)
{
	cr_assert(eq(long, write(fd, data, size), (ssize_t)size));
}

static void append_text(const char *text)
{
	append(text, strlen(text));
}

static const char *text_of(const struct jail_stretch *stretch)
{
	return stretch->name == JAIL_NO_NAME   ? ""
	       : stretch->name == JAIL_CHANGED ? "changed"
					       : answer.text + stretch->name;
}

static void expect_stretch(uint64_t address, const char *name, uint64_t start, uint64_t end)
{
	const struct jail_stretch *stretch = &answer.stretches[0];

	cr_assert(eq(u32, answer.count, 1));
	cr_expect(zero(int, strcmp(text_of(stretch), name)), "%#lx: '%s', not '%s'", address,
		  text_of(stretch), name);
	cr_expect(eq(u64, stretch->start, start), "%#lx", address);
	cr_expect(eq(u64, stretch->end, end), "%#lx", address);
}

/* By the perf map: a place has this name ("": none), and so have all from start up to end. */
static void expect(uint64_t address, const char *name, uint64_t start, uint64_t end)
{
	cr_assert(zero(int, perfmap_names(&perfmap, fd, UINT64_MAX, &address, 1, &answer)));
	expect_stretch(address, name, start, end);
}

static void expect_name(uint64_t address, const char *name)
{
	cr_assert(zero(int, perfmap_names(&perfmap, fd, UINT64_MAX, &address, 1, &answer)));
	cr_expect(zero(int, strcmp(text_of(&answer.stretches[0]), name)), "%#lx: '%s', not '%s'",
		  address, text_of(&answer.stretches[0]), name);
}

Test(jitmap, lines)
{
	append_text("7f0000001000 100 LazyCompile:*add /srv/app.js:10\n"
		    "0x7f0000001100 0x40 Lorg/example/Main;::run\n"
		    "00007F0000002000 10 py::f:/x/y.py\n");
	expect(0x7f0000000fff, "", 0, 0x7f0000001000);
	expect(0x7f0000001000, "LazyCompile:*add /srv/app.js:10", 0x7f0000001000, 0x7f0000001100);
	expect(0x7f000000113f, "Lorg/example/Main;::run", 0x7f0000001100, 0x7f0000001140);
	expect(0x7f0000001140, "", 0x7f0000001140, 0x7f0000002000);
	expect(0x7f000000200f, "py::f:/x/y.py", 0x7f0000002000, 0x7f0000002010);
	expect(0x7f0000002010, "", 0x7f0000002010, UINT64_MAX);
}

/* Memory is used again: what was written last holds, and what is left of the older one. */
Test(jitmap, later_lines_hold)
{
	append_text("1000 1000 old\n1400 100 new\n1480 10 newest\n3000 10 moved\n3000 10 there\n");
	expect(0x1000, "old", 0x1000, 0x1400);
	expect(0x1400, "new", 0x1400, 0x1480);
	expect(0x148f, "newest", 0x1480, 0x1490);
	expect(0x1490, "new", 0x1490, 0x1500);
	expect(0x1500, "old", 0x1500, 0x2000);
	expect(0x3000, "there", 0x3000, 0x3010);
	append_text("800 1000 large\n");
	expect(0x1410, "large", 0x1400, 0x1480);
	expect(0x1900, "old", 0x1800, 0x2000);
}

/* The map grows while it is read. */
Test(jitmap, last_line_is_not_whole)
{
	append_text("1000 10 first\n1000 10 sec");
	expect(0x1000, "first", 0x1000, 0x1010);
	append_text("ond");
	expect(0x1000, "first", 0x1000, 0x1010);
	append_text("\n");
	expect(0x1000, "second", 0x1000, 0x1010);
}

Test(jitmap, what_is_no_line)
{
	static char huge[300000];

	expect(0x1000, "", 0, UINT64_MAX);
	append_text("\n\n \nhello\n1000\n1000 10\n1000 10 \nx000 10 a\n0x 10 b\n1000 0 c\n"
		    "10000000000001000 10 d\nfffffffffffffff0 20 e\n-1000 10 f\n1000,10,g\n");
	expect(0x1000, "", 0, UINT64_MAX);
	memset(huge, 'n', sizeof(huge) - 1);
	append_text("1000 10 ");
	append_text(huge);
	append_text("\n2000 10 next\n");
	expect(0x1000, "", 0, 0x2000);
	expect_name(0x2000, "next");
	/* A name may be as long as a line, and is cut. */
	huge[10000] = '\0';
	append_text("3000 10 ");
	append_text(huge);
	append_text("\n");
	cr_assert(zero(int,
		       perfmap_names(&perfmap, fd, UINT64_MAX, &(uint64_t){ 0x3000 }, 1, &answer)));
	cr_expect(eq(sz, strlen(answer.text), JAIL_NAME_BYTES_MAX - 1));
	append("4000 10 a\0b\n", 12);
	expect_name(0x4000, "a");
}

/* A large map, many places: each is named as the last line says that covers it. */
Test(jitmap, many_lines_and_places)
{
	enum { SLOTS = 4096, LINES = 50000 };
	static uint32_t newest[SLOTS];
	uint64_t state = 1, addresses[JAIL_NAMES_MAX];
	FILE *file = fdopen(dup(fd), "w");
	uint32_t at = 0;

	for (uint32_t i = 1; i <= LINES; i++) {
		const uint32_t start = random_below(&state, SLOTS - 8);
		const uint32_t size = 1 + random_below(&state, 8);

		fprintf(file, "%x %x function number %u\n", start, size, i);
		for (uint32_t k = start; k < start + size; k++)
			newest[k] = i;
	}
	fclose(file);
	for (uint32_t i = 0; i < JAIL_NAMES_MAX; i++)
		addresses[i] = i * 4 + 1;
	cr_assert(zero(
		int, perfmap_names(&perfmap, fd, UINT64_MAX, addresses, JAIL_NAMES_MAX, &answer)));
	for (uint32_t i = 0; i < JAIL_NAMES_MAX; i++) {
		char name[64] = "";

		while (answer.stretches[at].end <= addresses[i])
			cr_assert(lt(u32, ++at, answer.count));
		cr_assert(le(u64, answer.stretches[at].start, addresses[i]));
		if (newest[addresses[i]])
			snprintf(name, sizeof(name), "function number %u", newest[addresses[i]]);
		cr_assert(zero(int, strcmp(text_of(&answer.stretches[at]), name)));
	}
}

/* Of a map beyond all measure the end is read; one of empty lines is refused. */
Test(jitmap, enormous_maps)
{
	static char lines[1 << 20];

	for (size_t i = 0; i < sizeof(lines); i += 64)
		memcpy(lines + i,
		       "9000 10 12345678901234567890123456789012345678901234567890abcde\n", 64);
	append_text("1000 10 forgotten\n2000 10 in the middle of a line ");
	for (int i = 0; i < 64; i++)
		append(lines, sizeof(lines));
	append_text("3000 10 remembered\n");
	expect_name(0x1000, "");
	expect_name(0x3000, "remembered");
	memset(lines, '\n', sizeof(lines));
	for (int i = 0; i < 64; i++)
		append(lines, sizeof(lines));
	cr_expect(eq(int,
		     perfmap_names(&perfmap, fd, UINT64_MAX, &(uint64_t){ 0x1000 }, 1, &answer),
		     -E2BIG));
}

Test(jitmap, no_regular_file)
{
	int pipes[2];

	cr_assert(zero(int, pipe(pipes)));
	cr_expect(eq(int,
		     perfmap_names(&perfmap, pipes[0], UINT64_MAX, &(uint64_t){ 1 }, 1, &answer),
		     -ENODEV));
	cr_expect(eq(int,
		     jitdump_names(&jitdump, pipes[0], UINT64_MAX, &(uint64_t){ 1 }, 1, &answer),
		     -ENODEV));
	close(pipes[0]);
	close(pipes[1]);
}

/* The jitdump, as in its specification. */

static void append_header(uint32_t magic, uint32_t machine)
{
	const struct {
		uint32_t magic, version, size, machine, pad, pid;
		uint64_t time, flags;
	} header = { .magic = magic, .version = 1, .size = 40, .machine = machine };

	append(&header, sizeof(header));
}

static void append_record(uint32_t id, const void *body, uint32_t size)
{
	const struct {
		uint32_t id, size;
		uint64_t time;
	} prefix = { .id = id, .size = (uint32_t)sizeof(prefix) + size };

	append(&prefix, sizeof(prefix));
	append(body, size);
}

static void append_load(uint64_t address, uint32_t code_size, uint64_t index, const char *name)
{
	struct {
		uint32_t pid, tid;
		uint64_t vma, address, size, index;
		char rest[4096];
	} load = { .address = address, .size = code_size, .index = index };
	const uint32_t name_size = (uint32_t)strlen(name) + 1;

	memcpy(load.rest, name, name_size);
	memset(load.rest + name_size, 'N', code_size);
	append_record(0, &load, 40 + name_size + code_size);
}

static void append_move(uint64_t from, uint64_t to, uint64_t size, uint64_t index)
{
	const struct {
		uint32_t pid, tid;
		uint64_t vma, from, to, size, index;
	} move = { .from = from, .to = to, .size = size, .index = index };

	append_record(1, &move, sizeof(move));
}

static void expect_dump(uint64_t address, const char *name, uint64_t start, uint64_t end)
{
	cr_assert(zero(int, jitdump_names(&jitdump, fd, UINT64_MAX, &address, 1, &answer)));
	expect_stretch(address, name, start, end);
}

Test(jitmap, loads)
{
	append_header(0x4a695444, MACHINE);
	append_load(0x1000, 0x100, 1, "first one");
	append_record(2, "debug info", 10);
	append_load(0x1080, 0x40, 2, "second");
	append_record(4, "unwinding", 9);
	append_record(77, "of a later version", 18);
	append_load(0x2000, 0x10, 3, "");
	expect_dump(0xfff, "", 0, 0x1000);
	expect_dump(0x1000, "first one", 0x1000, 0x1080);
	expect_dump(0x10bf, "second", 0x1080, 0x10c0);
	expect_dump(0x10c0, "first one", 0x10c0, 0x1100);
	expect_dump(0x2000, "", 0x2000, 0x2010);
	append_load(0x1000, 0x10, 4, "third");
	expect_dump(0x1000, "third", 0x1000, 0x1010);
}

Test(jitmap, moves)
{
	append_header(0x4a695444, MACHINE);
	append_load(0x1000, 0x100, 1, "one");
	append_load(0x2000, 0x100, 2, "two");
	append_move(0x1000, 0x5000, 0x100, 1);
	append_move(0x5000, 0x6000, 0x80, 1);
	append_load(0x1000, 0x100, 3, "three");
	append_move(0x9000, 0x7000, 0x100, 99);
	expect_dump(0x1000, "three", 0x1000, 0x1100);
	expect_dump(0x2000, "two", 0x2000, 0x2100);
	expect_dump(0x5000, "one", 0x5000, 0x5100);
	expect_dump(0x607f, "one", 0x6000, 0x6080);
	expect_dump(0x7000, "", 0x7000, 0x7100);
	append_load(0x5000, 0x10, 4, "four");
	expect_dump(0x5000, "four", 0x5000, 0x5010);
	expect_dump(0x5010, "one", 0x5010, 0x5100);
}

Test(jitmap, dump_is_not_whole)
{
	append_header(0x4a695444, MACHINE);
	append_load(0x1000, 0x100, 1, "one");
	append_load(0x1000, 0x100, 2, "two");
	cr_assert(zero(int, ftruncate(fd, lseek(fd, 0, SEEK_END) - 1)));
	expect_dump(0x1000, "one", 0x1000, 0x1100);
}

Test(jitmap, dump_is_closed)
{
	append_header(0x4a695444, MACHINE);
	append_load(0x1000, 0x100, 1, "one");
	append_record(3, "", 0);
	append_load(0x1000, 0x100, 2, "two");
	expect_dump(0x1000, "one", 0x1000, 0x1100);
}

Test(jitmap, what_is_no_dump)
{
	static const struct {
		uint32_t magic, machine;
		int err;
	} headers[] = { { 0x4454694a, MACHINE, -EINVAL },
			{ 0, MACHINE, -EINVAL },
			{ 0x4a695444, EM_386, -ENOEXEC },
			{ 0x4a695444, MACHINE, 0 } };
	uint64_t address = 0x1000;

	cr_expect(eq(int, jitdump_names(&jitdump, fd, UINT64_MAX, &address, 1, &answer), -EINVAL));
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		cr_assert(zero(int, ftruncate(fd, 0)));
		lseek(fd, 0, SEEK_SET);
		append_header(headers[i].magic, headers[i].machine);
		cr_expect(eq(int, jitdump_names(&jitdump, fd, UINT64_MAX, &address, 1, &answer),
			     headers[i].err));
	}
}

/* Sizes that contradict each other name nothing, and lead nowhere. */
Test(jitmap, records_that_lie)
{
	struct {
		uint32_t id, size;
		uint64_t time;
		uint32_t pid, tid;
		uint64_t vma, address, code_size, index;
		char name[8];
	} load = { .address = 0x1000, .code_size = 9, .name = "name" };

	append_header(0x4a695444, MACHINE);
	append_load(0x1000, 0x10, 1, "true");
	load.size = sizeof(load); /* more code than there is */
	append(&load, sizeof(load));
	load.code_size = UINT64_MAX;
	append(&load, sizeof(load));
	expect_dump(0x1000, "true", 0x1000, 0x1010);
	load.code_size = 8; /* no room for a name */
	append(&load, sizeof(load));
	expect_dump(0x1000, "", 0x1000, 0x1008);
	load.code_size = 4; /* a name without end */
	append(&load, sizeof(load));
	expect_dump(0x1000, "name", 0x1000, 0x1004);
	load.size = 8; /* shorter than what it begins with: no record, and none behind it */
	append(&load, sizeof(load));
	append_load(0x1000, 0x10, 1, "behind");
	expect_dump(0x1000, "name", 0x1000, 0x1004);
}

static void expect_since(uint64_t address, uint64_t before, const char *name)
{
	cr_assert(zero(int, perfmap_names(&perfmap, fd, before, &address, 1, &answer)));
	cr_expect(zero(int, strcmp(text_of(&answer.stretches[0]), name)), "%#lx: '%s', not '%s'",
		  address, text_of(&answer.stretches[0]), name);
}

/* Code that took the place of other code while it was looked at is nobody's; new code is its own.
 */
Test(jitmap, perf_map_tells_what_has_changed)
{
	const uint64_t before = strlen("1000 100 old\n2000 100 stays\n");

	append_text("1000 100 old\n2000 100 stays\n");
	append_text("1080 10 inside\n3000 100 new\n");
	for (uint64_t place = 0x1080; place < 0x1090; place++)
		expect_since(place, before, "changed");
	expect_since(0x1079, before, "old");
	expect_since(0x1090, before, "old");
	expect_since(0x2000, before, "stays");
	expect_since(0x3000, before, "new");
	expect_since(0x4000, before, "");
	/* Two after the other since then, though none was there before. */
	append_text("3000 100 newer\n");
	expect_since(0x3000, before, "changed");
	expect_since(0x3000, UINT64_MAX, "newer");
}

Test(jitmap, dump_tells_what_has_changed)
{
	uint64_t before;

	append_header(0x4a695444, MACHINE);
	append_load(0x1000, 0x100, 1, "one");
	append_load(0x2000, 0x100, 2, "two");
	before = (uint64_t)lseek(fd, 0, SEEK_END);
	append_load(0x1000, 0x10, 3, "three");
	append_move(0x1000, 0x2000, 0x10, 1);
	append_load(0x3000, 0x100, 4, "four");
	for (uint64_t address = 0x1000; address <= 0x3000; address += 0x1000) {
		cr_assert(zero(int, jitdump_names(&jitdump, fd, before, &address, 1, &answer)));
		cr_expect(eq(int, answer.stretches[0].name == JAIL_CHANGED, address < 0x3000));
	}
}

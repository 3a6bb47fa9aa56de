/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handjit.c - handjit SECONDS MODE [FOLDER]: makes code at run time and writes down its names as
 *JIT compilers do.
 *
 *	map       two functions, in /tmp/perf-PID.map
 *	map-0x    the same, addresses with 0x
 *	late      the map is written when half of the time has gone
 *	moved     halfway the first function moves, and the second takes its place
 *	reused    halfway the second takes the place of the first, in the same memory
 *	remapped  the same, in memory that was given back and taken anew
 *	dump      two functions, in FOLDER/jit-PID.dump
 *	none      nobody knows their names
 *
 * Whatever the address, who called the code says what it was: phase_first() and phase_moved() call
 * jit_first, phase_second() calls jit_second.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/names/steady.h"

#define SLOT_BYTES  64
#define PAGE_BYTES  4096
#define DUMP_MAGIC  0x4A695444u
#define DUMP_FORMAT 1

typedef void code_fn(uint64_t loops);

/* Spins, with a frame of its own: push, mov, loop: imul; dec; jnz, pop, ret. */
#if defined(__x86_64__)
#define MACHINE EM_X86_64
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0x0f, 0xaf, 0xc0,
				      0x48, 0xff, 0xcf, 0x75, 0xf7, 0x5d, 0xc3 };
#else
#define MACHINE EM_AARCH64
static const uint32_t code[] = { 0xa9bf7bfd, 0x910003fd, 0x9b017c21, 0xf1000400,
				 0x54ffffc1, 0xa8c17bfd, 0xd65f03c0 };
#endif

/* jitdump, as perf's tools/perf/Documentation/jitdump-specification.txt has it. */
struct dump_header {
	uint32_t magic;
	uint32_t version;
	uint32_t total_size;
	uint32_t machine;
	uint32_t reserved;
	uint32_t pid;
	uint64_t time_ns;
	uint64_t flags;
};

struct dump_load {
	uint32_t id; /* 0: code is loaded */
	uint32_t total_size;
	uint64_t time_ns;
	uint32_t pid;
	uint32_t tid;
	uint64_t vma;
	uint64_t address;
	uint64_t size;
	uint64_t index;
};

struct jit {
	char *page;
	FILE *map;
	const char *prefix; /* of the addresses there */
};

static WORKLOAD void phase_first(const char *at, uint64_t loops)
{
	code_fn *function;

	*(const void **)&function = at;
	function(loops);
	barrier();
}

static WORKLOAD void phase_second(const char *at, uint64_t loops)
{
	code_fn *function;

	*(const void **)&function = at;
	function(loops);
	barrier();
}

static WORKLOAD void phase_moved(const char *at, uint64_t loops)
{
	code_fn *function;

	*(const void **)&function = at;
	function(loops);
	barrier();
}

static char *new_page(void *where)
{
	char *page = mmap(where, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	if (page == MAP_FAILED) {
		perror("handjit: mmap");
		exit(1);
	}
	return page;
}

/* Puts a function at a place of the page, and its name in the map if there is one. */
static char *emit(struct jit *j, unsigned int slot, const char *name)
{
	char *at = j->page + (size_t)slot * SLOT_BYTES;

	memcpy(at, code, sizeof(code));
	__builtin___clear_cache(at, at + sizeof(code));
	if (j->map) {
		fprintf(j->map, "%s%lx %s%zx %s\n", j->prefix, (unsigned long)at, j->prefix,
			sizeof(code), name);
		fflush(j->map);
	}
	return at;
}

static void open_map(struct jit *j)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	j->map = fopen(path, "we");
	if (!j->map) {
		perror(path);
		exit(1);
	}
}

/* Begins a dump; perf learns of it by the page of it that is mapped executable. */
static FILE *open_dump(const char *folder)
{
	const struct dump_header header = {
		.magic = DUMP_MAGIC,
		.version = DUMP_FORMAT,
		.total_size = sizeof(header),
		.machine = MACHINE,
		.pid = (uint32_t)getpid(),
		.time_ns = clock_ns(CLOCK_MONOTONIC),
	};
	char path[4096];
	FILE *dump;

	snprintf(path, sizeof(path), "%s/jit-%d.dump", folder, (int)getpid());
	dump = fopen(path, "w+e");
	if (!dump || fwrite(&header, sizeof(header), 1, dump) != 1 || fflush(dump) ||
	    mmap(NULL, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(dump), 0) ==
		    MAP_FAILED) {
		perror(path);
		exit(1);
	}
	return dump;
}

static void dump_code(FILE *dump, const char *at, const char *name, uint64_t number)
{
	const size_t name_bytes = strlen(name) + 1;
	const struct dump_load load = {
		.total_size = (uint32_t)(sizeof(load) + name_bytes + sizeof(code)),
		.time_ns = clock_ns(CLOCK_MONOTONIC),
		.pid = (uint32_t)getpid(),
		.tid = (uint32_t)getpid(),
		.vma = (uint64_t)at,
		.address = (uint64_t)at,
		.size = sizeof(code),
		.index = number,
	};

	if (fwrite(&load, sizeof(load), 1, dump) != 1 || fwrite(name, name_bytes, 1, dump) != 1 ||
	    fwrite(code, sizeof(code), 1, dump) != 1 || fflush(dump))
		perror("handjit: dump");
}

/* Both functions, in turns. */
static void run_both(struct jit *j, double seconds)
{
	const char *first = emit(j, 0, "jit_first"), *second = emit(j, 1, "jit_second");
	struct span span = span_of(seconds);
	uint64_t loops;

	while ((loops = span_next(&span))) {
		phase_first(first, loops);
		phase_second(second, loops);
	}
}

static void run_map(struct jit *j, double seconds, const char *folder)
{
	(void)folder;
	open_map(j);
	run_both(j, seconds);
}

static void run_map_0x(struct jit *j, double seconds, const char *folder)
{
	(void)folder;
	j->prefix = "0x";
	open_map(j);
	run_both(j, seconds);
}

static void run_none(struct jit *j, double seconds, const char *folder)
{
	(void)folder;
	run_both(j, seconds);
}

static void run_late(struct jit *j, double seconds, const char *folder)
{
	run_none(j, seconds / 2, folder);
	run_map(j, seconds / 2, folder);
}

static void run_dump(struct jit *j, double seconds, const char *folder)
{
	FILE *dump = open_dump(folder);

	dump_code(dump, j->page, "jit_first", 1);
	dump_code(dump, j->page + SLOT_BYTES, "jit_second", 2);
	run_both(j, seconds);
	fclose(dump);
}

static void run_first(struct jit *j, double seconds)
{
	const char *at = emit(j, 0, "jit_first");
	struct span span = span_of(seconds);
	uint64_t loops;

	while ((loops = span_next(&span)))
		phase_first(at, loops);
}

static void run_second(struct jit *j, double seconds)
{
	const char *at = emit(j, 0, "jit_second");
	struct span span = span_of(seconds);
	uint64_t loops;

	while ((loops = span_next(&span)))
		phase_second(at, loops);
}

static void run_reused(struct jit *j, double seconds, const char *folder)
{
	(void)folder;
	open_map(j);
	run_first(j, seconds / 2);
	run_second(j, seconds / 2);
}

static void run_remapped(struct jit *j, double seconds, const char *folder)
{
	char *where = j->page;

	(void)folder;
	open_map(j);
	run_first(j, seconds / 2);
	munmap(where, PAGE_BYTES);
	j->page = new_page(where);
	run_second(j, seconds / 2);
}

static void run_moved(struct jit *j, double seconds, const char *folder)
{
	struct span span;
	const char *at;
	uint64_t loops;

	(void)folder;
	open_map(j);
	run_first(j, seconds / 3);
	at = emit(j, 1, "jit_first");
	span = span_of(seconds / 3);
	while ((loops = span_next(&span)))
		phase_moved(at, loops);
	run_second(j, seconds / 3);
}

static const struct {
	const char *name;
	void (*run)(struct jit *j, double seconds, const char *folder);
} modes[] = {
	{ "map", run_map },	{ "map-0x", run_map_0x }, { "late", run_late },
	{ "moved", run_moved }, { "reused", run_reused }, { "remapped", run_remapped },
	{ "dump", run_dump },	{ "none", run_none },
};

int main(int argc, char **argv)
{
	struct jit j = { .prefix = "" };

	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[2], modes[i].name) != 0)
			continue;
		j.page = new_page(NULL);
		modes[i].run(&j, strtod(argv[1], NULL), argc > 3 ? argv[3] : "/tmp");
		return 0;
	}
	fprintf(stderr, "usage: handjit SECONDS MODE [FOLDER]\n");
	return 2;
}

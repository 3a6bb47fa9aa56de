// SPDX-License-Identifier: Apache-2.0
/*
 * test_jail_walk.c - snapshots of real threads, walked in the jail, hold against what the threads
 * noted themselves and against libunwind watching them by ptrace.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <errno.h>
#include <libunwind-ptrace.h>
#include <stdlib.h>

#include "profiler/jail.h"
#include "profiler/openfile.h"
#include "stopped.h"

extern char _start[], _init[];

static struct jail *jail;
static struct stopped stopped;

static void setup(void)
{
	cr_assert(zero(int, jail_open(&jail, JAIL_PROGRAM)));
}

static void teardown(void)
{
	jail_free(jail);
}

TestSuite(jail_walk, .init = setup, .fini = teardown, .timeout = 30);

static void send_file(const struct jail_mapping *m)
{
	const char *path = stopped.paths[m->file - 1];
	int fd = strcmp(path, "[vdso]") ? open(path, O_RDONLY | O_CLOEXEC) : openfile_vdso();
	struct jail_file_answer answer;

	cr_assert(ge(int, fd, 0), "%s", path);
	cr_assert(zero(int, jail_file(jail, m->file, fd, &answer)), "%s", path);
	cr_assert(eq(int, answer.machine, EM_X86_64));
	cr_assert(eq(int, answer.kind, JAIL_KIND_TABLES));
	close(fd);
}

static struct jail_walk question(void)
{
	struct jail_walk walk = { .machine = EM_X86_64,
				  .mapping_count = stopped.mapping_count,
				  .mappings = stopped.mappings,
				  .stack = stopped.stack,
				  .stack_bytes = stopped.stack_bytes,
				  .stack_address = stopped.stack_address };

	memcpy(walk.registers, stopped.registers, sizeof(walk.registers));
	return walk;
}

/* As the recorder does it: files are sent when they are asked for. */
static struct jail_stack walk_stopped(const struct jail_walk *walk)
{
	struct jail_stack stack;

	for (uint32_t i = 0; i <= stopped.mapping_count; i++) {
		cr_assert(zero(int, jail_walk(jail, walk, &stack)));
		if (stack.end != JAIL_END_FILE)
			return stack;
		send_file(&stopped.mappings[stack.file - 1]);
	}
	cr_fail("it asks for a file again and again");
	return stack;
}

/* The returns that the functions noted are in the chain, in order and without others between. */
static void check_notes(const struct jail_stack *stack)
{
	const struct stopped_notes *notes = stopped.notes;
	uint32_t at = 0;

	while (at < stack->count && stack->frames[at] != notes->returns[0])
		at++;
	cr_assert(lt(u32, at + notes->count - 1, stack->count), "the leaf's caller is not there");
	cr_assert(lt(u32, at, 4));
	for (unsigned int i = 0; i < notes->count; i++)
		cr_assert(eq(u64, stack->frames[at + i], notes->returns[i]), "note %u", i);
}

static bool is_in(uint64_t address, const char *name)
{
	for (uint32_t i = 0; i < stopped.mapping_count; i++) {
		const struct jail_mapping *m = &stopped.mappings[i];

		if (m->start <= address && address < m->end)
			return strstr(stopped.paths[i], name) != NULL;
	}
	return false;
}

/* As far as the one that runs the tests: there libunwind misses the tables and begins to guess. */
static void check_against_ptrace(const struct jail_stack *stack)
{
	unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
	void *target = _UPT_create(stopped.tid);
	unw_cursor_t cursor;
	unw_word_t pc;
	uint32_t n = 0;

	cr_assert(zero(int, unw_init_remote(&cursor, space, target)));
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &pc);
		cr_assert(lt(u32, n, stack->count), "frame %u, 0x%lx, is missing", n, pc);
		cr_assert(eq(u64, stack->frames[n], pc), "frame %u", n);
		n++;
	} while (!is_in(pc, "criterion") && unw_step(&cursor) > 0);
	cr_assert(gt(u32, n, stopped.notes->count + 1));
	_UPT_destroy(target);
	unw_destroy_addr_space(space);
}

static bool is_start(uint64_t address)
{
	uint64_t start = (uintptr_t)_start;

	return address > start && address < start + 64;
}

/* Stops a thread in a chain of calls, and expects to see all that it noted. */
static struct jail_stack walk_chain(void (*chain)(void))
{
	struct jail_walk walk;
	struct jail_stack stack;

	stopped_start(&stopped, chain);
	walk = question();
	stack = walk_stopped(&walk);
	cr_assert(eq(int, stack.end, JAIL_END_COMPLETE));
	check_notes(&stack);
	return stack;
}

static void check_calls(void (*chain)(void))
{
	struct jail_stack stack = walk_chain(chain);

	check_against_ptrace(&stack);
	cr_assert(is_start(stack.frames[stack.count - 1]));
	stopped_end(&stopped);
}

Test(jail_walk, calls)
{
	check_calls(stopped_plain);
}

Test(jail_walk, signal_handler)
{
	check_calls(stopped_signal);
}

Test(jail_walk, thread)
{
	struct jail_stack stack = walk_chain(stopped_thread);

	check_against_ptrace(&stack);
	stopped_end(&stopped);
}

/* libunwind's own guesses are no oracle for these two. */
static void check_frame_pointers(void (*chain)(void))
{
	struct jail_stack stack = walk_chain(chain);

	cr_assert(is_start(stack.frames[stack.count - 1]));
	stopped_end(&stopped);
}

Test(jail_walk, code_made_at_run_time)
{
	check_frame_pointers(stopped_jit);
}

Test(jail_walk, code_without_tables)
{
	check_frame_pointers(stopped_bare);
}

/* A thread at @pc whose stack has these words; its caller is the program's start. */
static void check_made(const void *pc, uint64_t *words, uint32_t count, enum jail_end end)
{
	const uint64_t address = 0x7ffe00001000, start = (uintptr_t)_start + 8;
	struct jail_walk walk;
	struct jail_stack stack;

	walk = question();
	walk.stack = words;
	walk.stack_bytes = count * sizeof(*words);
	walk.stack_address = address;
	memset(walk.registers, 0, sizeof(walk.registers));
	walk.registers[6] = address + 8 * 2;
	walk.registers[7] = address;
	walk.registers[16] = (uintptr_t)pc;
	stack = walk_stopped(&walk);
	cr_assert(eq(int, stack.end, end));
	cr_assert(eq(u32, stack.count, 2));
	cr_assert(eq(u64, stack.frames[0], (uintptr_t)pc));
	cr_assert(eq(u64, stack.frames[1], start));
}

/* _init() has no tables, and no frame pointer; the linker's way of making it is known. */
Test(jail_walk, start_files)
{
	const uint64_t start = (uintptr_t)_start + 8, other = (uintptr_t)stopped_plain;

	stopped_start(&stopped, stopped_plain);
	check_made(_init, (uint64_t[]){ start, other, 0, other }, 4, JAIL_END_COMPLETE);
	check_made(_init + 3, (uint64_t[]){ start, other, 0, other }, 4, JAIL_END_COMPLETE);
	check_made(_init + 4, (uint64_t[]){ other, start, 0, other }, 4, JAIL_END_COMPLETE);
	stopped_end(&stopped);
}

/* Without a frame of its own a leaf's caller is passed over: that is not called complete. */
Test(jail_walk, leaf_without_tables)
{
	const uint64_t start = (uintptr_t)_start + 8, caller = (uintptr_t)stopped_last_call + 9;

	stopped_start(&stopped, stopped_plain);
	check_made(stopped_bare_call, (uint64_t[]){ 0, 0, 0, start }, 4, JAIL_END_COMPLETE);
	check_made(stopped_bare_call, (uint64_t[]){ caller, 0, 0, start }, 4, JAIL_END_DOUBTFUL);
	stopped_end(&stopped);
}

/* The frames that there are are right, and it is said that there are more. */
Test(jail_walk, snapshot_too_short)
{
	struct jail_walk walk;
	struct jail_stack whole, cut;
	uint64_t frames[MAX_FRAMES];

	stopped_start(&stopped, stopped_plain);
	walk = question();
	whole = walk_stopped(&walk);
	memcpy(frames, whole.frames, whole.count * sizeof(frames[0]));
	for (walk.stack_bytes = 0; walk.stack_bytes < 14000; walk.stack_bytes += 500) {
		cut = walk_stopped(&walk);
		cr_assert(eq(int, cut.end, JAIL_END_SHORT), "%u bytes", walk.stack_bytes);
		cr_assert(lt(u32, cut.count, whole.count));
		cr_assert(zero(int, memcmp(cut.frames, frames, cut.count * sizeof(frames[0]))));
	}
	stopped_end(&stopped);
}

/* What could not be opened, or is mapped where we do not know of, ends the walk and is said. */
Test(jail_walk, unknown_code)
{
	struct jail_walk walk;
	struct jail_stack stack;

	stopped_start(&stopped, stopped_plain);
	walk = question();
	for (uint32_t i = 0; i < stopped.mapping_count; i++) {
		if (strstr(stopped.paths[i], "libc"))
			stopped.mappings[i].file = JAIL_FILE_UNUSABLE;
	}
	stack = walk_stopped(&walk);
	cr_assert(eq(int, stack.end, JAIL_END_NO_TABLE));
	cr_assert(eq(u32, stack.count, 1));
	/* The executable is the first: the libraries' tables are not looked at for it. */
	for (uint32_t i = 0; i < stopped.mapping_count; i++)
		stopped.mappings[i].file = i + 1;
	walk.mappings++;
	walk.mapping_count--;
	stack = walk_stopped(&walk);
	cr_assert(eq(int, stack.end, JAIL_END_NO_MAPPING));
	cr_assert(eq(u32, stack.count, 1), "an address that is no code is no frame");
	walk.mapping_count = 0;
	stack = walk_stopped(&walk);
	cr_assert(eq(int, stack.end, JAIL_END_NO_MAPPING));
	cr_assert(eq(u32, stack.count, 1), "but the leaf always is");
	stopped_end(&stopped);
}

/* Any registers on any stack: an answer within the limits, and the jail lives on. */
Test(jail_walk, nonsense)
{
	uint64_t random = 88172645463325252ull;
	struct jail_walk walk;
	pid_t pid;

	stopped_start(&stopped, stopped_plain);
	walk = question();
	walk_stopped(&walk);
	pid = (pid_t)jail_pid(jail);
	for (int round = 0; round < 2000; round++) {
		struct jail_stack stack = { 0 };

		for (int i = 0; i < 1 + round % 40; i++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			if (i % 2)
				walk.registers[random % 17] =
					stopped.stack_address + (random >> 48);
			else
				stopped.stack[random % stopped.stack_bytes] ^= random >> 56;
		}
		walk.registers[16] =
			stopped.mappings[random % walk.mapping_count].start + (random >> 50);
		walk.registers[7] = stopped.stack_address;
		stack = walk_stopped(&walk);
		cr_assert(ge(u32, stack.count, 1));
	}
	cr_assert(eq(u32, jail_pid(jail), (uint32_t)pid));
	stopped_end(&stopped);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * test_walk_lookup.c - the walker's way from a thread group and an address to a rule, and what it
 * does where the tables have nothing (yet).
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/bpf/walk_world.h"
#include "tests/unit/random.h"

TestSuite(walk_lookup, .init = load_tables);

/* A second mapping, of another file whose first function nobody called. */
#define OTHER		(CODE + CODE_PAGES * 4096)
#define OTHER_FIRST	(OTHER + 0x300)
#define OTHER_OFFSET	0x12000 /* of the file, where the mapping begins */
#define OTHER_PAGES	16
#define OTHER_SHARD	(UNWIND_SHARDS - 1)
#define OTHER_ROW	(UNWIND_SHARD_ROWS - 2)
#define OTHER_MAPPING	8
#define OTHER_DIRECTORY (UNWIND_DIRECTORY - 2)

static void map_other(void)
{
	unwind_mappings[OTHER_MAPPING] = (struct unwind_mapping){
		.start = OTHER,
		.bias = OTHER - OTHER_OFFSET,
		.pages_4k = OTHER_PAGES,
		.directory = OTHER_DIRECTORY,
	};
	know_process(machine.pid, 7, 2);
	set_page(OTHER_DIRECTORY + 1, (struct unwind_page){ .state = UNWIND_PAGE_LOADED,
							    .shard = OTHER_SHARD,
							    .first = OTHER_ROW,
							    .count = 1 });
	unwind_rules[UNWIND_RULES - 1] = (struct unwind_rule){ .cfa = UNWIND_END };
	unwind_rules[UNWIND_RULES - 2] =
		(struct unwind_rule){ .cfa = UNWIND_SP, .cfa_off = 32, .ra_off = -8 };
	machine_shard(OTHER_SHARD)[OTHER_ROW] =
		(struct unwind_row){ .offset = 0, .rule = UNWIND_RULES - 2 };
	machine_shard(OTHER_SHARD)[OTHER_ROW + 1] = (struct unwind_row){
		.offset = (OTHER_FIRST - OTHER + OTHER_OFFSET) & 0xffff,
		.rule = UNWIND_RULES - 1,
	};
}

Test(walk_lookup, more_than_one_mapping)
{
	uint64_t plain;

	map_other();
	plain = plain_function(2) + 1;
	machine.regs.ip = OTHER; /* the first address of one, ... */
	machine.user_words[103] = plain;
	machine.user_words[105] = OTHER + 1;
	machine.user_words[109] = OTHER_FIRST + 1;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, OTHER, plain, OTHER + 1, OTHER_FIRST + 1);
	machine.user_words[109] = OTHER; /* ... which as a return address is the other's last */
	expect_walk(STACK_NO_TABLE, STACK_BY_TABLE, OTHER, plain, OTHER + 1, OTHER);
	cr_assert(eq(u64, snapshot_of[0].leaf, machine.regs.ip));
}

/* Code is found in [start, end) of its mapping and nowhere else. */
Test(walk_lookup, edges_of_a_mapping)
{
	const uint64_t end = OTHER + OTHER_PAGES * 4096;
	uint64_t plain;

	map_other();
	plain = plain_function(1);
	set_page(OTHER_DIRECTORY + 1, (struct unwind_page){ .state = UNWIND_PAGE_REFUSED });
	/* Its file's second 64 KiB lie beyond the directory. */
	machine.regs.ip = end - 1;
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, end - 1);
	machine.regs.ip = end;
	expect_walk(STACK_NO_MAPPING, STACK_BY_TABLE, end);
	machine.regs.ip = CODE - 1;
	expect_walk(STACK_NO_MAPPING, STACK_BY_TABLE, CODE - 1);
	machine.regs.ip = plain;
	machine.user_words[100] = end; /* a call is the last instruction */
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, plain, end);
	machine.user_words[100] = CODE; /* no call is before it: no frame, then */
	expect_walk(STACK_NO_MAPPING, STACK_BY_TABLE, plain);
	cr_assert(eq(u64, snapshot_of[0].leaf, machine.regs.ip));
	machine.user_words[100] = end + 1;
	expect_walk(STACK_NO_MAPPING, STACK_BY_TABLE, plain);
	machine.user_words[100] = UINT64_MAX;
	expect_walk(STACK_NO_MAPPING, STACK_BY_TABLE, plain);
}

/* A number near 0 is no address: that is no reason for anybody to look at /proc. */
Test(walk_lookup, no_code_at_the_first_page)
{
	machine.regs.ip = plain_function(1);
	for (uint64_t address = 1; address <= 4096; address += 819) {
		machine.user_words[100] = address;
		expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, machine.regs.ip);
	}
	machine.regs.ip = 0; /* a call of nothing */
	expect_walk(STACK_BAD_FRAME, STACK_BY_TABLE, 0);
	cr_assert(zero(u64, machine_counters(0, 0).snapshots));
}

Test(walk_lookup, a_process_is_known_by_its_pid)
{
	uint32_t pid = machine.pid, slot = unwind_process_slot(pid);
	uint64_t first = first_function();

	machine.regs.ip = first;
	for (uint32_t i = 0; i < UNWIND_PROBES; i++) { /* wherever it found room */
		memset(unwind_processes, 0xff, sizeof(unwind_processes));
		unwind_processes[(slot + i) % UNWIND_PROCESSES] =
			(struct unwind_process){ .pid = pid, .range = UINT64_C(7) << 32 | 1 };
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, first);
	}
	memset(unwind_processes, 0, sizeof(unwind_processes));
	expect_walk(STACK_NO_PROCESS, STACK_BY_TABLE, first);
	know_process(pid, 0, 0);
	expect_walk(STACK_NO_PROCESS, STACK_BY_TABLE, first);
	machine.pid = pid + 1;
	know_process(pid, 7, 1);
	expect_walk(STACK_NO_PROCESS, STACK_BY_TABLE, first);
}

/* The same address is another file's in another process. */
Test(walk_lookup, a_mapping_is_its_process_only)
{
	uint64_t first = first_function(), plain = plain_function(1);

	machine.regs.ip = plain;
	machine.user_words[100] = first + 1;
	unwind_mappings[20] = unwind_mappings[7];
	unwind_mappings[20].bias += FUNCTION_BYTES; /* where the other has its first function */
	know_process(machine.pid + 1, 20, 1);
	for (int i = 0; i < 3; i++) {
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, plain, first + 1);
		machine.pid++;
		expect_walk(STACK_COMPLETE, STACK_BY_TABLE, plain);
		machine.pid--;
	}
}

Test(walk_lookup, slots_of_a_process_wrap)
{
	uint32_t pid = 1;

	while (unwind_process_slot(pid) != UNWIND_PROCESSES - 1)
		pid++;
	unwind_processes[UNWIND_PROBES - 2] = (struct unwind_process){ .pid = pid, .range = 77 };
	cr_assert(eq(u64, find_process(pid), 77));
	unwind_processes[UNWIND_PROBES - 1] = unwind_processes[UNWIND_PROBES - 2];
	unwind_processes[UNWIND_PROBES - 2].pid = 0;
	cr_assert(eq(u64, find_process(pid), 0));
}

/* What the recorder has not heard of yet: the new program's addresses in the old one's mappings. */
Test(walk_lookup, another_program_is_not_known)
{
	uint64_t first = first_function();

	machine.regs.ip = first;
	know_process(machine.pid + 1, 7, 1);
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, first);
	machine_exec();
	expect_walk(STACK_NO_PROCESS, STACK_BY_TABLE, first);
	machine.pid++;
	expect_walk(STACK_COMPLETE, STACK_BY_TABLE, first);
}

Test(walk_lookup, states_of_a_page)
{
	static const struct {
		uint16_t state;
		enum stack_end end;
		bool snapshot;
	} cases[] = {
		{ UNWIND_PAGE_MISSING, STACK_NO_TABLE, true },
		{ UNWIND_PAGE_REFUSED, STACK_REFUSED, false },
		{ UNWIND_PAGE_UNTOLD, STACK_NO_RULE, false },
		{ UNWIND_PAGE_UNTOLD, STACK_NO_RULE, false },
	};
	uint64_t plain = plain_function(1), second = CODE + UNWIND_PAGE_BYTES + 77;

	machine.regs.ip = plain;
	machine.user_words[100] = second;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_page(CODE_DIRECTORY + 1, (struct unwind_page){ .state = cases[i].state });
		expect_walk(cases[i].end, STACK_BY_TABLE, plain, second);
		cr_assert(eq(int, snapshot_of[0].size != 0, cases[i].snapshot));
	}
	set_page(CODE_DIRECTORY + 1, (struct unwind_page){ .state = UNWIND_PAGE_BARE });
	machine.regs.fp = STACK(110);
	machine.user_words[111] = first_function() + 1;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, plain, second, machine.user_words[111]);
}

Test(walk_lookup, a_shard_that_is_not_there)
{
	machine.regs.ip = plain_function(1);
	for (uint32_t shard = 2; shard < 256; shard += 7) {
		set_page(CODE_DIRECTORY, (struct unwind_page){ .state = UNWIND_PAGE_LOADED,
							       .shard = (uint8_t)shard,
							       .first = 1000 });
		expect_walk(STACK_REFUSED, STACK_BY_TABLE, machine.regs.ip);
	}
}

Test(walk_lookup, mappings_without_tables)
{
	uint64_t plain, first = first_function() + 1, jit = OTHER + 5;

	map_other();
	plain = plain_function(1);
	unwind_mappings[OTHER_MAPPING].directory = UNWIND_FRAME_POINTERS;
	machine.regs.ip = jit;
	machine.regs.fp = STACK(120);
	machine.user_words[120] = STACK(130);
	machine.user_words[121] = plain + 1;
	machine.user_words[122] = jit + 1;
	machine.user_words[131] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, jit, plain + 1, jit + 1, first);
	unwind_mappings[OTHER_MAPPING].directory = UNWIND_UNKNOWN_FILE;
	machine.regs.ip = plain;
	machine.user_words[100] = jit;
	expect_walk(STACK_BEYOND, STACK_BY_TABLE, plain, jit);
}

/* Only frame pointers: neither tables nor snapshots, whatever there would be. */
Test(walk_lookup, by_frame_pointers_if_that_is_wanted)
{
	uint64_t first, plain;

	load_world(USER_WALK_FRAME_POINTERS);
	plain = plain_function(1);
	first = first_function() + 1;
	machine.regs.ip = plain;
	machine.regs.fp = STACK(150);
	machine.user_words[100] = plain + 7;
	machine.user_words[151] = first;
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, plain, first);
	machine.user_words[151] = 77; /* not even looked up */
	expect_walk(STACK_COMPLETE, STACK_BY_FRAME_POINTER, plain, 77);
	machine.regs.fp = 1;
	expect_walk(STACK_CHAIN_END, STACK_BY_FRAME_POINTER, plain);
	cr_assert(zero(u64, machine_counters(0, 0).snapshots));
}

/* The binary searches agree with a walk through the table, for any sorted table and address. */
Test(walk_lookup, find_mapping_as_a_linear_search)
{
	uint64_t random = 5;

	for (int round = 0; round < 3000; round++) {
		uint32_t count =
			round % 10 ? 1 + random_below(&random, 20) : UNWIND_PROCESS_MAPPINGS;
		uint32_t first = random_below(&random, UNWIND_MAPPINGS - count + 1);
		uint64_t start = 1000;

		for (uint32_t i = 0; i < count; i++) {
			start += 1 + random_below(&random, 10);
			unwind_mappings[first + i].start = start;
		}
		for (int i = 0; i < 20; i++) {
			uint64_t address = i ? 990 + random_below(&random, count * 8 + 20) : start;
			uint32_t wanted = UNWIND_MAPPINGS;

			for (uint32_t j = 0; j < count; j++)
				if (unwind_mappings[first + j].start <= address)
					wanted = first + j;
			cr_assert(eq(u32, find_mapping(first, count, address), wanted));
		}
	}
	cr_assert(eq(u32, find_mapping(0, 0, UINT64_MAX), UNWIND_MAPPINGS));
}

Test(walk_lookup, find_rule_as_a_linear_search)
{
	struct unwind_row *rows = machine_shard(3);
	uint64_t random = 7;

	for (int round = 0; round < 2000; round++) {
		uint32_t count = round % 100 ? 1 + random_below(&random, 30) : UNWIND_SHARD_ROWS;
		uint32_t first = random_below(&random, UNWIND_SHARD_ROWS - count + 1);
		uint32_t step = UNWIND_PAGE_BYTES / count, offset = 0;

		for (uint32_t i = 0; i < count; i++) {
			rows[first + i] = (struct unwind_row){ .offset = (uint16_t)offset,
							       .rule = (uint16_t)i };
			offset += 1 + random_below(&random, step);
		}
		for (int i = 0; i < 20; i++) {
			uint32_t at = i ? random_below(&random, UNWIND_PAGE_BYTES) : 0xffff;
			uint32_t wanted = 0;

			for (uint32_t j = 0; j < count; j++)
				if (rows[first + j].offset <= at)
					wanted = j;
			cr_assert(eq(u32, find_rule(3, first, first + count - 1, at), wanted));
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk_world.h - tables and stacks made by hand for the tests of the walker.
 *
 * Code is made of functions of FUNCTION_BYTES with one rule each, in the order in which they are
 * made; the stack is machine.user_words. A walk begins at machine.regs.
 */
#ifndef PROFILER_WALK_WORLD_H
#define PROFILER_WALK_WORLD_H

#include "tests/bpf/sample_reader.h"

#define CODE	       UINT64_C(0x00007f1234560000)
#define CODE_PAGES     48 /* of 4 KiB: three of the tables' */
#define CODE_DIRECTORY 100
#define FUNCTION_BYTES 256
#define STACK(word)    (MACHINE_STACK_BASE + 8 * (uint64_t)(word))

static uint32_t functions; /* made so far */

/* The process and its mappings, CODE at first. */
static inline void know_process(uint32_t pid, uint32_t first, uint32_t count)
{
	unwind_processes[unwind_process_slot(pid)] = (struct unwind_process){
		.pid = pid,
		.range = (uint64_t)first << 32 | count,
	};
}

static inline void set_page(uint32_t directory, struct unwind_page page)
{
	static uint16_t generation;

	page.generation = ++generation; /* what the walker kept of the page is void */
	memcpy(&unwind_directory[directory], &page, sizeof(page));
}

/* The tables of CODE's first 64 KiB, which grow with the functions. */
static inline void set_code_page(void)
{
	set_page(CODE_DIRECTORY, (struct unwind_page){ .state = UNWIND_PAGE_LOADED,
						       .shard = 1,
						       .first = 1000,
						       .count = functions });
}

/* Begins a function that has the rule; returns its address. */
static inline uint64_t function(struct unwind_rule rule)
{
	uint32_t number = functions++;

	unwind_rules[number + 1] = rule;
	machine_shard(1)[1000 + number] = (struct unwind_row){
		.offset = (uint16_t)(number * FUNCTION_BYTES),
		.rule = (uint16_t)(number + 1),
	};
	machine_shard(1)[1001 + number] = (struct unwind_row){
		.offset = (uint16_t)((number + 1) * FUNCTION_BYTES),
	};
	set_code_page();
	return CODE + number * FUNCTION_BYTES;
}

/* One that nobody called. */
static inline uint64_t first_function(void)
{
	return function((struct unwind_rule){ .cfa = UNWIND_END });
}

/* An ordinary one: so many words on the stack, the return address last. */
static inline uint64_t plain_function(uint32_t words)
{
	return function((struct unwind_rule){
		.cfa = UNWIND_SP, .cfa_off = (int32_t)words * 8, .ra_off = -8 });
}

static inline void load_world(uint32_t user_walk)
{
	load((struct machine_settings){ .user_walk = user_walk,
					.snapshot_bytes = 2048,
					.ring_bytes = 1 << 20,
					.wakeup_bytes = 1 << 19 });
	functions = 0;
	unwind_mappings[7] = (struct unwind_mapping){
		.start = CODE,
		.bias = CODE,
		.pages_4k = CODE_PAGES,
		.directory = CODE_DIRECTORY,
	};
	know_process(machine.pid, 7, 1);
	machine.regs.sp = STACK(100);
}

static inline void load_tables(void)
{
	load_world(USER_WALK_TABLES);
}

/* The user stack of the one sample that an overflow gives; its snapshot is in snapshot_of[0]. */
static inline struct frames walked(void)
{
	const struct sample_event *s;

	snapshot_of[0].size = 0;
	machine_overflow(0);
	s = next_sample(0);
	cr_assert(s != NULL);
	cr_assert(next_sample(0) == NULL);
	cr_assert(eq(int, s && (s->flags & SAMPLE_SNAPSHOT), snapshot_of[0].size != 0));
	cr_assert(s && s->user_stack && meaning[0][s->user_stack - 1]);
	return *meaning[0][s->user_stack - 1];
}

/* The walk gives these frames, and ends so. */
#define expect_walk(end, how, ...)                                                    \
	do {                                                                          \
		const uint64_t wanted_[] = { __VA_ARGS__ };                           \
		const uint32_t n_ = sizeof(wanted_) / sizeof(*wanted_);               \
		const struct frames got_ = walked();                                  \
                                                                                      \
		cr_assert(eq(u32, STACK_END(got_.outcome), end));                     \
		cr_assert(eq(u32, STACK_HOW(got_.outcome), how));                     \
		cr_assert(eq(u32, got_.n, n_));                                       \
		for (uint32_t i_ = 0; i_ < n_; i_++)                                  \
			cr_assert(eq(u64, got_.ip[i_], wanted_[i_]), "frame %u", i_); \
	} while (0)

#endif /* PROFILER_WALK_WORLD_H */

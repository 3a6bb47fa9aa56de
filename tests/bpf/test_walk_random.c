// SPDX-License-Identifier: Apache-2.0
/*
 * test_walk_random.c - the sampling program over tables and memory that nobody can trust.
 *
 * The tables lie in memory that the recorder writes from what the jail says, and the stack belongs
 * to anybody. Whatever is in them a sample ends, has at most MAX_FRAMES frames, and reads nothing
 * that is not its own (AddressSanitizer sees to that).
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/bpf/walk_world.h"
#include "tests/unit/random.h"

TestSuite(walk_random, .init = load_tables);

static void fill_randomly(void *memory, size_t bytes, uint64_t *random)
{
	uint64_t *words = memory;

	for (size_t i = 0; i < bytes / 8; i++)
		words[i] = next_random(random);
}

/* An address of the stack, of code, or any number. */
static uint64_t some_address(uint64_t *random)
{
	switch (random_below(random, 8)) {
	case 0:
		return next_random(random);
	case 1:
		return 0;
	case 2:
	case 3:
	case 4:
		return STACK(random_below(random, MACHINE_WORDS + 8));
	default:
		return CODE + random_below(random, CODE_PAGES * 4096 + 8);
	}
}

static void fill_stack(uint64_t *random)
{
	for (uint32_t i = 0; i < MACHINE_WORDS; i++)
		machine.user_words[i] = some_address(random);
}

static void set_registers(uint64_t *random)
{
	for (uint32_t i = 0; i < MACHINE_REGISTERS; i++)
		machine.regs.by_number[i] = some_address(random);
	machine.regs.sp = STACK(random_below(random, 1000));
	machine.regs.ip = CODE + random_below(random, CODE_PAGES * 4096);
	machine.pid = 1 + random_below(random, 5);
	machine.time_ns += random_below(random, 1 << 28);
	machine.saved = machine.regs;
	if (!random_below(random, 4)) {
		machine.regs.cs = KERNEL_CS;
		machine.n_kernel_frames = random_below(random, MAX_KERNEL_FRAMES + 2);
	}
}

/* One sample; what it leaves in the ring is in order. */
static struct frames sample(void)
{
	const struct sample_event *s;
	struct event_counters before = machine_counters(0, 0), after;
	struct frames none = { 0 };

	snapshot_of[0].size = 0;
	machine_overflow(0);
	after = machine_counters(0, 0);
	cr_assert(eq(u64, after.entries, before.entries + 1));
	cr_assert(eq(u64, after.submitted, before.submitted + 1));
	s = next_sample(0);
	cr_assert(s != NULL);
	cr_assert(next_sample(0) == NULL);
	cr_assert(eq(int, s && (s->flags & SAMPLE_SNAPSHOT), snapshot_of[0].size != 0));
	cr_assert(le(u32, snapshot_of[0].stack_bytes, 2048));
	if (!s || !s->user_stack)
		return none;
	cr_assert(meaning[0][s->user_stack - 1] != NULL);
	return *meaning[0][s->user_stack - 1];
}

static void check_stack(const struct frames *f, uint32_t seen[STACK_ENDS])
{
	if (!f->n)
		return;
	cr_assert(le(u32, f->n, MAX_FRAMES));
	cr_assert(lt(u32, STACK_END(f->outcome), STACK_ENDS));
	cr_assert(lt(u32, STACK_HOW(f->outcome), STACK_HOWS));
	cr_assert(eq(u64, f->ip[0], machine.saved.ip));
	seen[STACK_END(f->outcome)]++;
}

/* CODE is there, and its pages are loaded, from any row to any other of a shard that may be there.
 */
static void load_pages(uint64_t *random)
{
	for (uint32_t i = 0; i < 4; i++)
		set_page(CODE_DIRECTORY + i,
			 (struct unwind_page){ .state = UNWIND_PAGE_LOADED,
					       .shard = (uint16_t)random_below(random, 40),
					       .first = (uint16_t)next_random(random),
					       .count = (uint16_t)next_random(random) });
	unwind_mappings[0] = (struct unwind_mapping){
		.start = CODE, .bias = CODE, .pages_4k = CODE_PAGES, .directory = CODE_DIRECTORY
	};
}

Test(walk_random, any_bytes_in_all_tables)
{
	uint32_t seen[STACK_ENDS] = { 0 };
	uint64_t random = 1;

	for (uint32_t i = 0; i < UNWIND_SHARDS; i += 3)
		fill_randomly(machine_shard(i), sizeof(struct unwind_row) * UNWIND_SHARD_ROWS,
			      &random);
	for (int round = 0; round < 40; round++) {
		fill_randomly(unwind_mappings, sizeof(unwind_mappings), &random);
		fill_randomly(unwind_directory, sizeof(unwind_directory), &random);
		fill_randomly(unwind_rules, sizeof(unwind_rules), &random);
		fill_stack(&random);
		load_pages(&random);
		for (uint32_t pid = 1; pid < 6; pid++)
			know_process(pid, (uint32_t)next_random(&random),
				     (uint32_t)next_random(&random) >> random_below(&random, 32));
		know_process(3, 0, 1);
		for (int i = 0; i < 200; i++) {
			struct frames f;

			set_registers(&random);
			f = sample();
			check_stack(&f, seen);
			machine.regs.cs = 0x33;
		}
	}
	cr_assert(gt(u32, seen[STACK_NO_MAPPING], 100));
}

/* Field by field values that occur, put together at random: walks get far this way. */
static struct unwind_rule some_rule(uint64_t *random)
{
	return (struct unwind_rule){
		.cfa = (uint8_t)(random_below(random, 12)
					 ? UNWIND_SP + random_below(random, UNWIND_CFAS - UNWIND_SP)
					 : random_below(random, UNWIND_CFAS + 1)),
		.cfa_reg = (uint8_t)random_below(random, random_below(random, 9) ? 18 : 256),
		.ra = (uint8_t)!random_below(random, 20),
		.ra_reg = (uint8_t)random_below(random, random_below(random, 9) ? 18 : 256),
		.cfa_off = (int32_t)random_below(random, 64) * 8 - 16,
		.deref_off = (int16_t)(random_below(random, 64) * 8 - 64),
		.ra_off = random_below(random, 10) ? -8 : (int16_t)next_random(random),
		.fp_off = (int16_t)(random_below(random, 2) ? 0 : -8 * random_below(random, 12)),
		.bx_off = random_below(random, 9) ? 0 : (int16_t)next_random(random),
	};
}

static void fill_plausibly(uint64_t *random)
{
	uint32_t kinds = random_below(random, 3); /* leave out, or not, what ends a walk */

	for (uint32_t i = 0; i < UNWIND_RULES; i++) {
		do
			unwind_rules[i] = some_rule(random);
		while (kinds && unwind_rules[i].cfa < UNWIND_SP);
		if (kinds == 2) /* and go up in small steps */
			unwind_rules[i] = (struct unwind_rule){
				.cfa = UNWIND_SP,
				.cfa_off = 8 + (int32_t)random_below(random, 3) * 8,
				.ra_off = -8,
			};
	}
	for (uint16_t page = 0; page < 3; page++) {
		struct unwind_row *rows = &machine_shard(page)[page * 20000];
		uint32_t offset = 0, n = 0;

		for (; offset < UNWIND_PAGE_BYTES; offset += 1 + random_below(random, 60))
			rows[n++] = (struct unwind_row){
				.offset = (uint16_t)offset,
				.rule = (uint16_t)random_below(random, UNWIND_RULES),
			};
		set_page(CODE_DIRECTORY + page,
			 (struct unwind_page){ .state = UNWIND_PAGE_LOADED,
					       .shard = page,
					       .first = (uint16_t)(page * 20000),
					       .count = (uint16_t)(n - 1) });
	}
}

/* Nearly always an address of code. */
static void fill_stack_with_code(uint64_t *random)
{
	for (uint32_t i = 0; i < MACHINE_WORDS; i++)
		machine.user_words[i] = random_below(random, 1000)
						? CODE + random_below(random, CODE_PAGES * 4096)
						: some_address(random);
}

Test(walk_random, any_mixture_of_rules)
{
	uint32_t seen[STACK_ENDS] = { 0 }, longest = 0;
	uint64_t random = 2;

	for (int round = 0; round < 60; round++) {
		fill_plausibly(&random);
		if (round % 2)
			fill_stack(&random);
		else
			fill_stack_with_code(&random);
		for (uint32_t pid = 1; pid < 5; pid++)
			know_process(pid, 7, 1);
		for (int i = 0; i < 300; i++) {
			struct frames f;

			set_registers(&random);
			f = sample();
			check_stack(&f, seen);
			longest = f.n > longest ? f.n : longest;
			machine.regs.cs = 0x33;
		}
	}
	/* Or else it tests nothing. */
	cr_assert(eq(u32, longest, MAX_FRAMES));
	for (uint32_t end = STACK_COMPLETE; end <= STACK_NO_RULE; end++)
		cr_assert(gt(u32, seen[end], 0), "end %u", end);
}

/* A stack of return addresses into a signal's return, over and over: down as well as up. */
Test(walk_random, signals_that_lead_in_a_circle)
{
	uint64_t restorer = function((struct unwind_rule){ .cfa = UNWIND_SIGNAL });
	struct frames f;

	machine.regs.ip = restorer;
	machine.saved = machine.regs;
	machine.user_words[100 + 15 + 5] = STACK(100);
	machine.user_words[100 + 15 + 6] = restorer;
	f = sample();
	cr_assert(eq(u32, f.n, MAX_FRAMES));
	cr_assert(eq(u32, STACK_END(f.outcome), STACK_MAX_FRAMES));
}

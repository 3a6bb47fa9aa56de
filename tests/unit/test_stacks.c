// SPDX-License-Identifier: Apache-2.0
/*
 * test_stacks.c - what the slots of the intern tables mean, over generations.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "profiler/stacks.h"
#include "tests/unit/random.h"

#define CPUS 3

static struct stacks *stacks;

static void setup(void)
{
	cr_assert(zero(int, stacks_new(&stacks, CPUS)));
}

static void teardown(void)
{
	stacks_free(stacks);
}

TestSuite(stacks, .init = setup, .fini = teardown);

/* The stack number @k: its length and frames follow from k. */
static uint32_t frames_of(uint64_t k)
{
	return 1 + (uint32_t)(k * 7 % MAX_FRAMES);
}

static void put(uint32_t cpu, uint32_t slot, uint64_t hash, uint64_t k)
{
	struct stack_record r = { .type = RECORD_STACK, .slot = slot, .hash = hash };
	uint32_t n = frames_of(k);

	for (uint32_t i = 0; i < n; i++)
		r.frames[i] = k << 16 | i;
	stacks_put(stacks, cpu, &r, n);
}

static bool means(uint32_t cpu, uint32_t slot, uint64_t k)
{
	const struct raw_stack *s = stacks_find(stacks, cpu, slot + 1);

	if (!s || s->frames != frames_of(k))
		return false;
	for (uint32_t i = 0; i < s->frames; i++)
		if (stacks_frames(stacks, s)[i] != (k << 16 | i))
			return false;
	return true;
}

Test(stacks, an_unknown_slot_means_nothing)
{
	cr_assert(stacks_find(stacks, 0, 1) == NULL);
	cr_assert(stacks_find(stacks, CPUS - 1, STACK_SLOTS) == NULL);
}

Test(stacks, a_slot_means_the_last_record_on_its_cpu)
{
	put(0, 5, 100, 1);
	put(1, 5, 200, 2);
	cr_assert(means(0, 5, 1));
	cr_assert(means(1, 5, 2));
	cr_assert(stacks_find(stacks, 2, 6) == NULL);
	put(0, 5, 300, 3);
	cr_assert(means(0, 5, 3));
	cr_assert(means(1, 5, 2));
	put(CPUS - 1, STACK_SLOTS - 1, 400, 4);
	cr_assert(means(CPUS - 1, STACK_SLOTS - 1, 4));
}

Test(stacks, equal_stacks_of_cpus_are_one)
{
	struct raw_stack *s;

	put(0, 5, 100, 1);
	put(2, 9, 100, 1);
	s = stacks_find(stacks, 0, 6);
	cr_assert(s == stacks_find(stacks, 2, 10));
	s->node = 77; /* what the resolver found for one holds for both */
	cr_assert(eq(u32, stacks_find(stacks, 2, 10)->node, 77));
}

/* Why a stack ends and how it was walked stays with it, over generations too. */
Test(stacks, outcome_is_kept)
{
	const uint32_t outcome = STACK_OUTCOME(STACK_ENDS - 1, STACK_HOWS - 1);
	struct stack_record r = { .type = RECORD_STACK, .hash = 7, .outcome = outcome };

	r.frames[0] = 1;
	stacks_put(stacks, 0, &r, 1);
	cr_assert(eq(u16, stacks_find(stacks, 0, 1)->outcome, (uint16_t)outcome));
	cr_assert(eq(u32, (uint16_t)outcome, outcome), "it fits");
	stacks_next_generation(stacks);
	cr_assert(eq(u16, stacks_find(stacks, 0, 1)->outcome, (uint16_t)outcome));
}

Test(stacks, a_new_stack_is_unresolved)
{
	struct raw_stack *s;

	put(0, 5, 100, 1);
	s = stacks_find(stacks, 0, 6);
	cr_assert(zero(u32, s->epoch));
	cr_assert(zero(u32, s->node));
	s->epoch = s->node = 3;
	s->image_id = 4;
	stacks_next_generation(stacks);
	s = stacks_find(stacks, 0, 6); /* its room is used again */
	cr_assert(zero(u32, s->epoch));
	cr_assert(zero(u64, s->image_id));
}

/* What is asked for survives one generation each time, however often. */
Test(stacks, carried_over_when_asked_for)
{
	put(0, 1, 100, 1);
	put(1, 1, 100, 1);
	put(0, 2, 200, 2);
	for (int i = 0; i < 5; i++) {
		stacks_next_generation(stacks);
		cr_assert(means(0, 1, 1));
	}
	cr_assert(means(0, 1, 1));
	stacks_next_generation(stacks);
	put(0, 2, 300, 3); /* the slot is said again, with the hash of the new generation */
	cr_assert(means(0, 2, 3));
	cr_assert(means(0, 1, 1));
}

Test(stacks, a_full_table_means_nothing_and_recovers)
{
	uint64_t k = 0;
	uint32_t put_at_warning = 0;

	cr_assert(not(stacks_filling(stacks)));
	do {
		put(0, (uint32_t)(k % STACK_SLOTS), 1000 + k, k);
		if (!put_at_warning && stacks_filling(stacks))
			put_at_warning = (uint32_t)k;
		k++;
	} while (stacks_find(stacks, 0, (uint32_t)((k - 1) % STACK_SLOTS) + 1));
	cr_assert(gt(u32, put_at_warning, 0));
	cr_assert(lt(u64, put_at_warning, k * 4 / 5), "the warning comes too late");
	cr_assert(means(0, (uint32_t)((k - 2) % STACK_SLOTS), k - 2));
	put(1, 7, 1000 + k - 2, k - 2); /* one that is there already needs no room */
	cr_assert(means(1, 7, k - 2));
	stacks_next_generation(stacks);
	cr_assert(not(stacks_filling(stacks)));
	cr_assert(means(1, 7, k - 2));
	put(2, 7, 5, 5);
	cr_assert(means(2, 7, 5));
}

/* Many short stacks fill the table by their number, not by their frames. */
Test(stacks, full_by_number)
{
	struct stack_record r = { .type = RECORD_STACK };
	uint32_t n = 0;

	do {
		r.hash = ++n;
		r.frames[0] = n;
		stacks_put(stacks, 0, &r, 1);
	} while (stacks_find(stacks, 0, 1));
	cr_assert(gt(u32, n, STACK_SLOTS));
	cr_assert(stacks_filling(stacks));
}

/*
 * Random: CPUs that put and use stacks, generations that end as drain.c ends them. Slots of the
 * generation before are only named until the round after.
 */
Test(stacks, random_against_a_plain_table)
{
	static uint64_t model[CPUS][STACK_SLOTS]; /* k + 1 */
	static uint32_t put_in[CPUS][STACK_SLOTS];
	uint32_t generation = 1;
	uint64_t random = 1;

	for (int i = 0; i < 300000; i++) {
		uint32_t cpu = random_below(&random, CPUS), slot = random_below(&random, 64);
		uint64_t k = random_below(&random, 20000);

		if (random_below(&random, 3) == 0) {
			put(cpu, slot, (uint64_t)generation << 32 | k, k);
			model[cpu][slot] = k + 1;
			put_in[cpu][slot] = generation;
		} else if (model[cpu][slot] && put_in[cpu][slot] + 1 >= generation) {
			cr_assert(means(cpu, slot, model[cpu][slot] - 1));
		}
		if (stacks_filling(stacks)) {
			stacks_next_generation(stacks);
			generation++;
		}
	}
	cr_assert(gt(u32, generation, 3));
}

// SPDX-License-Identifier: Apache-2.0
/*
 * test_walk_random.c - the sampling program over tables and memory that nobody can trust.
 *
 * The tables lie in memory that the recorder writes from what the jail says, and the stack belongs
 * to anybody. Whatever is in them a sample ends, has at most MAX_FRAMES frames, and reads nothing
 * that is not its own (AddressSanitizer sees to that). Where the tables make sense it gives what a
 * plain reading of bpf/unwind.h gives, which is written down here once more.
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

/* A frame, to the letter of unwind.h. */
struct model {
	uint64_t ip, sp, fp, bx;
	bool is_leaf, is_return;
	bool doubtful; /* the caller of an innermost frame may be missing */
	struct frames found;
};

static bool word_at(uint64_t address, uint64_t *ret)
{
	uint64_t offset = address - MACHINE_STACK_BASE;

	if (offset > sizeof(machine.user_words) - 8)
		return false;
	memcpy(ret, (const uint8_t *)machine.user_words + offset, sizeof(*ret));
	return true;
}

static const struct unwind_rule *model_rule(uint64_t pc)
{
	uint64_t offset = pc - CODE;
	const struct unwind_row *row;
	struct unwind_page page;

	memcpy(&page, &unwind_directory[CODE_DIRECTORY + (offset >> 16)], sizeof(page));
	row = &machine_shard(page.shard)[page.first];
	for (uint32_t i = 0; i < page.count && row[1].offset <= (offset & 0xffff); i++)
		row++;
	return &unwind_rules[row->rule];
}

static int model_return(struct model *m, uint64_t ip, uint64_t sp, uint64_t fp, uint64_t bx)
{
	if (!ip)
		return STACK_BAD_FRAME;
	m->ip = ip;
	m->sp = sp;
	m->fp = fp;
	m->bx = bx;
	m->is_leaf = false;
	m->is_return = true;
	return -1;
}

static int model_frame_pointer(struct model *m)
{
	bool innermost = m->is_leaf || !m->is_return;
	uint64_t fp, ra, top;

	m->found.outcome = STACK_BY_FRAME_POINTER;
	if (innermost && word_at(m->sp, &top) && top - CODE < CODE_PAGES * 4096)
		m->doubtful = true;
	if (!m->fp && !innermost)
		return STACK_COMPLETE;
	if (m->fp % 8 || m->fp < m->sp || m->fp - m->sp > 8 << 20)
		return STACK_NO_RULE;
	if (!word_at(m->fp, &fp) || !word_at(m->fp + 8, &ra))
		return STACK_UNREADABLE;
	if (!ra && !fp)
		return STACK_COMPLETE;
	return model_return(m, ra, m->fp + 16, fp, 0);
}

static int model_signal(struct model *m)
{
	uint64_t words[7]; /* rbp, rbx, rdx, rax, rcx, rsp, rip */

	for (uint64_t i = 0; i < 7; i++)
		if (!word_at(m->sp + 120 + 8 * i, &words[i]))
			return STACK_UNREADABLE;
	if (model_return(m, words[6], words[5], words[0], words[1]) >= 0)
		return STACK_BAD_FRAME;
	m->is_return = false;
	return -1;
}

/* Returns -1, or the way the walk ends. */
static int model_cfa(const struct model *m, const struct unwind_rule *r, uint64_t *cfa)
{
	const uint64_t *leaf = machine.saved.by_number;
	uint64_t deref = (uint64_t)(int64_t)r->deref_off, index;

	switch (r->cfa) {
	case UNWIND_SP:
		*cfa = m->sp;
		break;
	case UNWIND_FP:
		*cfa = m->fp;
		break;
	case UNWIND_BX:
		*cfa = m->bx;
		break;
	case UNWIND_REG:
		if (!m->is_leaf)
			return STACK_BEYOND;
		*cfa = r->cfa_reg < MACHINE_REGISTERS ? leaf[r->cfa_reg] : 0;
		break;
	case UNWIND_SP_DEREF:
		if (!word_at(m->sp + deref, cfa))
			return STACK_UNREADABLE;
		break;
	case UNWIND_FP_DEREF:
	case UNWIND_FP_ALIGNED:
		if (!word_at(m->fp + deref, cfa))
			return STACK_UNREADABLE;
		break;
	case UNWIND_SP_INDEXED:
		if (!m->is_leaf)
			return STACK_BEYOND;
		index = r->cfa_reg < MACHINE_REGISTERS ? leaf[r->cfa_reg] : 0;
		if (!word_at(m->sp + 8 * index + deref, cfa))
			return STACK_UNREADABLE;
		break;
	case UNWIND_PLT:
		*cfa = m->sp + 8 + (m->ip % 16 >= r->cfa_reg ? 8 : 0);
		break;
	default:
		return STACK_BEYOND;
	}
	*cfa += (uint64_t)(int64_t)r->cfa_off;
	return -1;
}

static int model_step(struct model *m)
{
	const struct unwind_rule *r = model_rule(m->ip - m->is_return);
	uint64_t cfa, ra, fp = m->fp, bx = m->bx, base;
	int end;

	if (r->cfa == UNWIND_END)
		return STACK_COMPLETE;
	if (r->cfa == UNWIND_NONE)
		return model_frame_pointer(m);
	if (r->cfa == UNWIND_SIGNAL)
		return model_signal(m);
	end = model_cfa(m, r, &cfa);
	if (end >= 0)
		return end;
	if (cfa < m->sp || (cfa == m->sp && r->ra == UNWIND_RA_MEMORY))
		return STACK_BAD_FRAME;
	if (r->ra == UNWIND_RA_REG && !m->is_leaf)
		return STACK_BEYOND;
	if (r->ra == UNWIND_RA_REG)
		ra = r->ra_reg < MACHINE_REGISTERS ? machine.saved.by_number[r->ra_reg] : 0;
	else if (!word_at(cfa + (uint64_t)(int64_t)r->ra_off, &ra))
		return STACK_UNREADABLE;
	base = r->cfa == UNWIND_FP_ALIGNED ? m->fp : cfa;
	if ((r->cfa == UNWIND_FP_ALIGNED && !word_at(m->fp, &fp)) ||
	    (r->cfa != UNWIND_FP_ALIGNED && r->fp_off &&
	     !word_at(base + (uint64_t)(int64_t)r->fp_off, &fp)) ||
	    (r->bx_off && !word_at(base + (uint64_t)(int64_t)r->bx_off, &bx)))
		return STACK_UNREADABLE;
	return model_return(m, ra, cfa, fp, bx);
}

static struct frames model_walk(void)
{
	struct model m = { .ip = machine.saved.ip,
			   .sp = machine.saved.sp,
			   .fp = machine.saved.fp,
			   .bx = machine.saved.bx,
			   .is_leaf = true };
	int end = -1;

	while (end < 0) {
		uint64_t pc = m.ip - m.is_return;

		if (m.found.n == MAX_FRAMES) {
			end = STACK_MAX_FRAMES;
		} else if (pc - CODE >= CODE_PAGES * 4096) {
			end = pc + 1 <= 4096 ? STACK_BAD_FRAME : STACK_NO_MAPPING;
		} else {
			m.found.ip[m.found.n++] = m.ip;
			end = model_step(&m);
		}
	}
	if (end == STACK_COMPLETE && m.doubtful)
		end = STACK_CHAIN_END;
	m.found.outcome = STACK_OUTCOME(end, m.found.outcome);
	return m.found;
}

Test(walk_random, any_mixture_of_rules)
{
	uint32_t seen[STACK_ENDS] = { 0 }, longest = 0;
	uint64_t random = 2;

	for (int round = 0; round < 90; round++) {
		fill_plausibly(&random);
		if (round % 2)
			fill_stack(&random);
		else
			fill_stack_with_code(&random);
		for (uint32_t pid = 1; pid < 6; pid++)
			know_process(pid, 7, 1);
		for (int i = 0; i < 300; i++) {
			struct frames got, wanted;

			set_registers(&random);
			machine.regs = machine.saved; /* in user mode */
			wanted = model_walk();
			got = sample();
			check_stack(&got, seen);
			cr_assert(eq(u32, got.outcome, wanted.outcome), "%d %d", round, i);
			cr_assert(same(&got, &wanted), "%d %d", round, i);
			longest = got.n > longest ? got.n : longest;
		}
	}
	/* Or else it tests nothing. */
	cr_assert(eq(u32, longest, MAX_FRAMES));
	for (uint32_t end = STACK_COMPLETE; end <= STACK_CHAIN_END; end++)
		if (end != STACK_NO_PROCESS && end != STACK_NO_TABLE && end != STACK_REFUSED)
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

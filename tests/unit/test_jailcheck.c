// SPDX-License-Identifier: Apache-2.0
/*
 * test_jailcheck.c - a good answer passes, and one that breaks a promise in one place does not.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <string.h>

#include "profiler/jailcheck.h"

/* A page of four rows and three rules, laid out as on the wire. */
struct page {
	struct jail_page_answer answer;
	struct unwind_rule rules[3];
	struct unwind_row rows[4];
};

static const struct page good_page = {
	.answer = { .status = JAIL_OK, .rows = 4, .rules = 3 },
	.rules = { { .cfa = UNWIND_NONE },
		   { .cfa = UNWIND_SP, .cfa_off = 8, .ra_off = -8 },
		   { .cfa = UNWIND_REG, .cfa_reg = 10, .ra_off = -8, .fp_off = -16 } },
	.rows = { { 0, 0 }, { 0x10, 1 }, { 0x1000, 2 }, { 0xffff, 0 } },
};

static const struct jail_file_answer good_file = { .machine = EM_X86_64,
						   .kind = JAIL_KIND_TABLES,
						   .build_id_size = 20 };

struct walk {
	struct jail_walk_answer answer;
	uint64_t frames[3];
};

static const struct walk good_walk = { .answer = { .end = JAIL_END_COMPLETE, .frames = 3 } };

static int check(enum jail_type type, const void *body, size_t size)
{
	return jailcheck_body(type, body, size);
}

#define PASSES(type, object) cr_assert(zero(int, check(type, &(object), sizeof(object))))

/* What is copied from a good one and has one thing changed, `it` in the change, is refused. */
#define REFUSES(type, good, change)                                                     \
	do {                                                                            \
		__auto_type it = (good);                                                \
		change;                                                                 \
		cr_expect(not(zero(int, check(type, &it, sizeof(it)))), "%s", #change); \
	} while (0)

Test(jailcheck, good_ones)
{
	const struct jail_page_answer bare = { .status = JAIL_OK };
	const struct jail_file_answer refused = { .status = JAIL_NOT_ELF };
	const struct jail_forget_answer forgot = { .status = JAIL_OK };
	const struct jail_hello hello = { .status = JAIL_REFUSED, .text = "cannot set limits" };

	PASSES(JAIL_PAGE, good_page);
	PASSES(JAIL_PAGE, bare);
	PASSES(JAIL_FILE, good_file);
	PASSES(JAIL_FILE, refused);
	PASSES(JAIL_WALK, good_walk);
	PASSES(JAIL_FORGET, forgot);
	PASSES(JAIL_HELLO, hello);
}

Test(jailcheck, page_counts)
{
	REFUSES(JAIL_PAGE, good_page, it.answer.rows = 3);
	REFUSES(JAIL_PAGE, good_page, it.answer.rows = 5);
	REFUSES(JAIL_PAGE, good_page, it.answer.rules = 2);
	REFUSES(JAIL_PAGE, good_page, it.answer.rows = 0);
	REFUSES(JAIL_PAGE, good_page, it.answer.rules = 0);
	/* of the same size, if they were believed */
	REFUSES(JAIL_PAGE, good_page,
		(it.answer.rules = 2, it.answer.rows = 8, it.rows[3].rule = 9));
	REFUSES(JAIL_PAGE, good_page, (it.answer.rules = 4, it.answer.rows = 0));
	/* of the same size, if it wraps */
	REFUSES(JAIL_PAGE, good_page, it.answer.rows += 1u << 30);
	REFUSES(JAIL_PAGE, good_page, it.answer.rules += 1u << 28);
	REFUSES(JAIL_PAGE, good_page, it.answer.status = JAIL_TOO_LARGE);
	REFUSES(JAIL_PAGE, good_page, it.answer.status = JAIL_STATUSES);
	REFUSES(JAIL_PAGE, good_page, it.answer.reserved = 1);
}

Test(jailcheck, page_rows)
{
	REFUSES(JAIL_PAGE, good_page, it.rows[0].offset = 1);
	REFUSES(JAIL_PAGE, good_page, it.rows[1].offset = 0);
	REFUSES(JAIL_PAGE, good_page, it.rows[2].offset = 0x10);
	REFUSES(JAIL_PAGE, good_page, it.rows[3].offset = 0xfff);
	REFUSES(JAIL_PAGE, good_page, it.rows[0].rule = 3);
	REFUSES(JAIL_PAGE, good_page, it.rows[3].rule = 3);
	REFUSES(JAIL_PAGE, good_page, it.rows[3].rule = 0xffff);
}

Test(jailcheck, page_rules)
{
	REFUSES(JAIL_PAGE, good_page, it.rules[0].cfa = UNWIND_CFAS);
	REFUSES(JAIL_PAGE, good_page, it.rules[0].cfa = 255);
	REFUSES(JAIL_PAGE, good_page, it.rules[0].cfa_off = 1);
	REFUSES(JAIL_PAGE, good_page, (it.rules[0].cfa = UNWIND_END, it.rules[0].ra = 1));
	REFUSES(JAIL_PAGE, good_page, (it.rules[0].cfa = UNWIND_SIGNAL, it.rules[0].bx_off = 8));
	REFUSES(JAIL_PAGE, good_page, it.rules[1].ra = UNWIND_RA_REG + 1);
	REFUSES(JAIL_PAGE, good_page, it.rules[1].ra_reg = 1);
	REFUSES(JAIL_PAGE, good_page, it.rules[1].cfa_reg = 1);
	REFUSES(JAIL_PAGE, good_page, it.rules[1].deref_off = 8);
	REFUSES(JAIL_PAGE, good_page, it.rules[1].ra = UNWIND_RA_REG); /* and an offset */
	REFUSES(JAIL_PAGE, good_page,
		(it.rules[1].ra = UNWIND_RA_REG, it.rules[1].ra_off = 0, it.rules[1].ra_reg = 32));
	REFUSES(JAIL_PAGE, good_page, it.rules[2].cfa_reg = 32);
	REFUSES(JAIL_PAGE, good_page, (it.rules[2].cfa = UNWIND_PLT, it.rules[2].cfa_reg = 16));
}

static const struct unwind_rule indexed = {
	.cfa = UNWIND_SP_INDEXED, .cfa_reg = 9, .deref_off = 8, .cfa_off = 8, .ra_off = -8
};

Test(jailcheck, page_rule_with_index)
{
	struct page good = good_page;

	good.rules[2] = indexed;
	PASSES(JAIL_PAGE, good);
	good.rules[2].cfa_reg = 31;
	PASSES(JAIL_PAGE, good);
	REFUSES(JAIL_PAGE, good, it.rules[2].cfa_reg = 32);
	REFUSES(JAIL_PAGE, good, it.rules[2].ra_reg = 1);
	REFUSES(JAIL_PAGE, good, it.rules[2].ra = UNWIND_RA_REG); /* and an offset */
	REFUSES(JAIL_PAGE, good,
		(it.rules[2].ra_off = 0, it.rules[2].ra = UNWIND_RA_REG, it.rules[2].ra_reg = 32));
}

Test(jailcheck, debug)
{
	const struct jail_debug_answer good = { .kind = JAIL_KIND_TABLES };
	const struct jail_debug_answer refused = { .status = JAIL_CORRUPT };

	PASSES(JAIL_DEBUG, good);
	PASSES(JAIL_DEBUG, refused);
	REFUSES(JAIL_DEBUG, good, it.status = JAIL_STATUSES);
	REFUSES(JAIL_DEBUG, good, it.kind = JAIL_KINDS);
	REFUSES(JAIL_DEBUG, good, it.reserved[2] = 1);
}

Test(jailcheck, file)
{
	REFUSES(JAIL_FILE, good_file, it.status = JAIL_NOT_ELF);
	REFUSES(JAIL_FILE, good_file, it.status = JAIL_UNKNOWN_FILE);
	REFUSES(JAIL_FILE, good_file, it.status = JAIL_STATUSES);
	REFUSES(JAIL_FILE, good_file, it.machine = EM_386);
	REFUSES(JAIL_FILE, good_file, it.kind = JAIL_KINDS);
	REFUSES(JAIL_FILE, good_file, it.build_id_size = 21);
	REFUSES(JAIL_FILE, good_file, it.lacks = 4);
	REFUSES(JAIL_FILE, good_file, strcpy(it.debug_link, "../x"));
}

Test(jailcheck, walk)
{
	REFUSES(JAIL_WALK, good_walk, it.answer.frames = 0);
	REFUSES(JAIL_WALK, good_walk, it.answer.frames = 2);
	REFUSES(JAIL_WALK, good_walk, it.answer.frames = 4);
	REFUSES(JAIL_WALK, good_walk, it.answer.frames += 1u << 29);
	REFUSES(JAIL_WALK, good_walk, it.answer.end = JAIL_ENDS);
	REFUSES(JAIL_WALK, good_walk, it.answer.end = JAIL_END_FILE);
	REFUSES(JAIL_WALK, good_walk, it.answer.file = 7);
	REFUSES(JAIL_WALK, good_walk,
		(it.answer.end = JAIL_END_FILE, it.answer.file = JAIL_FILE_UNUSABLE));
	REFUSES(JAIL_WALK, good_walk, it.answer.status = JAIL_REFUSED);
}

/* What is said to the user cannot do anything to the terminal. */
Test(jailcheck, hello)
{
	const struct jail_hello good = { .status = JAIL_REFUSED, .text = "cannot set limits" };

	REFUSES(JAIL_HELLO, good, it.status = JAIL_NOT_ELF);
	REFUSES(JAIL_HELLO, good, it.text[3] = '\033');
	REFUSES(JAIL_HELLO, good, it.text[3] = '\n');
	REFUSES(JAIL_HELLO, good, it.text[3] = '\x80');
	REFUSES(JAIL_HELLO, good, memset(it.text, 'x', sizeof(it.text)));
}

Test(jailcheck, header)
{
	const struct jail_header good = { .size = sizeof(struct jail_file_answer),
					  .type = JAIL_FILE,
					  .version = JAIL_VERSION,
					  .sequence = 5 };
	struct jail_header bad;

	cr_assert(zero(int, jailcheck_header(&good, JAIL_FILE, 5)));
	cr_assert(not(zero(int, jailcheck_header(&good, JAIL_FILE, 6))));
	cr_assert(not(zero(int, jailcheck_header(&good, JAIL_PAGE, 5))));
	bad = good;
	bad.version++;
	cr_assert(not(zero(int, jailcheck_header(&bad, JAIL_FILE, 5))));
	bad = good;
	bad.size++;
	cr_assert(not(zero(int, jailcheck_header(&bad, JAIL_FILE, 5))));
	bad = (struct jail_header){ .size = JAIL_ANSWER_MAX + 4,
				    .type = JAIL_PAGE,
				    .version = JAIL_VERSION };
	cr_assert(not(zero(int, jailcheck_header(&bad, JAIL_PAGE, 0))));
}

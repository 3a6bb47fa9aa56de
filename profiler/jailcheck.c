// SPDX-License-Identifier: Apache-2.0
/*
 * jailcheck.c - is this an answer?
 *
 * An offset in a rule may be any number that fits: the walker reads user memory through the
 * kernel's checks wherever it points to, and bounds its steps. Registers, enums and indices are
 * what could lead a reader astray.
 */
#include "profiler/jailcheck.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* DWARF numbers below this are of general registers, on both architectures. */
#define REGISTERS 32

/* The mask of the address in a PLT rule. */
#define PLT_SLOTS 16

static const struct {
	size_t min;
	size_t max;
} sizes[JAIL_TYPES] = {
	[JAIL_HELLO] = { sizeof(struct jail_hello), sizeof(struct jail_hello) },
	[JAIL_FILE] = { sizeof(struct jail_file_answer), sizeof(struct jail_file_answer) },
	[JAIL_PAGE] = { sizeof(struct jail_page_answer), JAIL_ANSWER_MAX },
	[JAIL_WALK] = { sizeof(struct jail_walk_answer),
			sizeof(struct jail_walk_answer) + MAX_FRAMES * sizeof(uint64_t) },
	[JAIL_FORGET] = { sizeof(struct jail_forget_answer), sizeof(struct jail_forget_answer) },
	[JAIL_DEBUG] = { sizeof(struct jail_debug_answer), sizeof(struct jail_debug_answer) },
	[JAIL_NAMES] = { sizeof(struct jail_names_answer), JAIL_NAMES_ANSWER_MAX },
	[JAIL_JIT] = { sizeof(struct jail_names_answer), JAIL_NAMES_ANSWER_MAX },
};

int jailcheck_header(const struct jail_header *header, enum jail_type type, uint64_t sequence)
{
	if (header->version != JAIL_VERSION || header->type != type ||
	    header->sequence != sequence || header->size < sizes[type].min ||
	    header->size > sizes[type].max)
		return -EPROTO;
	return 0;
}

/* The text goes to a terminal as it is. */
static bool good_hello(const struct jail_hello *a)
{
	size_t n = strnlen(a->text, sizeof(a->text));

	if (n == sizeof(a->text) || (a->status != JAIL_OK && a->status != JAIL_REFUSED))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (a->text[i] < ' ' || a->text[i] > '~')
			return false;
	}
	return true;
}

static bool good_file(const struct jail_file_answer *a)
{
	if (a->status >= JAIL_STATUSES || a->status == JAIL_UNKNOWN_FILE ||
	    strnlen(a->debug_link, sizeof(a->debug_link)) == sizeof(a->debug_link) ||
	    strchr(a->debug_link, '/') || !strcmp(a->debug_link, "..") ||
	    a->lacks & ~(uint32_t)(JAIL_LACKS_TABLES | JAIL_LACKS_SYMBOLS))
		return false;
	if (a->status != JAIL_OK)
		return !a->machine && !a->kind && !a->build_id_size && !a->lacks && !*a->debug_link;
	return (a->machine == EM_X86_64 || a->machine == EM_AARCH64) && a->kind < JAIL_KINDS &&
	       a->build_id_size <= JAIL_BUILD_ID_MAX;
}

static bool good_rule(const struct unwind_rule *r)
{
	struct unwind_rule plain = { .cfa = r->cfa };

	if (r->cfa >= UNWIND_CFAS || r->ra > UNWIND_RA_REG)
		return false;
	if (r->cfa < UNWIND_SP)
		return memcmp(r, &plain, sizeof(plain)) == 0;
	if (r->cfa_reg >= (r->cfa == UNWIND_REG || r->cfa == UNWIND_SP_INDEXED ? REGISTERS
			   : r->cfa == UNWIND_PLT			       ? PLT_SLOTS
									       : 1))
		return false;
	if (r->ra == UNWIND_RA_REG ? r->ra_reg >= REGISTERS || r->ra_off : r->ra_reg)
		return false;
	if (r->cfa == UNWIND_FP_ALIGNED && r->fp_off)
		return false;
	return r->cfa == UNWIND_SP_DEREF || r->cfa == UNWIND_FP_DEREF ||
	       r->cfa == UNWIND_FP_ALIGNED || r->cfa == UNWIND_SP_INDEXED || !r->deref_off;
}

static bool good_rows(const struct unwind_row *rows, uint32_t count, uint32_t rules)
{
	if (rows[0].offset != 0)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (rows[i].rule >= rules || (i && rows[i].offset <= rows[i - 1].offset))
			return false;
	}
	return true;
}

static bool good_page(const struct jail_page_answer *a, size_t size)
{
	const struct unwind_rule *rules = (const void *)(a + 1);
	const struct unwind_row *rows;

	if (a->status >= JAIL_STATUSES || a->reserved || a->rows > JAIL_ROWS_MAX ||
	    a->rules > JAIL_RULES_MAX || !a->rows != !a->rules ||
	    size != sizeof(*a) + a->rules * sizeof(*rules) + a->rows * sizeof(*rows))
		return false;
	if (!a->rows)
		return true;
	for (uint32_t i = 0; i < a->rules; i++) {
		if (!good_rule(&rules[i]))
			return false;
	}
	rows = (const void *)(rules + a->rules);
	return a->status == JAIL_OK && good_rows(rows, a->rows, a->rules);
}

static bool good_walk(const struct jail_walk_answer *a, size_t size)
{
	if (a->status >= JAIL_STATUSES || a->end >= JAIL_ENDS || a->frames > MAX_FRAMES ||
	    size != sizeof(*a) + a->frames * sizeof(uint64_t))
		return false;
	if (a->status != JAIL_OK)
		return !a->end && !a->frames && !a->file;
	if ((a->end == JAIL_END_FILE) != (a->file != 0))
		return false;
	return a->frames && a->file != JAIL_FILE_UNUSABLE;
}

static bool good_debug(const struct jail_debug_answer *a)
{
	static const uint8_t zero[sizeof(a->reserved)];

	return a->status < JAIL_STATUSES && a->kind < JAIL_KINDS &&
	       !memcmp(a->reserved, zero, sizeof(zero));
}

static bool good_stretches(const struct jail_stretch *s, uint32_t count, const char *text,
			   uint32_t text_bytes)
{
	for (uint32_t i = 0; i < count; i++) {
		if (s[i].reserved || s[i].start >= s[i].end || (i && s[i].start < s[i - 1].end))
			return false;
		if (s[i].name != JAIL_NO_NAME && s[i].name != JAIL_CHANGED &&
		    (s[i].name >= text_bytes || !text[s[i].name]))
			return false;
	}
	return true;
}

static bool good_names(const struct jail_names_answer *a, size_t size)
{
	const struct jail_stretch *stretches = (const void *)(a + 1);
	const char *text;

	if (a->status >= JAIL_STATUSES || a->reserved || a->stretches > JAIL_NAMES_MAX ||
	    a->text_bytes > JAIL_NAME_TEXT_MAX ||
	    size != sizeof(*a) + a->stretches * sizeof(*stretches) + a->text_bytes)
		return false;
	if (a->status != JAIL_OK)
		return !a->stretches && !a->text_bytes;
	text = (const char *)(stretches + a->stretches);
	/* The last byte ends all names that begin before it. */
	return a->stretches && (!a->text_bytes || !text[a->text_bytes - 1]) &&
	       good_stretches(stretches, a->stretches, text, a->text_bytes);
}

int jailcheck_stretches(const struct jail_stretch *stretches, uint32_t count,
			const uint64_t *places, uint32_t place_count)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (next == place_count || places[next] < stretches[i].start ||
		    places[next] >= stretches[i].end)
			return -EPROTO;
		while (next < place_count && places[next] < stretches[i].end)
			next++;
	}
	return 0;
}

int jailcheck_body(enum jail_type type, const void *body, size_t size)
{
	const struct jail_forget_answer *forget = body;
	bool good = false;

	if (size < sizes[type].min || size > sizes[type].max)
		return -EPROTO;
	switch (type) {
	case JAIL_HELLO:
		good = good_hello(body);
		break;
	case JAIL_FILE:
		good = good_file(body);
		break;
	case JAIL_PAGE:
		good = good_page(body, size);
		break;
	case JAIL_WALK:
		good = good_walk(body, size);
		break;
	case JAIL_FORGET:
		good = forget->status == JAIL_OK;
		break;
	case JAIL_DEBUG:
		good = good_debug(body);
		break;
	case JAIL_NAMES:
	case JAIL_JIT:
		good = good_names(body, size);
		break;
	case JAIL_TYPES:
		break;
	}
	return good ? 0 : -EPROTO;
}

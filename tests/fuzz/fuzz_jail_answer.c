// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_jail_answer.c - the recorder's checks of what the jail answers.
 *
 * The first byte of the input is the type, the rest the body, a copy of its exact size. What passes
 * is used as the recorder would: each index must lead to something that is there.
 */
#include <stdlib.h>
#include <string.h>

#include "profiler/jailcheck.h"

static void require(int truth)
{
	if (!truth)
		abort();
}

static void use_page(const struct jail_page_answer *page, size_t size)
{
	const struct unwind_rule *rules = (const void *)(page + 1);
	const struct unwind_row *rows = (const void *)(rules + page->rules);

	require((const uint8_t *)(rows + page->rows) == (const uint8_t *)page + size);
	for (uint32_t i = 0; i < page->rows; i++) {
		require(rows[i].rule < page->rules);
		require(i ? rows[i].offset > rows[i - 1].offset : rows[i].offset == 0);
		require(rules[rows[i].rule].cfa < UNWIND_CFAS);
		require(rules[rows[i].rule].cfa_reg < 33);
		require(rules[rows[i].rule].ra <= UNWIND_RA_REG);
		require(rules[rows[i].rule].ra_reg < 33);
	}
}

static void use_walk(const struct jail_walk_answer *walk)
{
	const uint64_t *frames = (const void *)(walk + 1);
	uint64_t sum = 0;

	require(walk->frames <= MAX_FRAMES);
	for (uint32_t i = 0; i < walk->frames; i++)
		sum += frames[i];
	require(walk->end < JAIL_ENDS && (sum || 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum jail_type type;
	void *body;

	if (!size)
		return 0;
	type = (enum jail_type)(data[0] % JAIL_TYPES);
	body = malloc(size - 1);
	if (size > 1)
		memcpy(body, data + 1, size - 1);
	if (jailcheck_body(type, body, size - 1) == 0) {
		const struct jail_file_answer *file = body;
		const struct jail_hello *hello = body;

		if (type == JAIL_PAGE)
			use_page(body, size - 1);
		else if (type == JAIL_WALK)
			use_walk(body);
		else if (type == JAIL_FILE)
			require(file->build_id_size <= JAIL_BUILD_ID_MAX);
		else if (type == JAIL_HELLO)
			require(memchr(hello->text, '\0', sizeof(hello->text)) != NULL);
	}
	free(body);
	return 0;
}

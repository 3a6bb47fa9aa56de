/* SPDX-License-Identifier: Apache-2.0 */
/* table_promises.h - what jail/table.h says of every table, whatever the file was. */
#ifndef PROFILER_TABLE_PROMISES_H
#define PROFILER_TABLE_PROMISES_H

#include <stdbool.h>
#include <string.h>

#include "jail/table.h"

/** rule_is_plain() - all values are known ones, and what is not used is 0 */
static inline bool rule_is_plain(const struct unwind_rule *rule)
{
	const struct unwind_rule bare = { .cfa = rule->cfa };

	if (rule->cfa >= UNWIND_CFAS || rule->ra > UNWIND_RA_REG || rule->ra_reg > 31 ||
	    rule->cfa_reg > 31)
		return false;
	if (rule->cfa < UNWIND_SP)
		return memcmp(rule, &bare, sizeof(bare)) == 0;
	if (rule->cfa_reg && rule->cfa != UNWIND_REG && rule->cfa != UNWIND_PLT &&
	    rule->cfa != UNWIND_SP_INDEXED)
		return false;
	if (rule->deref_off && rule->cfa != UNWIND_SP_DEREF && rule->cfa != UNWIND_FP_DEREF &&
	    rule->cfa != UNWIND_FP_ALIGNED && rule->cfa != UNWIND_SP_INDEXED)
		return false;
	return rule->ra == UNWIND_RA_REG ? !rule->ra_off : !rule->ra_reg;
}

/** table_keeps_promises() - see the top of jail/table.h */
static inline bool table_keeps_promises(const struct table_page *page)
{
	if (page->row_count > UNWIND_PAGE_BYTES || page->rule_count > UNWIND_RULES)
		return false;
	for (uint32_t i = 0; i < page->row_count; i++) {
		const struct unwind_row *row = &page->rows[i];

		if (row->rule >= page->rule_count)
			return false;
		if (i ? row->offset <= row[-1].offset || row->rule == row[-1].rule : row->offset)
			return false;
	}
	for (uint32_t i = 0; i < page->rule_count; i++) {
		if (!rule_is_plain(&page->rules[i]))
			return false;
		for (uint32_t j = 0; j < i && j < 256; j++)
			if (memcmp(&page->rules[i], &page->rules[j], sizeof(*page->rules)) == 0)
				return false;
	}
	return true;
}

#endif /* PROFILER_TABLE_PROMISES_H */

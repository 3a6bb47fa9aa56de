/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf.h - inlined functions, source files and lines of addresses, from DWARF.
 *
 * Works off one compilation unit after another, each walked once for all its questions. DWARF is
 * as hostile as who made it: what cannot be read costs answers, never more than a bounded time.
 */
#ifndef PROFILER_DWARF_H
#define PROFILER_DWARF_H

#include "tools/dwarf_file.h"
#include "tools/frame_pool.h"
#include "tools/symbolize.h"

/**
 * dwarf_answer() - add what DWARF knows to answers
 * @f: the DWARF
 * @pool: where frames and strings go
 * @first_code: lowest address of code: what is said to lie below was left out by the linker
 * @query: sorted by address; a frame with a name is what the symbol table says of the outermost
 *         function, and its name is kept
 * @count: how many
 *
 * Return: 0 or -ENOMEM. Damage is no error: the answers are fewer.
 */
int dwarf_answer(struct dwarf_file *f, struct frame_pool *pool, uint64_t first_code,
		 struct symbol_query *query, size_t count) __attribute__((warn_unused_result));

#endif /* PROFILER_DWARF_H */

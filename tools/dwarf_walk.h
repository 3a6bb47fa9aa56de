/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_walk.h - which function, and which function inlined into it, each address is in.
 *
 * One walk through the DIEs of a compilation unit answers for all addresses: functions without
 * any are skipped whole. The walk ends for every input: DIEs are visited in the order in which
 * they are stored, none twice, not deeper than a limit, and what ranges cost is counted.
 */
#ifndef PROFILER_DWARF_WALK_H
#define PROFILER_DWARF_WALK_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/symbolize.h"

/* A function, or one inlined into another, that has addresses in question. */
struct scope {
	Dwarf_Die die;
	uint32_t parent; /* id of what it is inlined into; 0: a function */
	uint32_t call_file;
	uint32_t call_line;
	bool has_caller; /* caller and root hold */
	/* for dwarf.c: the frames of what it is inlined into, and the name of the outermost */
	const struct symbol_frame *caller;
	const char *root;
};

/* In walk.scope_of: has its answer. */
#define SCOPE_DONE UINT32_MAX

struct walk {
	const struct symbol_query *query; /* sorted by address */
	size_t queries;
	uint64_t first_code; /* ranges that start below are of functions that were left out */
	uint32_t *scope_of;  /* by query: 0, SCOPE_DONE, or an id */
	struct scope *scope; /* of the unit walked last */
	uint32_t scopes;
	uint32_t room;
	uint32_t base;	  /* highest id of the units before */
	uint64_t budget;  /* steps left for all units together */
	const char *last; /* where the DIE visited last is stored */
	bool everything;  /* look also into what should have no code in question */
};

/**
 * walk_unit() - find the functions of a unit that have addresses in question
 * @w: the walk; sets scope_of for addresses that are in the unit, and are not SCOPE_DONE
 * @unit: DIE of a compilation unit
 *
 * Ids of scopes grow from unit to unit: walk_scope() tells those of earlier units apart.
 *
 * Return: 0; -EBADMSG when the DIEs are damaged, what was found before holds; -E2BIG when the
 * budget is used up; -ENOMEM.
 */
int walk_unit(struct walk *w, Dwarf_Die *unit) __attribute__((warn_unused_result));

/** walk_find() - index of the first query at or behind an address */
size_t walk_find(const struct walk *w, uint64_t address);

/** walk_scope() - a scope by id; NULL where it is none of the unit walked last */
static inline struct scope *walk_scope(const struct walk *w, uint32_t id)
{
	return id > w->base && id - w->base <= w->scopes ? &w->scope[id - w->base - 1] : NULL;
}

#endif /* PROFILER_DWARF_WALK_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_walk.c - functions and inlined functions of a compilation unit, see dwarf_walk.h.
 */
#include "tools/dwarf_walk.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

/* Deeper than any compiler nests blocks and inlined functions. */
#define DEPTH_MAX 512

/* What the walk wants to know of a DIE, read in one go. */
struct traits {
	Dwarf_Attribute low_pc;
	Dwarf_Attribute high_pc;
	Dwarf_Attribute ranges;
	Dwarf_Attribute call_file;
	Dwarf_Attribute call_line;
};

static int take_trait(Dwarf_Attribute *attribute, void *ctx)
{
	struct traits *t = ctx;

	switch (dwarf_whatattr(attribute)) {
	case DW_AT_low_pc:
		t->low_pc = *attribute;
		break;
	case DW_AT_high_pc:
		t->high_pc = *attribute;
		break;
	case DW_AT_ranges:
		t->ranges = *attribute;
		break;
	case DW_AT_call_file:
		t->call_file = *attribute;
		break;
	case DW_AT_call_line:
		t->call_line = *attribute;
		break;
	default:
		break;
	}
	return DWARF_CB_OK;
}

static uint32_t number_of(Dwarf_Attribute *attribute)
{
	Dwarf_Word value;

	if (!attribute->valp || dwarf_formudata(attribute, &value) || value > UINT32_MAX)
		return 0;
	return (uint32_t)value;
}

size_t walk_find(const struct walk *w, uint64_t address)
{
	size_t low = 0;
	size_t high = w->queries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->query[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Adds a scope without addresses yet. */
static int add_scope(struct walk *w, Dwarf_Die *die, struct traits *t, uint32_t parent)
{
	if (w->scopes == w->room) {
		uint32_t room = w->room ? 2 * w->room : 256;
		struct scope *scope = reallocarray(w->scope, room, sizeof(*scope));

		if (!scope)
			return -ENOMEM;
		w->scope = scope;
		w->room = room;
	}
	if (w->base + w->scopes >= SCOPE_DONE - 1)
		return -E2BIG;
	w->scope[w->scopes++] = (struct scope){
		.die = *die,
		.parent = parent,
		.call_file = number_of(&t->call_file),
		.call_line = number_of(&t->call_line),
	};
	return 0;
}

/* Puts the addresses of a range into a scope; those of inner scopes follow and win. */
static int claim(struct walk *w, uint64_t low, uint64_t high, uint32_t id, bool *ret_any)
{
	size_t first;

	if (!w->budget)
		return -E2BIG;
	w->budget--;
	if (low < w->first_code || high <= low)
		return 0;
	for (first = walk_find(w, low); first < w->queries; first++) {
		if (w->query[first].address >= high)
			break;
		if (w->scope_of[first] == SCOPE_DONE)
			continue;
		if (!w->budget)
			return -E2BIG;
		w->budget--;
		w->scope_of[first] = id;
		*ret_any = true;
	}
	return 0;
}

static int claim_low_high(struct walk *w, struct traits *t, uint32_t id, bool *ret_any)
{
	Dwarf_Addr low;
	Dwarf_Addr high;
	Dwarf_Word bytes;

	if (!t->low_pc.valp || !t->high_pc.valp || dwarf_formaddr(&t->low_pc, &low))
		return 0;
	if (dwarf_formudata(&t->high_pc, &bytes) == 0)
		high = low + bytes;
	else if (dwarf_formaddr(&t->high_pc, &high))
		return 0;
	return claim(w, low, high, id, ret_any);
}

/* Returns 1 when the DIE has addresses in question, all of them now in the scope @id. */
static int claim_all(struct walk *w, Dwarf_Die *die, struct traits *t, uint32_t id)
{
	bool any = false;
	Dwarf_Addr base;
	Dwarf_Addr low;
	Dwarf_Addr high;
	ptrdiff_t next = 0;
	int err = 0;

	if (!t->ranges.valp)
		err = claim_low_high(w, t, id, &any);
	else
		while (!err && (next = dwarf_ranges(die, next, &base, &low, &high)) > 0)
			err = claim(w, low, high, id, &any);
	return err ? err : any;
}

static int walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, unsigned depth);

/* A function, or one that is inlined into the scope @parent. */
static int visit_function(struct walk *w, Dwarf_Die *die, uint32_t parent, unsigned depth)
{
	struct traits traits = { .low_pc = { .valp = NULL } };
	uint32_t id = w->base + w->scopes + 1;
	int found;
	int err;

	if (dwarf_getattrs(die, take_trait, &traits, 0) != 1)
		return -EBADMSG;
	found = claim_all(w, die, &traits, id);
	if (found < 0)
		return found;
	if (!found)
		return w->everything ? walk_children(w, die, 0, depth) : 0;
	err = add_scope(w, die, &traits, parent);
	return err ? err : walk_children(w, die, id, depth);
}

static int visit(struct walk *w, Dwarf_Die *die, uint32_t scope, unsigned depth)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		return visit_function(w, die, 0, depth);
	case DW_TAG_inlined_subroutine:
		return scope ? visit_function(w, die, scope, depth) : 0;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		return walk_children(w, die, scope, depth);
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return w->everything ? walk_children(w, die, scope, depth) : 0;
	default:
		return 0;
	}
}

static int walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, unsigned depth)
{
	Dwarf_Die die;
	int left = dwarf_child(parent, &die);

	if (depth == DEPTH_MAX)
		return -EBADMSG;
	while (left == 0) {
		int err;

		/* a child or sibling that is said to lie before: would go on for ever */
		if ((const char *)die.addr <= w->last)
			return -EBADMSG;
		w->last = die.addr;
		err = visit(w, &die, scope, depth + 1);
		if (err)
			return err;
		left = dwarf_siblingof(&die, &die);
	}
	return left < 0 ? -EBADMSG : 0;
}

int walk_unit(struct walk *w, Dwarf_Die *unit)
{
	w->base += w->scopes;
	w->scopes = 0;
	w->last = unit->addr;
	return walk_children(w, unit, 0, 0);
}

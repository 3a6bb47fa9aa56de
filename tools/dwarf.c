/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf.c - inlined functions, source files and lines from DWARF, see dwarf.h.
 */
#include "tools/dwarf.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dwarf_walk.h"

/*
 * libdw is made to forget after having decoded about so much. A unit of 2 MB with 100,000 lines
 * costs some 10 MB.
 */
#define DECODED_BYTES_MAX (64u << 20)
#define LINE_BYTES	  48 /* of libdw's for each line */

/* Steps for each address, of which real code takes as many as functions are nested: 10 to 50. */
#define STEPS_PER_QUERY 2000
#define STEPS_BASE	100000000

struct job {
	struct dwarf_file *file;
	struct frame_pool *pool;
	struct symbol_query *query;
	size_t count;
	struct walk walk;
	size_t left;	/* queries without an answer */
	uint64_t *unit; /* offsets of DIEs of units to be worked off */
	size_t units;
	size_t room;
	size_t decoded_bytes;
};

/* The unit being worked off. */
struct unit {
	Dwarf_Die lines;     /* its DIE, which has the addresses */
	Dwarf_Die functions; /* the same, or that of the split unit */
	Dwarf_Files *files;
	size_t file_count;
};

/* A frame that several addresses in a row share: same place, same symbol. */
struct answer {
	const struct symbol_frame *frame;
	const Dwarf_Line *line;
	const struct scope *scope;
	const char *root;
};

static int add_unit(struct job *j, Dwarf_Die *die)
{
	if (j->units == j->room) {
		size_t room = j->room ? 2 * j->room : 64;
		uint64_t *unit = reallocarray(j->unit, room, sizeof(*unit));

		if (!unit)
			return -ENOMEM;
		j->unit = unit;
		j->room = room;
	}
	j->unit[j->units++] = dwarf_dieoffset(die);
	return 0;
}

/* Goes through the ranges of a unit; starts all zero. */
struct range {
	ptrdiff_t next;
	Dwarf_Addr base;
	size_t first; /* the queries in it */
	size_t end;
};

static bool next_range(struct job *j, Dwarf_Die *die, struct range *r)
{
	Dwarf_Addr low;
	Dwarf_Addr high;

	r->next = dwarf_ranges(die, r->next, &r->base, &low, &high);
	if (r->next <= 0 || !j->walk.budget)
		return false;
	j->walk.budget--;
	r->first = 0;
	r->end = 0;
	if (low >= j->walk.first_code && high > low) {
		r->first = walk_find(&j->walk, low);
		r->end = walk_find(&j->walk, high);
	}
	return true;
}

/* Has the unit any address in question? -ENODATA: it does not say which addresses it has. */
static int is_asked(struct job *j, Dwarf_Die *die)
{
	struct range range = { .next = 0 };
	int result = -ENODATA;

	while (next_range(j, die, &range)) {
		if (range.first < range.end)
			return 1;
		result = 0;
	}
	return result;
}

/* Writes down the units that have addresses in question (@wanted 1), or may have (-ENODATA). */
static int find_units(struct job *j, int wanted)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Half version;
	uint8_t type;
	Dwarf_Die die;
	int err = 0;

	while (!err && !dwarf_get_units(j->file->dwarf, cu, &cu, &version, &type, &die, NULL)) {
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (dwarf_tag(&die) == DW_TAG_compile_unit ||
		    dwarf_tag(&die) == DW_TAG_skeleton_unit)
			if (is_asked(j, &die) == wanted)
				err = add_unit(j, &die);
	}
	return err;
}

static const char *die_name(Dwarf_Die *die)
{
	static const unsigned kinds[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name };
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (dwarf_attr_integrate(die, kinds[i], &attribute))
			return dwarf_formstring(&attribute);
	return NULL;
}

/* The name of a scope; @root is what the symbol table calls the outermost one. */
static int scope_name(struct job *j, struct scope *scope, const char *root, const char **ret)
{
	if (scope->parent || !root)
		return frame_pool_name(j->pool, die_name(&scope->die), ret);
	*ret = root;
	return 0;
}

static int call_file(struct job *j, const struct unit *u, uint32_t index, const char **ret)
{
	const char *path = NULL;

	if (index < u->file_count)
		path = dwarf_filesrc(u->files, index, NULL, NULL);
	return frame_pool_text(j->pool, path, ret);
}

/* The frames of what a scope is inlined into. The walk's limit bounds the depth. */
static int callers(struct job *j, const struct unit *u, struct scope *scope, const char *root,
		   const struct symbol_frame **ret)
{
	struct scope *parent = walk_scope(&j->walk, scope->parent);
	struct symbol_frame *frame = NULL;
	int err = 0;

	if (parent && !(scope->has_caller && scope->root == root)) {
		frame = frame_pool_new(j->pool);
		if (!frame)
			return -ENOMEM;
		frame->line = scope->call_line;
		err = scope_name(j, parent, root, &frame->name);
		if (!err)
			err = call_file(j, u, scope->call_file, &frame->file);
		if (!err)
			err = callers(j, u, parent, root, &frame->caller);
		if (err)
			return err;
		scope->caller = frame;
		scope->root = root;
		scope->has_caller = true;
	}
	*ret = scope->caller;
	return 0;
}

static int new_answer(struct job *j, const struct unit *u, struct answer *a, Dwarf_Line *line,
		      struct scope *scope)
{
	struct symbol_frame *frame = frame_pool_new(j->pool);
	int number;
	int err;

	if (!frame)
		return -ENOMEM;
	frame->name = a->root;
	err = frame_pool_text(j->pool, line ? dwarf_linesrc(line, NULL, NULL) : NULL, &frame->file);
	if (line && !dwarf_lineno(line, &number) && number > 0)
		frame->line = (uint32_t)number;
	if (!err && scope)
		err = scope_name(j, scope, a->root, &frame->name);
	if (!err && scope)
		err = callers(j, u, scope, a->root, &frame->caller);
	a->frame = frame;
	a->line = line;
	a->scope = scope;
	return err;
}

/* Answers a query that is in the unit; @last is the answer given last. */
static int answer(struct job *j, struct unit *u, size_t index, struct answer *last)
{
	struct symbol_query *q = &j->query[index];
	struct scope *scope = walk_scope(&j->walk, j->walk.scope_of[index]);
	Dwarf_Line *line = dwarf_getsrc_die(&u->lines, q->address);
	const char *root = q->frame ? q->frame->name : NULL;
	int err = 0;

	if (!scope && !line)
		return 0; /* perhaps another unit knows */
	if (scope && q->is_guess)
		root = NULL;
	if (!last->frame || last->line != line || last->scope != scope || last->root != root) {
		last->root = root;
		err = new_answer(j, u, last, line, scope);
	}
	q->frame = last->frame;
	q->is_guess = q->is_guess && !scope;
	j->walk.scope_of[index] = SCOPE_DONE;
	j->left--;
	return err;
}

static int answer_range(struct job *j, struct unit *u, size_t first, size_t end, bool needs_scope)
{
	struct answer last = { .frame = NULL };
	int err = 0;

	for (size_t i = first; !err && i < end; i++) {
		uint32_t id = j->walk.scope_of[i];

		if (id != SCOPE_DONE && (!needs_scope || walk_scope(&j->walk, id)))
			err = answer(j, u, i, &last);
	}
	return err;
}

/* Are there addresses in the unit, but in none of its functions? */
static bool has_homeless(struct job *j, struct unit *u)
{
	struct range range = { .next = 0 };

	while (next_range(j, &u->lines, &range))
		for (size_t i = range.first; i < range.end; i++)
			if (j->walk.scope_of[i] != SCOPE_DONE &&
			    !walk_scope(&j->walk, j->walk.scope_of[i]))
				return true;
	return false;
}

static int answer_unit(struct job *j, struct unit *u, bool has_ranges)
{
	struct range range = { .next = 0 };
	int err = 0;

	if (!has_ranges)
		return answer_range(j, u, 0, j->count, true);
	while (!err && next_range(j, &u->lines, &range))
		err = answer_range(j, u, range.first, range.end, false);
	return err;
}

/* Finds the unit's DIEs and its files. */
static int open_unit(struct job *j, struct unit *u, uint64_t offset)
{
	Dwarf_Lines *lines;
	size_t count = 0;
	uint8_t type;

	*u = (struct unit){ .file_count = 0 };
	if (!dwarf_offdie(j->file->dwarf, offset, &u->lines) ||
	    dwarf_cu_info(u->lines.cu, NULL, &type, NULL, &u->functions, NULL, NULL, NULL))
		return -EBADMSG;
	if (type != DW_UT_skeleton || !u->functions.addr)
		u->functions = u->lines;
	if (dwarf_getsrclines(&u->lines, &lines, &count))
		count = 0;
	if (dwarf_getsrcfiles(&u->functions, &u->files, &u->file_count))
		u->file_count = 0;
	j->decoded_bytes += count * LINE_BYTES;
	return 0;
}

static int work_off(struct job *j, uint64_t offset, bool has_ranges)
{
	struct unit unit;
	int err = open_unit(j, &unit, offset);

	if (err)
		return 0;
	err = walk_unit(&j->walk, &unit.functions);
	if (!err && has_ranges && has_homeless(j, &unit)) {
		/* functions within functions and classes */
		j->walk.everything = true;
		err = walk_unit(&j->walk, &unit.functions);
		j->walk.everything = false;
	}
	return err == -ENOMEM ? err : answer_unit(j, &unit, has_ranges);
}

/* Works off the units for which is_asked() gives @wanted. */
static int work_off_all(struct job *j, int wanted)
{
	int err;

	j->units = 0;
	err = find_units(j, wanted);
	for (size_t i = 0; !err && i < j->units && j->left && j->walk.budget; i++) {
		err = work_off(j, j->unit[i], wanted == 1);
		if (err || j->decoded_bytes <= DECODED_BYTES_MAX)
			continue;
		j->decoded_bytes = 0;
		if (dwarf_file_forget(j->file)) {
			j->left = 0; /* no DWARF any more */
			break;
		}
	}
	return err;
}

int dwarf_answer(struct dwarf_file *f, struct frame_pool *pool, uint64_t first_code,
		 struct symbol_query *query, size_t count)
{
	struct job job = {
		.file = f,
		.pool = pool,
		.query = query,
		.count = count,
		.left = count,
		.walk = {
			.query = query,
			.queries = count,
			.first_code = first_code,
			.scope_of = calloc(count + 1, sizeof(*job.walk.scope_of)),
			.budget = STEPS_BASE + (uint64_t)count * STEPS_PER_QUERY,
		},
	};
	int err = -ENOMEM;

	if (job.walk.scope_of)
		err = work_off_all(&job, 1);
	if (!err && job.left)
		err = work_off_all(&job, -ENODATA);
	free(job.unit);
	free(job.walk.scope);
	free(job.walk.scope_of);
	return err;
}

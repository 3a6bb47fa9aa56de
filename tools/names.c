/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - functions and code addresses of a whole profile, see names.h.
 *
 * All questions about one file are asked at once: they are gathered, sorted by file, and each
 * file is opened a single time. What the stream says of a place goes before what a file says of the
 * function that holds the code, so that names are the same wherever they are looked up.
 */
#include "tools/names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demangle.h"

/* A question to a file: the same path and build id, whatever part of it is mapped. */
struct question {
	uint32_t path;
	uint32_t build_id;
	uint32_t location;
	bool is_vdso;
};

const char *name_unknown_text(uint32_t unknown)
{
	static const char *const text[UNKNOWN_REASONS] = {
		[NAME_KNOWN] = "known",
		[UNKNOWN_NO_SYMBOL] = "no symbol for this code",
		[UNKNOWN_FILE_GONE] = "file gone or replaced",
		[UNKNOWN_BAD_FILE] = "symbols cannot be read",
		[UNKNOWN_NO_MAP] = "code made at run time, no map",
		[UNKNOWN_CHANGED] = "other code took its place",
		[UNKNOWN_UNTOLD] = "unknown reason",
		[UNKNOWN_NOT_HERE] = "not recorded, no file here",
		[UNKNOWN_OTHER_BUILD] = "not recorded, other file here",
		[UNKNOWN_NO_MAPPING] = "address in no mapping",
		[UNKNOWN_KERNEL] = "not told by the kernel",
	};

	return text[unknown < UNKNOWN_REASONS ? unknown : UNKNOWN_UNTOLD];
}

static struct location *location_at(const struct names *n, uint32_t id)
{
	return idmap_at(&n->locations, id);
}

static const struct profile_mapping *mapping_at(const struct names *n, uint32_t id)
{
	return idmap_at(&n->profile->mappings, id);
}

static int add_ref(struct names *n, uint32_t ref)
{
	struct profile_frame *frame = idmap_at(&n->profile->frames, frame_ref_frame(ref));
	struct location key = {
		.offset = frame->offset,
		.mapping = frame->mapping,
		.given_name = frame->function,
	};
	int err;

	if (n->location_of_ref[ref])
		return 0;
	if (frame_ref_is_return(ref) && key.offset && !key.given_name)
		key.offset--;
	err = idmap_get(&n->locations, &key, &n->location_of_ref[ref]);
	if (err > 0)
		location_at(n, n->location_of_ref[ref])->address = key.offset;
	return err < 0 ? err : 0;
}

static bool same_stack(const struct profile_row *a, const struct profile_row *b)
{
	return a->user == b->user && a->kernel == b->kernel && a->flags == b->flags;
}

/*
 * Makes locations of all frames that stacks have, each as often as it stands for two places. Stacks
 * come again, in rows of other threads or CPUs: by user leaf, where the last one was seen.
 */
static int add_locations(struct names *n)
{
	const struct profile *p = n->profile;
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	uint32_t *seen = calloc(p->nodes.count + (size_t)1, sizeof(*seen));
	int err = stack && seen ? 0 : -ENOMEM;

	for (uint32_t id = 1; !err && id <= p->rows.count; id++) {
		const struct profile_row *row = idmap_at(&p->rows, id);
		uint32_t *last = &seen[row->user];
		size_t length = 0;

		if (!*last || !same_stack(idmap_at(&p->rows, *last), row))
			length = profile_stack(p, row, stack);
		*last = id;
		for (size_t i = 0; !err && i < length; i++)
			err = add_ref(n, stack[i]);
	}
	free(stack);
	free(seen);
	return err;
}

static bool is_kernel(uint32_t kind)
{
	return kind == PROFILER__MAPPING__KIND__KERNEL || kind == PROFILER__MAPPING__KIND__MODULE ||
	       kind == PROFILER__MAPPING__KIND__BPF;
}

/* What to call a function where there is only one word for it. */
static int set_label(struct names *n, uint32_t id)
{
	struct function *f = idmap_at(&n->functions, id);
	const char *where = profile_text(n->profile, f->where);
	char label[PATH_MAX];

	f->label = f->name;
	if (f->name)
		return 0;
	if (!*where)
		where = "[unknown]";
	snprintf(label, sizeof(label), *where == '[' ? "%s" : "[%s]", where);
	return profile_get_string(n->profile, label, strlen(label), &f->label);
}

static int get_function(struct names *n, uint32_t mapping_id, uint32_t name, uint32_t *ret_id)
{
	struct function key = { .name = name };
	int err;

	if (mapping_id) {
		const struct profile_mapping *mapping = mapping_at(n, mapping_id);

		key.where = mapping->short_name;
		key.path = mapping->name;
		key.is_kernel = is_kernel(mapping->kind);
	}
	err = idmap_get(&n->functions, &key, ret_id);
	return err > 0 ? set_label(n, *ret_id) : err;
}

/* Gives a location one more function, the next outer one. */
static int add_line(struct names *n, struct location *location, uint32_t name, uint32_t file,
		    uint32_t line)
{
	struct code_line *new_line;
	int err;

	if (n->lines == n->line_room) {
		size_t room = n->line_room ? 2 * n->line_room : 1024;
		struct code_line *larger = reallocarray(n->line, room, sizeof(*larger));

		if (!larger || room > UINT32_MAX) {
			n->line = larger ? larger : n->line;
			return -ENOMEM;
		}
		n->line = larger;
		n->line_room = room;
	}
	new_line = &n->line[n->lines];
	*new_line = (struct code_line){ .file = file, .line = line };
	err = get_function(n, location->mapping, name, &new_line->function);
	if (err)
		return err;
	if (!location->lines++)
		location->first = (uint32_t)n->lines;
	n->lines++;
	return 0;
}

/* What the stream calls the function that holds a place, made readable; 0: it does not say. */
static int recorded_name(struct names *n, const struct location *location, uint32_t *ret)
{
	const struct stretch *stretch =
		profile_stretch(n->profile, location->mapping, location->offset);
	char *text;
	int err;

	*ret = 0;
	if (!stretch || !stretch->name)
		return 0;
	*ret = n->readable[stretch->name];
	if (*ret)
		return 0;
	text = readable_name(strtab_text(&n->profile->strings, stretch->name),
			     n->options.symbols.short_names);
	if (!text)
		return -ENOMEM;
	err = profile_get_string(n->profile, text, strlen(text), ret);
	free(text);
	n->readable[stretch->name] = *ret;
	return err;
}

static int get_text(struct names *n, const char *text, uint32_t *ret)
{
	*ret = 0;
	return text ? profile_get_string(n->profile, text, strlen(text), ret) : 0;
}

/*
 * Is a file that nothing vouches for the one that was recorded, by what is at this place? The
 * recorder read names in the right one.
 */
static bool agrees(const struct names *n, const struct symbol_frame *frame, uint32_t recorded)
{
	while (frame->caller)
		frame = frame->caller;
	return !recorded || !frame->name ||
	       !strcmp(frame->name, profile_text(n->profile, recorded));
}

/* Takes one answer over. */
static int take_answer(struct names *n, const struct symbol_query *q, bool is_verified)
{
	struct location *location = location_at(n, q->id);
	struct mapping_names *known = &n->mapping[location->mapping];
	const struct symbol_frame *frame = q->frame;
	uint32_t recorded;
	int err = recorded_name(n, location, &recorded);

	if (err || (frame && !is_verified && !agrees(n, frame, recorded)))
		return err;
	if (q->has_address)
		location->address = q->address;
	known->has_functions = true;
	for (; !err && frame; frame = frame->caller) {
		uint32_t name = recorded;
		uint32_t file = 0;

		if (frame->caller && n->options.no_inlines)
			continue;
		if (frame->caller || !recorded)
			err = get_text(n, frame->name, &name);
		if (!err)
			err = get_text(n, frame->file, &file);
		if (!err)
			err = add_line(n, location, name, file, frame->line);
		known->has_lines |= frame->line != 0;
		known->has_inlines |= frame->caller != NULL;
	}
	return err;
}

/* Of a place that no answer was for, or whose answer has no name: why so. */
static uint32_t why_unknown(const struct names *n, const struct location *location)
{
	static const uint8_t told[] = {
		[PROFILER__NAMES__UNKNOWN__HAS_NAME] = UNKNOWN_UNTOLD,
		[PROFILER__NAMES__UNKNOWN__NO_SYMBOL] = UNKNOWN_NO_SYMBOL,
		[PROFILER__NAMES__UNKNOWN__NO_FILE] = UNKNOWN_FILE_GONE,
		[PROFILER__NAMES__UNKNOWN__BAD_FILE] = UNKNOWN_BAD_FILE,
		[PROFILER__NAMES__UNKNOWN__NO_MAP] = UNKNOWN_NO_MAP,
		[PROFILER__NAMES__UNKNOWN__CHANGED] = UNKNOWN_CHANGED,
	};
	const struct stretch *stretch;

	/* the right file was read here */
	if (location->unknown == UNKNOWN_NO_SYMBOL)
		return UNKNOWN_NO_SYMBOL;
	stretch = profile_stretch(n->profile, location->mapping, location->offset);
	if (stretch)
		return stretch->unknown < sizeof(told) ? told[stretch->unknown] : UNKNOWN_UNTOLD;
	switch (mapping_at(n, location->mapping)->kind) {
	case PROFILER__MAPPING__KIND__FILE:
	case PROFILER__MAPPING__KIND__VDSO:
		return location->unknown ? location->unknown : UNKNOWN_NOT_HERE;
	case PROFILER__MAPPING__KIND__KERNEL:
	case PROFILER__MAPPING__KIND__MODULE:
	case PROFILER__MAPPING__KIND__BPF:
		return UNKNOWN_KERNEL;
	case PROFILER__MAPPING__KIND__ANON:
		return UNKNOWN_NO_MAP;
	case PROFILER__MAPPING__KIND__MISSING:
		return NAME_KNOWN; /* no code, its path is what there is to say */
	default:
		return UNKNOWN_NO_MAPPING;
	}
}

/* Gives a location that no file has answered for its function; then says what has no name. */
static int finish_location(struct names *n, struct location *location)
{
	uint32_t name = location->given_name;
	int err = 0;

	if (!location->lines) {
		if (location->mapping && !name)
			err = recorded_name(n, location, &name);
		if (!err)
			err = add_line(n, location, name, 0, 0);
		if (err)
			return err;
		n->mapping[location->mapping].has_functions |= name != 0;
	}
	name = names_function(n, names_lines(n, location)[location->lines - 1].function)->name;
	location->unknown = !name && location->mapping ? why_unknown(n, location) : NAME_KNOWN;
	return 0;
}

static int compare_questions(const void *a, const void *b)
{
	const struct question *x = a;
	const struct question *y = b;

	if (x->is_vdso != y->is_vdso)
		return x->is_vdso ? 1 : -1;
	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	if (x->build_id != y->build_id)
		return x->build_id < y->build_id ? -1 : 1;
	return (x->location > y->location) - (x->location < y->location);
}

static bool same_file(const struct question *a, const struct question *b)
{
	return a->is_vdso == b->is_vdso && a->path == b->path && a->build_id == b->build_id;
}

/* What became of a file: whether it could have told what the stream does not. */
static void count_file(struct names *n, const struct question *question, size_t count, int result)
{
	uint32_t unknown = result == -ESTALE ? UNKNOWN_OTHER_BUILD : UNKNOWN_NOT_HERE;
	bool is_missed = false;

	n->stats.files++;
	n->stats.unverified += result == 1;
	for (size_t i = 0; i < count; i++) {
		struct location *l = location_at(n, question[i].location);

		l->unknown = result < 0 ? unknown : UNKNOWN_NO_SYMBOL;
		is_missed |= result < 0 && !profile_stretch(n->profile, l->mapping, l->offset);
	}
	n->stats.other_build += is_missed && result == -ESTALE;
	n->stats.missing += is_missed && result != -ESTALE;
}

/* Asks one file all that is in question about it. */
static int ask_file(struct names *n, struct symbolizer *symbolizer, const struct question *question,
		    size_t count)
{
	const struct strtab *strings = &n->profile->strings;
	struct symbol_file file = {
		.path = question->is_vdso ? NULL : strtab_text(strings, question->path),
		.build_id = strtab_text(strings, question->build_id),
		.build_id_bytes = strtab_bytes(strings, question->build_id),
		.recorded_ns =
			profile_realtime_ns(n->profile, profile_header(n->profile)->start_ns),
	};
	struct symbol_query *query = calloc(count, sizeof(*query));
	int result;
	int err = 0;

	if (!query)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		query[i].offset = location_at(n, question[i].location)->offset;
		query[i].id = question[i].location;
	}
	result = symbolize(symbolizer, &file, query, count);
	count_file(n, question, count, result);
	for (size_t i = 0; result >= 0 && !err && i < count; i++)
		err = take_answer(n, &query[i], result == 0);
	free(query);
	return result == -ENOMEM ? result : err;
}

/* Writes down what is asked; the rest has its name, or there is no file to ask. */
static size_t gather_questions(struct names *n, struct question *questions)
{
	size_t count = 0;

	for (uint32_t id = 1; id <= n->locations.count; id++) {
		const struct location *location = location_at(n, id);
		const struct profile_mapping *mapping;

		if (!location->mapping || location->given_name)
			continue;
		mapping = mapping_at(n, location->mapping);
		if ((mapping->kind != PROFILER__MAPPING__KIND__FILE || !mapping->path) &&
		    mapping->kind != PROFILER__MAPPING__KIND__VDSO)
			continue;
		questions[count++] = (struct question){
			.path = mapping->path,
			.build_id = mapping->build_id,
			.location = id,
			.is_vdso = mapping->kind == PROFILER__MAPPING__KIND__VDSO,
		};
	}
	return count;
}

static int ask_files(struct names *n, const struct progress *progress)
{
	struct question *questions = calloc(n->locations.count + (size_t)1, sizeof(*questions));
	struct symbolizer *symbolizer = NULL;
	size_t count;
	size_t next;
	int err;

	err = questions ? symbolizer_open(&symbolizer, &n->options.symbols) : -ENOMEM;
	if (err) {
		free(questions);
		return err;
	}
	count = gather_questions(n, questions);
	qsort(questions, count, sizeof(*questions), compare_questions);
	for (size_t i = 0; !err && i < count; i = next) {
		next = i + 1;
		while (next < count && same_file(&questions[i], &questions[next]))
			next++;
		if (progress)
			progress->step(progress->ctx, i, count);
		err = ask_file(n, symbolizer, &questions[i], next - i);
	}
	symbolizer_free(symbolizer);
	free(questions);
	return err;
}

static bool has_room(const struct names *n)
{
	return n->location_of_ref && n->readable && n->mapping;
}

int names_open(struct names **ret, struct profile *p, const struct name_options *options,
	       const struct progress *progress)
{
	struct names *n = calloc(1, sizeof(*n));
	int err = -ENOMEM;

	if (!n)
		return err;
	n->profile = p;
	n->options = *options;
	idmap_init(&n->locations, sizeof(struct location), offsetof(struct location, address));
	idmap_init(&n->functions, sizeof(struct function), offsetof(struct function, label));
	n->location_of_ref = calloc(2 * ((size_t)p->frames.count + 1), sizeof(*n->location_of_ref));
	n->readable = calloc(p->strings.count + (size_t)1, sizeof(*n->readable));
	n->mapping = calloc(p->mappings.count + (size_t)1, sizeof(*n->mapping));
	if (has_room(n))
		err = add_locations(n);
	if (!err)
		err = ask_files(n, progress);
	for (uint32_t id = 1; !err && id <= n->locations.count; id++)
		err = finish_location(n, location_at(n, id));
	if (err) {
		names_free(n);
		return err;
	}
	*ret = n;
	return 0;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	idmap_release(&n->locations);
	idmap_release(&n->functions);
	free(n->line);
	free(n->location_of_ref);
	free(n->readable);
	free(n->mapping);
	free(n);
}

const struct location *names_location(const struct names *n, uint32_t ref)
{
	return location_at(n, n->location_of_ref[ref]);
}

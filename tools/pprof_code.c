/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_code.c - mappings, locations and functions of a profile.proto.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pprof_writer.h"

/* A mapping as pprof has it: one for each segment of a file, however often it is mapped. */
struct segment {
	uint64_t bias; /* address less offset */
	uint32_t name;
	uint32_t build_id;
	uint32_t kind;
	uint32_t reserved;
	/* up to here the key */
	uint64_t start;
	uint64_t limit;
	uint64_t weight; /* of stacks that come through it */
	uint64_t seen;	 /* last row that was counted in weight */
	struct mapping_names has;
};

/* A function as pprof has it: code of one that comes from several files makes several. */
struct source_function {
	uint32_t function;
	uint32_t file;
};

/* Adds the weight of a row to each segment that its stack comes through. */
void pprof_weigh_segments(struct pprof_writer *w, uint32_t row_id, uint64_t weight,
			  const uint64_t *location, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t id = w->segment_of[location[i]];
		struct segment *segment;

		if (!id)
			continue;
		segment = idmap_at(&w->segments, id);
		if (segment->seen != row_id)
			segment->weight += weight;
		segment->seen = row_id;
	}
}

/* Puts a location into its segment, which grows to hold it. */
static void add_to_segment(struct pprof_writer *w, uint32_t id, const struct location *location)
{
	const struct profile_mapping *m = idmap_at(&w->profile->mappings, location->mapping);
	struct segment key = {
		.bias = location->address - location->offset,
		.name = m->name,
		.build_id = m->build_id,
		.kind = m->kind,
	};
	uint64_t start = m->size ? m->file_offset + key.bias : location->address;
	uint64_t limit = m->size ? start + m->size : location->address + 1;
	const struct mapping_names *known;
	struct segment *segment;
	int err;

	err = idmap_get(&w->segments, &key, &w->segment_of[id]);
	if (err < 0) {
		pprof_fail(w, err);
		return;
	}
	segment = idmap_at(&w->segments, w->segment_of[id]);
	if (err || start < segment->start)
		segment->start = start;
	if (limit > segment->limit)
		segment->limit = limit;
	known = &w->names->mapping[location->mapping];
	segment->has.has_functions |= known->has_functions;
	segment->has.has_lines |= known->has_lines;
	segment->has.has_inlines |= known->has_inlines;
}

void pprof_find_segments(struct pprof_writer *w)
{
	uint32_t count = w->names->locations.count;

	idmap_init(&w->segments, sizeof(struct segment), offsetof(struct segment, start));
	idmap_init(&w->functions, sizeof(struct source_function), sizeof(struct source_function));
	w->segment_of = calloc(count + (size_t)1, sizeof(*w->segment_of));
	if (!w->segment_of)
		pprof_fail(w, -ENOMEM);
	for (uint32_t id = 1; !w->err && id <= count; id++) {
		const struct location *location = idmap_at(&w->names->locations, id);

		if (location->mapping)
			add_to_segment(w, id, location);
	}
}

/* The mapping that readers take for the program: the heaviest that is not a shared library. */
static uint32_t main_segment(const struct pprof_writer *w)
{
	uint32_t best = 0;
	uint64_t best_rank = 0;
	uint64_t best_weight = 0;

	for (uint32_t id = 1; id <= w->segments.count; id++) {
		const struct segment *s = idmap_at(&w->segments, id);
		uint64_t rank = 0;

		if (s->kind == PROFILER__MAPPING__KIND__FILE)
			rank = strstr(profile_text(w->profile, s->name), ".so") ? 1 : 2;
		if (best && (rank < best_rank || (rank == best_rank && s->weight <= best_weight)))
			continue;
		best = id;
		best_rank = rank;
		best_weight = s->weight;
	}
	return best;
}

static int64_t hex_string(struct pprof_writer *w, uint32_t raw)
{
	const char *bytes = strtab_text(&w->profile->strings, raw);
	size_t count = strtab_bytes(&w->profile->strings, raw);
	char digits[2 * TABLES_MAX_BUILD_ID + 1] = "";

	for (size_t i = 0; i < count && i < TABLES_MAX_BUILD_ID; i++)
		snprintf(digits + 2 * i, 3, "%02x", (unsigned int)(unsigned char)bytes[i]);
	return pprof_string(w, digits);
}

static void write_mapping(struct pprof_writer *w, uint32_t id)
{
	const struct segment *s = idmap_at(&w->segments, id);
	Perftools__Profiles__Mapping mapping = PERFTOOLS__PROFILES__MAPPING__INIT;

	mapping.id = id;
	mapping.memory_start = s->start;
	mapping.memory_limit = s->limit;
	mapping.file_offset = s->start - s->bias;
	mapping.filename = pprof_profile_string(w, s->name);
	mapping.build_id = hex_string(w, s->build_id);
	mapping.has_functions = s->has.has_functions;
	mapping.has_filenames = s->has.has_lines;
	mapping.has_line_numbers = s->has.has_lines;
	mapping.has_inline_frames = s->has.has_inlines;
	pprof_write_field(w, PPROF_MAPPING, &mapping.base);
}

void pprof_write_mappings(struct pprof_writer *w)
{
	uint32_t first = main_segment(w);

	if (first)
		write_mapping(w, first);
	for (uint32_t id = 1; id <= w->segments.count; id++)
		if (id != first)
			write_mapping(w, id);
}

static uint64_t function_id(struct pprof_writer *w, const struct code_line *line)
{
	const struct source_function key = { line->function, line->file };
	uint32_t id = 0;
	int err = idmap_get(&w->functions, &key, &id);

	if (err < 0)
		pprof_fail(w, err);
	return id;
}

static void write_location(struct pprof_writer *w, uint32_t id, Perftools__Profiles__Line **pointer)
{
	const struct location *l = idmap_at(&w->names->locations, id);
	const struct code_line *line = names_lines(w->names, l);
	Perftools__Profiles__Location location = PERFTOOLS__PROFILES__LOCATION__INIT;

	for (uint32_t i = 0; i < l->lines; i++) {
		pointer[i]->function_id = function_id(w, &line[i]);
		pointer[i]->line = line[i].line;
	}
	location.id = id;
	location.mapping_id = w->segment_of[id];
	location.address = l->address;
	location.n_line = l->lines;
	location.line = pointer;
	pprof_write_field(w, PPROF_LOCATION, &location.base);
}

void pprof_write_locations(struct pprof_writer *w)
{
	uint32_t count = w->names->locations.count;
	Perftools__Profiles__Line *line;
	Perftools__Profiles__Line **pointer;
	uint32_t most = 1;

	for (uint32_t id = 1; id <= count; id++) {
		const struct location *l = idmap_at(&w->names->locations, id);

		most = l->lines > most ? l->lines : most;
	}
	line = calloc(most, sizeof(*line));
	pointer = calloc(most, sizeof(*pointer));
	if (!line || !pointer)
		pprof_fail(w, -ENOMEM);
	for (uint32_t i = 0; !w->err && i < most; i++) {
		line[i] = (Perftools__Profiles__Line)PERFTOOLS__PROFILES__LINE__INIT;
		pointer[i] = &line[i];
	}
	for (uint32_t id = 1; !w->err && id <= count; id++)
		write_location(w, id, pointer);
	free(line);
	free(pointer);
}

/* After write_locations(), which finds them. */
void pprof_write_functions(struct pprof_writer *w)
{
	Perftools__Profiles__Function function = PERFTOOLS__PROFILES__FUNCTION__INIT;

	for (uint32_t id = 1; id <= w->functions.count; id++) {
		const struct source_function *f = idmap_at(&w->functions, id);

		function.id = id;
		function.name =
			pprof_profile_string(w, names_function(w->names, f->function)->label);
		function.system_name = function.name;
		function.filename = pprof_profile_string(w, f->file);
		pprof_write_field(w, PPROF_FUNCTION, &function.base);
	}
}

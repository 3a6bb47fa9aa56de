/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_code.c - mappings, locations and functions of a profile.proto.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pprof_writer.h"

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
		struct segment_use *use = &w->use[w->segments.of_location[location[i]]];

		w->is_used[location[i]] = true;
		if (use->seen != row_id)
			use->weight += weight;
		use->seen = row_id;
	}
}

int pprof_find_code(struct pprof_writer *w)
{
	int err = segments_find(&w->segments, w->names);

	if (err)
		return err;
	idmap_init(&w->functions, sizeof(struct source_function), sizeof(struct source_function));
	w->use = calloc((size_t)w->segments.map.count + 1, sizeof(*w->use));
	w->is_used = calloc((size_t)w->names->locations.count + 1, sizeof(*w->is_used));
	return w->use && w->is_used ? 0 : -ENOMEM;
}

void pprof_release_code(struct pprof_writer *w)
{
	segments_release(&w->segments);
	idmap_release(&w->functions);
	free(w->use);
	free(w->is_used);
}

/* The mapping that readers take for the program: the heaviest that is not a shared library. */
static uint32_t main_segment(const struct pprof_writer *w)
{
	uint32_t best = 0;
	uint64_t best_rank = 0;
	uint64_t best_weight = 0;

	for (uint32_t id = 1; id <= w->segments.map.count; id++) {
		const struct segment *s = idmap_at(&w->segments.map, id);
		uint64_t rank = 0;

		if (s->kind == PROFILER__MAPPING__KIND__FILE)
			rank = strstr(profile_text(w->profile, s->name), ".so") ? 1 : 2;
		if (!w->use[id].seen)
			continue;
		if (best &&
		    (rank < best_rank || (rank == best_rank && w->use[id].weight <= best_weight)))
			continue;
		best = id;
		best_rank = rank;
		best_weight = w->use[id].weight;
	}
	return best;
}

static void write_mapping(struct pprof_writer *w, uint32_t id)
{
	const struct segment *s = idmap_at(&w->segments.map, id);
	Perftools__Profiles__Mapping mapping = PERFTOOLS__PROFILES__MAPPING__INIT;
	char build_id[SEGMENT_BUILD_ID_MAX];

	mapping.id = id;
	mapping.memory_start = s->start;
	mapping.memory_limit = s->limit;
	mapping.file_offset = s->start - s->bias;
	mapping.filename = pprof_profile_string(w, s->name);
	mapping.build_id = pprof_string(w, segment_build_id(w->profile, s, build_id));
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
	for (uint32_t id = 1; id <= w->segments.map.count; id++)
		if (id != first && w->use[id].seen)
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
	location.mapping_id = w->segments.of_location[id];
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
		if (w->is_used[id])
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

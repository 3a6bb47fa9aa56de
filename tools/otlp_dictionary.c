/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_dictionary.c - the tables that samples of OpenTelemetry profiles share. */
#include "tools/otlp_dictionary.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What of a row's flags makes its stack another one, see profile_stack(). */
#define STACK_FLAGS                                                                   \
	(PROFILER__SAMPLE_FLAG__IN_KERNEL | PROFILER__SAMPLE_FLAG__USER_TRUNCATED |   \
	 PROFILER__SAMPLE_FLAG__KERNEL_TRUNCATED | PROFILER__SAMPLE_FLAG__USER_LOST | \
	 PROFILER__SAMPLE_FLAG__KERNEL_LOST | PROFILER__SAMPLE_FLAG__USER_FAILED)

struct function_key {
	uint32_t function;
	uint32_t file;
};

struct attribute_key {
	uint32_t key; /* of strings */
	uint32_t is_number;
	uint64_t value; /* that, or of values */
};

struct stack_key {
	uint32_t user;
	uint32_t kernel;
	uint32_t flags;
	uint32_t reserved; /* 0 */
};

static void fail(struct otlp_dictionary *d, int err)
{
	if (!d->err)
		d->err = err;
}

/* The index of a key; *ret_is_new: its entry is to be written. */
static int32_t index_of(struct otlp_dictionary *d, struct idmap *map, const void *key,
			bool *ret_is_new)
{
	uint32_t id = 0;
	int err = idmap_get(map, key, &id);

	*ret_is_new = err > 0;
	if (err < 0)
		fail(d, err);
	return (int32_t)id;
}

/* The empty entry of each table. That of strings is among them from the start. */
static void put_empty(struct otlp_dictionary *d)
{
	const Otlp__Mapping mapping = OTLP__MAPPING__INIT;
	const Otlp__Location location = OTLP__LOCATION__INIT;
	const Otlp__Function function = OTLP__FUNCTION__INIT;
	const Otlp__Link link = OTLP__LINK__INIT;
	const Otlp__KeyValueAndUnit attribute = OTLP__KEY_VALUE_AND_UNIT__INIT;
	const Otlp__Stack stack = OTLP__STACK__INIT;

	pb_put_message(&d->table[OTLP_MAPPINGS], OTLP_MAPPINGS, &mapping.base);
	pb_put_message(&d->table[OTLP_LOCATIONS], OTLP_LOCATIONS, &location.base);
	pb_put_message(&d->table[OTLP_FUNCTIONS], OTLP_FUNCTIONS, &function.base);
	pb_put_message(&d->table[OTLP_LINKS], OTLP_LINKS, &link.base);
	pb_put_message(&d->table[OTLP_ATTRIBUTES], OTLP_ATTRIBUTES, &attribute.base);
	pb_put_message(&d->table[OTLP_STACKS], OTLP_STACKS, &stack.base);
}

void otlp_open(struct otlp_dictionary *d, const struct names *n)
{
	*d = (struct otlp_dictionary){ .profile = n->profile, .names = n };
	idmap_init(&d->functions, sizeof(struct function_key), sizeof(struct function_key));
	idmap_init(&d->attributes, sizeof(struct attribute_key), sizeof(struct attribute_key));
	idmap_init(&d->stacks, sizeof(struct stack_key), sizeof(struct stack_key));
	fail(d, segments_find(&d->segments, n));
	d->mapping = calloc((size_t)d->segments.map.count + 1, sizeof(*d->mapping));
	d->location = calloc((size_t)n->locations.count + 1, sizeof(*d->location));
	d->ref = calloc(PROFILE_STACK_MAX, sizeof(*d->ref));
	d->location_of_ref = calloc(PROFILE_STACK_MAX, sizeof(*d->location_of_ref));
	if (!d->mapping || !d->location || !d->ref || !d->location_of_ref)
		fail(d, -ENOMEM);
	put_empty(d);
}

void otlp_release(struct otlp_dictionary *d)
{
	for (size_t i = 0; i < OTLP_TABLES; i++)
		pb_release(&d->table[i]);
	strtab_release(&d->strings);
	strtab_release(&d->values);
	segments_release(&d->segments);
	idmap_release(&d->functions);
	idmap_release(&d->attributes);
	idmap_release(&d->stacks);
	free(d->mapping);
	free(d->location);
	free(d->ref);
	free(d->location_of_ref);
}

int32_t otlp_string(struct otlp_dictionary *d, const char *text)
{
	uint32_t id = 0;

	fail(d, strtab_get(&d->strings, text, strlen(text), &id));
	return (int32_t)id;
}

static int32_t profile_string(struct otlp_dictionary *d, uint32_t string)
{
	return otlp_string(d, profile_text(d->profile, string));
}

static int32_t put_attribute(struct otlp_dictionary *d, const struct attribute_key *key)
{
	Otlp__KeyValueAndUnit attribute = OTLP__KEY_VALUE_AND_UNIT__INIT;
	Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
	bool is_new;
	int32_t id = index_of(d, &d->attributes, key, &is_new);
	char *text;

	if (!is_new)
		return id;
	attribute.key_strindex = (int32_t)key->key;
	attribute.value = &value;
	if (key->is_number) {
		value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		value.int_value = (int64_t)key->value;
		pb_put_message(&d->table[OTLP_ATTRIBUTES], OTLP_ATTRIBUTES, &attribute.base);
		return id;
	}
	text = strdup(strtab_text(&d->values, (uint32_t)key->value));
	if (!text) {
		fail(d, -ENOMEM);
		return id;
	}
	value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	value.string_value = text;
	pb_put_message(&d->table[OTLP_ATTRIBUTES], OTLP_ATTRIBUTES, &attribute.base);
	free(text);
	return id;
}

int32_t otlp_attribute(struct otlp_dictionary *d, const char *key, const char *text)
{
	struct attribute_key attribute = { .key = (uint32_t)otlp_string(d, key) };
	uint32_t value = 0;

	fail(d, strtab_get(&d->values, text, strlen(text), &value));
	attribute.value = value;
	return put_attribute(d, &attribute);
}

int32_t otlp_number(struct otlp_dictionary *d, const char *key, uint32_t number)
{
	const struct attribute_key attribute = {
		.key = (uint32_t)otlp_string(d, key),
		.is_number = true,
		.value = number,
	};

	return put_attribute(d, &attribute);
}

static int32_t put_mapping(struct otlp_dictionary *d, uint32_t id)
{
	const struct segment *s;
	Otlp__Mapping mapping = OTLP__MAPPING__INIT;
	char build_id[SEGMENT_BUILD_ID_MAX];
	int32_t attribute;

	if (!id || d->mapping[id])
		return id ? d->mapping[id] : 0;
	s = idmap_at(&d->segments.map, id);
	mapping.memory_start = s->start;
	mapping.memory_limit = s->limit;
	mapping.file_offset = s->start - s->bias;
	mapping.filename_strindex = profile_string(d, s->name);
	if (*segment_build_id(d->profile, s, build_id)) {
		attribute = otlp_attribute(d, "process.executable.build_id.gnu", build_id);
		mapping.attribute_indices = &attribute;
		mapping.n_attribute_indices = 1;
	}
	pb_put_message(&d->table[OTLP_MAPPINGS], OTLP_MAPPINGS, &mapping.base);
	return d->mapping[id] = ++d->mappings;
}

static int32_t put_function(struct otlp_dictionary *d, const struct code_line *line)
{
	const struct function_key key = { line->function, line->file };
	Otlp__Function function = OTLP__FUNCTION__INIT;
	bool is_new;
	int32_t id = index_of(d, &d->functions, &key, &is_new);

	if (!is_new)
		return id;
	function.name_strindex = profile_string(d, names_function(d->names, line->function)->label);
	function.system_name_strindex = function.name_strindex;
	function.filename_strindex = profile_string(d, line->file);
	pb_put_message(&d->table[OTLP_FUNCTIONS], OTLP_FUNCTIONS, &function.base);
	return id;
}

static void put_lines(struct otlp_dictionary *d, const struct location *l, Otlp__Location *to)
{
	const struct code_line *from = names_lines(d->names, l);
	Otlp__Line *line = calloc(l->lines, sizeof(*line));
	Otlp__Line **pointer = calloc(l->lines, sizeof(*pointer));

	if (!line || !pointer) {
		fail(d, -ENOMEM);
		goto out;
	}
	for (uint32_t i = 0; i < l->lines; i++) {
		otlp__line__init(&line[i]);
		line[i].function_index = put_function(d, &from[i]);
		line[i].line = from[i].line;
		pointer[i] = &line[i];
	}
	to->n_lines = l->lines;
	to->lines = pointer;
	pb_put_message(&d->table[OTLP_LOCATIONS], OTLP_LOCATIONS, &to->base);
out:
	free(line);
	free(pointer);
}

static int32_t put_location(struct otlp_dictionary *d, uint32_t id)
{
	const struct location *l = idmap_at(&d->names->locations, id);
	Otlp__Location location = OTLP__LOCATION__INIT;

	if (d->location[id])
		return d->location[id];
	location.mapping_index = put_mapping(d, d->segments.of_location[id]);
	location.address = l->address;
	put_lines(d, l, &location);
	return d->location[id] = ++d->locations;
}

int32_t otlp_stack(struct otlp_dictionary *d, const struct profile_row *row)
{
	const struct stack_key key = { .user = row->user,
				       .kernel = row->kernel,
				       .flags = row->flags & STACK_FLAGS };
	Otlp__Stack stack = OTLP__STACK__INIT;
	bool is_new;
	int32_t id = index_of(d, &d->stacks, &key, &is_new);

	if (!is_new)
		return id;
	stack.n_location_indices = profile_stack(d->profile, row, d->ref);
	stack.location_indices = d->location_of_ref;
	for (size_t i = 0; i < stack.n_location_indices; i++)
		d->location_of_ref[i] = put_location(d, d->names->location_of_ref[d->ref[i]]);
	pb_put_message(&d->table[OTLP_STACKS], OTLP_STACKS, &stack.base);
	return id;
}

void otlp_put(struct otlp_dictionary *d, struct pb_buffer *to, uint32_t field)
{
	struct pb_buffer whole = { .err = d->err };

	for (uint32_t id = 0; id <= d->strings.count; id++)
		pb_put_bytes(&d->table[OTLP_STRINGS], OTLP_STRINGS, strtab_text(&d->strings, id),
			     strtab_bytes(&d->strings, id));
	for (size_t i = OTLP_MAPPINGS; i < OTLP_TABLES; i++)
		pb_append(&whole, &d->table[i]);
	pb_put_buffer(to, field, &whole);
}

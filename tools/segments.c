/* SPDX-License-Identifier: Apache-2.0 */
/* segments.c - mappings as formats of profiles have them, see segments.h. */
#include "tools/segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Puts a location into its segment, which grows to hold it. */
static int add(struct segments *s, const struct names *n, uint32_t id)
{
	const struct location *location = idmap_at(&n->locations, id);
	const struct profile_mapping *m = idmap_at(&n->profile->mappings, location->mapping);
	const struct mapping_names *known = &n->mapping[location->mapping];
	struct segment key = {
		.bias = location->address - location->offset,
		.name = m->name,
		.build_id = m->build_id,
		.kind = m->kind,
	};
	uint64_t start = m->size ? m->file_offset + key.bias : location->address;
	uint64_t limit = m->size ? start + m->size : location->address + 1;
	struct segment *segment;
	int err = idmap_get(&s->map, &key, &s->of_location[id]);

	if (err < 0)
		return err;
	segment = idmap_at(&s->map, s->of_location[id]);
	if (err || start < segment->start)
		segment->start = start;
	if (limit > segment->limit)
		segment->limit = limit;
	segment->has.has_functions |= known->has_functions;
	segment->has.has_lines |= known->has_lines;
	segment->has.has_inlines |= known->has_inlines;
	return 0;
}

int segments_find(struct segments *ret, const struct names *n)
{
	uint32_t count = n->locations.count;
	int err = 0;

	idmap_init(&ret->map, sizeof(struct segment), offsetof(struct segment, start));
	ret->of_location = calloc(count + (size_t)1, sizeof(*ret->of_location));
	if (!ret->of_location)
		return -ENOMEM;
	for (uint32_t id = 1; !err && id <= count; id++) {
		const struct location *location = idmap_at(&n->locations, id);

		if (location->mapping)
			err = add(ret, n, id);
	}
	return err;
}

void segments_release(struct segments *s)
{
	idmap_release(&s->map);
	free(s->of_location);
	s->of_location = NULL;
}

const char *segment_build_id(const struct profile *p, const struct segment *s,
			     char ret[SEGMENT_BUILD_ID_MAX])
{
	const char *bytes = strtab_text(&p->strings, s->build_id);
	size_t count = strtab_bytes(&p->strings, s->build_id);

	*ret = 0;
	for (size_t i = 0; i < count && i < TABLES_MAX_BUILD_ID; i++)
		snprintf(ret + 2 * i, 3, "%02x", (unsigned int)(unsigned char)bytes[i]);
	return ret;
}

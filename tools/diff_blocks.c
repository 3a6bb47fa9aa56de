/* SPDX-License-Identifier: Apache-2.0 */
/* diff_blocks.c - what each row has in each block of time, see diff_blocks.h. */
#include "tools/diff_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t diff_event_find(const struct profile *p, const char *name)
{
	const Profiler__Header *header = profile_header(p);
	char full[EVENT_NAME_MAX];

	for (uint32_t i = 0; i < header->n_event; i++)
		if (!strcmp(header->event[i]->name, name) ||
		    !strcmp(profile_event_name(p, i, full), name))
			return i;
	return PROFILE_ALL_EVENTS;
}

/* The range of time that is looked at, from the start of the recording. */
static struct filter_range wanted_range(const struct diff_blocks *b, size_t i)
{
	const struct filter_values *time = &b->filter->by[FILTER_BY_TIME];

	return time->count ? time->range[i] : (struct filter_range){ 0, UINT64_MAX };
}

static size_t wanted_ranges(const struct diff_blocks *b)
{
	size_t count = b->filter->by[FILTER_BY_TIME].count;

	return count ? count : 1;
}

void diff_blocks_open(struct diff_blocks *b, const struct profile *p, const struct filter *filter,
		      uint32_t event, const char *norm)
{
	uint64_t first = UINT64_MAX;

	*b = (struct diff_blocks){ .profile = p, .filter = filter, .event = event };
	b->norm = norm ? diff_event_find(p, norm) : PROFILE_ALL_EVENTS;
	for (size_t i = 0; i < wanted_ranges(b); i++)
		if (wanted_range(b, i).first < first)
			first = wanted_range(b, i).first;
	b->origin_ns = profile_header(p)->start_ns + first;
	b->length_ns = DIFF_BLOCK_NS;
}

static int make_room(struct diff_blocks *b, uint32_t row)
{
	struct diff_block_row *larger;
	uint32_t room = b->room ? b->room * 2 : 1024;

	if (row < b->room)
		return 0;
	while (room <= row)
		room *= 2;
	larger = reallocarray(b->row, room, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	memset(larger + b->room, 0, (room - b->room) * sizeof(*larger));
	b->row = larger;
	b->room = room;
	return 0;
}

static void merge_pairs(uint64_t part[DIFF_BLOCKS])
{
	for (size_t i = 0; i < DIFF_BLOCKS / 2; i++)
		part[i] = part[2 * i] + part[2 * i + 1];
	memset(part + DIFF_BLOCKS / 2, 0, DIFF_BLOCKS / 2 * sizeof(*part));
}

static uint64_t block_of(struct diff_blocks *b, uint64_t time_ns)
{
	/* the CPUs' samples are not quite in order, and the first can be of before the start */
	uint64_t since = time_ns > b->origin_ns ? time_ns - b->origin_ns : 0;

	for (; since / b->length_ns >= DIFF_BLOCKS; b->length_ns *= 2) {
		merge_pairs(b->norm_part);
		for (uint32_t i = 0; i < b->room; i++)
			merge_pairs(b->row[i].part);
	}
	return since / b->length_ns;
}

/* A counter that is read at others' samples has no weight of its own: what it grew by counts. */
static int add_row(struct diff_blocks *b, uint32_t id, uint64_t block)
{
	const struct profile_row *row = idmap_at(&b->profile->rows, id);
	struct diff_block_row *blocks;
	uint64_t now;

	if (b->event != PROFILE_ALL_EVENTS && profile_leader(b->profile, b->event) != row->event)
		return 0;
	if (make_room(b, id))
		return -ENOMEM;
	blocks = &b->row[id];
	now = profile_row_total(b->profile, row, b->event).weight;
	blocks->part[block] += now - blocks->before;
	blocks->before = now;
	return 0;
}

int diff_blocks_add(struct diff_blocks *b, const struct reader_sample *sample, uint32_t row)
{
	const uint64_t block = block_of(b, sample->time_ns);

	if (b->norm != PROFILE_ALL_EVENTS) {
		uint64_t now = b->profile->event[b->norm].weight;

		b->norm_part[block] += now - b->norm_before;
		b->norm_before = now;
	}
	return add_row(b, row, block);
}

void diff_blocks_release(struct diff_blocks *b)
{
	free(b->row);
	b->row = NULL;
	b->room = 0;
}

static uint64_t overlap(uint64_t a_first, uint64_t a_end, uint64_t b_first, uint64_t b_end)
{
	uint64_t first = a_first > b_first ? a_first : b_first;
	uint64_t end = a_end < b_end ? a_end : b_end;

	return end > first ? end - first : 0;
}

uint64_t diff_blocks_time(const struct diff_blocks *b, uint64_t ret[DIFF_BLOCKS])
{
	const uint64_t start = profile_header(b->profile)->start_ns;
	const uint64_t duration = profile_duration_ns(b->profile);
	uint64_t sum = 0;

	memset(ret, 0, DIFF_BLOCKS * sizeof(*ret));
	for (size_t k = 0; k < wanted_ranges(b); k++) {
		struct filter_range range = wanted_range(b, k);
		uint64_t end = range.last < duration ? range.last + 1 : duration;

		for (uint64_t i = 0; i < DIFF_BLOCKS; i++) {
			uint64_t at = b->origin_ns - start + i * b->length_ns;
			uint64_t till = i + 1 < DIFF_BLOCKS ? at + b->length_ns : UINT64_MAX;

			ret[i] += overlap(at, till, range.first, end);
		}
	}
	for (size_t i = 0; i < DIFF_BLOCKS; i++)
		sum += ret[i];
	return sum;
}

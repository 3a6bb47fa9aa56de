// SPDX-License-Identifier: Apache-2.0
/*
 * places.c - places between boundaries, see places.h.
 */
#include "jail/places.h"

#include <string.h>

void places_init(struct places *p, const uint64_t *at, uint32_t count)
{
	p->count = count;
	memcpy(p->at, at, count * sizeof(*at));
	for (uint32_t i = 0; i <= count; i++)
		p->gap[i] = (struct places_gap){ .first = UINT64_MAX, .last = 0 };
}

/* Of the places from @from on, the first that is not before an address; count if there is none. */
static uint32_t find(const struct places *p, uint32_t from, uint64_t address)
{
	const uint64_t *base = p->at + from;
	uint32_t left = p->count - from;

	if (!left || *base >= address)
		return from;
	/* The one that is looked for is behind base, at most `left` places. No branch is guessed.
	 */
	while (left > 1) {
		uint32_t half = left / 2;

		base += base[half] < address ? half : 0;
		left -= half;
	}
	return (uint32_t)(base - p->at) + 1;
}

static void bound(struct places_gap *gap, uint64_t address)
{
	if (address < gap->first)
		gap->first = address;
	if (address > gap->last)
		gap->last = address;
}

struct places_span places_add(struct places *p, uint64_t start, uint64_t end)
{
	struct places_span span;

	span.first = start > p->at[p->count - 1] ? p->count : find(p, 0, start);
	span.last = find(p, span.first, end);
	bound(&p->gap[span.first], start);
	bound(&p->gap[span.last], end);
	return span;
}

void places_settle(struct places *p)
{
	for (uint32_t i = 1; i <= p->count; i++) {
		if (p->gap[i].last < p->gap[i - 1].last)
			p->gap[i].last = p->gap[i - 1].last;
	}
	for (uint32_t i = p->count; i--;) {
		if (p->gap[i].first > p->gap[i + 1].first)
			p->gap[i].first = p->gap[i + 1].first;
	}
}

void name_answer_init(struct name_answer *a)
{
	a->count = 0;
	a->text_bytes = 0;
	a->last_text = 0;
}

bool name_answer_add(struct name_answer *a, uint64_t start, uint64_t end, const char *name,
		     size_t size)
{
	struct jail_stretch stretch = { .start = start, .end = end, .name = JAIL_NO_NAME };

	if (size > JAIL_NAME_BYTES_MAX - 1)
		size = JAIL_NAME_BYTES_MAX - 1;
	if (a->count == JAIL_NAMES_MAX)
		return false;
	if (size && a->text_bytes == a->last_text + size + 1 &&
	    !memcmp(a->text + a->last_text, name, size)) {
		stretch.name = a->last_text; /* the same function, with another one in it */
	} else if (size) {
		if (size >= sizeof(a->text) - a->text_bytes)
			return false;
		stretch.name = a->last_text = a->text_bytes;
		memcpy(a->text + a->text_bytes, name, size);
		a->text[a->text_bytes + size] = '\0';
		a->text_bytes += (uint32_t)size + 1;
	}
	a->stretches[a->count++] = stretch;
	return true;
}

bool name_answer_add_changed(struct name_answer *a, uint64_t start, uint64_t end)
{
	if (a->count == JAIL_NAMES_MAX)
		return false;
	a->stretches[a->count++] =
		(struct jail_stretch){ .start = start, .end = end, .name = JAIL_CHANGED };
	return true;
}

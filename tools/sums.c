/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sums.c - what the counters of a group have counted, added up, see sums.h.
 *
 * An entry is words: the number of samples, a sum for each counter, and the products of the pairs:
 * those of counter a with b <= a are at a * (a + 1) / 2 + b.
 */
#include "tools/sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 64

void sums_release(struct sums *s)
{
	free(s->word);
	*s = (struct sums){ .counters = s->counters };
}

int sums_get(struct sums *s, uint32_t *id)
{
	const uint32_t words = sums_words(s->counters);

	if (*id)
		return 0;
	if (s->count == s->room) {
		uint32_t room = s->room ? s->room * 2 : ROOM_FIRST;
		union sums_word *larger = NULL;

		if (room > s->room)
			larger = reallocarray(s->word, room, words * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		s->word = larger;
		s->room = room;
	}
	*id = ++s->count;
	memset(sums_at(s, *id), 0, words * sizeof(*s->word));
	return 0;
}

double sums_product(const struct sums *s, const union sums_word *entry, uint32_t a, uint32_t b)
{
	const uint32_t high = a > b ? a : b;
	const uint32_t low = a > b ? b : a;

	return entry[1 + s->counters + high * (high + 1) / 2 + low].product;
}

void sums_add(const struct sums *s, union sums_word *entry, const uint64_t *count,
	      uint32_t counters)
{
	union sums_word *product = entry + 1 + s->counters;

	entry[0].count++;
	for (uint32_t a = 0; a < counters; a++) {
		entry[1 + a].count += count[a];
		for (uint32_t b = 0; b <= a; b++)
			(product++)->product += (double)count[a] * (double)count[b];
	}
}

void sums_merge(const struct sums *s, union sums_word *entry, const union sums_word *more)
{
	const uint32_t counts = 1 + s->counters;
	const uint32_t words = sums_words(s->counters);

	for (uint32_t i = 0; i < counts; i++)
		entry[i].count += more[i].count;
	for (uint32_t i = counts; i < words; i++)
		entry[i].product += more[i].product;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* flame_time.c - when the samples of a profile were taken, see flame_time.h. */
#include "tools/flame_time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 5

/* Numbers without a pattern (S. Vigna's splitmix64): the same for the same stream. */
static uint64_t mix(uint64_t n)
{
	n += UINT64_C(0x9E3779B97F4A7C15);
	n = (n ^ n >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	n = (n ^ n >> 27) * UINT64_C(0x94D049BB133111EB);
	return n ^ n >> 31;
}

uint16_t flame_time_code(uint64_t value, uint64_t random)
{
	unsigned int exponent;
	uint64_t digits;
	uint64_t rest;

	if (value < 1u << DIGITS)
		return (uint16_t)value;
	exponent = 64 - DIGITS - (unsigned int)__builtin_clzll(value);
	digits = value >> exponent;
	rest = value - (digits << exponent);
	if (rest > (random & ((UINT64_C(1) << exponent) - 1)))
		digits++; /* one more than fits is the first number of the next exponent */
	return (uint16_t)((exponent << (DIGITS - 1)) + digits);
}

static int make_room(void **array, uint32_t *room, uint64_t needed, size_t size)
{
	uint64_t larger = *room ? *room : 4096;
	void *moved;

	if (needed <= *room)
		return 0;
	while (larger < needed)
		larger *= 2;
	if (larger > UINT32_MAX)
		return -ENOMEM;
	moved = reallocarray(*array, larger, size);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = (uint32_t)larger;
	return 0;
}

/* Is a sample of this number kept? */
static bool is_kept(const struct flame_time *t, uint64_t number)
{
	return !(mix(number) & (t->every - 1));
}

/* Forgets every second sample. Those who stay are as if they had been chosen so from the start. */
static void thin(struct flame_time *t)
{
	uint32_t samples = 0;
	uint32_t codes = 0;

	for (uint32_t i = 0; i < t->samples; i++) {
		struct flame_sample *s = &t->sample[i];
		uint32_t count = 1u + t->code[s->first];

		if (mix(s->time_ns ^ (uint64_t)s->row << 32 ^ i) & 1)
			continue;
		memmove(&t->code[codes], &t->code[s->first], count * sizeof(*t->code));
		t->sample[samples] = *s;
		t->sample[samples++].first = codes;
		codes += count;
	}
	t->samples = samples;
	t->codes = codes;
	t->every *= 2;
}

static int keep(struct flame_time *t, const struct reader_sample *sample, uint32_t row)
{
	uint32_t places = t->counts ? t->counts : 1;
	uint64_t random = mix(~t->seen);
	int err = make_room((void **)&t->sample, &t->sample_room, t->samples + UINT64_C(1),
			    sizeof(*t->sample));

	if (!err)
		err = make_room((void **)&t->code, &t->code_room, t->codes + places + UINT64_C(1),
				sizeof(*t->code));
	if (err)
		return err;
	t->sample[t->samples++] = (struct flame_sample){ sample->time_ns, row, t->codes };
	t->code[t->codes++] = (uint16_t)places;
	t->code[t->codes++] = flame_time_code(sample->weight, random);
	for (uint32_t i = 1; i < places; i++)
		t->code[t->codes++] = flame_time_code(t->count[i], mix(random + i));
	return 0;
}

static void note_weight(struct flame_time *t, const struct reader_sample *sample)
{
	uint64_t *low = &t->weight_low[sample->event];
	uint64_t *high = &t->weight_high[sample->event];

	if (!*low || sample->weight + 1 < *low)
		*low = sample->weight + 1;
	if (sample->weight + 1 > *high)
		*high = sample->weight + 1;
}

static int take_sample(void *ctx, const struct reader_sample *sample, uint32_t row)
{
	struct flame_time *t = ctx;
	int err = 0;

	if (!t->every)
		t->every = 1;
	note_weight(t, sample);
	if (is_kept(t, t->seen))
		err = keep(t, sample, row);
	/* samples with counts take more room in the page */
	if (t->samples >= FLAME_TIME_SAMPLES || t->codes >= 3 * FLAME_TIME_SAMPLES)
		thin(t);
	t->seen++;
	t->counts = 0;
	return err;
}

static void take_counts(void *ctx, const uint64_t *count, uint32_t counters)
{
	struct flame_time *t = ctx;

	memcpy(t->count, count, counters * sizeof(*count));
	t->counts = counters;
}

struct profile_listener flame_time_listener(struct flame_time *t)
{
	return (struct profile_listener){ .sample = take_sample, .counts = take_counts, .ctx = t };
}

void flame_time_release(struct flame_time *t)
{
	free(t->sample);
	free(t->code);
	*t = (struct flame_time){ 0 };
}

uint64_t flame_time_period(const struct flame_time *t, uint32_t event)
{
	bool is_one = t->weight_low[event] && t->weight_low[event] == t->weight_high[event];

	return is_one ? t->weight_low[event] - 1 : 0;
}

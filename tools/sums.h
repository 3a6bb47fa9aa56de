/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sums.h - what the counters of a group have counted, added up over samples.
 *
 * Besides the sums, those of the products of all pairs of counts: they tell how much a ratio of two
 * sums would differ in another recording (metrics.h). Few rows of a profile have any of it, so they
 * have an id, and 0 is none.
 */
#ifndef PROFILER_SUMS_H
#define PROFILER_SUMS_H

#include <stdint.h>

/* A part of one entry, see sums_samples(), sums_count() and sums_product(). */
union sums_word {
	uint64_t count;
	double product;
};

/* Entries of one size, named by ids from 1 up. All zero is an empty table. */
struct sums {
	union sums_word *word;
	uint32_t counters; /* that there is room for in each entry; to be set before the first */
	uint32_t count;	   /* the highest id */
	uint32_t room;
};

/** sums_release() - free what the table owns */
void sums_release(struct sums *s);

/**
 * sums_get() - make sure that there is an entry
 * @s: the table
 * @id: of an entry, or 0: then it becomes that of a new one, which is all 0
 *
 * Pointers from sums_at() end when an entry is added.
 *
 * Return: 0 or -ENOMEM.
 */
int sums_get(struct sums *s, uint32_t *id) __attribute__((warn_unused_result));

/** sums_words() - how many words an entry has */
static inline uint32_t sums_words(uint32_t counters)
{
	return 1 + counters + counters * (counters + 1) / 2;
}

/** sums_at() - the entry of an id that sums_get() gave */
static inline union sums_word *sums_at(const struct sums *s, uint32_t id)
{
	return s->word + (uint64_t)(id - 1) * sums_words(s->counters);
}

/** sums_samples() - how many samples are in an entry */
static inline uint64_t sums_samples(const union sums_word *entry)
{
	return entry[0].count;
}

/** sums_count() - what a counter has counted in them; @counter is its place in the group */
static inline uint64_t sums_count(const union sums_word *entry, uint32_t counter)
{
	return entry[1 + counter].count;
}

/** sums_product() - the sum over the samples of the product of two counters' counts */
double sums_product(const struct sums *s, const union sums_word *entry, uint32_t a, uint32_t b);

/**
 * sums_add() - add a sample
 * @s: the table
 * @entry: of the table
 * @count: what its counters have counted, by their place in the group
 * @counters: how many, at most those of the table
 */
void sums_add(const struct sums *s, union sums_word *entry, const uint64_t *count,
	      uint32_t counters);

/** sums_merge() - add all samples of another entry, of this table or of one like it */
void sums_merge(const struct sums *s, union sums_word *entry, const union sums_word *more);

#endif /* PROFILER_SUMS_H */

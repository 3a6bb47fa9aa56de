// SPDX-License-Identifier: Apache-2.0
/*
 * htable.c - hash table of objects that carry their own link.
 *
 * Chained buckets, a power of two of them, at least as many as objects while memory lasts.
 * It never shrinks: the peak of live objects is what it was made for.
 */
#include "profiler/htable.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 256
#define MAX_BUCKETS   (1u << 24)

int htable_init(struct htable *t)
{
	t->buckets = calloc(FIRST_BUCKETS, sizeof(struct hlink *));
	t->mask = FIRST_BUCKETS - 1;
	t->count = 0;
	return t->buckets ? 0 : -ENOMEM;
}

void htable_release(struct htable *t)
{
	free(t->buckets);
	t->buckets = NULL;
	t->count = 0;
}

static void push(struct hlink **bucket, struct hlink *link)
{
	link->next = *bucket;
	*bucket = link;
}

static void grow(struct htable *t)
{
	uint32_t size = (t->mask + 1) * 2;
	struct hlink **buckets = calloc(size, sizeof(struct hlink *));

	if (!buckets)
		return;
	for (uint32_t i = 0; i <= t->mask; i++) {
		while (t->buckets[i]) {
			struct hlink *link = t->buckets[i];

			t->buckets[i] = link->next;
			push(&buckets[link->hash & (size - 1)], link);
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->mask = size - 1;
}

void htable_insert(struct htable *t, struct hlink *link, uint32_t hash)
{
	if (t->count > t->mask && t->mask < MAX_BUCKETS - 1)
		grow(t);
	link->hash = hash;
	push(&t->buckets[hash & t->mask], link);
	t->count++;
}

void htable_remove(struct htable *t, struct hlink *link)
{
	struct hlink **at = &t->buckets[link->hash & t->mask];

	while (*at && *at != link)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = link->next;
	link->next = NULL;
	t->count--;
}

static struct hlink *with_hash(struct hlink *link, uint32_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct hlink *htable_first(const struct htable *t, uint32_t hash)
{
	return with_hash(t->buckets[hash & t->mask], hash);
}

struct hlink *htable_next(const struct hlink *link)
{
	return with_hash(link->next, link->hash);
}

size_t htable_bytes(const struct htable *t)
{
	return ((size_t)t->mask + 1) * sizeof(struct hlink *);
}

uint32_t htable_hash(uint32_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	/* FNV-1a, and a last mix because tables use the low bits. */
	hash ^= 2166136261u;
	while (size--)
		hash = (hash ^ *at++) * 16777619u;
	return hash ^ hash >> 15;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * htable.h - hash table of objects that carry their own link.
 *
 * The table holds no memory but its buckets, and never owns an object. It grows with the
 * number of objects; where there is no memory to grow, chains get longer and nothing fails.
 */
#ifndef PROFILER_HTABLE_H
#define PROFILER_HTABLE_H

#include <stddef.h>
#include <stdint.h>

struct hlink {
	struct hlink *next;
	uint32_t hash;
};

/* The object that a link is part of. */
#define htable_entry(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct htable {
	struct hlink **buckets;
	uint32_t mask;
	uint32_t count;
};

/** htable_init() - an empty table. Return: 0 or -ENOMEM. */
int htable_init(struct htable *t) __attribute__((warn_unused_result));

/** htable_release() - frees the buckets; the objects are the caller's. */
void htable_release(struct htable *t);

/** htable_insert() - add an object; equal ones are the caller's concern. */
void htable_insert(struct htable *t, struct hlink *link, uint32_t hash);

/** htable_remove() - take out an object that is in the table. */
void htable_remove(struct htable *t, struct hlink *link);

/** htable_first() - the first object with this hash, or NULL. */
struct hlink *htable_first(const struct htable *t, uint32_t hash);

/** htable_next() - the next object with the same hash as @link, or NULL. */
struct hlink *htable_next(const struct hlink *link);

/** htable_bytes() - memory of the buckets. */
size_t htable_bytes(const struct htable *t);

/** htable_hash() - mix bytes into a hash; start with 0. */
uint32_t htable_hash(uint32_t hash, const void *bytes, size_t size);

#endif /* PROFILER_HTABLE_H */

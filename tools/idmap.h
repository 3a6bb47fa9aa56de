/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.h - distinct things and their ids.
 *
 * What a stream repeats millions of times is kept once here and named by a small id. Ids start
 * at 1 and follow the order of first appearance, so the same input gives the same ids; 0 means
 * none. Things are never taken out. Open addressing, no allocation but when a table doubles.
 */
#ifndef PROFILER_IDMAP_H
#define PROFILER_IDMAP_H

#include <stddef.h>
#include <stdint.h>

/* Where the ids are: a power of two of slots, each 0 or the upper half of a hash and an id. */
struct id_slots {
	uint64_t *slot;
	uint32_t mask; /* slots - 1 */
};

/*
 * Entries of one size that begin with their key. Keys are compared as bytes: whole 8-byte words
 * without padding.
 */
struct idmap {
	struct id_slots slots;
	uint8_t *entries;
	size_t entry_bytes;
	size_t key_bytes;
	uint32_t count;	 /* the highest id */
	uint32_t hashed; /* entries that are found by their key */
	uint32_t room;
};

/**
 * idmap_init() - an empty map; owns nothing yet
 * @m: the map
 * @entry_bytes: size of an entry, a multiple of 8
 * @key_bytes: size of its leading part that must be distinct, a multiple of 8
 */
void idmap_init(struct idmap *m, size_t entry_bytes, size_t key_bytes);

/** idmap_release() - free what the map owns; the map is empty afterwards and may be used again */
void idmap_release(struct idmap *m);

/**
 * idmap_get() - the id of a key, a new one where it is new
 * @m: the map
 * @key: key_bytes bytes, aligned to 8
 * @ret_id: the id, untouched on failure
 *
 * The rest of a new entry is 0. Pointers from idmap_at() end when an entry is added.
 *
 * Return: 1 when it is new, 0 when it was there, -ENOMEM (also when ids run out).
 */
int idmap_get(struct idmap *m, const void *key, uint32_t *ret_id)
	__attribute__((warn_unused_result));

/** idmap_append() - as idmap_get() of a new key, which is not found again: by its id only */
int idmap_append(struct idmap *m, const void *key, uint32_t *ret_id)
	__attribute__((warn_unused_result));

/*
 * idmap_get() of many keys waits for memory at each of them, twice. Who has several at hand hashes
 * them all, then wants all their slots, then all their entries, and only then gets them: so the
 * waits are one. What was wanted needs not to be there any more, or yet.
 */

/** idmap_hash() - the hash of a key */
uint32_t idmap_hash(const struct idmap *m, const void *key);

/** idmap_get_hashed() - as idmap_get(), the key's hash being known */
int idmap_get_hashed(struct idmap *m, const void *key, uint32_t hash, uint32_t *ret_id)
	__attribute__((warn_unused_result));

/** idmap_find() - the id of a key, 0 where there is none */
uint32_t idmap_find(const struct idmap *m, const void *key);

/** idmap_at() - the entry of an id that idmap_get() gave */
static inline void *idmap_at(const struct idmap *m, uint32_t id)
{
	return m->entries + (size_t)(id - 1) * m->entry_bytes;
}

/** idmap_want_slot() - ask for the memory where the look-up of a hash begins */
static inline void idmap_want_slot(const struct idmap *m, uint32_t hash)
{
	if (m->slots.slot)
		__builtin_prefetch(&m->slots.slot[hash & m->slots.mask]);
}

/** idmap_want_entry() - ask for the entry that is likely the one of a hash, to change it */
static inline void idmap_want_entry(const struct idmap *m, uint32_t hash)
{
	uint32_t id = m->slots.slot ? (uint32_t)m->slots.slot[hash & m->slots.mask] : 0;

	if (id) {
		__builtin_prefetch(idmap_at(m, id), 1);
		__builtin_prefetch((uint8_t *)idmap_at(m, id) + m->entry_bytes - 1, 1);
	}
}

/* Distinct strings of bytes, each kept with a 0 behind it. */
struct strtab {
	struct id_slots slots;
	struct strtab_string *string;
	struct strtab_chunk *chunk;
	uint32_t count; /* the highest id */
	uint32_t room;
};

/** strtab_release() - free what the table owns; an all-zero strtab is an empty one */
void strtab_release(struct strtab *t);

/**
 * strtab_get() - the id of a string, a new one where it is new
 * @t: the table
 * @text: its bytes
 * @bytes: how many
 * @ret_id: the id, 0 for the empty string, untouched on failure
 *
 * Return: 0 or -ENOMEM.
 */
int strtab_get(struct strtab *t, const char *text, size_t bytes, uint32_t *ret_id)
	__attribute__((warn_unused_result));

/**
 * strtab_text() - the string of an id
 * @t: the table
 * @id: from strtab_get(), or 0
 *
 * Return: the string, valid as long as the table is; "" for 0.
 */
const char *strtab_text(const struct strtab *t, uint32_t id);

/** strtab_bytes() - how many bytes strtab_text() has without its ending 0 */
size_t strtab_bytes(const struct strtab *t, uint32_t id);

#endif /* PROFILER_IDMAP_H */

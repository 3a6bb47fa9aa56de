/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.c - distinct things and their ids, see idmap.h.
 *
 * A slot keeps 32 bits of its key's hash, so entries are only looked at when they are nearly
 * sure to be the right ones, and growing needs no look at the entries at all: the position of
 * a slot comes from the same 32 bits.
 */
#include "tools/idmap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN   64u
#define SLOTS_MAX   (1u << 31)
#define ENTRIES_MIN 32u
#define CHUNK_BYTES (64u << 10)

struct strtab_string {
	const char *text;
	size_t bytes;
};

struct strtab_chunk {
	struct strtab_chunk *next;
	size_t used;
	size_t bytes;
	char text[];
};

static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ (hash >> 32);
}

static uint32_t hash_bytes(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint64_t hash = bytes;
	uint64_t word;

	for (; bytes >= sizeof(word); at += sizeof(word), bytes -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = hash_word(hash, word);
	}
	word = 0;
	memcpy(&word, at, bytes);
	return (uint32_t)hash_word(hash_word(hash, word), 0);
}

static inline uint64_t slot_value(uint32_t hash, uint32_t id)
{
	return (uint64_t)hash << 32 | id;
}

static void slots_put(struct id_slots *s, uint64_t value)
{
	uint32_t i = (uint32_t)(value >> 32) & s->mask;

	while (s->slot[i])
		i = (i + 1) & s->mask;
	s->slot[i] = value;
}

/* Makes room for one more id, so that at most half of the slots are taken. */
static int slots_reserve(struct id_slots *s, uint32_t ids)
{
	struct id_slots larger;
	uint32_t slots = s->slot ? s->mask + 1 : 0;

	if (ids < slots / 2)
		return 0;
	if (slots == SLOTS_MAX)
		return -ENOMEM;
	slots = slots ? slots * 2 : SLOTS_MIN;
	larger.mask = slots - 1;
	larger.slot = calloc(slots, sizeof(*larger.slot));
	if (!larger.slot)
		return -ENOMEM;
	for (uint32_t i = 0; s->slot && i <= s->mask; i++)
		if (s->slot[i])
			slots_put(&larger, s->slot[i]);
	free(s->slot);
	*s = larger;
	return 0;
}

/* Makes *room of an array at least count + 1. */
static int array_reserve(void **array, uint32_t *room, uint32_t count, size_t entry_bytes)
{
	uint32_t more;
	void *larger;

	if (count < *room)
		return 0;
	more = *room ? *room + *room / 2 : ENTRIES_MIN;
	larger = reallocarray(*array, more, entry_bytes);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*room = more;
	return 0;
}

void idmap_init(struct idmap *m, size_t entry_bytes, size_t key_bytes)
{
	*m = (struct idmap){ .entry_bytes = entry_bytes, .key_bytes = key_bytes };
}

void idmap_release(struct idmap *m)
{
	free(m->slots.slot);
	free(m->entries);
	idmap_init(m, m->entry_bytes, m->key_bytes);
}

int idmap_append(struct idmap *m, const void *key, uint32_t *ret_id)
{
	void *entries = m->entries;
	int err = array_reserve(&entries, &m->room, m->count, m->entry_bytes);
	uint8_t *entry;

	m->entries = entries;
	if (err)
		return err;
	entry = idmap_at(m, ++m->count);
	memcpy(entry, key, m->key_bytes);
	memset(entry + m->key_bytes, 0, m->entry_bytes - m->key_bytes);
	*ret_id = m->count;
	return 1;
}

static int idmap_add(struct idmap *m, const void *key, uint32_t hash, uint32_t *ret_id)
{
	int err = slots_reserve(&m->slots, m->hashed);

	if (!err)
		err = idmap_append(m, key, ret_id);
	if (err < 0)
		return err;
	m->hashed++;
	slots_put(&m->slots, slot_value(hash, m->count));
	return 1;
}

/* memcmp() for keys: short, and nearly always the same. */
static inline bool same_key(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	uint64_t differs = 0;
	uint64_t x, y;

	for (size_t i = 0; i < bytes; i += sizeof(x)) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		differs |= x ^ y;
	}
	return !differs;
}

static uint32_t find(const struct idmap *m, const void *key, uint32_t hash)
{
	const struct id_slots *s = &m->slots;

	for (uint32_t i = hash & s->mask; s->slot && s->slot[i]; i = (i + 1) & s->mask) {
		uint32_t id = (uint32_t)s->slot[i];

		if (s->slot[i] >> 32 == hash && same_key(idmap_at(m, id), key, m->key_bytes))
			return id;
	}
	return 0;
}

uint32_t idmap_find(const struct idmap *m, const void *key)
{
	return find(m, key, hash_bytes(key, m->key_bytes));
}

uint32_t idmap_hash(const struct idmap *m, const void *key)
{
	return hash_bytes(key, m->key_bytes);
}

int idmap_get(struct idmap *m, const void *key, uint32_t *ret_id)
{
	return idmap_get_hashed(m, key, hash_bytes(key, m->key_bytes), ret_id);
}

int idmap_get_hashed(struct idmap *m, const void *key, uint32_t hash, uint32_t *ret_id)
{
	uint32_t id = find(m, key, hash);

	if (!id)
		return idmap_add(m, key, hash, ret_id);
	*ret_id = id;
	return 0;
}

/* Room for a string in the newest chunk; a long one gets a chunk of its own size. */
static char *strtab_room(struct strtab *t, size_t bytes)
{
	struct strtab_chunk *chunk = t->chunk;
	char *text;

	if (!chunk || chunk->bytes - chunk->used < bytes) {
		size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		chunk->next = t->chunk;
		chunk->used = 0;
		chunk->bytes = room;
		t->chunk = chunk;
	}
	text = chunk->text + chunk->used;
	chunk->used += bytes;
	return text;
}

void strtab_release(struct strtab *t)
{
	for (struct strtab_chunk *chunk = t->chunk, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(t->slots.slot);
	free(t->string);
	*t = (struct strtab){ 0 };
}

static int strtab_add(struct strtab *t, const char *text, size_t bytes, uint32_t hash,
		      uint32_t *ret_id)
{
	void *strings = t->string;
	char *copy;
	int err;

	err = slots_reserve(&t->slots, t->count);
	if (!err)
		err = array_reserve(&strings, &t->room, t->count, sizeof(*t->string));
	t->string = strings;
	copy = err ? NULL : strtab_room(t, bytes + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, bytes);
	copy[bytes] = 0;
	t->string[t->count++] = (struct strtab_string){ .text = copy, .bytes = bytes };
	slots_put(&t->slots, slot_value(hash, t->count));
	*ret_id = t->count;
	return 0;
}

int strtab_get(struct strtab *t, const char *text, size_t bytes, uint32_t *ret_id)
{
	const struct id_slots *s = &t->slots;
	uint32_t hash = hash_bytes(text, bytes);

	if (!bytes) {
		*ret_id = 0;
		return 0;
	}
	for (uint32_t i = hash & s->mask; s->slot && s->slot[i]; i = (i + 1) & s->mask) {
		uint32_t id = (uint32_t)s->slot[i];
		const struct strtab_string *string = &t->string[id - 1];

		if (s->slot[i] >> 32 == hash && string->bytes == bytes &&
		    !memcmp(string->text, text, bytes)) {
			*ret_id = id;
			return 0;
		}
	}
	return strtab_add(t, text, bytes, hash, ret_id);
}

const char *strtab_text(const struct strtab *t, uint32_t id)
{
	return id ? t->string[id - 1].text : "";
}

size_t strtab_bytes(const struct strtab *t, uint32_t id)
{
	return id ? t->string[id - 1].bytes : 0;
}

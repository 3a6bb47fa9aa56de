/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_pool.c - where the answers of symbolize() are kept, see frame_pool.h.
 */
#include "tools/frame_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demangle.h"

/* Frames allocated at once: 40 KB. */
#define CHUNK_FRAMES 1024

struct frame_chunk {
	struct frame_chunk *next;
	size_t used;
	struct symbol_frame frame[CHUNK_FRAMES];
};

struct readable {
	uint64_t symbol; /* string id */
	/* up to here the key */
	uint64_t name; /* string id */
};

void frame_pool_clear(struct frame_pool *p)
{
	struct frame_chunk *next;

	for (struct frame_chunk *chunk = p->chunk; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	strtab_release(&p->strings);
	idmap_release(&p->readable);
	*p = (struct frame_pool){ .short_names = p->short_names };
}

struct symbol_frame *frame_pool_new(struct frame_pool *p)
{
	struct frame_chunk *chunk = p->chunk;

	if (!chunk || chunk->used == CHUNK_FRAMES) {
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		chunk->next = p->chunk;
		chunk->used = 0;
		p->chunk = chunk;
	}
	memset(&chunk->frame[chunk->used], 0, sizeof(*chunk->frame));
	return &chunk->frame[chunk->used++];
}

int frame_pool_text(struct frame_pool *p, const char *text, const char **ret)
{
	uint32_t id = 0;
	int err = 0;

	if (text)
		err = strtab_get(&p->strings, text, strlen(text), &id);
	if (!err)
		*ret = id ? strtab_text(&p->strings, id) : NULL;
	return err;
}

/* Makes the readable name of a symbol that is new here. */
static int make_readable(struct frame_pool *p, uint32_t symbol, struct readable *entry)
{
	char *name = readable_name(strtab_text(&p->strings, symbol), p->short_names);
	uint32_t id;
	int err = -ENOMEM;

	if (name)
		err = strtab_get(&p->strings, name, strlen(name), &id);
	if (!err)
		entry->name = id;
	free(name);
	return err;
}

int frame_pool_name(struct frame_pool *p, const char *symbol, const char **ret)
{
	uint32_t string = 0;
	uint32_t id;
	struct readable *entry;
	int err = 0;

	if (symbol)
		err = strtab_get(&p->strings, symbol, strlen(symbol), &string);
	if (err)
		return err;
	if (!string) {
		*ret = NULL;
		return 0;
	}
	if (!p->readable.entry_bytes)
		idmap_init(&p->readable, sizeof(struct readable), offsetof(struct readable, name));
	err = idmap_get(&p->readable, &(struct readable){ .symbol = string }, &id);
	if (err < 0)
		return err;
	entry = idmap_at(&p->readable, id);
	if (!entry->name)
		err = make_readable(p, string, entry);
	if (err < 0)
		return err;
	*ret = entry->name ? strtab_text(&p->strings, (uint32_t)entry->name) : NULL;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sample_choice.c - which samples of a stream are wanted, see sample_choice.h. */
#include "tools/sample_choice.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM 4096

static int note(void *ctx, const struct reader_sample *sample, uint32_t row)
{
	struct sample_choice *c = ctx;

	(void)sample;
	if (c->count == c->room) {
		size_t room = c->room ? c->room * 2 : FIRST_ROOM;
		uint32_t *larger = reallocarray(c->row, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		c->row = larger;
		c->room = room;
	}
	c->row[c->count++] = row;
	return 0;
}

struct profile_listener sample_choice_listener(struct sample_choice *c)
{
	return (struct profile_listener){ .sample = note, .ctx = c };
}

int sample_choice_end(struct sample_choice *c, const struct profile *p)
{
	c->wanted = calloc(c->count / 8 + 1, 1);
	if (!c->wanted)
		return -ENOMEM;
	for (size_t i = 0; i < c->count; i++) {
		const struct profile_row *row = idmap_at(&p->rows, c->row[i]);

		if (row->count)
			c->wanted[i / 8] |= (uint8_t)(1u << i % 8);
	}
	free(c->row);
	c->row = NULL;
	c->room = 0;
	return 0;
}

bool sample_choice_wants(struct sample_choice *c, const struct tables *t,
			 const struct reader_sample *s, uint64_t start_ns)
{
	size_t at;

	if (c->filter && !filter_wants(c->filter, t, s, start_ns))
		return false;
	if (!c->wanted)
		return true;
	at = c->next++;
	/* a recording that goes on may have grown since it was read first */
	return at < c->count && c->wanted[at / 8] & 1u << at % 8;
}

void sample_choice_release(struct sample_choice *c)
{
	free(c->row);
	free(c->wanted);
	*c = (struct sample_choice){ 0 };
}

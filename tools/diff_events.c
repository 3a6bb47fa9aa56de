/* SPDX-License-Identifier: Apache-2.0 */
/* diff_events.c - blocks of one event or of all, see diff_events.h. */
#include "tools/diff_events.h"

#include <errno.h>
#include <stdlib.h>

static int make_blocks(struct diff_events *e)
{
	const uint32_t count = e->all ? (uint32_t)profile_header(e->profile)->n_event : 1;

	e->of = calloc(count, sizeof(*e->of));
	if (!e->of)
		return -ENOMEM;
	e->count = count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t event = i;

		if (!e->all)
			event = e->event ? diff_event_find(e->profile, e->event)
					 : PROFILE_ALL_EVENTS;
		diff_blocks_open(&e->of[i], e->profile, e->filter, event, e->norm);
	}
	return 0;
}

static int take_sample(void *ctx, const struct reader_sample *sample, uint32_t row)
{
	struct diff_events *e = ctx;
	int err = e->count ? 0 : make_blocks(e);

	for (uint32_t i = 0; !err && i < e->count; i++)
		err = diff_blocks_add(&e->of[i], sample, row);
	return err;
}

static void begin(void *ctx, const struct profile *p)
{
	struct diff_events *e = ctx;

	e->profile = p;
}

struct profile_listener diff_events_listener(struct diff_events *e)
{
	return (struct profile_listener){ .sample = take_sample, .begin = begin, .ctx = e };
}

void diff_events_release(struct diff_events *e)
{
	for (uint32_t i = 0; i < e->count; i++)
		diff_blocks_release(&e->of[i]);
	free(e->of);
	e->of = NULL;
	e->count = 0;
}

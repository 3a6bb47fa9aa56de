// SPDX-License-Identifier: Apache-2.0
/*
 * retire.c - when has every program ended that may still read what was taken back?
 *
 * A program counts its run in `entries` before it reads a table, and in exactly one other counter
 * after it has read the last one, each CPU and event for itself. So once as many runs have
 * ended as had begun at some moment, nothing that was read before that moment is still in use.
 *
 *     recorder                              program
 *     (a) take a place back                 (A) entries++
 *     (b) let RETIRE_SETTLE_NS go by        (B) read the tables
 *     (c) note entries                      (C) idle, filtered_*, ring_* or submitted ++
 *     (d) wait for the ends to reach that
 *     (e) use the place again
 *
 * (b): a program whose (B) came before (a) must be seen in (c). Its (A) was before its (B), but
 * neither side has a barrier between its store and its load, and a CPU may hold the store (A) back
 * for a moment. It cannot for longer than (b), so (c) finds it.
 * (C) is not seen before (B) is done: x86 keeps a load before a later store; arm64 does where a
 * branch on what was loaded stands between them, and the walk is made of such branches. It
 * pairs with the acquire loads of sampler_counters(), which keep (d) before (e).
 *
 * Places are not kept one by one: whoever takes one back gets a ticket. All that come until the
 * next note of entries share one, so that the cost is one look at the counters a batch.
 */
#include "profiler/retire.h"

#include <errno.h>
#include <stdlib.h>

enum retire_state {
	RETIRE_IDLE,	 /* the ticket done + 1 may still be given */
	RETIRE_SETTLING, /* (b) for the ticket done + 1 */
	RETIRE_WAITING,	 /* (d) for the ticket done + 1 */
};

struct retire {
	retire_read read;
	void *context;
	uint32_t cpus;
	uint32_t events;
	enum retire_state state;
	uint32_t ended;	 /* of the noted counters so many have been reached */
	uint64_t done;	 /* tickets */
	uint64_t wanted; /* the last ticket given */
	uint64_t closed_ns;
	uint64_t entries[]; /* as noted, cpu * events + event */
};

int retire_open(struct retire **ret, uint32_t cpus, uint32_t events, retire_read read,
		void *context)
{
	struct retire *r = calloc(1, sizeof(*r) + (size_t)cpus * events * sizeof(r->entries[0]));

	if (!r)
		return -ENOMEM;
	r->read = read;
	r->context = context;
	r->cpus = cpus;
	r->events = events;
	*ret = r;
	return 0;
}

void retire_free(struct retire *r)
{
	free(r);
}

uint64_t retire_ticket(struct retire *r)
{
	r->wanted = r->done + (r->state == RETIRE_IDLE ? 1 : 2);
	return r->wanted;
}

uint64_t retire_done(const struct retire *r)
{
	return r->done;
}

static void note_entries(struct retire *r)
{
	for (uint32_t cpu = 0; cpu < r->cpus; cpu++)
		for (uint32_t event = 0; event < r->events; event++)
			r->entries[cpu * r->events + event] =
				r->read(r->context, cpu, event).entries;
	r->ended = 0;
}

static uint64_t count_ends(const struct event_counters *c)
{
	return c->idle + c->filtered_target + c->filtered_mode + c->ring_full + c->ring_busy +
	       c->submitted;
}

/* Counters only rise: one that was reached stays reached. */
static int all_ended(struct retire *r)
{
	while (r->ended < r->cpus * r->events) {
		struct event_counters c =
			r->read(r->context, r->ended / r->events, r->ended % r->events);

		if (count_ends(&c) < r->entries[r->ended])
			return 0;
		r->ended++;
	}
	return 1;
}

void retire_poll(struct retire *r, uint64_t now_ns)
{
	if (r->state == RETIRE_SETTLING && now_ns - r->closed_ns >= RETIRE_SETTLE_NS) {
		note_entries(r);
		r->state = RETIRE_WAITING;
	}
	if (r->state == RETIRE_WAITING && all_ended(r)) {
		r->done++;
		r->state = RETIRE_IDLE;
	}
	if (r->state == RETIRE_IDLE && r->wanted > r->done) {
		r->closed_ns = now_ns;
		r->state = RETIRE_SETTLING;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_packets.h - packets with groups of counters made by hand, right or wrong as a test wants.
 */
#ifndef PROFILER_GROUP_PACKETS_H
#define PROFILER_GROUP_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "packets.h"

#define GROUP_EVENTS 24

struct column64 {
	uint64_t *value;
	size_t n;
};

/* A header, if it has events, and one block of samples, if there are any. */
struct group_packet {
	uint32_t events;
	const char *name[GROUP_EVENTS];	    /* NULL: "" */
	const char *unit[GROUP_EVENTS];	    /* likewise */
	const char *modifier[GROUP_EVENTS]; /* likewise */
	uint32_t leader[GROUP_EVENTS];
	uint32_t event; /* of the block */
	uint32_t samples;
	uint32_t flags; /* of all of them */
	uint32_t counters;
	uint32_t counter[GROUP_EVENTS]; /* their events */
	struct column64 count[GROUP_EVENTS];
	struct column64 enabled_ns;
	struct column64 running_ns;
};

static inline char *group_text(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

static inline void fill_group_header(const struct group_packet *g, Profiler__Header *header,
				     Profiler__Event *event, Profiler__Event **events)
{
	header->version = STREAM_VERSION;
	for (uint32_t i = 0; i < g->events; i++) {
		event[i] = (Profiler__Event)PROFILER__EVENT__INIT;
		event[i].name = group_text(g->name[i]);
		event[i].unit = group_text(g->unit[i]);
		event[i].modifier = group_text(g->modifier[i]);
		event[i].leader = g->leader[i];
		events[i] = &event[i];
	}
	header->n_event = g->events;
	header->event = events;
}

static inline size_t make_group_packet(uint8_t *to, struct group_packet *g, uint64_t sequence,
				       uint64_t first_sample)
{
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Header header = PROFILER__HEADER__INIT;
	Profiler__Event event[GROUP_EVENTS], *events[GROUP_EVENTS];
	Profiler__SampleBlock block = PROFILER__SAMPLE_BLOCK__INIT, *blocks = &block;
	Profiler__Counter counter[GROUP_EVENTS], *counters[GROUP_EVENTS];

	packet.epoch = 1;
	fill_group_header(g, &header, event, events);
	if (g->events)
		packet.header = &header;
	for (uint32_t i = 0; i < g->counters; i++) {
		counter[i] = (Profiler__Counter)PROFILER__COUNTER__INIT;
		counter[i].event = g->counter[i];
		counter[i].n_count = g->count[i].n;
		counter[i].count = g->count[i].value;
		counters[i] = &counter[i];
	}
	block.event = g->event;
	block.count = g->samples;
	block.n_flags = 1;
	block.flags = &g->flags;
	block.n_counter = g->counters;
	block.counter = counters;
	block.n_enabled_ns = g->enabled_ns.n;
	block.enabled_ns = g->enabled_ns.value;
	block.n_running_ns = g->running_ns.n;
	block.running_ns = g->running_ns.value;
	packet.n_samples = g->samples ? 1 : 0;
	packet.samples = &blocks;
	return make_packet(to, &packet, sequence, first_sample);
}

#endif /* PROFILER_GROUP_PACKETS_H */

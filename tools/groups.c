/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups.c - the groups of counters in a stream, see groups.h.
 */
#include "tools/groups.h"

void groups_find(struct groups *g, const Profiler__Header *header)
{
	*g = (struct groups){ 0 };
	for (uint32_t i = 0; i < header->n_event; i++) {
		uint32_t leader = header->event[i]->leader;
		struct group *group;

		if (!leader)
			continue;
		group = &g->of[leader - 1];
		if (!group->counters)
			group->event[group->counters++] = leader - 1;
		group->event[group->counters++] = i;
		if (group->counters > g->largest)
			g->largest = group->counters;
	}
}

/* Rounds down, so that sums are of whole counts; no count is that small and matters. */
static uint64_t scale(uint64_t count, uint64_t enabled_ns, uint64_t running_ns)
{
	unsigned __int128 scaled = (unsigned __int128)count * enabled_ns / running_ns;

	return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

bool group_counts(const struct group *g, const Profiler__SampleBlock *block, uint32_t place,
		  uint64_t ret[READER_MAX_COUNTERS])
{
	uint64_t enabled_ns = sample_wide(block->enabled_ns, block->n_enabled_ns, place);
	uint64_t running_ns = sample_wide(block->running_ns, block->n_running_ns, place);

	if (enabled_ns && !running_ns)
		return false;
	for (uint32_t i = 0; i < g->counters; i++) {
		ret[i] = sample_wide(block->counter[i]->count, block->counter[i]->n_count, place);
		if (running_ns < enabled_ns)
			ret[i] = scale(ret[i], enabled_ns, running_ns);
	}
	return true;
}

uint32_t group_place(const struct group *g, uint32_t event)
{
	for (uint32_t i = 0; i < g->counters; i++)
		if (g->event[i] == event)
			return i;
	return UINT32_MAX;
}

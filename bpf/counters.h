/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * counters.h - what the counters of a group have counted since they were last read.
 *
 * The kernel puts the counters of a group on the hardware together, so one pair of times is of all
 * of them. They count whatever the CPU runs: which threads did since the last reading tells whose
 * the counts are. The idle task counts next to nothing, and is not taken for another.
 *
 * Invariant: what a counter counted is told to user space in one record, or added to what is
 * uncounted, or still to come with the next record: a reading that nobody got changes nothing.
 */
#ifndef PROFILER_COUNTERS_H
#define PROFILER_COUNTERS_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include "bpf/event.h"

const volatile __u8 group_size[MAX_EVENTS]; /* counters that the event leads, itself included; 0 or
					       at least 2; set before the load */
const volatile __u32 have_groups;	    /* without, nothing here is even verified */

/* Perf events, index (cpu * MAX_EVENTS + event) * MAX_GROUP + place in the group. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} group_members SEC(".maps");

/* Index cpu * MAX_EVENTS + event; read by the recorder through its own mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct group_counts);
} groups SEC(".maps");

/* A reading of a group, by CPU. */
struct reading {
	__u64 at[MAX_GROUP];
	__u64 enabled_ns;
	__u64 running_ns;
	struct counts_record record; /* the difference to the last */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reading);
} readings SEC(".maps");

static __always_inline struct group_counts *find_group(__u32 cpu, __u32 event)
{
	__u32 index = cpu * MAX_EVENTS + event;

	return bpf_map_lookup_elem(&groups, &index);
}

static __always_inline __u32 counters_of(__u32 event)
{
	__u32 n = group_size[event % MAX_EVENTS];

	return n > MAX_GROUP ? MAX_GROUP : n;
}

/* A thread ran since the group was last read. */
static __always_inline void note_thread(struct group_counts *group, __u32 tid)
{
	if (!tid) /* idle */
		return;
	if (!group->task)
		group->task = tid;
	else if (group->task != tid)
		group->several = 1;
}

/*
 * Reads the counters into the CPU's reading, for a sample of this thread. Returns 0 when one of
 * them cannot be read. As walk_step() a function of its own, so that the verifier goes through its
 * loop once.
 */
__noinline __u32 read_group(__u32 cpu, __u32 event, __u32 tid)
{
	struct bpf_perf_event_value value = {};
	struct group_counts *group;
	struct reading *r;
	__u32 i, first;
	long err;

	if (!have_groups)
		return 0;
	group = find_group(cpu, event);
	r = bpf_map_lookup_elem(&readings, &cpu);
	if (!group || !r)
		return 0;
	note_thread(group, tid);
	first = (cpu * MAX_EVENTS + event) * MAX_GROUP;
	for (i = 0; i < MAX_GROUP && i < counters_of(event); i++) {
		err = bpf_perf_event_read_value(&group_members, first + i, &value, sizeof(value));
		if (err && !(i && err == -ENOENT)) /* a member's PMU may not be on this CPU */
			return 0;
		r->at[i] = value.counter;
		r->record.count[i] = value.counter - group->at[i];
		if (i)
			continue;
		r->enabled_ns = value.enabled;
		r->running_ns = value.running;
	}
	r->record.shared = group->several;
	r->record.enabled_ns = r->enabled_ns - group->enabled_ns;
	r->record.running_ns = r->running_ns - group->running_ns;
	return 1;
}

/*
 * The next reading begins where this one of a thread ended; what it counted was told, or nobody
 * wants it.
 */
__noinline __u32 settle_group(__u32 cpu, __u32 event, __u32 tid, __u32 told)
{
	struct group_counts *group;
	struct reading *r;
	__u32 i;

	if (!have_groups)
		return 0;
	group = find_group(cpu, event);
	r = bpf_map_lookup_elem(&readings, &cpu);
	if (!group || !r)
		return 0;
	for (i = 0; i < MAX_GROUP && i < counters_of(event); i++) {
		group->at[i] = r->at[i];
		if (told)
			group->counted[i] += r->record.count[i];
		else
			group->uncounted[i] += r->record.count[i];
	}
	group->enabled_ns = r->enabled_ns;
	group->running_ns = r->running_ns;
	group->task = tid;
	group->several = 0;
	return 1;
}

/* Makes the CPU's reading a record for the ring; NULL when there is none. */
static __always_inline struct counts_record *make_counts_record(__u32 cpu, __u32 event,
								__u64 time_ns, __u32 *ret_size)
{
	struct reading *r = bpf_map_lookup_elem(&readings, &cpu);

	if (!r)
		return NULL;
	*ret_size = COUNTS_RECORD_HEADER + counters_of(event) * 8;
	r->record.type = RECORD_COUNTS;
	r->record.size = *ret_size;
	r->record.time_ns = time_ns;
	r->record.event = event;
	return &r->record;
}

#endif /* PROFILER_COUNTERS_H */

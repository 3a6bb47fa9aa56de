/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push_event.h - the 32-byte event that queues hand over in benches: each one another, and a sum
 * that tells whether all arrived as they were put. Also included from C++.
 */
#ifndef PROFILER_BENCH_PUSH_EVENT_H
#define PROFILER_BENCH_PUSH_EVENT_H

#include <stdint.h>

#define EVENT_BYTES 32
#define EVENT_STEP  100003u /* ns, between two */

/*
 * struct push_event - a sample's 32 bytes, of which two fields at a time are one word: how well a
 * compiler joins their stores is not what is compared
 */
struct push_event {
	uint64_t time_ns;
	uint64_t thread; /* pid, tid */
	uint64_t stacks;
	uint64_t place; /* weight, cpu, event, flags */
};

#define EVENT_BOTH ((UINT64_C(1) << 32) + 1) /* makes a number both halves of a word */

/** push_event_fill() - event number @k, in place; @k below 2^32 */
static inline void push_event_fill(struct push_event *e, uint64_t k)
{
	e->time_ns = k * EVENT_STEP;
	e->thread = k * EVENT_BOTH;
	e->stacks = k * EVENT_BOTH;
	e->place = EVENT_BOTH;
}

/** push_event_sum() - of all bytes of an event */
static inline uint64_t push_event_sum(const struct push_event *e)
{
	return e->time_ns + e->thread + e->stacks + e->place;
}

/** push_event_total() - the sums of events 0 to @count - 1, together */
static inline uint64_t push_event_total(uint64_t count)
{
	uint64_t numbers = count % 2 ? (count - 1) / 2 * count : count / 2 * (count - 1);

	return numbers * (EVENT_STEP + 2 * EVENT_BOTH) + count * EVENT_BOTH;
}

/** push_event_number() - of the event that has this sum */
static inline uint64_t push_event_number(uint64_t sum)
{
	const uint64_t factor = EVENT_STEP + 2 * EVENT_BOTH;
	uint64_t inverse = factor; /* modulo 2^64, as it is odd; each step doubles the right bits */

	for (int i = 0; i < 5; i++)
		inverse *= 2 - factor * inverse;
	return (sum - EVENT_BOTH) * inverse;
}

#endif /* PROFILER_BENCH_PUSH_EVENT_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push_event.h - the 32-byte event that queues hand over in benches: each one another, and a sum
 * that tells whether all arrived as they were put. Also included from C++.
 */
#ifndef PROFILER_BENCH_PUSH_EVENT_H
#define PROFILER_BENCH_PUSH_EVENT_H

#include <stdint.h>
#include <string.h>

#define EVENT_BYTES 32
#define EVENT_STEP  100003u /* ns, between two */

/** struct push_event - a sample as the recorder has it; the layout is that of contract 1 */
struct push_event {
	uint64_t time_ns;
	uint32_t pid;
	uint32_t tid;
	uint32_t user_stack;
	uint32_t kernel_stack;
	uint32_t weight;
	uint16_t cpu;
	uint8_t event;
	uint8_t flags;
};

/** push_event_fill() - event number @k, in place; @k below 2^32 */
static inline void push_event_fill(struct push_event *e, uint64_t k)
{
	e->time_ns = k * EVENT_STEP;
	e->pid = (uint32_t)k;
	e->tid = (uint32_t)k;
	e->user_stack = (uint32_t)k;
	e->kernel_stack = (uint32_t)k;
	e->weight = 1;
	e->cpu = 1;
	e->event = 0;
	e->flags = 0;
}

/** push_event_sum() - of all bytes of an event */
static inline uint64_t push_event_sum(const struct push_event *e)
{
	const char *bytes = (const char *)e;
	uint64_t a, b, c, d;

	memcpy(&a, bytes, sizeof(a));
	memcpy(&b, bytes + 8, sizeof(b));
	memcpy(&c, bytes + 16, sizeof(c));
	memcpy(&d, bytes + 24, sizeof(d));
	return a + b + c + d;
}

/** push_event_total() - the sums of events 0 to @count - 1, together */
static inline uint64_t push_event_total(uint64_t count)
{
	const uint64_t both = (UINT64_C(1) << 32) + 1; /* two 32-bit fields of a word */
	uint64_t numbers = count % 2 ? (count - 1) / 2 * count : count / 2 * (count - 1);

	return numbers * (EVENT_STEP + 2 * both) + count * both;
}

/** push_event_number() - of the event that has this sum */
static inline uint64_t push_event_number(uint64_t sum)
{
	const uint64_t both = (UINT64_C(1) << 32) + 1;
	const uint64_t factor = EVENT_STEP + 2 * both;
	uint64_t inverse = factor; /* modulo 2^64, as it is odd; each step doubles the right bits */

	for (int i = 0; i < 5; i++)
		inverse *= 2 - factor * inverse;
	return (sum - both) * inverse;
}

#endif /* PROFILER_BENCH_PUSH_EVENT_H */

// SPDX-License-Identifier: Apache-2.0
/*
 * ring_fill.bpf.c - fills rings with samples in the kernel, for bench_consume.c.
 *
 * Run by hand (BPF_PROG_TEST_RUN), so no event has to happen: each run hands over EVENTS_PER_RUN
 * samples in one of the ways there are. They are socket filters because those can be run by
 * hand, may use every kind of ring, and exist since long before ring buffers.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench/micro/ring_fill.h"
#include "bpf/event.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_FILL_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf SEC(".maps");

__u64 number;  /* of the next event */
__u64 refused; /* no room */
__u64 kept;    /* what the runs without a ring compute */

static __always_inline void fill(struct sample_event *s, __u64 k)
{
	s->time_ns = k * RING_FILL_STEP;
	s->pid = (__u32)k;
	s->tid = (__u32)k;
	s->user_stack = (__u32)k & (STACK_SLOTS - 1);
	s->kernel_stack = 0;
	s->weight = 1;
	s->cpu = RING_FILL_CPU;
	s->event = 0;
	s->flags = 0;
}

/* As the recorder's program does it: reserve, fill in place, submit. */
SEC("socket")
int fill_reserve(void *ctx)
{
	__u64 k = number;

	(void)ctx;
	for (int i = 0; i < EVENTS_PER_RUN; i++) {
		struct sample_event *s = bpf_ringbuf_reserve(&ring, sizeof(*s), 0);

		if (!s) {
			refused++;
			continue;
		}
		fill(s, k++);
		bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP);
	}
	number = k;
	return 0;
}

SEC("socket")
int fill_output(void *ctx)
{
	__u64 k = number;

	(void)ctx;
	for (int i = 0; i < EVENTS_PER_RUN; i++) {
		struct sample_event s;

		fill(&s, k++);
		if (bpf_ringbuf_output(&ring, &s, sizeof(s), BPF_RB_NO_WAKEUP))
			refused++;
	}
	number = k;
	return 0;
}

SEC("socket")
int fill_perf(void *ctx)
{
	__u64 k = number;

	for (int i = 0; i < EVENTS_PER_RUN; i++) {
		struct sample_event s;

		fill(&s, k++);
		if (bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &s, sizeof(s)))
			refused++;
	}
	number = k;
	return 0;
}

/* The same events, handed to nobody. */
SEC("socket")
int fill_nothing(void *ctx)
{
	__u64 k = number, sum = 0;

	(void)ctx;
	for (int i = 0; i < EVENTS_PER_RUN; i++) {
		struct sample_event s;

		fill(&s, k++);
		__asm__ volatile("" : : "r"(&s) : "memory");
		sum += s.time_ns;
	}
	kept = sum;
	number = k;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

/* SPDX-License-Identifier: Apache-2.0 */
/* ring_fill.h - what ring_fill.bpf.c and bench_consume.c agree on. */
#ifndef PROFILER_BENCH_RING_FILL_H
#define PROFILER_BENCH_RING_FILL_H

#define EVENTS_PER_RUN	512
#define RING_FILL_BYTES (512 << 10)
#define RING_FILL_STEP	100003 /* ns, between two samples */
#define RING_FILL_CPU	0

#endif /* PROFILER_BENCH_RING_FILL_H */

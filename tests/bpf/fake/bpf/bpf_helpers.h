/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf_helpers.h - stands in for libbpf's header when a BPF program is compiled for a test.
 *
 * Maps keep the shape that the program gives them; helpers are ordinary functions, of the
 * machine in tests/bpf/machine.c. Only what our programs use is here: a new helper in a program
 * fails to compile until the machine knows it.
 */
#ifndef PROFILER_FAKE_BPF_HELPERS_H
#define PROFILER_FAKE_BPF_HELPERS_H

#include <linux/types.h>

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

#undef __noinline
#define __noinline __attribute__((noinline))

#define SEC(name)
#define __uint(name, value)   int(*name)[value]
#define __type(name, value)   typeof(value) *name
#define __array(name, values) typeof(values) *name[]
#define barrier_var(var)      __asm__ volatile("" : "+r"(var))

struct bpf_perf_event_value;
struct task_struct;

void *bpf_map_lookup_elem(void *map, const void *key);
long bpf_perf_event_read_value(void *map, __u64 index, struct bpf_perf_event_value *value,
			       __u32 size);
long bpf_current_task_under_cgroup(void *map, __u32 index);
__u64 bpf_get_current_pid_tgid(void);
__u32 bpf_get_smp_processor_id(void);
__u64 bpf_ktime_get_boot_ns(void);
long bpf_get_stack(void *ctx, void *buf, __u32 size, __u64 flags);
long bpf_probe_read_user(void *dst, __u32 size, const void *unsafe);
long bpf_probe_read_kernel(void *dst, __u32 size, const void *unsafe);
__u64 bpf_get_current_task(void);
struct task_struct *bpf_get_current_task_btf(void);
long bpf_task_pt_regs(struct task_struct *task);
void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags);
void bpf_ringbuf_submit(void *data, __u64 flags);
long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags);
__u64 bpf_ringbuf_query(void *ring, __u64 flags);

#endif /* PROFILER_FAKE_BPF_HELPERS_H */

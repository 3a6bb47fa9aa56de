// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * follow.bpf.c - keeps the set of target processes up to date.
 *
 * A child of a target is a target, until the kernel frees it: a process that
 * exits still takes its memory down, which is a good part of a short life and
 * happens after sched_process_exit (from 6.16 on). Its pid may be another
 * process's by then. So a fork decides anew about a pid, and the end of a
 * process takes only its own entry away, known by the time the process began.
 *
 * Shares target_pids with sample.bpf.c and is loaded only with a process
 * filter: it alone needs the kernel's type information, which is dear in memory
 * to read.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "bpf/kernel_types.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Children that found the table of targets full. */
volatile __u64 follow_failed;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} target_pids SEC(".maps");

SEC("raw_tp/sched_process_fork")
int follow_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx->args[0];
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	__u32 parent_pid = BPF_CORE_READ(parent, tgid), pid = BPF_CORE_READ(child, tgid);
	__u64 began = BPF_CORE_READ(child, start_boottime);

	if (pid == parent_pid)
		return 0;
	if (!bpf_map_lookup_elem(&target_pids, &parent_pid)) {
		if (bpf_map_lookup_elem(&target_pids, &pid))
			bpf_map_delete_elem(&target_pids, &pid);
		return 0;
	}
	if (bpf_map_update_elem(&target_pids, &pid, &began, BPF_ANY))
		__sync_fetch_and_add(&follow_failed, 1);
	return 0;
}

SEC("raw_tp/sched_process_free")
int follow_free(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 pid = BPF_CORE_READ(task, tgid);
	__u64 *began;

	if (pid != (__u32)BPF_CORE_READ(task, pid)) /* a thread: the process may go on */
		return 0;
	began = bpf_map_lookup_elem(&target_pids, &pid);
	if (began && (*began == 0 || *began == BPF_CORE_READ(task, start_boottime)))
		bpf_map_delete_elem(&target_pids, &pid);
	return 0;
}

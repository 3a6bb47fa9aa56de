// SPDX-License-Identifier: Apache-2.0
/*
 * machine.c - a machine made of plain memory, on which bpf/sample.bpf.c runs.
 *
 * The program's source is part of this file, so that its maps are known by address. What it may
 * not do shows as a count in struct machine or as an abort; what its numbers mean is the
 * tests' concern.
 */
#include "tests/bpf/machine.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf/intern.h"
#include "bpf/regs.h"

/* What the program defines for the kernel to find. */
__u64 hash_frames(__u32 cpu, __u32 n);
int forget_process(void *ctx);
int has_code_at(__u32 cpu, __u64 sp);
int note_switch(void *ctx);
__u32 read_group(__u32 cpu, __u32 event, __u32 tid);
__u32 settle_group(__u32 cpu, __u32 event, __u32 tid, __u32 told);
int walk_step(__u32 cpu);
int walk_steps(__u32 cpu);
__u64 hash_some(__u32 cpu, __u32 at, __u32 n, __u64 hash);
__u32 copy_stack(__u32 cpu, __u64 sp);
int sample_0(struct bpf_perf_event_data *ctx);
int sample_1(struct bpf_perf_event_data *ctx);
int sample_2(struct bpf_perf_event_data *ctx);
int sample_3(struct bpf_perf_event_data *ctx);
int sample_4(struct bpf_perf_event_data *ctx);
int sample_5(struct bpf_perf_event_data *ctx);
int sample_6(struct bpf_perf_event_data *ctx);
int sample_7(struct bpf_perf_event_data *ctx);

/* What is constant for the program is set by whoever loads it: here by machine_load(). */
#define const
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* a context is given, wanted or not */
#include "bpf/sample.bpf.c"
#pragma GCC diagnostic pop
#undef const

#define USER64_CS     0x33
#define TASK_STACK_AT 24 /* in a task, which is otherwise empty */
#define SAVED_REGS_AT 8192
#define QUEUE	      4096 /* records that a ring can hold at most */

struct machine_ring {
	uint64_t produced; /* bytes, as the kernel counts */
	uint64_t consumed;
	uint64_t first; /* records */
	uint64_t end;
	uint64_t wakeups;
	struct machine_record queue[QUEUE];
	void *taken;
};

struct machine machine;

static uint32_t ring_bytes;
static struct machine_ring machine_rings[MACHINE_CPUS];
static struct event_counters machine_counter[MACHINE_CPUS * MAX_EVENTS];
static struct group_counts machine_groups[MACHINE_CPUS * MAX_EVENTS];
static struct reading machine_reading[MACHINE_CPUS];
static struct scratch machine_scratch[MACHINE_CPUS + 1];
static struct snapshot_record machine_snapshot[MACHINE_CPUS];
static __u64 machine_slots[MACHINE_CPUS * STACK_SLOTS];
static struct shard *machine_shards[UNWIND_SHARDS];
static struct machine_record *reserved;
static struct machine_ring *reserved_in;

static void clear_rings(void)
{
	for (int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		struct machine_ring *r = &machine_rings[cpu];

		for (; r->first < r->end; r->first++)
			free(r->queue[r->first % QUEUE].data);
		free(r->taken);
	}
	memset(machine_rings, 0, sizeof(machine_rings));
}

static void clear_tables(void)
{
	memset(unwind_processes, 0, sizeof(unwind_processes));
	memset(unwind_mappings, 0, sizeof(unwind_mappings));
	memset(unwind_directory, 0, sizeof(unwind_directory));
	memset(unwind_rules, 0, sizeof(unwind_rules));
	memset(unwind_cache, 0, sizeof(unwind_cache));
	for (int i = 0; i < UNWIND_SHARDS; i++) {
		free(machine_shards[i]);
		machine_shards[i] = NULL;
	}
}

void machine_load(const struct machine_settings *settings)
{
	clear_rings();
	clear_tables();
	memset(&machine, 0, sizeof(machine));
	memset(machine_counter, 0, sizeof(machine_counter));
	memset(machine_groups, 0, sizeof(machine_groups));
	memset(machine_reading, 0, sizeof(machine_reading));
	memset(machine_scratch, 0, sizeof(machine_scratch));
	memset(machine_slots, 0, sizeof(machine_slots));
	reserved = NULL;
	ring_bytes = settings->ring_bytes;
	filter = settings->filter;
	cpu_limit = MACHINE_CPUS;
	wakeup_bytes = settings->wakeup_bytes;
	user_walk = settings->user_walk;
	snapshot_bytes = settings->snapshot_bytes;
	have_task_pt_regs = settings->have_task_pt_regs;
	task_stack_at = TASK_STACK_AT;
	saved_regs_at = settings->know_saved_regs ? SAVED_REGS_AT : 0;
	seed = settings->seed;
	have_groups = 0;
	for (int i = 0; i < MAX_EVENTS; i++) {
		mode_filter[i] = settings->mode_filter[i];
		weight_shift[i] = settings->weight_shift[i];
		group_size[i] = settings->group_size[i];
		have_groups |= group_size[i] > 0;
	}
	machine.unreadable = machine.absent = -1;
	generation = 0;
	machine.cgroup = MACHINE_NO_CGROUP;
	machine.regs.cs = USER64_CS;
	machine.saved.cs = USER64_CS;
	machine.saved_readable = true;
}

static void to_pt_regs(const struct machine_regs *from, struct pt_regs *to)
{
	*to = (struct pt_regs){
		.rax = from->ax,
		.rdx = from->dx,
		.rcx = from->cx,
		.rbx = from->bx,
		.rsi = from->si,
		.rdi = from->di,
		.rbp = from->fp,
		.rsp = from->sp,
		.r8 = from->r8,
		.r9 = from->r9,
		.r10 = from->r10,
		.r11 = from->r11,
		.r12 = from->r12,
		.r13 = from->r13,
		.r14 = from->r14,
		.r15 = from->r15,
		.rip = from->ip,
		.cs = from->cs,
		.orig_rax = from->in_syscall ? 1 : (unsigned long)-1,
	};
}

void machine_overflow(uint32_t event)
{
	static int (*const program[])(struct bpf_perf_event_data *) = {
		sample_0, sample_1, sample_2, sample_3, sample_4, sample_5, sample_6, sample_7,
	};
	struct bpf_perf_event_data ctx = { .sample_period = machine.period };

	to_pt_regs(&machine.regs, &ctx.regs);
	program[event](&ctx);
	if (reserved) /* would block the consumer for ever */
		abort();
}

void machine_switch(uint32_t tid)
{
	note_switch(NULL);
	machine.tid = tid;
	machine.pid = tid ? 1000 : 0;
}

void machine_exec(void)
{
	forget_process(NULL);
}

void machine_raise_generation(void)
{
	generation++;
}

const struct machine_record *machine_take(uint32_t cpu)
{
	struct machine_ring *r = &machine_rings[cpu];
	struct machine_record *record = &r->queue[r->first % QUEUE];

	if (r->first == r->end || !record->finished)
		return NULL;
	free(r->taken);
	r->taken = record->data;
	r->first++;
	r->consumed += (record->bytes + 8 + 7) & ~7u;
	return record;
}

uint64_t machine_used(uint32_t cpu)
{
	return machine_rings[cpu].produced - machine_rings[cpu].consumed;
}

uint64_t machine_wakeups(uint32_t cpu)
{
	return machine_rings[cpu].wakeups;
}

struct event_counters machine_counters(uint32_t cpu, uint32_t event)
{
	return machine_counter[cpu * MAX_EVENTS + event];
}

struct group_counts machine_group(uint32_t cpu, uint32_t event)
{
	return machine_groups[cpu * MAX_EVENTS + event];
}

uint32_t machine_slot(const uint64_t *frames, uint32_t n, uint32_t outcome)
{
	/* The scratch of a CPU that takes no samples. */
	memcpy(machine_scratch[MACHINE_CPUS].record.frames, frames, n * sizeof(*frames));
	return intern_slot(intern_final(hash_frames(MACHINE_CPUS, n), outcome, n));
}

struct unwind_row *machine_shard(uint32_t shard)
{
	if (!machine_shards[shard])
		machine_shards[shard] = calloc(1, sizeof(*machine_shards[shard]));
	return machine_shards[shard]->row;
}

static void note_call(void)
{
	machine.late_calls += reserved != NULL;
}

void *bpf_map_lookup_elem(void *map, const void *key)
{
	static __u8 present;
	const __u32 k = *(const __u32 *)key;

	note_call();
	if (map == &counters)
		return k < MACHINE_CPUS * MAX_EVENTS ? &machine_counter[k] : NULL;
	if (map == &groups)
		return k < MACHINE_CPUS * MAX_EVENTS ? &machine_groups[k] : NULL;
	if (map == &readings)
		return k < MACHINE_CPUS ? &machine_reading[k] : NULL;
	if (map == &scratches)
		return k <= MACHINE_CPUS ? &machine_scratch[k] : NULL;
	if (map == &snapshots)
		return k < MACHINE_CPUS ? &machine_snapshot[k] : NULL;
	if (map == &unwind_shards) /* a shard is the map in this map, and its one element */
		return k < UNWIND_SHARDS ? machine_shards[k] : NULL;
	for (int i = 0; i < UNWIND_SHARDS; i++)
		if (map == machine_shards[i])
			return k == 0 ? map : NULL;
	if (map == &slots)
		return k < MACHINE_CPUS * STACK_SLOTS ? &machine_slots[k] : NULL;
	if (map == &rings) /* the last CPU came late: no ring yet when it has no bytes */
		return k < MACHINE_CPUS && ring_bytes ? &machine_rings[k] : NULL;
	if (map == &target_pids)
		return k == machine.target_pid ? &present : NULL;
	if (map == &target_tids)
		return k == machine.target_tid ? &present : NULL;
	abort();
}

long bpf_perf_event_read_value(void *map, __u64 index, struct bpf_perf_event_value *value,
			       __u32 size)
{
	int place = (int)(index % MAX_GROUP);

	note_call();
	if (size != sizeof(*value))
		abort();
	*value = (struct bpf_perf_event_value){ 0 };
	if (map != &group_members || index / MAX_GROUP / MAX_EVENTS != machine.cpu)
		abort();
	if (place == machine.unreadable || place == machine.absent)
		return place == machine.absent ? -ENOENT : -EINVAL;
	value->counter = machine.value[place];
	value->enabled = machine.enabled_ns;
	value->running = machine.running_ns;
	return 0;
}

long bpf_current_task_under_cgroup(void *map, __u32 index)
{
	note_call();
	if (map != &target_cgroups || index >= MAX_TARGET_CGROUPS)
		abort();
	if (index > 2) /* three cgroups are named, the other places are empty */
		return -EAGAIN;
	return machine.cgroup == (int)index;
}

__u64 bpf_get_current_pid_tgid(void)
{
	note_call();
	return (__u64)machine.pid << 32 | machine.tid;
}

__u32 bpf_get_smp_processor_id(void)
{
	note_call();
	return machine.cpu;
}

__u64 bpf_ktime_get_boot_ns(void)
{
	note_call();
	return machine.time_ns;
}

long bpf_get_stack(void *ctx, void *buf, __u32 size, __u64 flags)
{
	bool user = flags & BPF_F_USER_STACK;
	const uint64_t *frames = user ? machine.walker_frames : machine.kernel_frames;
	uint32_t n = user ? machine.n_walker_frames : machine.n_kernel_frames;

	note_call();
	if (!ctx || (flags & ~(__u64)BPF_F_USER_STACK) || size % 8)
		return -EINVAL;
	if (!n)
		return -EFAULT;
	if (n > size / 8)
		n = size / 8;
	memcpy(buf, frames, n * 8);
	return (long)n * 8;
}

static bool read_user_words(void *to, uint32_t bytes, uint64_t address)
{
	uint64_t offset = address - MACHINE_STACK_BASE;

	if (offset > sizeof(machine.user_words) || bytes > sizeof(machine.user_words) - offset)
		return false;
	memcpy(to, (const uint8_t *)machine.user_words + offset, bytes);
	return true;
}

long bpf_probe_read_user(void *dst, __u32 size, const void *unsafe)
{
	bool (*read_user)(void *, uint32_t, uint64_t) = machine.read_user;

	note_call();
	if (!read_user)
		read_user = read_user_words;
	if (read_user(dst, size, (uint64_t)unsafe))
		return 0;
	memset(dst, 0, size); /* as the kernel does */
	return -EFAULT;
}

long bpf_probe_read_kernel(void *dst, __u32 size, const void *unsafe)
{
	const uint64_t stack = (uint64_t)&machine.saved - SAVED_REGS_AT;

	note_call();
	if (unsafe == (const uint8_t *)&machine + TASK_STACK_AT && size == sizeof(stack)) {
		memcpy(dst, &stack, sizeof(stack));
		return 0;
	}
	if (unsafe != &machine.saved || size != sizeof(struct pt_regs))
		abort();
	memset(dst, 0, size);
	if (!machine.saved_readable)
		return -EFAULT;
	to_pt_regs(&machine.saved, dst);
	return 0;
}

__u64 bpf_get_current_task(void)
{
	note_call();
	return (__u64)&machine;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	note_call();
	return (struct task_struct *)&machine;
}

long bpf_task_pt_regs(struct task_struct *task)
{
	note_call();
	if (!have_task_pt_regs || (void *)task != &machine) /* would not load on such a kernel */
		abort();
	return (long)&machine.saved;
}

/* kernel/bpf/ringbuf.c: the producer may not come closer than a byte to the consumer's tail. */
static struct machine_record *make_room(struct machine_ring *r, __u64 size)
{
	uint64_t room = (size + 8 + 7) & ~UINT64_C(7);
	struct machine_record *record = &r->queue[r->end % QUEUE];

	if (machine.lock_busy || r->produced + room - r->consumed > ring_bytes - 1)
		return NULL;
	if (r->end - r->first == QUEUE || size > sizeof(struct snapshot_record))
		abort();
	r->end++;
	r->produced += room;
	record->bytes = (uint32_t)size;
	record->data = malloc(size);
	record->finished = false;
	return record;
}

static void finish_record(struct machine_ring *r, struct machine_record *record, __u64 flags)
{
	record->finished = true;
	if (flags == BPF_RB_FORCE_WAKEUP)
		r->wakeups++;
	else if (flags != BPF_RB_NO_WAKEUP)
		machine.bad_flags++;
}

void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags)
{
	note_call();
	if (flags)
		return NULL;
	reserved_in = ring;
	reserved = machine.reserve_busy ? NULL : make_room(ring, size);
	return reserved ? reserved->data : NULL;
}

void bpf_ringbuf_submit(void *data, __u64 flags)
{
	if (!reserved || data != reserved->data)
		abort();
	finish_record(reserved_in, reserved, flags);
	reserved = NULL;
}

long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags)
{
	struct machine_record *record;

	note_call();
	record = make_room(ring, size);
	if (!record)
		return -EAGAIN;
	memcpy(record->data, data, size);
	finish_record(ring, record, flags);
	return 0;
}

/* Not a late call: it does not take long, and the wake-up depends on it. */
__u64 bpf_ringbuf_query(void *ring, __u64 flags)
{
	const struct machine_ring *r = ring;

	return flags == BPF_RB_RING_SIZE ? ring_bytes : r->produced - r->consumed;
}

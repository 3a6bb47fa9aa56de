// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * sample.bpf.c - takes one sample on each overflow of a perf event.
 *
 * The order of work: count the run, filter, walk and intern the stacks, and
 * only then reserve the 32 bytes of the event (a reserved record that is not
 * finished blocks the consumer behind it). Every run ends in exactly one
 * counter of struct event_counters, so nothing is lost without a reason.
 *
 * Runs on 5.8 and later: no helper, atomic or map type newer than that. The
 * event's number comes from the program that ran (one per event), not from an
 * attach cookie (5.15). Nothing here needs the kernel's type information.
 *
 * Naming a stack, resolving addresses and knowing processes is the recorder's.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf/event.h"
#include "bpf/intern.h"
#include "bpf/regs.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before the load. */
const volatile __u32 filter;		     /* enum filter_bit */
const volatile __u32 cpu_limit;		     /* CPUs the maps are sized for */
const volatile __u32 wakeup_bytes;	     /* wake the consumer after so many bytes */
const volatile __u32 have_task_pt_regs;	     /* the kernel has bpf_task_pt_regs (5.15) */
const volatile __u64 seed;		     /* random per run */
const volatile __u8 mode_filter[MAX_EVENTS]; /* enum mode_filter */
const volatile __u8 weight_shift[MAX_EVENTS];

/* Raised by the recorder while the programs run. */
volatile __u64 generation;

/* A frame larger than a whole stack usually is (8 MB) is taken for the end of the chain. */
#define FRAME_BYTES_MAX (8u << 20)

/* One ring per CPU; sized and filled by the recorder before attaching. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, 4096);
		});
} rings SEC(".maps");

/* Index cpu * MAX_EVENTS + event; read by the recorder through its own mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_EVENTS);
	__type(key, __u32);
	__type(value, struct event_counters);
} counters SEC(".maps");

/* What a CPU works with while it takes a sample; too large for the BPF stack. */
struct scratch {
	__u64 unread_bytes; /* bytes put in the ring since the last wake-up */
	__u64 reserved;
	bpf_user_pt_regs_t regs;
	struct stack_record record;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Intern table, index cpu * STACK_SLOTS + slot: the hash of the slot's stack, 0 when empty. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STACK_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64); /* when the process began, for follow.bpf.c; 0 where unknown */
} target_pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} target_tids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, MAX_TARGET_CGROUPS);
	__type(key, __u32);
	__type(value, __u32);
} target_cgroups SEC(".maps");

/* Everything about this CPU that a sample needs, looked up once. */
struct cpu_state {
	struct event_counters *counters;
	struct scratch *scratch;
	void *ring;
	__u32 cpu;
};

static __always_inline bool in_target_cgroup(void)
{
	__u32 i;

	for (i = 0; i < MAX_TARGET_CGROUPS; i++) /* empty entries give -EAGAIN */
		if (bpf_current_task_under_cgroup(&target_cgroups, i) == 1)
			return true;
	return false;
}

static __always_inline bool is_target(__u32 pid, __u32 tid)
{
	if (filter & (FILTER_TARGET_PID | FILTER_TARGET_TID)) {
		if (!((filter & FILTER_TARGET_PID) && bpf_map_lookup_elem(&target_pids, &pid)) &&
		    !((filter & FILTER_TARGET_TID) && bpf_map_lookup_elem(&target_tids, &tid)))
			return false;
	}
	return !(filter & FILTER_CGROUP) || in_target_cgroup();
}

/*
 * Wake-up by watermark: silent until wakeup_bytes are unread. The count here does not
 * know what the consumer took meanwhile on its timer, so the ring itself has the last word.
 */
static __always_inline __u64 wakeup_flag(struct cpu_state *s, __u32 bytes)
{
	__u64 unread = s->scratch->unread_bytes + bytes + 8; /* 8: the ring's own header */

	if (unread >= wakeup_bytes) {
		unread = bpf_ringbuf_query(s->ring, BPF_RB_AVAIL_DATA);
		if (unread >= wakeup_bytes) {
			s->scratch->unread_bytes = 0;
			return BPF_RB_FORCE_WAKEUP;
		}
	}
	s->scratch->unread_bytes = unread;
	return BPF_RB_NO_WAKEUP;
}

/*
 * The hash of the n frames in the CPU's scratch record. Like walk_frame_pointers() a function of
 * its own, not inlined, with numbers for arguments: the verifier then goes through its loop
 * once, and not once for every way that led to it.
 */
__noinline __u64 hash_frames(__u32 cpu, __u32 n)
{
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &cpu);
	__u64 a = seed + generation * INTERN_MUL_A, b = ~a;
	__u32 i;

	if (!scratch)
		return 0;
	for (i = 0; i < MAX_FRAMES; i += 2) {
		if (i >= n)
			break;
		a = intern_step(a, scratch->record.frames[i], INTERN_MUL_A);
		if (i + 1 < n && i + 1 < MAX_FRAMES)
			b = intern_step(b, scratch->record.frames[i + 1], INTERN_MUL_B);
	}
	return intern_final(a, b, n);
}

/*
 * Interns the n frames in the CPU's scratch record. Returns slot + 1, or 0 when
 * the ring had no room for a stack that its slot does not hold. taken is the id of the sample's
 * other stack, 0 when it has none yet: that slot must keep its meaning until the sample is out.
 */
static __always_inline __u32 intern(struct cpu_state *s, __u32 n, __u32 taken)
{
	struct stack_record *record = &s->scratch->record;
	__u64 hash = hash_frames(s->cpu, n);
	__u32 slot = intern_slot(hash), index, size;
	__u64 *held;

	if (slot + 1 == taken)
		slot ^= 1;
	index = s->cpu * STACK_SLOTS + slot;
	held = bpf_map_lookup_elem(&slots, &index);
	if (!held)
		return 0;
	if (*held == hash)
		return slot + 1;
	if (n == 1) { /* 24 + 8 bytes would be taken for an event */
		record->frames[1] = 0;
		n = 2;
	}
	size = STACK_RECORD_HEADER + n * 8;
	record->type = RECORD_STACK;
	record->size = size;
	record->slot = slot;
	record->reserved = 0;
	record->hash = hash;
	/* The verifier wants the bound on the very value that is passed. */
	barrier_var(size);
	if (size > sizeof(*record) ||
	    bpf_ringbuf_output(s->ring, record, size, wakeup_flag(s, size))) {
		s->counters->stack_lost++;
		return 0;
	}
	*held = hash;
	s->counters->stack_records++;
	s->counters->stack_bytes += size;
	return slot + 1;
}

/* Walks the kernel's stack; returns its id, adds what went wrong to *flags. */
static __always_inline __u32 kernel_stack(void *ctx, struct cpu_state *s, __u8 *flags)
{
	long bytes = bpf_get_stack(ctx, s->scratch->record.frames, MAX_FRAMES * 8, 0);
	__u32 n = (__u32)bytes / 8, id;

	if (bytes <= 0 || n > MAX_FRAMES)
		return 0;
	if (n == MAX_FRAMES) {
		*flags |= SAMPLE_KERNEL_TRUNCATED;
		s->counters->kernel_truncated++;
	}
	id = intern(s, n, 0);
	if (!id)
		*flags |= SAMPLE_KERNEL_LOST;
	return id;
}

/*
 * Registers of the thread in user mode: those of the sample, or those that were saved when the
 * thread entered the kernel. False for kernel threads and for 32-bit code.
 */
static __always_inline bool find_user_regs(struct bpf_perf_event_data *ctx, struct cpu_state *s,
					   bool in_kernel, struct user_regs *ret)
{
	bpf_user_pt_regs_t *saved = &s->scratch->regs;
	bool user64 = REGS_USER64(&ctx->regs);
	struct task_struct *task;

	*ret = REGS_TO_USER(&ctx->regs);
	/* Loads from ctx stay here: joined with those below they would be of either pointer. */
	barrier_var(ret->ip);
	barrier_var(ret->sp);
	barrier_var(ret->fp);
	barrier_var(user64);
	if (!in_kernel)
		return user64;
	task = bpf_get_current_task_btf();
	if (bpf_probe_read_kernel(saved, sizeof(*saved), (void *)bpf_task_pt_regs(task)))
		return false;
	*ret = REGS_TO_USER(saved);
	return REGS_USER64(saved);
}

/*
 * Follows the chain of frame pointers. A frame lies above the one it was called from, and near:
 * what does not is not a frame pointer but whatever else the register holds, and is not
 * read. (The kernel's own walker reads it, and mostly ends each stack with a page fault.)
 *
 * Leaves the addresses in the CPU's scratch record. Returns how many, with WALK_FAILED added
 * when the last frame pointer could not be followed for want of memory behind it.
 */
#define WALK_FAILED (1u << 16)
__noinline __u32 walk_frame_pointers(__u32 cpu, __u64 ip, __u64 sp, __u64 fp)
{
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &cpu);
	__u64 frame[2]; /* the caller's frame pointer, the return address */
	__u32 i;

	if (!scratch)
		return 0;
	scratch->record.frames[0] = ip;
	for (i = 1; i < MAX_FRAMES; i++) {
		if ((fp & 7) || fp < sp || fp - sp > FRAME_BYTES_MAX)
			return i;
		if (bpf_probe_read_user(frame, sizeof(frame), (void *)fp))
			return i | WALK_FAILED;
		if (!frame[1])
			return i;
		scratch->record.frames[i] = RETURN_ADDRESS(frame[1]);
		sp = fp + sizeof(frame);
		fp = frame[0];
	}
	return i;
}

/* What find_user_regs() cannot give: the kernel's walker, for older kernels and 32-bit code. */
static __always_inline __u32 kernel_walks_user(void *ctx, struct cpu_state *s)
{
	long bytes =
		bpf_get_stack(ctx, s->scratch->record.frames, MAX_FRAMES * 8, BPF_F_USER_STACK);

	return bytes < 0 ? 0 : (__u32)bytes / 8;
}

static __always_inline __u32 user_stack(struct bpf_perf_event_data *ctx, struct cpu_state *s,
					bool in_kernel, __u32 kernel_id, __u8 *flags)
{
	struct user_regs regs;
	__u32 n, id;

	if ((!in_kernel || have_task_pt_regs) && find_user_regs(ctx, s, in_kernel, &regs))
		n = walk_frame_pointers(s->cpu, regs.ip, regs.sp, regs.fp);
	else
		n = kernel_walks_user(ctx, s);
	if (n & WALK_FAILED) {
		n -= WALK_FAILED;
		*flags |= SAMPLE_USER_FAILED;
		s->counters->user_failed++;
	}
	if (n == 0 || n > MAX_FRAMES) /* none: a kernel thread */
		return 0;
	if (n == MAX_FRAMES) {
		*flags |= SAMPLE_USER_TRUNCATED;
		s->counters->user_truncated++;
	}
	id = intern(s, n, kernel_id);
	if (!id)
		*flags |= SAMPLE_USER_LOST;
	return id;
}

/* Finds the CPU's counters, scratch and ring, and counts the run; the ring may be missing. */
static __always_inline bool find_cpu_state(struct cpu_state *s, __u32 event)
{
	__u32 index, cpu = bpf_get_smp_processor_id();

	if (cpu >= cpu_limit)
		return false;
	index = cpu * MAX_EVENTS + event;
	s->cpu = cpu;
	s->counters = bpf_map_lookup_elem(&counters, &index);
	s->scratch = bpf_map_lookup_elem(&scratches, &cpu);
	if (!s->counters || !s->scratch)
		return false;
	s->counters->entries++;
	s->ring = bpf_map_lookup_elem(&rings, &cpu);
	return true;
}

static __always_inline bool wrong_mode(__u32 event, bool in_kernel)
{
	__u8 mode = mode_filter[event];

	return (mode == MODE_USER_ONLY && in_kernel) || (mode == MODE_KERNEL_ONLY && !in_kernel);
}

/* The stacks of a sample: into *user and *kernel their ids, into *flags what went wrong. */
static __always_inline void take_stacks(struct bpf_perf_event_data *ctx, struct cpu_state *s,
					bool in_kernel, __u32 *user, __u32 *kernel, __u8 *flags)
{
	if (filter & FILTER_NO_STACKS) {
		__u32 *leaf = in_kernel ? kernel : user;

		s->scratch->record.frames[0] = PT_REGS_IP(&ctx->regs);
		*leaf = intern(s, 1, 0);
		if (!*leaf)
			*flags |= in_kernel ? SAMPLE_KERNEL_LOST : SAMPLE_USER_LOST;
		return;
	}
	if (in_kernel)
		*kernel = kernel_stack(ctx, s, flags);
	*user = user_stack(ctx, s, in_kernel, *kernel, flags);
}

static __always_inline void submit(struct cpu_state *s, const struct sample_event *sample)
{
	struct sample_event *room = bpf_ringbuf_reserve(s->ring, sizeof(*room), 0);

	if (!room) {
		__u64 used = bpf_ringbuf_query(s->ring, BPF_RB_AVAIL_DATA);

		/* The kernel never fills a ring to its last byte. */
		if (used + sizeof(*room) + 8 >= bpf_ringbuf_query(s->ring, BPF_RB_RING_SIZE))
			s->counters->ring_full++;
		else
			s->counters->ring_busy++;
		return;
	}
	*room = *sample;
	bpf_ringbuf_submit(room, wakeup_flag(s, sizeof(*room)));
	s->counters->submitted++;
}

static __always_inline __u32 shifted_weight(__u64 period, __u32 event)
{
	period >>= weight_shift[event] & 63;
	return period > 0xffffffff ? 0xffffffff : (__u32)period;
}

static __always_inline int take_sample(struct bpf_perf_event_data *ctx, __u32 event)
{
	bool in_kernel = REGS_IN_KERNEL(&ctx->regs);
	__u64 id = bpf_get_current_pid_tgid(), period = ctx->sample_period;
	struct sample_event sample = {};
	struct cpu_state s = {};

	if (!find_cpu_state(&s, event))
		return 0;
	s.counters->weight += period;
	sample.flags = in_kernel ? SAMPLE_IN_KERNEL : 0;
	if ((__u32)id == 0) { /* tid 0 is the idle task of this CPU */
		s.counters->idle_weight += period;
		if (!(filter & FILTER_KEEP_IDLE)) {
			s.counters->idle++;
			return 0;
		}
		sample.flags |= SAMPLE_IDLE;
	}
	if (wrong_mode(event, in_kernel)) {
		s.counters->filtered_mode++;
		return 0;
	}
	if (!is_target(id >> 32, (__u32)id)) {
		s.counters->filtered_target++;
		return 0;
	}
	if (!s.ring) {
		s.counters->ring_busy++;
		return 0;
	}
	sample.time_ns = bpf_ktime_get_boot_ns();
	sample.pid = id >> 32;
	sample.tid = (__u32)id;
	sample.weight = shifted_weight(period, event);
	sample.cpu = s.cpu;
	sample.event = event;
	take_stacks(ctx, &s, in_kernel, &sample.user_stack, &sample.kernel_stack, &sample.flags);
	submit(&s, &sample);
	return 0;
}

#define SAMPLE_PROGRAM(n)                               \
	SEC("perf_event")                               \
	int sample_##n(struct bpf_perf_event_data *ctx) \
	{                                               \
		return take_sample(ctx, n);             \
	}

SAMPLE_PROGRAM(0)
SAMPLE_PROGRAM(1)
SAMPLE_PROGRAM(2)
SAMPLE_PROGRAM(3)
SAMPLE_PROGRAM(4)
SAMPLE_PROGRAM(5)
SAMPLE_PROGRAM(6)
SAMPLE_PROGRAM(7)

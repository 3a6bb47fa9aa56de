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
#include "bpf/counters.h"
#include "bpf/event.h"
#include "bpf/intern.h"
#include "bpf/regs.h"
#include "bpf/walk.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before the load. */
const volatile __u32 filter;		     /* enum filter_bit */
const volatile __u32 cpu_limit;		     /* CPUs the maps are sized for */
const volatile __u32 wakeup_bytes;	     /* wake the consumer after so many bytes */
const volatile __u32 snapshot_bytes;	     /* of stack; a multiple of SNAPSHOT_PIECE */
const volatile __u32 have_task_pt_regs;	     /* the kernel has bpf_task_pt_regs (5.15) */
const volatile __u32 task_stack_at;	     /* else: of the stack in a task, */
const volatile __u32 saved_regs_at;	     /* and of the registers in it; 0: not known */
const volatile __u64 seed;		     /* random per run */
const volatile __u8 mode_filter[MAX_EVENTS]; /* enum mode_filter */
const volatile __u8 weight_shift[MAX_EVENTS];

/* Raised by the recorder while the programs run. */
volatile __u64 generation;

/*
 * Snapshots of a CPU in a window of about 0.13 s, so that a process for which no tables can be had
 * costs no more than a known amount of time and ring.
 */
#define SNAPSHOT_WINDOW_SHIFT 27
#define SNAPSHOTS_PER_WINDOW  64

/* A read that meets a page which is not there fails whole: the stack is copied in such pieces. */
#define SNAPSHOT_PIECE 512

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

/* A snapshot in the making, by CPU; its real size is set before the load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct snapshot_record));
} snapshots SEC(".maps");

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

/* Where a hash begins, so that nobody can tell which stacks meet in a slot. */
static __always_inline __u64 hash_seed(void)
{
	return seed + generation * INTERN_MUL_A;
}

/* The hash of the n frames in the CPU's scratch record that the kernel has walked. */
__noinline __u64 hash_frames(__u32 cpu, __u32 n)
{
	__u64 hash = hash_seed();
	__u32 at;

	for (at = 0; at < MAX_KERNEL_FRAMES && at < n; at += HASH_STEPS)
		hash = hash_some(cpu, at, n, hash);
	return hash;
}

/*
 * Interns the n frames in the CPU's scratch record, whose hash so far is frames_hash. Returns
 * slot + 1, or 0 when the ring had no room for a stack that its slot does not hold. taken is the
 * id of the sample's other stack, 0 when it has none yet: that slot must keep its meaning until
 * the sample is out.
 */
static __always_inline __u32 intern(struct cpu_state *s, __u32 n, __u64 frames_hash, __u32 outcome,
				    __u32 taken)
{
	struct stack_record *record = &s->scratch->record;
	__u64 hash = intern_final(frames_hash, outcome, n);
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
	record->outcome = outcome;
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
	long bytes = bpf_get_stack(ctx, s->scratch->record.frames, MAX_KERNEL_FRAMES * 8, 0);
	__u32 n = (__u32)bytes / 8, id;

	if (bytes <= 0 || n > MAX_KERNEL_FRAMES)
		return 0;
	if (n == MAX_KERNEL_FRAMES) {
		*flags |= SAMPLE_KERNEL_TRUNCATED;
		s->counters->kernel_truncated++;
	}
	id = intern(s, n, hash_frames(s->cpu, n), 0, 0);
	if (!id)
		*flags |= SAMPLE_KERNEL_LOST;
	return id;
}

/*
 * The registers that the current thread had when it entered the kernel; 0, or an error. The
 * helpers of newer kernels are right behind the constant: verifiers before 6.x forget what they
 * learned of a variable.
 */
static __always_inline long read_saved_regs(bpf_user_pt_regs_t *saved)
{
	__u64 stack;

	if (have_task_pt_regs)
		return bpf_probe_read_kernel(saved, sizeof(*saved),
					     (void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	if (!saved_regs_at ||
	    bpf_probe_read_kernel(&stack, sizeof(stack),
				  (void *)(bpf_get_current_task() + task_stack_at)))
		return -1;
	return bpf_probe_read_kernel(saved, sizeof(*saved), (void *)(stack + saved_regs_at));
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

	*ret = REGS_TO_USER(&ctx->regs);
	/* Loads from ctx stay here: joined with those below they would be of either pointer. */
	barrier_var(ret->ip);
	barrier_var(ret->sp);
	barrier_var(ret->fp);
	barrier_var(ret->bx);
	barrier_var(user64);
	if (!in_kernel)
		return user64;
	if (read_saved_regs(saved))
		return false;
	*ret = REGS_TO_USER(saved);
	return REGS_USER64(saved);
}

/* The leaf's registers, all of them: those of the sample, ... */
static __noinline void copy_sampled_registers(struct bpf_perf_event_data *ctx, __u64 *to)
{
	REGS_TO_DWARF(&ctx->regs, to);
}

/* ... or those that find_user_regs() left in the CPU's scratch. */
static __noinline void copy_saved_registers(const bpf_user_pt_regs_t *saved, __u64 *to)
{
	REGS_TO_DWARF(saved, to);
}

static __always_inline void copy_registers(struct bpf_perf_event_data *ctx, struct cpu_state *s,
					   bool in_kernel)
{
	struct walk *w = &s->scratch->walk;

	if (w->has_registers)
		return;
	if (in_kernel)
		copy_saved_registers(&s->scratch->regs, w->registers);
	else
		copy_sampled_registers(ctx, w->registers);
	w->has_registers = 1;
}

/* Of the registers that find_user_regs() left in the CPU's scratch. */
static __always_inline bool in_syscall(const struct cpu_state *s, bool in_kernel)
{
	return in_kernel && REGS_IN_SYSCALL(&s->scratch->regs);
}

/* Walks the stack that begins with the walk's registers, into the scratch record. */
static __always_inline void walk_user(struct bpf_perf_event_data *ctx, struct cpu_state *s,
				      __u32 pid, bool in_kernel)
{
	struct walk *w = &s->scratch->walk;
	__u32 i, step;
	__u64 range;

	w->bytes = 0;
	w->frames = 0;
	w->hash = hash_seed();
	w->outcome = 0;
	w->is_innermost = 1;
	w->is_leaf = 1;
	w->is_return = in_syscall(s, in_kernel);
	w->has_registers = 0;
	w->doubtful = 0;
	w->window_at = NO_WINDOW;
	if (user_walk == USER_WALK_SNAPSHOTS) {
		s->scratch->record.frames[0] = w->regs.ip;
		w->frames = 1;
		w->hash = intern_step(w->hash, w->regs.ip, INTERN_MUL_A);
		w->outcome = STACK_OUTCOME(STACK_BEYOND, STACK_BY_TABLE);
		return;
	}
	if (user_walk == USER_WALK_TABLES) {
		range = find_process(pid);
		w->first = range >> 32;
		w->count = (__u32)range;
	}
	step = walk_step(s->cpu);
	if (step == WALK_REGISTERS) {
		copy_registers(ctx, s, in_kernel);
		step = walk_step(s->cpu);
	}
	for (i = 0; i < MAX_FRAMES / WALK_STEPS && step == WALK_ON; i++)
		step = walk_steps(s->cpu);
	if (w->doubtful && STACK_END(w->outcome) == STACK_COMPLETE)
		w->outcome = STACK_OUTCOME(STACK_CHAIN_END, STACK_HOW(w->outcome));
}

/*
 * Copies the walk's registers, and the stack from @sp up as far as it is there. Returns how many
 * bytes of stack that are. Of its own, so that the verifier sees all the words of both once.
 */
__noinline __u32 copy_stack(__u32 cpu, __u64 sp)
{
	struct snapshot_record *record = bpf_map_lookup_elem(&snapshots, &cpu);
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &cpu);
	__u32 at;

	if (!record || !scratch)
		return 0;
	__builtin_memcpy(record->registers, scratch->walk.registers, sizeof(record->registers));
	for (at = 0; at < snapshot_bytes; at += SNAPSHOT_PIECE)
		if (bpf_probe_read_user(record->stack + at, SNAPSHOT_PIECE, (void *)(sp + at)))
			break;
	return at;
}

/* A CPU may take a snapshot when it has credit, and leaves half of the ring to the samples. */
static __always_inline bool may_take_snapshot(struct cpu_state *s, __u64 time_ns)
{
	struct scratch *scratch = s->scratch;
	__u64 window = time_ns >> SNAPSHOT_WINDOW_SHIFT;

	if (user_walk != USER_WALK_SNAPSHOTS) {
		if (window != scratch->snapshot_window) {
			scratch->snapshot_window = window;
			scratch->snapshot_credit = SNAPSHOTS_PER_WINDOW;
		}
		if (!scratch->snapshot_credit)
			return false;
		scratch->snapshot_credit--;
	}
	return bpf_ringbuf_query(s->ring, BPF_RB_AVAIL_DATA) < wakeup_bytes;
}

/*
 * Puts a snapshot of the thread's stack into the ring, and wakes the recorder: what the walker
 * lacked is loaded, and the next sample of the kind needs no snapshot.
 */
static __always_inline bool take_snapshot(struct bpf_perf_event_data *ctx, struct cpu_state *s,
					  const struct sample_event *sample, bool in_kernel)
{
	struct snapshot_record *record = bpf_map_lookup_elem(&snapshots, &s->cpu);
	struct walk *w = &s->scratch->walk;
	__u32 size;
	__u64 sp;

	if (!record || !may_take_snapshot(s, sample->time_ns))
		return false;
	copy_registers(ctx, s, in_kernel);
	record->type = RECORD_SNAPSHOT;
	record->pid = sample->pid;
	record->tid = sample->tid;
	record->time_ns = sample->time_ns;
	record->outcome = w->outcome;
	record->leaf = w->registers[SNAPSHOT_IP] - in_syscall(s, in_kernel);
	sp = w->registers[SNAPSHOT_SP];
	record->stack_bytes = copy_stack(s->cpu, sp);
	size = SNAPSHOT_RECORD_HEADER + record->stack_bytes;
	record->size = size;
	barrier_var(size);
	if (size > SNAPSHOT_RECORD_HEADER + snapshot_bytes ||
	    bpf_ringbuf_output(s->ring, record, size, BPF_RB_FORCE_WAKEUP))
		return false;
	s->counters->snapshots++;
	return true;
}

/* What find_user_regs() cannot give: the kernel's walker, for older kernels and 32-bit code. */
static __always_inline __u32 kernel_walks_user(void *ctx, struct cpu_state *s)
{
	long bytes = bpf_get_stack(ctx, s->scratch->record.frames, MAX_KERNEL_FRAMES * 8,
				   BPF_F_USER_STACK);

	return bytes < 0 ? 0 : (__u32)bytes / 8;
}

/*
 * In exec and exit the kernel takes the address space away, and runs on. What the registers say
 * belongs to nothing any more, or to the program that comes: there is no user stack then.
 */
static __always_inline bool stack_has_gone(__u64 sp)
{
	__u64 word;

	return bpf_probe_read_user(&word, sizeof(word), (void *)sp) != 0;
}

/* Walks the user stack; puts its id into the sample, and what went wrong. */
static __always_inline void user_stack(struct bpf_perf_event_data *ctx, struct cpu_state *s,
				       bool in_kernel, struct sample_event *sample)
{
	struct walk *w = &s->scratch->walk;
	__u32 n, outcome, end;
	__u64 hash, sp = 0;

	if (find_user_regs(ctx, s, in_kernel, &w->regs)) {
		sp = w->regs.sp;
		walk_user(ctx, s, sample->pid, in_kernel);
		n = w->frames;
		hash = w->hash;
		outcome = w->outcome;
	} else {
		n = kernel_walks_user(ctx, s);
		hash = hash_frames(s->cpu, n);
		outcome = STACK_OUTCOME(STACK_CHAIN_END, STACK_BY_FRAME_POINTER);
	}
	if (n == 0 || n > MAX_FRAMES) /* none: a kernel thread */
		return;
	end = STACK_END(outcome);
	if (in_kernel && n == 1 && end != STACK_COMPLETE && stack_has_gone(sp)) {
		sample->flags |= SAMPLE_USER_FAILED;
		s->counters->user_failed++;
		return;
	}
	if (end == STACK_UNREADABLE) {
		sample->flags |= SAMPLE_USER_FAILED;
		s->counters->user_failed++;
	} else if (end == STACK_MAX_FRAMES) {
		sample->flags |= SAMPLE_USER_TRUNCATED;
		s->counters->user_truncated++;
	} else if (user_walk != USER_WALK_FRAME_POINTERS && end >= STACK_NO_PROCESS &&
		   end <= STACK_BEYOND && take_snapshot(ctx, s, sample, in_kernel)) {
		sample->flags |= SAMPLE_SNAPSHOT;
	}
	sample->user_stack = intern(s, n, hash, outcome, sample->kernel_stack);
	if (!sample->user_stack)
		sample->flags |= SAMPLE_USER_LOST;
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

/* The stacks of a sample, and what went wrong with them. */
static __always_inline void take_stacks(struct bpf_perf_event_data *ctx, struct cpu_state *s,
					bool in_kernel, struct sample_event *sample)
{
	if (filter & FILTER_NO_STACKS) {
		__u32 *leaf = in_kernel ? &sample->kernel_stack : &sample->user_stack;

		s->scratch->record.frames[0] = PT_REGS_IP(&ctx->regs);
		*leaf = intern(s, 1, hash_frames(s->cpu, 1), 0, 0);
		if (!*leaf)
			sample->flags |= in_kernel ? SAMPLE_KERNEL_LOST : SAMPLE_USER_LOST;
		return;
	}
	if (in_kernel)
		sample->kernel_stack = kernel_stack(ctx, s, &sample->flags);
	user_stack(ctx, s, in_kernel, sample);
}

static __always_inline bool submit(struct cpu_state *s, const struct sample_event *sample)
{
	struct sample_event *room = bpf_ringbuf_reserve(s->ring, sizeof(*room), 0);

	if (!room) {
		__u64 used = bpf_ringbuf_query(s->ring, BPF_RB_AVAIL_DATA);

		/* The kernel never fills a ring to its last byte. */
		if (used + sizeof(*room) + 8 >= bpf_ringbuf_query(s->ring, BPF_RB_RING_SIZE))
			s->counters->ring_full++;
		else
			s->counters->ring_busy++;
		return false;
	}
	*room = *sample;
	bpf_ringbuf_submit(room, wakeup_flag(s, sizeof(*room)));
	s->counters->submitted++;
	return true;
}

/* Puts what the group has counted into the ring, for the sample that comes right behind. */
static __always_inline bool put_counts(struct cpu_state *s, __u32 event, __u64 time_ns)
{
	__u32 size = 0;
	struct counts_record *record = make_counts_record(s->cpu, event, time_ns, &size);

	barrier_var(size);
	return record && size <= sizeof(*record) &&
	       !bpf_ringbuf_output(s->ring, record, size, wakeup_flag(s, size));
}

/* A sample of an event that leads a group is in the ring, with its counts or without. */
static __always_inline void settle_counts(struct cpu_state *s, __u32 event, __u32 tid, bool told)
{
	struct group_counts *group = told ? NULL : find_group(s->cpu, event);

	if (told)
		settle_group(s->cpu, event, tid, true);
	else if (group)
		group->lost++;
}

static __always_inline __u32 shifted_weight(__u64 period, __u32 event)
{
	period >>= weight_shift[event] & 63;
	return period > 0xffffffff ? 0xffffffff : (__u32)period;
}

enum verdict {
	WANTED,
	OTHER_MODE, /* nobody wants the sample, but what its group counted: it counts one mode only
		     */
	UNWANTED,
};

/* Whether anybody wants the sample; if not, that is counted. */
static __always_inline enum verdict judge(struct cpu_state *s, __u32 event, bool in_kernel,
					  __u64 id, __u64 period)
{
	if ((__u32)id == 0) { /* tid 0 is the idle task of this CPU */
		s->counters->idle_weight += period;
		if (!(filter & FILTER_KEEP_IDLE)) {
			s->counters->idle++;
			return UNWANTED;
		}
	}
	if (wrong_mode(event, in_kernel)) {
		s->counters->filtered_mode++;
		return OTHER_MODE;
	}
	if (!is_target(id >> 32, (__u32)id)) {
		s->counters->filtered_target++;
		return UNWANTED;
	}
	return WANTED;
}

static __always_inline int take_sample(struct bpf_perf_event_data *ctx, __u32 event)
{
	bool in_kernel = REGS_IN_KERNEL(&ctx->regs), counted;
	__u64 id = bpf_get_current_pid_tgid(), period = ctx->sample_period;
	struct sample_event sample = {};
	struct cpu_state s = {};
	enum verdict verdict;

	if (!find_cpu_state(&s, event))
		return 0;
	/* First of all: on some CPUs the counters go on while this runs. */
	counted = group_size[event] && read_group(s.cpu, event, id);
	s.counters->weight += period;
	verdict = judge(&s, event, in_kernel, id, period);
	if (verdict != WANTED) {
		if (counted && verdict == UNWANTED)
			settle_group(s.cpu, event, id, false);
		return 0;
	}
	if (!s.ring) {
		s.counters->ring_busy++;
		return 0;
	}
	sample.flags = (in_kernel ? SAMPLE_IN_KERNEL : 0) | ((__u32)id ? 0 : SAMPLE_IDLE);
	sample.time_ns = bpf_ktime_get_boot_ns();
	sample.pid = id >> 32;
	sample.tid = (__u32)id;
	sample.weight = shifted_weight(period, event);
	sample.cpu = s.cpu;
	sample.event = event;
	take_stacks(ctx, &s, in_kernel, &sample);
	counted = counted && put_counts(&s, event, sample.time_ns);
	if (submit(&s, &sample) && group_size[event])
		settle_counts(&s, event, id, counted);
	return 0;
}

/* Another task is about to run on this CPU: this one is one that ran. */
SEC("raw_tp/sched_switch")
int note_switch(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), tid = bpf_get_current_pid_tgid(), event;
	struct group_counts *group;

	(void)ctx;
	for (event = 0; event < MAX_EVENTS; event++) {
		group = group_size[event] ? find_group(cpu, event) : NULL;
		if (group)
			note_thread(group, tid);
	}
	return 0;
}

/*
 * A process executes another program: the walker must not look up the new one's addresses in the
 * old one's mappings until the recorder has heard of it.
 */
SEC("raw_tp/sched_process_exec")
int forget_process(void *ctx)
{
	__u32 i, pid = bpf_get_current_pid_tgid() >> 32, slot = unwind_process_slot(pid);

	(void)ctx;
	for (i = 0; i < UNWIND_PROBES; i++) {
		struct unwind_process *p = &unwind_processes[(slot + i) & (UNWIND_PROCESSES - 1)];

		if (p->pid == pid)
			p->range = 0;
	}
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

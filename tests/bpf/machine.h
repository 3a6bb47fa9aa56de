/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h - a machine made of plain memory, on which bpf/sample.bpf.c runs.
 *
 * The program is compiled for the host with helpers that look at struct machine: a test says
 * who runs where with which stack, lets an event overflow, and reads the rings and counters.
 * Rings have the kernel's room and rules, byte for byte. One machine per process.
 */
#ifndef PROFILER_MACHINE_H
#define PROFILER_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "bpf/unwind.h"

#define MACHINE_CPUS	   3 /* with maps and a ring */
#define MACHINE_STACK_BASE UINT64_C(0x7ffe00000000)
#define MACHINE_WORDS	   4096 /* of the user stack */
#define MACHINE_NO_CGROUP  (-1)
#define MACHINE_REGISTERS  17

/** struct machine_regs - what a sample sees of the registers; @by_number are DWARF's numbers */
struct machine_regs {
	union {
		uint64_t by_number[MACHINE_REGISTERS];
		struct {
			uint64_t ax, dx, cx, bx, si, di, fp, sp;
			uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
			uint64_t ip;
		};
	};
	uint16_t cs;
	bool in_syscall; /* of those that the kernel saved */
};

/**
 * struct machine - the state that the helpers show to the program
 * @regs: at the overflow
 * @saved: what the kernel saved when the thread entered it; reading fails unless @saved_readable
 * @user_words: the user stack, from MACHINE_STACK_BASE upwards; nothing else can be read
 * @read_user: if set, reads user memory instead; false where it is not there
 * @kernel_frames: what the kernel's walker finds in the kernel, leaf first
 * @walker_frames: what it finds in user space
 * @cgroup: which of the target cgroups the task is in
 * @lock_busy: the ring's lock is held: nothing can be reserved
 * @enabled_ns, @running_ns: times of a group of counters
 * @value: of its counters; of any group on any CPU
 * @unreadable: the counter that cannot be read, -1 when all can
 * @absent: the counter that this CPU does not have, likewise
 * @reserve_busy: the ring's lock is held when an event is reserved, and only then
 * @late_calls: helpers called between reserving an event and submitting it
 * @bad_flags: ring flags that leave the wake-up to the kernel
 */
struct machine {
	uint32_t cpu;
	uint32_t pid;
	uint32_t tid;
	uint64_t time_ns;
	uint64_t period;
	struct machine_regs regs;
	struct machine_regs saved;
	bool saved_readable;
	uint64_t user_words[MACHINE_WORDS];
	bool (*read_user)(void *to, uint32_t bytes, uint64_t address);
	uint64_t kernel_frames[MAX_FRAMES + 8];
	uint32_t n_kernel_frames;
	uint64_t walker_frames[MAX_FRAMES + 8];
	uint32_t n_walker_frames;
	int cgroup;
	uint32_t target_pid;
	uint32_t target_tid;
	bool lock_busy;
	uint64_t enabled_ns;
	uint64_t running_ns;
	uint64_t value[MAX_GROUP];
	int unreadable;
	int absent;
	bool reserve_busy;
	uint32_t late_calls;
	uint32_t bad_flags;
};

/** struct machine_settings - what the recorder sets in the program before the load */
struct machine_settings {
	uint32_t filter;
	uint32_t wakeup_bytes;
	uint32_t ring_bytes;
	uint32_t user_walk;
	uint32_t snapshot_bytes;
	bool have_task_pt_regs;
	bool know_saved_regs; /* where they are without it */
	uint64_t seed;
	uint8_t mode_filter[MAX_EVENTS];
	uint8_t weight_shift[MAX_EVENTS];
	uint8_t group_size[MAX_EVENTS];
};

/** struct machine_record - a finished record of a ring */
struct machine_record {
	uint32_t bytes;
	bool finished;
	union {
		void *data; /* @bytes and no more */
		const struct sample_event *sample;
		const struct stack_record *stack;
		const struct snapshot_record *snapshot;
		const struct counts_record *counts;
	};
};

extern struct machine machine;

/* The program's own, for the tests to fill as the recorder does; empty after machine_load(). */
extern struct unwind_process unwind_processes[UNWIND_PROCESSES];
extern struct unwind_mapping unwind_mappings[UNWIND_MAPPINGS];
extern __u64 unwind_directory[UNWIND_DIRECTORY];
extern struct unwind_rule unwind_rules[UNWIND_RULES];

/* The program's look-ups in them, see bpf/walk.h. */
__u64 find_process(__u32 pid);
__u32 find_mapping(__u32 first, __u32 count, __u64 address);
__u32 find_rule(__u32 shard, __u32 first, __u32 last, __u32 offset);

/** machine_shard() - the UNWIND_SHARD_ROWS rows of a shard, which from now on is there */
struct unwind_row *machine_shard(uint32_t shard);

/** machine_load() - a new machine with empty maps and rings, running in user mode */
void machine_load(const struct machine_settings *settings);

/** machine_overflow() - event number @event overflows now */
void machine_overflow(uint32_t event);

/** machine_switch() - the CPU goes on to another task */
void machine_switch(uint32_t tid);

/** machine_exec() - the process on the CPU executes another program now */
void machine_exec(void);

/** machine_raise_generation() - as the recorder does while the programs run */
void machine_raise_generation(void);

/** machine_take() - the oldest record of a ring, its room given back; NULL when there is none.
 * Valid until the next. */
const struct machine_record *machine_take(uint32_t cpu);

/** machine_used() - bytes in a ring, headers included */
uint64_t machine_used(uint32_t cpu);

/** machine_wakeups() - wake-ups of a ring's consumer so far */
uint64_t machine_wakeups(uint32_t cpu);

/** machine_counters() - of an event on a CPU */
struct event_counters machine_counters(uint32_t cpu, uint32_t event);

/** machine_group() - what the counters of a group counted on a CPU, and where it went */
struct group_counts machine_group(uint32_t cpu, uint32_t event);

/** machine_slot() - where these frames belong in the intern table */
uint32_t machine_slot(const uint64_t *frames, uint32_t n, uint32_t outcome);

#endif /* PROFILER_MACHINE_H */

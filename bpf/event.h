/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * event.h - contract 1: what the BPF programs write and the recorder reads.
 *
 * A ring record of exactly 32 bytes is a sample. Every other record is longer
 * and begins with its type and its size, so that a reader can skip what it does
 * not know. All fields are naturally aligned and in host byte order: the ring
 * never leaves the machine.
 *
 *   struct sample_event                struct stack_record
 *   off size field                     off size field
 *     0    8 time_ns                     0    4 type   (RECORD_STACK)
 *     8    4 pid                         4    4 size   (bytes, this header included)
 *    12    4 tid                         8    4 slot
 *    16    4 user_stack                 12    4 outcome (why it ends, how it was walked)
 *    20    4 kernel_stack               16    8 hash
 *    24    4 weight                     24  8*n frames (leaf first)
 *    28    2 cpu
 *    30    1 event
 *    31    1 flags
 *
 *   struct snapshot_record
 *   off size field
 *     0    4 type   (RECORD_SNAPSHOT)
 *     4    4 size   (bytes, this header included)
 *     8    4 pid
 *    12    4 tid
 *    16    8 time_ns
 *    24    8 leaf
 *    32    4 outcome
 *    36    4 stack_bytes
 *    40  264 registers
 *   304    n stack
 *
 *   struct counts_record
 *   off size field
 *     0    4 type   (RECORD_COUNTS)
 *     4    4 size   (bytes, this header included)
 *     8    8 time_ns
 *    16    8 enabled_ns
 *    24    8 running_ns
 *    32    4 event
 *    36    4 shared
 *    40  8*n counts (leader first)
 *
 * Interned stacks. A sample names its stacks by id; id s + 1 is slot s of the
 * intern table of the CPU whose ring the sample came from, 0 is no stack. The
 * meaning of a slot is the last stack_record for it on the same ring, and the
 * program writes that record before the first sample that uses it.
 *
 * Snapshots. Where the program cannot walk a user stack, because it lacks a table or a register
 * of an outer frame, it copies the registers and the top of the stack for user space to walk. The
 * next sample on the same ring with SAMPLE_SNAPSHOT is the one it belongs to; its
 * user_stack is as far as the program came.
 *
 * Counts. An event may lead a group of counters, which the kernel starts and stops together. What
 * they have counted since the last counts_record goes before the sample, which has the same time
 * and event.
 */
#ifndef PROFILER_EVENT_H
#define PROFILER_EVENT_H

#include <linux/types.h>

/* Sampling events of one run; each has a program of its own, sample_0 ... sample_7. */
#define MAX_EVENTS 8

/* Counters of a group: the event that takes the samples, and those that it leads. */
#define MAX_GROUP 8

/* Of a user stack, which the program walks itself. */
#define MAX_FRAMES 512

/* Of a kernel stack: perf_event_max_stack is 127 unless an administrator raised it. */
#define MAX_KERNEL_FRAMES 127

/* Bytes of stack in a snapshot. */
#define MAX_SNAPSHOT_BYTES 65536
#define SNAPSHOT_REGISTERS 33

/* The stack pointer and the instruction pointer among them. */
#if defined(__TARGET_ARCH_arm64) || defined(__aarch64__)
#define SNAPSHOT_SP 31
#define SNAPSHOT_IP 32
#else
#define SNAPSHOT_SP 7
#define SNAPSHOT_IP 16
#endif

/* Cgroups that -G may name. */
#define MAX_TARGET_CGROUPS 8

/* Slots of the intern table per CPU: 64 KB a CPU, and few collisions up to about 2,000 live stacks.
 */
#define STACK_SLOTS 8192

enum sample_flag {
	SAMPLE_IN_KERNEL = 1 << 0, /* the counter overflowed in kernel mode */
	SAMPLE_USER_TRUNCATED =
		1 << 1, /* user stack has MAX_FRAMES frames, the outermost may be missing */
	SAMPLE_KERNEL_TRUNCATED = 1 << 2, /* kernel stack has MAX_KERNEL_FRAMES, likewise */
	SAMPLE_USER_LOST =
		1 << 3, /* there was a user stack, its record found no room in the ring */
	SAMPLE_KERNEL_LOST = 1 << 4, /* the same for the kernel stack */
	SAMPLE_USER_FAILED = 1 << 5, /* the user stack ends where memory could not be read */
	SAMPLE_IDLE = 1 << 6,	     /* taken in the idle task (only written with --idle) */
	SAMPLE_SNAPSHOT = 1 << 7,    /* the snapshot before it on the ring is its user stack */
};

struct sample_event {
	__u64 time_ns;	    /* CLOCK_BOOTTIME */
	__u32 pid;	    /* thread-group id, initial pid namespace */
	__u32 tid;	    /* thread id, initial pid namespace */
	__u32 user_stack;   /* slot + 1, 0 = none */
	__u32 kernel_stack; /* slot + 1, 0 = none */
	__u32 weight;	    /* the sample's period >> the event's weight_shift, saturated */
	__u16 cpu;
	__u8 event; /* index into the session's table of events */
	__u8 flags; /* enum sample_flag */
};

enum record_type {
	RECORD_STACK = 1,
	RECORD_SNAPSHOT = 2,
	RECORD_COUNTS = 3,
};

/* Why a user stack ends where it ends. Those from STACK_NO_PROCESS to STACK_BEYOND ask for user
 * space's help. */
enum stack_end {
	STACK_COMPLETE = 0, /* the outermost frame: nobody called it */
	STACK_NO_PROCESS,   /* the walker did not know the process's mappings (yet) */
	STACK_NO_MAPPING,   /* an address outside of all executable mappings it knew */
	STACK_NO_TABLE,	    /* the table was not loaded (yet) */
	STACK_BEYOND,	    /* takes more than the walker does */
	STACK_MAX_FRAMES,   /* MAX_FRAMES; there may be more */
	STACK_UNREADABLE,   /* memory of the stack could not be read */
	STACK_BAD_FRAME,    /* the next frame would lie below this one, or has no address */
	STACK_NO_RULE,	    /* code without tables, and no frame pointer either */
	STACK_REFUSED,	    /* the file's tables cannot be used */
	STACK_CHAIN_END,    /* the chain of frame pointers ends; there may be more, or the leaf's
			       caller is missing */
	STACK_SHORT,	    /* the snapshot ends before the stack */
	STACK_NO_ANSWER,    /* user space could not walk the snapshot */
	STACK_ENDS,
};

/* How a user stack was walked. */
enum stack_how {
	STACK_BY_TABLE = 0,
	STACK_BY_FRAME_POINTER, /* at least one step */
	STACK_BY_SNAPSHOT,
	STACK_HOWS,
};

/* stack_record.outcome; 0 for kernel stacks. */
#define STACK_OUTCOME(end, how) ((__u32)(end) | (__u32)(how) << 8)
#define STACK_END(outcome)	((outcome)&0xff)
#define STACK_HOW(outcome)	(((outcome) >> 8) & 0xff)

struct stack_record {
	__u32 type;
	__u32 size;
	__u32 slot;
	__u32 outcome;
	__u64 hash; /* of the frames and the outcome, seeded per run and generation */
	__u64 frames[MAX_FRAMES];
};

#define STACK_RECORD_HEADER 24
#define STACK_RECORD_MIN \
	(STACK_RECORD_HEADER + 8 + 8) /* never 32 bytes: a lone frame is padded with a 0 */

struct snapshot_record {
	__u32 type;
	__u32 size;
	__u32 pid;
	__u32 tid;
	__u64 time_ns; /* of its sample */
	__u64 leaf;    /* to look the leaf up by: its address, or in a system call one less */
	__u32 outcome; /* how far the program came */
	__u32 stack_bytes;
	/* By DWARF number: x86_64 0 to 15, 16 = rip; arm64 0 to 30, 31 = sp, 32 = pc. */
	__u64 registers[SNAPSHOT_REGISTERS];
	__u8 stack[MAX_SNAPSHOT_BYTES]; /* stack_bytes of them, from the stack pointer up */
};

#define SNAPSHOT_RECORD_HEADER 304

struct counts_record {
	__u32 type;
	__u32 size;
	__u64 time_ns;	  /* of its sample */
	__u64 enabled_ns; /* of the group, over the time that the counts are of */
	__u64 running_ns; /* of these, on the hardware */
	__u32 event;	  /* of its sample */
	__u32 shared;	  /* more than one task ran on this CPU meanwhile: the counts are of all */
	__u64 count[MAX_GROUP];
};

#define COUNTS_RECORD_HEADER 40

/*
 * What the counters of a group have counted on one CPU, and where it went; index as for
 * event_counters, in the map `groups`. What a counter has beyond counted and uncounted is of the
 * time since `at` was read, or of perf events that were closed before these (hotplug).
 */
struct group_counts {
	__u64 task;		    /* thread that ran since then; 0: none but the idle task */
	__u64 several;		    /* threads did */
	__u64 enabled_ns;	    /* of the leader, when last read */
	__u64 running_ns;	    /* likewise */
	__u64 lost;		    /* samples in the ring that go without counts */
	__u64 at[MAX_GROUP];	    /* the counters, when last read */
	__u64 counted[MAX_GROUP];   /* in counts_records whose sample is in the ring */
	__u64 uncounted[MAX_GROUP]; /* when a sample was idle or not of a target */
};

/*
 * Counters of one event on one CPU, index cpu * MAX_EVENTS + event of the map
 * `counters`. Every run of a program adds 1 to entries and 1 to exactly one of
 * idle, filtered_*, ring_full, ring_busy and submitted. Written by one CPU
 * only and never in a nested run (the kernel refuses those), so plain adds do.
 * idle counts samples of the idle task whether or not they are submitted too
 * (with --idle they are written, and counted as submitted instead).
 */
struct event_counters {
	__u64 entries;		/* runs of the program */
	__u64 weight;		/* sum of the periods of all entries, unshifted */
	__u64 idle;		/* in the idle task, not wanted */
	__u64 filtered_target;	/* not the process, thread or cgroup asked for */
	__u64 filtered_mode;	/* :u and in the kernel, or :k and in user mode */
	__u64 ring_full;	/* no room for the event */
	__u64 ring_busy;	/* the ring's lock was held, or the CPU has no ring */
	__u64 submitted;	/* events in the ring */
	__u64 stack_lost;	/* stack records that found no room */
	__u64 stack_records;	/* stack records in the ring */
	__u64 stack_bytes;	/* their bytes */
	__u64 user_failed;	/* user stacks that end where memory could not be read */
	__u64 user_truncated;	/* user stacks of MAX_FRAMES frames */
	__u64 kernel_truncated; /* kernel stacks of MAX_KERNEL_FRAMES frames */
	__u64 idle_weight;	/* sum of the periods of idle entries, unshifted */
	__u64 snapshots;	/* in the ring */
};

/* Bits of the program's rodata variable `filter`. */
enum filter_bit {
	FILTER_TARGET_PID = 1 << 0, /* thread groups in map target_pids */
	FILTER_TARGET_TID = 1 << 1, /* threads in map target_tids */
	FILTER_CGROUP = 1 << 2,	    /* below a cgroup in map target_cgroups */
	FILTER_KEEP_IDLE = 1 << 3,  /* --idle */
	FILTER_NO_STACKS = 1 << 4,  /* --call-graph none: the leaf only */
};

/* The program's rodata variable `user_walk`: how user stacks are walked. */
enum user_walk {
	USER_WALK_FRAME_POINTERS, /* nothing else */
	USER_WALK_TABLES,	  /* by tables; a snapshot where they do not reach */
	USER_WALK_SNAPSHOTS,	  /* a snapshot of every sample */
};

enum mode_filter {
	MODE_ANY = 0,
	MODE_USER_ONLY = 1,   /* event modifier :u */
	MODE_KERNEL_ONLY = 2, /* event modifier :k */
};

_Static_assert(sizeof(struct sample_event) == 32, "a sample is 32 bytes");
_Static_assert(__builtin_offsetof(struct sample_event, time_ns) == 0, "time_ns");
_Static_assert(__builtin_offsetof(struct sample_event, pid) == 8, "pid");
_Static_assert(__builtin_offsetof(struct sample_event, tid) == 12, "tid");
_Static_assert(__builtin_offsetof(struct sample_event, user_stack) == 16, "user_stack");
_Static_assert(__builtin_offsetof(struct sample_event, kernel_stack) == 20, "kernel_stack");
_Static_assert(__builtin_offsetof(struct sample_event, weight) == 24, "weight");
_Static_assert(__builtin_offsetof(struct sample_event, cpu) == 28, "cpu");
_Static_assert(__builtin_offsetof(struct sample_event, event) == 30, "event");
_Static_assert(__builtin_offsetof(struct sample_event, flags) == 31, "flags");
_Static_assert(__builtin_offsetof(struct stack_record, frames) == STACK_RECORD_HEADER, "frames");
_Static_assert(__builtin_offsetof(struct snapshot_record, registers) == 40, "registers");
_Static_assert(__builtin_offsetof(struct snapshot_record, stack) == SNAPSHOT_RECORD_HEADER,
	       "stack");
_Static_assert(__builtin_offsetof(struct counts_record, count) == COUNTS_RECORD_HEADER, "count");
_Static_assert(sizeof(struct event_counters) == 128, "two cache lines");

#endif /* PROFILER_EVENT_H */

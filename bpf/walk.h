/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * walk.h - walks a user stack by the tables of unwind.h, one frame a step.
 *
 * A step finds the rule for the frame's address, computes the CFA (the caller's stack pointer), and
 * reads the return address and what the frame saved of the registers that rules refer to: the
 * frame pointer and, on x86_64, rbx. Code without a rule is stepped over by its frame pointer: what
 * is made at run time, Go's, V8's builtins. Of a file without any rules nothing is believed.
 *
 * A leaf without a rule may have no frame of its own (yet): then its frame pointer is its
 * caller's, and leads past the caller. The return address is at the top of the stack in that case,
 * and a stack where it may be so is not called complete. (On arm64 it is in a register, and this
 * goes unseen.)
 *
 * Invariants: the stack pointer never goes down (a signal frame may be on another stack), so a walk
 * ends whatever the tables and the memory say; and whatever does not fit ends it with its
 * reason, it is never guessed over.
 *
 * The steps are functions of their own with numbers for arguments, so that the verifier goes
 * through each once, not once for every way that led to it (and no tail calls or bpf_loop() are
 * needed).
 */
#ifndef PROFILER_WALK_H
#define PROFILER_WALK_H

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include "bpf/event.h"
#include "bpf/intern.h"
#include "bpf/regs.h"
#include "bpf/unwind.h"

/* A frame larger than a whole stack usually is (8 MB) is taken for the end of the chain. */
#define FRAME_BYTES_MAX (8u << 20)

/*
 * Reading the stack is what a step costs most, however little is read: so it is read in windows,
 * each for the frames of several steps. Saved registers lie in so many bytes right below the CFA.
 */
#define WINDOW_WORDS 64
#define WINDOW_BYTES (WINDOW_WORDS * 8)
#define SAVED_BYTES  64
#define NO_WINDOW    1 /* no address of a word is so far from it */

const volatile __u32 user_walk; /* enum user_walk; set before the load, so what it excludes is not
				   even verified */

enum walk_step {
	WALK_ON,
	WALK_ENDED,	/* see walk.end */
	WALK_REGISTERS, /* the leaf's other registers are needed: fill them in, step again */
};

struct walk {
	struct user_regs regs; /* of the frame that the next step is about */
	__u64 start;	       /* the mapping found last */
	__u64 bytes;
	__u64 bias;
	__u32 directory;
	__u32 first; /* the process's mappings */
	__u32 count;
	__u32 frames; /* found so far */
	__u64 hash;   /* of them */
	__u32 outcome;
	__u8 is_innermost; /* a leaf, or what a signal came upon: its frame may not be set up */
	__u8 is_leaf;	   /* all registers are this frame's */
	__u8 is_return;	   /* ip is a return address: the call is before it */
	__u8 has_registers;
	__u8 by_frame_pointer;		     /* the step was */
	__u8 doubtful;			     /* the caller of such a frame may be missing */
	__u64 registers[SNAPSHOT_REGISTERS]; /* of the leaf, by DWARF number */
	__u64 window_at;		     /* address of window[0] */
	__u64 window[WINDOW_WORDS];
};

/* What a CPU works with while it takes a sample; too large for the BPF stack. */
struct scratch {
	__u64 unread_bytes;    /* bytes put in the ring since the last wake-up */
	__u64 snapshot_window; /* when the CPU's credit for snapshots was renewed */
	__u32 snapshot_credit;
	bpf_user_pt_regs_t regs;
	struct walk walk;
	struct stack_record record;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct shard {
	struct unwind_row row[UNWIND_SHARD_ROWS];
};

/* Filled by the recorder as tables are loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UNWIND_SHARDS);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_MMAPABLE);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(__u32));
			__uint(value_size, sizeof(struct shard));
		});
} unwind_shards SEC(".maps");

/* Mapped by the recorder, which writes them in place. */
struct unwind_process unwind_processes[UNWIND_PROCESSES];
struct unwind_mapping unwind_mappings[UNWIND_MAPPINGS];
__u64 unwind_directory[UNWIND_DIRECTORY];
struct unwind_rule unwind_rules[UNWIND_RULES];
__u64 unwind_cache[UNWIND_CACHE];

/* The mappings of a thread group, first << 32 | count; 0 when they are not known. */
__noinline __u64 find_process(__u32 pid)
{
	__u32 i, slot = unwind_process_slot(pid);

	for (i = 0; i < UNWIND_PROBES; i++) {
		volatile struct unwind_process *p =
			&unwind_processes[(slot + i) & (UNWIND_PROCESSES - 1)];

		if (p->pid == pid)
			return p->range;
	}
	return 0;
}

/*
 * Binary searches go in steps of falling powers of two from an index that is known to be right.
 * Whether there is room for a step is asked of a difference: comparing the indexes themselves would
 * teach the verifier their ranges, and it would follow each of them.
 */
#define HAS_ROOM(next, last) ((__s32)((last) - (next)) >= 0)

/* Index of the last mapping that begins at or below an address; UNWIND_MAPPINGS if there is none.
 */
__noinline __u32 find_mapping(__u32 first, __u32 count, __u64 address)
{
	__u32 at = first - 1, last = at + count, step, next; /* at: all up to it begin below */

	for (step = UNWIND_PROCESS_MAPPINGS; step; step >>= 1) {
		next = at + step;
		if (HAS_ROOM(next, last) &&
		    unwind_mappings[next & (UNWIND_MAPPINGS - 1)].start <= address)
			at = next;
	}
	return at + 1 == first ? UNWIND_MAPPINGS : at & (UNWIND_MAPPINGS - 1);
}

/* The rule of the last of the rows [first, last] that begins at or below an offset. */
__noinline __u32 find_rule(__u32 shard, __u32 first, __u32 last, __u32 offset)
{
	void *map = bpf_map_lookup_elem(&unwind_shards, &shard);
	__u32 at = first, step, next, zero = 0;
	struct shard *rows;

	rows = map ? bpf_map_lookup_elem(map, &zero) : 0;
	if (!rows)
		return UNWIND_RULES;
	for (step = UNWIND_SHARD_ROWS / 2; step; step >>= 1) {
		next = at + step;
		if (HAS_ROOM(next, last) &&
		    rows->row[next & (UNWIND_SHARD_ROWS - 1)].offset <= offset)
			at = next;
	}
	return rows->row[at & (UNWIND_SHARD_ROWS - 1)].rule;
}

static __always_inline int walk_end(struct walk *w, enum stack_end end)
{
	w->outcome = STACK_OUTCOME(end, STACK_HOW(w->outcome));
	return WALK_ENDED;
}

/* Makes w's mapping the one of an address; false, with the reason, when there is none. */
static __always_inline bool enter_mapping(struct walk *w, __u64 address)
{
	const struct unwind_mapping *m;
	__u32 index;

	if (address - w->start < w->bytes)
		return true;
	index = find_mapping(w->first, w->count, address);
	m = &unwind_mappings[index & (UNWIND_MAPPINGS - 1)];
	if (index >= UNWIND_MAPPINGS || address - m->start >= (__u64)m->pages_4k << 12) {
		walk_end(w, address + 1 <= 4096 ? STACK_BAD_FRAME : STACK_NO_MAPPING);
		return false;
	}
	w->start = m->start;
	w->bytes = (__u64)m->pages_4k << 12;
	w->bias = m->bias;
	w->directory = m->directory;
	return true;
}

/* Makes the window begin at an address, unless all that is wanted from there on is in it. */
static __always_inline void move_window(struct walk *w, __u64 address, __u64 bytes)
{
	if (!((address - w->window_at) & 7) && address - w->window_at <= WINDOW_BYTES - bytes)
		return;
	w->window_at = address;
	/* Near the end of the stack, or below its pointer, not all is there: then word by word. */
	if (bpf_probe_read_user(w->window, sizeof(w->window), (void *)address))
		w->window_at = NO_WINDOW;
}

static __always_inline bool read_word(struct walk *w, __u64 address, __u64 *ret)
{
	__u64 offset = address - w->window_at, index;

	if (!(offset & 7) && offset < WINDOW_BYTES) {
		index = offset >> 3;
		barrier_var(index); /* the verifier wants the bound on what is added */
		*ret = w->window[index & (WINDOW_WORDS - 1)];
		return true;
	}
	return bpf_probe_read_user(ret, sizeof(*ret), (void *)address) == 0;
}

static __always_inline int enter_caller(struct walk *w, __u64 ip, __u64 sp, __u64 fp, __u64 bx)
{
	if (!ip)
		return walk_end(w, STACK_BAD_FRAME);
	w->regs.ip = ip;
	w->regs.sp = sp;
	w->regs.fp = fp;
	w->regs.bx = bx;
	w->is_innermost = 0;
	w->is_leaf = 0;
	w->is_return = 1;
	return WALK_ON;
}

/*
 * A frame lies above the one it was called from, and near: what does not is not a frame pointer but
 * whatever else the register holds, and is not read. An ABI's outermost frame has 0 there.
 */
static __always_inline int step_frame_pointer(struct walk *w)
{
	__u64 fp = w->regs.fp, sp = w->regs.sp, caller_fp, ra;

	w->by_frame_pointer = 1;
	w->outcome = STACK_OUTCOME(STACK_COMPLETE, STACK_BY_FRAME_POINTER);
	if (!fp && !w->is_innermost)
		return WALK_ENDED;
	if ((fp & 7) || fp < sp || fp - sp > FRAME_BYTES_MAX)
		return walk_end(w, user_walk == USER_WALK_TABLES ? STACK_NO_RULE : STACK_CHAIN_END);
	move_window(w, fp, 16);
	if (!read_word(w, fp, &caller_fp) || !read_word(w, fp + 8, &ra))
		return walk_end(w, STACK_UNREADABLE);
	if (!ra)
		return caller_fp ? walk_end(w, STACK_BAD_FRAME) : WALK_ENDED;
	return enter_caller(w, RETURN_ADDRESS(ra), fp + 16, caller_fp, 0);
}

static __always_inline int step_signal(struct walk *w)
{
	w->window_at = NO_WINDOW; /* where the signal came may be another stack */
	if (bpf_probe_read_user(w->window, SIGNAL_WORDS * 8,
				(void *)(w->regs.sp + SIGNAL_WORDS_AT)))
		return walk_end(w, STACK_UNREADABLE);
	if (!w->window[SIGNAL_IP])
		return walk_end(w, STACK_BAD_FRAME);
	w->regs.ip = w->window[SIGNAL_IP];
	w->regs.sp = w->window[SIGNAL_SP];
	w->regs.fp = w->window[SIGNAL_FP];
	w->regs.bx = w->window[SIGNAL_BX];
	w->is_innermost = 1;
	w->is_leaf = 0;
	w->is_return = 0;
	return WALK_ON;
}

/* A register of the leaf; false, with the step's result in *ret, when it cannot be had. */
static __always_inline bool leaf_register(struct walk *w, __u8 number, __u64 *value, int *ret)
{
	if (!w->is_leaf) {
		*ret = walk_end(w, STACK_BEYOND);
		return false;
	}
	if (!w->has_registers) {
		*ret = WALK_REGISTERS;
		return false;
	}
	*value = number < SNAPSHOT_REGISTERS ? w->registers[number] : 0;
	return true;
}

/* The CFA by a rule; false, with the step's result in *ret, when it cannot be had. */
static __always_inline bool find_cfa(struct walk *w, const struct unwind_rule *r, __u64 *cfa,
				     int *ret)
{
	__u64 base, index;

	*ret = WALK_ENDED;
	switch (r->cfa) {
	case UNWIND_SP:
		base = w->regs.sp;
		break;
	case UNWIND_FP:
		base = w->regs.fp;
		break;
	case UNWIND_BX:
		base = w->regs.bx;
		break;
	case UNWIND_REG:
		if (!leaf_register(w, r->cfa_reg, &base, ret))
			return false;
		break;
	case UNWIND_SP_DEREF:
	case UNWIND_FP_DEREF:
	case UNWIND_FP_ALIGNED:
	case UNWIND_SP_INDEXED:
		base = r->cfa == UNWIND_SP_DEREF ? w->regs.sp : w->regs.fp;
		if (r->cfa == UNWIND_SP_INDEXED) {
			if (!leaf_register(w, r->cfa_reg, &index, ret))
				return false;
			base = w->regs.sp + index * 8;
		}
		if (!read_word(w, base + r->deref_off, &base)) {
			walk_end(w, STACK_UNREADABLE);
			return false;
		}
		break;
	case UNWIND_PLT:
		base = w->regs.sp + ((w->regs.ip & 15) >= r->cfa_reg ? 16 : 8);
		break;
	default:
		walk_end(w, STACK_BEYOND);
		return false;
	}
	*cfa = base + r->cfa_off;
	return true;
}

static __always_inline int step_rule(struct walk *w, const struct unwind_rule *r)
{
	__u64 cfa, ra, fp = w->regs.fp, bx = w->regs.bx;
	int result;

	if (r->cfa == UNWIND_END)
		return walk_end(w, STACK_COMPLETE);
	if (r->cfa == UNWIND_NONE)
		return step_frame_pointer(w);
	if (r->cfa == UNWIND_SIGNAL)
		return step_signal(w);
	if (!find_cfa(w, r, &cfa, &result))
		return result;
	if (cfa < w->regs.sp || (cfa == w->regs.sp && r->ra == UNWIND_RA_MEMORY))
		return walk_end(w, STACK_BAD_FRAME);
	move_window(w, cfa - SAVED_BYTES, SAVED_BYTES);
	if (r->ra == UNWIND_RA_REG) {
#if defined(__TARGET_ARCH_arm64)
		if (r->ra_reg == 30 && !w->is_return)
			ra = w->regs.bx;
		else
#endif
			if (!leaf_register(w, r->ra_reg, &ra, &result))
			return result;
	} else if (!read_word(w, cfa + r->ra_off, &ra)) {
		return walk_end(w, STACK_UNREADABLE);
	}
	if (r->cfa == UNWIND_FP_ALIGNED) {
		if (!read_word(w, w->regs.fp, &fp) ||
		    (r->bx_off && !read_word(w, w->regs.fp + r->bx_off, &bx)))
			return walk_end(w, STACK_UNREADABLE);
	} else if ((r->fp_off && !read_word(w, cfa + r->fp_off, &fp)) ||
		   (r->bx_off && !read_word(w, cfa + r->bx_off, &bx))) {
		return walk_end(w, STACK_UNREADABLE);
	}
	return enter_caller(w, RETURN_ADDRESS(ra), cfa, fp, bx);
}

/* The step from a frame whose mapping is known: by a rule, or else by the frame pointer. */
static __always_inline int step_mapped(struct walk *w, __u64 pc)
{
	__u64 offset = pc - w->bias, key, kept;
	volatile __u64 *cached; /* of all CPUs: read once, written whole */
	struct unwind_page page;
	__u32 index, rule;
	__u64 word;

	if (w->directory == UNWIND_FRAME_POINTERS)
		return step_frame_pointer(w);
	index = w->directory + (__u32)(offset >> UNWIND_PAGE_SHIFT);
	if (w->directory == UNWIND_UNKNOWN_FILE || index >= UNWIND_DIRECTORY)
		return walk_end(w, STACK_BEYOND);
	word = *(volatile __u64 *)&unwind_directory[index]; /* once: it may change meanwhile */
	__builtin_memcpy(&page, &word, sizeof(page));
	if (page.state == UNWIND_PAGE_MISSING)
		return walk_end(w, STACK_NO_TABLE);
	if (page.state == UNWIND_PAGE_REFUSED)
		return walk_end(w, STACK_REFUSED);
	if (page.state == UNWIND_PAGE_UNTOLD)
		return walk_end(w, STACK_NO_RULE);
	if (page.state == UNWIND_PAGE_BARE)
		return step_frame_pointer(w);
	offset &= UNWIND_PAGE_BYTES - 1;
	key = ((__u64)page.generation << 31 | index << UNWIND_PAGE_SHIFT | offset) << 1 | 1;
	cached = &unwind_cache[(key * INTERN_MUL_A) >> 52 & (UNWIND_CACHE - 1)];
	kept = *cached;
	rule = (__u16)kept;
	if (kept >> 16 != key) {
		rule = find_rule(page.shard, page.first, (__u32)page.first + page.count,
				 (__u32)offset);
		if (rule >= UNWIND_RULES)
			return walk_end(w, STACK_REFUSED);
		*cached = key << 16 | rule;
	}
	return step_rule(w, &unwind_rules[rule & (UNWIND_RULES - 1)]);
}

/* Is the word at the top of the stack an address of code? Of its own, to be verified once. */
__noinline int has_code_at(__u32 cpu, __u64 sp)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	const struct unwind_mapping *m;
	__u64 word;
	__u32 index;

	if (!s || bpf_probe_read_user(&word, sizeof(word), (void *)sp))
		return 0;
	index = find_mapping(s->walk.first, s->walk.count, word);
	m = &unwind_mappings[index & (UNWIND_MAPPINGS - 1)];
	return index < UNWIND_MAPPINGS && word - m->start < (__u64)m->pages_4k << 12;
}

/* Takes the frame that the CPU's walk has come to, and finds its caller. */
__noinline int walk_step(__u32 cpu)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	struct walk *w;
	__u64 ip, pc, sp;
	__u32 innermost;
	int result;
	__u32 n;

	if (!s)
		return WALK_ENDED;
	w = &s->walk;
	n = w->frames;
	if (n >= MAX_FRAMES)
		return walk_end(w, STACK_MAX_FRAMES);
	ip = w->regs.ip;
	s->record.frames[n] = ip;
	pc = ip - w->is_return;
	sp = w->regs.sp;
	innermost = w->is_innermost;
	w->by_frame_pointer = 0;
	if (user_walk != USER_WALK_TABLES)
		result = step_frame_pointer(w);
	else if (!w->count)
		result = walk_end(w, STACK_NO_PROCESS);
	else if (enter_mapping(w, pc))
		result = step_mapped(w, pc);
	else if (n == 0)
		result = WALK_ENDED;
	else /* an address that is not code is no frame, unless it is where the thread is */
		return WALK_ENDED;
	if (user_walk == USER_WALK_TABLES && innermost && w->by_frame_pointer &&
	    has_code_at(cpu, sp))
		w->doubtful = 1;
	if (result != WALK_REGISTERS) {
		w->frames = n + 1;
		w->hash = intern_step(w->hash, ip, INTERN_MUL_A);
	}
	return result;
}

/* Steps on while there is a way on; two loops of a few steps are less to verify than one of many.
 */
#define WALK_STEPS 32
__noinline int walk_steps(__u32 cpu)
{
	int i, result = WALK_ON;

	for (i = 0; i < WALK_STEPS && result == WALK_ON; i++)
		result = walk_step(cpu);
	return result;
}

/*
 * The hash so far, and in it some frames from index at on of the n in the CPU's scratch record.
 * Like walk_step() a function of its own: two loops of a few turns are less to verify than one of
 * many.
 */
#define HASH_STEPS 16
__noinline __u64 hash_some(__u32 cpu, __u32 at, __u32 n, __u64 hash)
{
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &cpu);
	__u32 i;

	if (!scratch)
		return 0;
	for (i = 0; i < HASH_STEPS && at < n; i++, at++)
		hash = intern_step(hash, scratch->record.frames[at & (MAX_FRAMES - 1)],
				   INTERN_MUL_A);
	return hash;
}

#endif /* PROFILER_WALK_H */

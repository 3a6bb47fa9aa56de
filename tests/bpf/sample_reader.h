/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_reader.h - what the tests of the sampling program share: stacks to be taken, and a reader
 * of the rings that knows what each slot means, as profiler/stacks.c does.
 */
#ifndef PROFILER_SAMPLE_READER_H
#define PROFILER_SAMPLE_READER_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bpf/machine.h"

#define KERNEL_CS 0x10
#define USER32_CS 0x23
#define RING	  (1u << 16)
#define NEVER	  (1u << 30)
#define KERNEL_IP UINT64_C(0xffffffff81000000)
#define USER_IP	  UINT64_C(0x00005555deadb000)

struct frames {
	uint32_t n;
	uint32_t outcome; /* of a stack that was read */
	uint64_t ip[MAX_FRAMES];
};

/* What the recorder knows of each slot after reading a ring so far. */
static struct frames *meaning[MACHINE_CPUS][STACK_SLOTS];

/* The last snapshot on each ring that no sample has taken yet; bytes 0: none. */
static struct snapshot_record snapshot_of[MACHINE_CPUS];

static inline void load(struct machine_settings settings)
{
	if (!settings.ring_bytes)
		settings.ring_bytes = RING;
	if (!settings.wakeup_bytes)
		settings.wakeup_bytes = NEVER;
	if (!settings.snapshot_bytes)
		settings.snapshot_bytes = 4096;
	settings.have_task_pt_regs = true;
	settings.seed = 0x1234567;
	machine_load(&settings);
	for (uint32_t cpu = 0; cpu < MACHINE_CPUS; cpu++)
		for (uint32_t slot = 0; slot < STACK_SLOTS; slot++) {
			free(meaning[cpu][slot]);
			meaning[cpu][slot] = NULL;
		}
	memset(snapshot_of, 0, sizeof(snapshot_of));
	machine.pid = 1000;
	machine.tid = 1001;
	machine.period = 1;
	machine.time_ns = UINT64_C(1) << 40;
}

static inline void load_default(void)
{
	load((struct machine_settings){ 0 });
}

static inline struct frames make_frames(uint64_t base, uint32_t n)
{
	struct frames f = { .n = n };

	for (uint32_t i = 0; i < n; i++)
		f.ip[i] = base + i * 16;
	return f;
}

/* Lays the frames out as a chain of frame pointers from the bottom of the stack; ends it with 0. */
static inline void set_user_stack(struct machine_regs *regs, const struct frames *f)
{
	regs->cs = 0x33;
	regs->ip = f->ip[0];
	regs->sp = MACHINE_STACK_BASE;
	regs->fp = f->n > 1 ? MACHINE_STACK_BASE : 0;
	for (uint32_t i = 1; i < f->n; i++) {
		machine.user_words[2 * i - 2] = i + 1 < f->n ? MACHINE_STACK_BASE + 16 * i : 0;
		machine.user_words[2 * i - 1] = f->ip[i];
	}
}

static inline void in_user_mode(const struct frames *user)
{
	set_user_stack(&machine.regs, user);
}

/* In the kernel on behalf of a thread; without @user of a kernel thread. */
static inline void in_kernel_mode(const struct frames *kernel, const struct frames *user)
{
	machine.regs = (struct machine_regs){ .cs = KERNEL_CS, .ip = kernel->ip[0] };
	machine.n_kernel_frames = kernel->n;
	memcpy(machine.kernel_frames, kernel->ip, kernel->n * sizeof(kernel->ip[0]));
	machine.saved = (struct machine_regs){ 0 };
	if (user)
		set_user_stack(&machine.saved, user);
}

static inline void learn_stack(uint32_t cpu, const struct stack_record *s, uint32_t bytes)
{
	struct frames *f;

	cr_assert(ge(u32, bytes, STACK_RECORD_MIN));
	cr_assert(lt(u32, s->slot, STACK_SLOTS));
	f = meaning[cpu][s->slot];
	if (!f)
		f = meaning[cpu][s->slot] = calloc(1, sizeof(*f));
	f->n = (bytes - STACK_RECORD_HEADER) / 8;
	if (f->n == 2 && !s->frames[1])
		f->n = 1;
	f->outcome = s->outcome;
	memcpy(f->ip, s->frames, f->n * sizeof(f->ip[0]));
}

static inline void learn(uint32_t cpu, const struct machine_record *r)
{
	const struct stack_record *s = r->stack;

	cr_assert(ne(u32, r->bytes, sizeof(struct sample_event)));
	cr_assert(eq(u32, s->size, r->bytes));
	if (s->type == RECORD_SNAPSHOT) {
		cr_assert(eq(u32, r->bytes, SNAPSHOT_RECORD_HEADER + r->snapshot->stack_bytes));
		memcpy(&snapshot_of[cpu], r->snapshot, r->bytes);
		return;
	}
	cr_assert(eq(u32, s->type, RECORD_STACK));
	learn_stack(cpu, s, r->bytes);
}

/* Reads a ring up to its next sample; NULL when there is none. */
static inline const struct sample_event *next_sample(uint32_t cpu)
{
	const struct machine_record *r;

	while ((r = machine_take(cpu))) {
		if (r->bytes == sizeof(struct sample_event))
			return r->sample;
		learn(cpu, r);
	}
	return NULL;
}

static inline bool same(const struct frames *a, const struct frames *b)
{
	return a->n == b->n && !memcmp(a->ip, b->ip, a->n * sizeof(a->ip[0]));
}

static inline bool stack_is(uint32_t cpu, uint32_t id, const struct frames *f)
{
	if (!f || !f->n)
		return id == 0;
	return id > 0 && id <= STACK_SLOTS && meaning[cpu][id - 1] && same(meaning[cpu][id - 1], f);
}

#endif /* PROFILER_SAMPLE_READER_H */

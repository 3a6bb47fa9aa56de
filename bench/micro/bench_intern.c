// SPDX-License-Identifier: Apache-2.0
/*
 * bench_intern.c - the whole sampling program, compiled for the host, on a machine made of memory
 * (tests/bpf): walks a stack of MIX_DEPTH frames by frame pointers, interns it, puts the sample
 * into the ring.
 *
 * It is to be compared with itself, build by build: what the helpers of a kernel cost, and what the
 * JIT compiler makes of the program, is not in it, and the ring is one that allocates.
 */
#include <errno.h>

#include "bench/micro/harness.h"
#include "bench/micro/sample_mix.h"
#include "tests/bpf/machine.h"

/* A chain of frame pointers from the bottom of the stack. */
static void lay_out_stack(void)
{
	machine.regs.ip = 0x555500000000 + mix_frame(1, 0);
	machine.regs.sp = MACHINE_STACK_BASE;
	machine.regs.fp = MACHINE_STACK_BASE;
	for (uint32_t i = 1; i < MIX_DEPTH; i++) {
		bool last = i + 1 == MIX_DEPTH;

		machine.user_words[2 * i - 2] = last ? 0 : MACHINE_STACK_BASE + 16 * i;
		machine.user_words[2 * i - 1] = 0x555500000000 + mix_frame(1, i);
	}
}

/* Takes all that is in the ring; returns the bytes. */
static uint64_t empty_ring(void)
{
	const struct machine_record *r;
	uint64_t bytes = 0;

	while ((r = machine_take(0)))
		bytes += r->bytes;
	return bytes;
}

static uint64_t run_known(void *state, uint64_t ops)
{
	(void)state;
	for (uint64_t i = 0; i < ops; i++) {
		machine_overflow(0);
		bench_keep(empty_ring());
	}
	return ops;
}

static uint64_t run_new(void *state, uint64_t ops)
{
	(void)state;
	for (uint64_t i = 0; i < ops; i++) {
		machine_raise_generation();
		machine_overflow(0);
		bench_keep(empty_ring());
	}
	return ops;
}

static int load(void **ret_state)
{
	const struct machine_settings settings = { .user_walk = 0,
						   .ring_bytes = 1 << 16,
						   .wakeup_bytes = 1 << 15,
						   .have_task_pt_regs = true,
						   .seed = 0x1234567 };
	const uint64_t sample = sizeof(struct sample_event);
	const uint64_t record = STACK_RECORD_HEADER + MIX_DEPTH * 8;

	_Static_assert(USER_WALK_FRAME_POINTERS == 0, "by frame pointers");
	machine_load(&settings);
	machine.pid = machine.tid = 1000;
	machine.period = MIX_INTERVAL_NS;
	machine.time_ns = 1;
	lay_out_stack();
	machine_overflow(0);
	if (empty_ring() != record + sample)
		return -EBADMSG;
	machine_overflow(0);
	if (empty_ring() != sample)
		return -EBADMSG;
	*ret_state = NULL;
	return 0;
}

static void empty(void *state)
{
	(void)state;
	bench_check(!machine_used(0), "something was left in the ring");
}

static const struct bench benches[] = {
	{
		.group = "intern",
		.name = "profiler",
		.about = "a sample of 24 frames, the slot holds its stack",
		.role = BENCH_OURS,
		.op = "sample",
		.bytes_per_op = sizeof(struct sample_event),
		.setup = load,
		.run = run_known,
		.teardown = empty,
	},
	{
		.group = "intern",
		.name = "profiler-new",
		.about = "the slot does not: a record of the stack goes before it",
		.role = BENCH_OURS,
		.op = "sample",
		.bytes_per_op = sizeof(struct sample_event) + STACK_RECORD_HEADER + MIX_DEPTH * 8,
		.setup = load,
		.run = run_new,
		.teardown = empty,
	},
};

const struct bench_list bench_intern = { benches, sizeof(benches) / sizeof(benches[0]) };

// SPDX-License-Identifier: Apache-2.0
/*
 * bench_stacks.c - stacks in the recorder: profiler/stacks.c, and the hash that they are known by.
 *
 * Stacks are of MIX_DEPTH frames, as many of them as a generation holds without getting full.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/scan.h"
#include "bench/micro/sample_mix.h"
#include "bpf/intern.h"
#include "profiler/stacks.h"

#define STACKS	    4096
#define STACK_BYTES (MIX_DEPTH * 8)

/* What of a stack record is there. */
struct known_stack {
	_Alignas(8) uint8_t record[STACK_RECORD_HEADER + STACK_BYTES];
};

struct world {
	struct stacks *stacks;
	struct known_stack *stack;
	uint32_t next;
	uint64_t failed;
};

static struct stack_record *record_of(struct world *w, uint32_t i)
{
	return (struct stack_record *)(void *)w->stack[i].record;
}

static uint64_t hash_stack(const __u64 *frames)
{
	uint64_t hash = 0x1234567;

	for (uint32_t i = 0; i < MIX_DEPTH; i++)
		hash = intern_step(hash, frames[i], INTERN_MUL_A);
	return intern_final(hash, 0, MIX_DEPTH);
}

static void free_world(void *state)
{
	struct world *w = state;

	stacks_free(w->stacks);
	free(w->stack);
	free(w);
}

static void put(struct world *w, uint32_t i)
{
	stacks_put(w->stacks, i % MIX_CPUS, record_of(w, i), MIX_DEPTH);
}

static int make_world(void **ret_state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->stack = calloc(STACKS, sizeof(*w->stack));
	if (!w->stack || stacks_new(&w->stacks, MIX_CPUS)) {
		free_world(w);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < STACKS; i++) {
		struct stack_record *r = record_of(w, i);

		for (uint32_t frame = 0; frame < MIX_DEPTH; frame++)
			r->frames[frame] = 0x7f0000000000 + mix_frame(i, MIX_DEPTH - 1 - frame);
		r->type = RECORD_STACK;
		r->size = sizeof(w->stack[i].record);
		r->hash = hash_stack(r->frames);
		r->slot = intern_slot(r->hash);
		put(w, i);
	}
	*ret_state = w;
	return 0;
}

/* Every stack is in its generation. */
static uint64_t run_known(void *state, uint64_t ops)
{
	struct world *w = state;

	for (uint64_t i = 0; i < ops; i++) {
		put(w, w->next);
		w->next = (w->next + 1) % STACKS;
	}
	return ops;
}

/* None is: a generation ends when all have come. */
static uint64_t run_new(void *state, uint64_t ops)
{
	struct world *w = state;
	uint64_t done;

	for (done = 0; done < ops; done += STACKS) {
		stacks_next_generation(w->stacks);
		for (uint32_t i = 0; i < STACKS; i++)
			put(w, i);
	}
	return done;
}

static uint64_t run_find(void *state, uint64_t ops)
{
	struct world *w = state;
	uint64_t found = 0;

	for (uint64_t i = 0; i < ops; i++) {
		const struct stack_record *r = record_of(w, w->next);
		const struct raw_stack *s = stacks_find(w->stacks, w->next % MIX_CPUS, r->slot + 1);

		found += s && s->frames == MIX_DEPTH;
		w->next = (w->next + 1) % STACKS;
	}
	bench_keep(found);
	w->failed += ops - found;
	return ops;
}

static uint64_t run_hash(void *state, uint64_t ops)
{
	struct world *w = state;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ops; i++) {
		sum += intern_slot(hash_stack(record_of(w, w->next)->frames));
		w->next = (w->next + 1) % STACKS;
	}
	bench_keep(sum);
	return ops;
}

static uint64_t run_crc32(void *state, uint64_t ops)
{
	struct world *w = state;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ops; i++) {
		sum += crc32(0, (const Bytef *)record_of(w, w->next)->frames, STACK_BYTES);
		w->next = (w->next + 1) % STACKS;
	}
	bench_keep(sum);
	return ops;
}

static uint64_t run_scan(void *state, uint64_t ops)
{
	struct world *w = state;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ops; i++) {
		sum += scan_words(record_of(w, w->next)->frames, STACK_BYTES);
		w->next = (w->next + 1) % STACKS;
	}
	bench_keep(sum);
	return ops;
}

static uint64_t run_memcpy(void *state, uint64_t ops)
{
	struct world *w = state;
	uint8_t copy[sizeof(w->stack->record)];

	for (uint64_t i = 0; i < ops; i++) {
		memcpy(copy, w->stack[w->next].record, sizeof(copy));
		bench_keep((uint64_t)copy);
		w->next = (w->next + 1) % STACKS;
	}
	return ops;
}

static const struct bench benches[] = {
	{
		.group = "hash",
		.name = "profiler",
		.about = "the sampling program's hash of a stack, and its slot",
		.role = BENCH_OURS,
		.op = "stack",
		.bytes_per_op = STACK_BYTES,
		.allocates_nothing = 1,
		.setup = make_world,
		.run = run_hash,
		.teardown = free_world,
	},
	{
		.group = "hash",
		.name = "zlib",
		.about = "crc32() of zlib over the same frames",
		.role = BENCH_PEER,
		.op = "stack",
		.bytes_per_op = STACK_BYTES,
		.setup = make_world,
		.run = run_crc32,
		.teardown = free_world,
	},
	{
		.group = "hash",
		.name = "scan",
		.about = "the sum of the same frames",
		.role = BENCH_LIMIT,
		.op = "stack",
		.bytes_per_op = STACK_BYTES,
		.setup = make_world,
		.run = run_scan,
		.teardown = free_world,
	},
	{
		.group = "stacks-put",
		.name = "profiler",
		.about = "a record of a stack that is known",
		.role = BENCH_OURS,
		.op = "stack",
		.bytes_per_op = sizeof(struct known_stack),
		.allocates_nothing = 1,
		.setup = make_world,
		.run = run_known,
		.teardown = free_world,
	},
	{
		.group = "stacks-put",
		.name = "profiler-new",
		.about = "a record of a stack that is not",
		.role = BENCH_OURS,
		.op = "stack",
		.bytes_per_op = sizeof(struct known_stack),
		.allocates_nothing = 1,
		.setup = make_world,
		.run = run_new,
		.teardown = free_world,
	},
	{
		.group = "stacks-put",
		.name = "memcpy",
		.about = "a copy of the record",
		.role = BENCH_LIMIT,
		.op = "stack",
		.bytes_per_op = sizeof(struct known_stack),
		.setup = make_world,
		.run = run_memcpy,
		.teardown = free_world,
	},
	{
		.group = "stacks-find",
		.name = "profiler",
		.about = "the stack behind a sample's id",
		.role = BENCH_OURS,
		.op = "stack",
		.allocates_nothing = 1,
		.setup = make_world,
		.run = run_find,
		.teardown = free_world,
	},
};

const struct bench_list bench_stacks = { benches, sizeof(benches) / sizeof(benches[0]) };

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h - the samples of a block, one after another.
 *
 * A block holds columns (SampleBlock in stream.proto); this undoes their coding: times are
 * added up, what is constant is repeated, weights are unshifted. Blocks from reader_next() have
 * been validated, so nothing here can fail. Inline, because it runs once a sample.
 *
 * Counts of groups are left in their columns, as few samples have them and not all tools want
 * them: where a sample is COUNTED, block->counter[i] is of the event block->counter[i]->event.
 */
#ifndef PROFILER_SAMPLES_H
#define PROFILER_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "stream.pb-c.h"

struct reader_sample {
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	uint64_t weight;  /* counts of the event, unshifted */
	uint32_t cpu;
	uint32_t event;	       /* index in the header's events, always in range */
	uint32_t thread;       /* thread id, 0 = none */
	uint32_t user_stack;   /* node id of the leaf, 0 = none */
	uint32_t kernel_stack; /* node id of the leaf, 0 = none */
	uint32_t flags;	       /* PROFILER__SAMPLE_FLAG__* */
	uint32_t place;	       /* in its block, for sample_wide() */
};

/* A column of as many values as there are samples, of one for all, or of none (all 0). */
struct sample_column {
	const uint32_t *value;
	uint32_t mask; /* 0: the one value for all; ~0: one each */
};

struct sample_iter {
	uint64_t time_ns;
	uint64_t interval_ns;
	const int64_t *deviation; /* NULL: all 0 */
	struct sample_column thread;
	struct sample_column user_stack;
	struct sample_column kernel_stack;
	struct sample_column weight;
	struct sample_column flags;
	uint32_t weight_shift;
	uint32_t cpu;
	uint32_t event;
	uint32_t next;
	uint32_t count;
};

static inline struct sample_column sample_column(const uint32_t *value, size_t n)
{
	static const uint32_t zero;

	return (struct sample_column){
		.value = n ? value : &zero,
		.mask = n > 1 ? UINT32_MAX : 0,
	};
}

/**
 * sample_iter_init() - begin a walk over a block
 * @it: the iterator
 * @block: a block of the packet that reader_next() gave last; must outlive the iterator
 * @weight_shift: weight_shift of the block's event (reader_samples() in reader.h looks it up)
 */
static inline void sample_iter_init(struct sample_iter *it, const Profiler__SampleBlock *block,
				    uint32_t weight_shift)
{
	*it = (struct sample_iter){
		.time_ns = block->first_time_ns,
		.interval_ns = block->interval_ns,
		.deviation = block->n_time_deviation ? block->time_deviation : NULL,
		.thread = sample_column(block->thread, block->n_thread),
		.user_stack = sample_column(block->user_stack, block->n_user_stack),
		.kernel_stack = sample_column(block->kernel_stack, block->n_kernel_stack),
		.weight = sample_column(block->weight, block->n_weight),
		.flags = sample_column(block->flags, block->n_flags),
		.weight_shift = weight_shift,
		.cpu = block->cpu,
		.event = block->event,
		.count = block->count,
	};
}

/**
 * sample_iter_next() - the next sample
 * @it: the iterator
 * @ret: the sample, untouched at the end
 *
 * Return: false when there are no more.
 */
static inline bool sample_iter_next(struct sample_iter *it, struct reader_sample *ret)
{
	uint32_t i = it->next;

	if (i == it->count)
		return false;
	if (i)
		it->time_ns += it->interval_ns + (it->deviation ? (uint64_t)it->deviation[i] : 0);
	*ret = (struct reader_sample){
		.time_ns = it->time_ns,
		.weight = (uint64_t)it->weight.value[i & it->weight.mask] << it->weight_shift,
		.cpu = it->cpu,
		.event = it->event,
		.thread = it->thread.value[i & it->thread.mask],
		.user_stack = it->user_stack.value[i & it->user_stack.mask],
		.kernel_stack = it->kernel_stack.value[i & it->kernel_stack.mask],
		.flags = it->flags.value[i & it->flags.mask],
		.place = i,
	};
	it->next = i + 1;
	return true;
}

/**
 * sample_wide() - a sample's entry in one of the columns that only groups of counters have
 * @value: the column: a counter's count, or the block's enabled_ns or running_ns
 * @n: its length
 * @place: of the sample
 */
static inline uint64_t sample_wide(const uint64_t *value, size_t n, uint32_t place)
{
	return n ? value[n > 1 ? place : 0] : 0;
}

#endif /* PROFILER_SAMPLES_H */

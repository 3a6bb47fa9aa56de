/* SPDX-License-Identifier: Apache-2.0 */
/* block_copy.c - blocks of samples again, see block_copy.h. */
#include "tools/block_copy.h"

#include <errno.h>
#include <stdlib.h>

#include "tools/stream_out.h"

/*
 * Most samples of a block that is written. With all columns at their longest (10 bytes for each of
 * time and counts, 5 for the others) it is still smaller than a packet can be.
 */
#define BLOCK_SAMPLES 4096

struct block_work {
	Profiler__SampleBlock block;
	Profiler__Counter counter[READER_MAX_COUNTERS], *counters[READER_MAX_COUNTERS];
	int64_t deviation[BLOCK_SAMPLES];
	uint32_t thread[BLOCK_SAMPLES], user[BLOCK_SAMPLES], kernel[BLOCK_SAMPLES];
	uint32_t weight[BLOCK_SAMPLES], flags[BLOCK_SAMPLES];
	uint64_t count[READER_MAX_COUNTERS][BLOCK_SAMPLES];
	uint64_t enabled[BLOCK_SAMPLES], running[BLOCK_SAMPLES];
	uint64_t last_ns;
};

int block_copy_open(struct block_copy *c)
{
	c->work = malloc(sizeof(*c->work));
	return c->work ? 0 : -ENOMEM;
}

void block_copy_release(struct block_copy *c)
{
	free(c->work);
	c->work = NULL;
}

static void begin(struct block_work *w, const Profiler__SampleBlock *from,
		  const struct block_plan *plan)
{
	Profiler__SampleBlock *b = &w->block;

	profiler__sample_block__init(b);
	b->cpu = from->cpu + plan->first_cpu;
	b->event = plan->event_of[from->event];
	b->interval_ns = from->interval_ns;
	b->time_deviation = w->deviation;
	b->thread = w->thread;
	b->user_stack = w->user;
	b->kernel_stack = w->kernel;
	b->weight = w->weight;
	b->flags = w->flags;
	b->enabled_ns = w->enabled;
	b->running_ns = w->running;
	b->counter = w->counters;
	b->n_counter = from->n_counter;
	for (size_t i = 0; i < from->n_counter; i++) {
		profiler__counter__init(&w->counter[i]);
		w->counter[i].event = plan->event_of[from->counter[i]->event];
		w->counter[i].count = w->count[i];
		w->counters[i] = &w->counter[i];
	}
}

/* How much of a column there has to be: nothing where all is 0, one where all is alike. */
static size_t column_length(const uint32_t *value, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (value[i] != value[0])
			return count;
	return value[0] != 0;
}

static size_t wide_length(const uint64_t *value, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (value[i] != value[0])
			return count;
	return value[0] != 0;
}

static int flush(struct block_work *w, struct stream_out *out)
{
	Profiler__SampleBlock *b = &w->block;
	int err;

	if (!b->count)
		return 0;
	b->n_time_deviation = b->count > 1 ? b->count : 0;
	b->n_thread = column_length(w->thread, b->count);
	b->n_user_stack = column_length(w->user, b->count);
	b->n_kernel_stack = column_length(w->kernel, b->count);
	b->n_weight = column_length(w->weight, b->count);
	b->n_flags = column_length(w->flags, b->count);
	for (size_t i = 0; i < b->n_counter; i++)
		w->counter[i].n_count = wide_length(w->count[i], b->count);
	b->n_enabled_ns = wide_length(w->enabled, b->count);
	b->n_running_ns = wide_length(w->running, b->count);
	err = stream_out_block(out, b);
	b->count = 0;
	return err;
}

static void append(struct block_work *w, const Profiler__SampleBlock *from,
		   const struct reader_sample *s, uint32_t weight, uint64_t time_ns)
{
	Profiler__SampleBlock *b = &w->block;
	uint32_t i = b->count++;

	if (!i)
		b->first_time_ns = time_ns;
	w->deviation[i] = i ? (int64_t)(time_ns - w->last_ns - b->interval_ns) : 0;
	w->last_ns = time_ns;
	w->thread[i] = s->thread;
	w->user[i] = s->user_stack;
	w->kernel[i] = s->kernel_stack;
	w->weight[i] = weight;
	w->flags[i] = s->flags;
	for (size_t k = 0; k < from->n_counter; k++) {
		const Profiler__Counter *c = from->counter[k];

		w->count[k][i] = sample_wide(c->count, c->n_count, s->place);
	}
	w->enabled[i] = sample_wide(from->enabled_ns, from->n_enabled_ns, s->place);
	w->running[i] = sample_wide(from->running_ns, from->n_running_ns, s->place);
}

/* Tells of samples that were left out, and of what they carried. */
static int tell(const struct block_plan *plan, const Profiler__SampleBlock *from, uint64_t samples,
		const uint64_t *count)
{
	uint32_t cpu = from->cpu + plan->first_cpu;
	int err =
		samples ? plan->left_out(plan->ctx, cpu, plan->event_of[from->event], samples) : 0;

	for (size_t i = 0; !err && samples && i < from->n_counter; i++)
		err = plan->left_out_count(plan->ctx, cpu, plan->event_of[from->counter[i]->event],
					   count[i]);
	return err;
}

static bool is_wanted(const struct block_plan *plan, const struct reader *r,
		      const struct reader_sample *s)
{
	return sample_choice_wants(plan->choice, reader_tables(r), s, plan->start_ns) &&
	       (!plan->event_wanted || plan->event_wanted[s->event]);
}

int block_copy_write(struct block_copy *c, const struct reader *r,
		     const Profiler__SampleBlock *block, const struct block_plan *plan,
		     struct stream_out *out)
{
	uint64_t lost_count[READER_MAX_COUNTERS] = { 0 };
	struct block_work *w = c->work;
	struct reader_sample s;
	struct sample_iter it;
	uint64_t lost = 0;
	bool is_ready = false;
	int err = 0;

	begin(w, block, plan);
	/* Weights are shifted as they were. */
	sample_iter_init(&it, block, 0);
	while (!err && sample_iter_next(&it, &s)) {
		uint64_t time_ns = s.time_ns + plan->shift_ns;

		if (!is_wanted(plan, r, &s)) {
			lost++;
			for (size_t i = 0; i < block->n_counter; i++)
				lost_count[i] += sample_wide(block->counter[i]->count,
							     block->counter[i]->n_count, s.place);
			continue;
		}
		if (!is_ready)
			err = plan->prepare(plan->ctx);
		is_ready = true;
		if (!err && w->block.count == BLOCK_SAMPLES)
			err = flush(w, out);
		append(w, block, &s, (uint32_t)s.weight, time_ns);
		if (time_ns > c->newest_ns)
			c->newest_ns = time_ns;
	}
	if (!err)
		err = flush(w, out);
	return err ? err : tell(plan, block, lost, lost_count);
}

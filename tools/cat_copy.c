/* SPDX-License-Identifier: Apache-2.0 */
/* cat_copy.c - streams to one stream, see cat_copy.h. */
#include "tools/cat_copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Nothing is left out of any stream. */
static bool is_whole(const struct cat_copy *c)
{
	return !c->kept;
}

static bool is_event(const Profiler__Event *e, const char *wanted)
{
	size_t bytes = strlen(e->name);

	return !strncmp(e->name, wanted, bytes) &&
	       (!wanted[bytes] ||
		(wanted[bytes] == ':' && !strcmp(wanted + bytes + 1, e->modifier)));
}

/* Which events of a stream are wanted; those that take no samples by the one that leads them. */
static bool find_event(struct cat_copy *c, const Profiler__Header *h)
{
	bool found = false;

	for (uint32_t i = 0; i < h->n_event; i++) {
		uint32_t leader = h->event[i]->leader ? h->event[i]->leader - 1 : i;
		bool is_it = is_event(h->event[i], c->event);

		c->event_wanted[i] = false;
		c->event_wanted[leader] |= is_it;
		found |= is_it;
	}
	return found;
}

static int begin_epoch(struct cat_copy *c)
{
	size_t input = (size_t)(c->in - c->merge.input);
	Profiler__Header *header;
	uint32_t epoch = tables_epoch(reader_tables(c->in->reader));
	int err;

	if (c->epoch == epoch && c->out.epoch)
		return 0;
	header = merge_header(&c->merge, input, *c->notice ? c->notice : NULL);
	if (!header)
		return -ENOMEM;
	err = stream_out_begin(&c->out, header);
	profiler__header__free_unpacked(header, NULL);
	tables_out_begin(&c->tables);
	c->epoch = epoch;
	return err;
}

static int write_definitions(struct cat_copy *c, bool for_samples)
{
	int err = begin_epoch(c);

	return err ? err
		   : tables_out_write(&c->tables, reader_tables(c->in->reader), &c->out,
				      for_samples);
}

static int prepare(void *ctx)
{
	return write_definitions(ctx, true);
}

static int left_out(void *ctx, uint32_t cpu, uint32_t event, uint64_t samples)
{
	struct cat_copy *c = ctx;

	return ledger_merge_leave_out(&c->ledger, cpu, event, samples);
}

static int left_out_count(void *ctx, uint32_t cpu, uint32_t event, uint64_t count)
{
	struct cat_copy *c = ctx;

	return ledger_merge_leave_count(&c->ledger, cpu, event, count);
}

/* What was lost since the last packet is missing in the output, too. */
static int pass_damage_on(struct cat_copy *c)
{
	const struct reader_damage *d = reader_damage(c->in->reader);
	uint64_t packets = d->packets_lost - c->told.packets_lost;
	uint64_t samples = d->samples_lost - c->told.samples_lost + d->samples_strange -
			   c->told.samples_strange;

	c->told = *d;
	return stream_out_lose(&c->out, packets, samples);
}

/* Names are of the whole stream, so those of epochs without wanted samples are, too. */
static int write_names(struct cat_copy *c, const Profiler__Packet *packet)
{
	const struct tables *t = reader_tables(c->in->reader);
	int news;

	if (is_whole(c))
		return packet->epoch ? write_definitions(c, true) : 0;
	if (!packet->definitions || !packet->definitions->names)
		return 0;
	if (c->epoch != tables_epoch(t))
		tables_out_begin(&c->tables);
	news = tables_out_has_news(&c->tables, t);
	return news > 0 ? write_definitions(c, false) : news;
}

static int write_ledger(struct cat_copy *c, const Profiler__Ledger *ledger)
{
	bool is_last = c->in == &c->merge.input[c->merge.inputs - 1];
	Profiler__Ledger all;
	int err = ledger_merge_make(&c->ledger, c->in, ledger, is_last, &all);

	if (!err)
		err = stream_out_ledger(&c->out, &all);
	if (all.time_ns > c->blocks.newest_ns)
		c->blocks.newest_ns = all.time_ns;
	return err;
}

static int write_packet(struct cat_copy *c, const Profiler__Packet *packet, struct block_plan *plan)
{
	int err = pass_damage_on(c);

	if (!err && !c->out.epoch)
		err = begin_epoch(c);
	if (!err)
		err = write_names(c, packet);
	for (size_t i = 0; !err && i < packet->n_samples; i++)
		err = block_copy_write(&c->blocks, c->in->reader, packet->samples[i], plan,
				       &c->out);
	if (!err && packet->ledger)
		err = write_ledger(c, packet->ledger);
	if (!err && (is_whole(c) || packet->ledger))
		err = stream_out_flush(&c->out);
	if (!err && packet->ledger && fflush(c->out.file))
		err = -errno;
	return err;
}

static void say_later(const struct cat_copy *c, uint64_t later_ns)
{
	if (later_ns && c->program)
		cli_error(c->program,
			  "note: %s begins before the end of another stream of its host; its times "
			  "are %.3f s later here",
			  merge_input_name(c->in), (double)later_ns / 1e9);
}

/* 0, 1 when reading failed and it was said, -errno of writing. */
static int copy_input(struct cat_copy *c, size_t input)
{
	struct merge_input *in = c->in = &c->merge.input[input];
	const Profiler__Packet *packet = in->first;
	struct block_plan plan = {
		.choice = &in->choice,
		.event_wanted = c->event ? c->event_wanted : NULL,
		.start_ns = in->start_ns,
		.first_cpu = in->first_cpu,
		.prepare = prepare,
		.left_out = left_out,
		.left_out_count = left_out_count,
		.ctx = c,
	};
	int got = 1;
	int err = 0;

	say_later(c, merge_begin(&c->merge, input));
	plan.shift_ns = in->shift_ns;
	memcpy(plan.event_of, in->event_of, sizeof(plan.event_of));
	c->epoch = 0;
	c->told = (struct reader_damage){ 0 };
	c->blocks.newest_ns = in->start_ns + in->shift_ns;
	if (c->event)
		(void)find_event(c, reader_header(in->reader));
	while (!err && got > 0) {
		err = write_packet(c, packet, &plan);
		if (!err)
			got = reader_next(in->reader, &packet);
	}
	if (err)
		return err;
	merge_end(&c->merge, input, c->blocks.newest_ns);
	if (got < 0 && c->program)
		cli_explain(c->program, merge_input_name(in), got);
	else if (reader_damaged(in->reader) && c->program)
		cli_report_damage(c->program, merge_input_name(in), reader_damage(in->reader),
				  "passed on");
	err = ledger_merge_end(&c->ledger, in, reader_ledger(in->reader));
	return got < 0 ? 1 : err;
}

bool cat_copy_has_event(struct cat_copy *c)
{
	bool found = false;

	for (size_t i = 0; i < c->merge.inputs; i++)
		found |= find_event(c, reader_header(c->merge.input[i].reader));
	return found;
}

int cat_copy(struct cat_copy *c)
{
	int err = merge_open(&c->merge);

	if (!err)
		err = tables_out_open(&c->tables);
	if (!err)
		err = block_copy_open(&c->blocks);
	ledger_merge_init(&c->ledger);
	if (!is_whole(c))
		snprintf(c->notice, sizeof(c->notice),
			 "profiler-cat kept only samples of: %s; the ledger counts the others as "
			 "filtered",
			 c->kept);
	for (size_t i = 0; !err && i < c->merge.inputs; i++)
		err = copy_input(c, i);
	if (!err)
		err = stream_out_flush(&c->out);
	stream_out_release(&c->out);
	ledger_merge_release(&c->ledger);
	block_copy_release(&c->blocks);
	tables_out_release(&c->tables);
	merge_release(&c->merge);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat.c - profiler-cat: streams to one stream, or checked, or as text.
 *
 * Every epoch that is read becomes one epoch of the output with the same ids; so a stream passes
 * through packet by packet, and memory does not follow its length. What was lost in reading is
 * a gap in the output's numbers too: whoever reads that is told of the same loss.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/block_copy.h"
#include "tools/cat.h"
#include "tools/ledger_merge.h"
#include "tools/merge.h"
#include "tools/stream_out.h"
#include "tools/tables_out.h"
#include "tools/text.h"

enum {
	OPTION_CHECK = CLI_LONG_ONLY,
	OPTION_TEXT = CLI_LONG_ONLY + 1,
	OPTION_JSON = CLI_LONG_ONLY + 2,
	OPTION_END_TO_END = CLI_LONG_ONLY + 3,
};

struct cat {
	const char **path;
	size_t paths;
	const char *event;
	const char *output;
	bool check;
	bool text;
	bool json;
	struct cli_input cli;

	struct merge merge;
	struct ledger_merge ledger;
	struct tables_out tables;
	struct block_copy blocks;
	struct stream_out out;
	struct merge_input *in; /* that is being read */
	bool event_wanted[READER_MAX_EVENTS];
	uint32_t epoch;			      /* of it, that the output is in; 0: none */
	struct reader_damage told;	      /* of its damage, in the output already */
	char notice[FILTER_TEXT_BYTES + 128]; /* of filters; "" */
};

static int take(void *ctx, char letter, const char *argument);
static int take_stream(void *ctx, const char *path);

static const struct cli_option cat_options[] = {
	{ "output", "FILE", "write to FILE instead of stdout", 'o' },
	{ "event", "NAME", "only samples of this event, and of its group", 'e' },
	{ "end-to-end", NULL, "leave out the time between runs of one host", OPTION_END_TO_END },
	{ "check", NULL, "say whether packets, checksums, ids and ledger are right", OPTION_CHECK },
	{ "json", NULL, "the answer of --check as JSON", OPTION_JSON },
	{ "text", NULL, "print the stream for people", OPTION_TEXT },
	{ 0 },
};

static const struct cli_program program = {
	.name = "profiler-cat",
	.summary = "Merges, slices, filters and checks profiler streams.\n"
		   "Reads them from the files, or from stdin, and writes one stream.",
	.options = cat_options,
	.take = take,
	.operands = "[FILE...]",
	.take_stream = take_stream,
	.has_no_names = true,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct cat *c = ctx;

	if (letter == 'o')
		c->output = argument;
	else if (letter == 'e')
		c->event = argument;
	else if (letter == OPTION_CHECK)
		c->check = true;
	else if (letter == OPTION_TEXT)
		c->text = true;
	else if (letter == OPTION_JSON)
		c->json = true;
	else
		c->merge.end_to_end = true;
	return 0;
}

static int take_stream(void *ctx, const char *path)
{
	struct cat *c = ctx;
	const char **larger = reallocarray(c->path, c->paths + 1, sizeof(*larger));

	if (!larger) {
		cli_error(&program, "%s", strerror(ENOMEM));
		return 1;
	}
	c->path = larger;
	c->path[c->paths++] = path;
	return 0;
}

static const char *input_name(const struct merge_input *in)
{
	return in->path ? in->path : "stdin";
}

static const struct filter *filter_of(const struct cat *c)
{
	return filter_is_set(&c->cli.filter) ? &c->cli.filter : NULL;
}

static bool is_whole(const struct cat *c)
{
	return !c->event && !filter_is_set(&c->cli.filter);
}

/* Opens a stream; 0 or the exit status. */
static int open_input(struct merge_input *in, const char *path)
{
	int err;

	in->path = path && strcmp(path, "-") != 0 ? path : NULL;
	in->fd = in->path ? open(in->path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (in->fd < 0) {
		cli_error(&program, "cannot open '%s': %s", in->path, strerror(errno));
		return 1;
	}
	if (!in->path && isatty(in->fd)) {
		cli_error(&program, "stdin is a terminal; name files, or pipe 'profiler' into it");
		return 2;
	}
	err = reader_open(&in->reader, in->fd);
	if (err)
		cli_explain(&program, input_name(in), err);
	return err ? 1 : 0;
}

static void close_input(struct merge_input *in)
{
	reader_free(in->reader);
	if (in->path && in->fd >= 0)
		close(in->fd);
}

static int open_inputs(struct cat *c)
{
	struct merge *m = &c->merge;
	int status = 0;

	m->input = calloc(c->paths + 1, sizeof(*m->input));
	if (!m->input) {
		cli_error(&program, "%s", strerror(ENOMEM));
		return 1;
	}
	for (size_t i = 0; !status && i < (c->paths ? c->paths : 1); i++)
		status = open_input(&m->input[m->inputs++], c->paths ? c->path[i] : NULL);
	return status;
}

/* Reads up to a stream's first header. */
static int read_header(struct merge_input *in)
{
	int got;

	do
		got = reader_next(in->reader, &in->first);
	while (got > 0 && !reader_header(in->reader));
	if (got < 0)
		cli_explain(&program, input_name(in), got);
	else if (!got && !reader_bytes(in->reader))
		cli_error(&program, "%s is empty, not a profiler stream", input_name(in));
	else if (!got)
		cli_error(&program, "%s has no whole header of a profiler stream in it",
			  input_name(in));
	return got > 0 ? 0 : 1;
}

static bool is_event(const Profiler__Event *e, const char *wanted)
{
	size_t bytes = strlen(e->name);

	return !strncmp(e->name, wanted, bytes) &&
	       (!wanted[bytes] ||
		(wanted[bytes] == ':' && !strcmp(wanted + bytes + 1, e->modifier)));
}

/* Which events of a stream are wanted; those that take no samples by the one that leads them. */
static bool find_event(struct cat *c, const Profiler__Header *h)
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

static int begin_epoch(struct cat *c)
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

static int write_definitions(struct cat *c, bool for_samples)
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
	struct cat *c = ctx;

	return ledger_merge_leave_out(&c->ledger, cpu, event, samples);
}

static int left_out_count(void *ctx, uint32_t cpu, uint32_t event, uint64_t count)
{
	struct cat *c = ctx;

	return ledger_merge_leave_count(&c->ledger, cpu, event, count);
}

/* What was lost since the last packet is missing in the output, too. */
static int pass_damage_on(struct cat *c)
{
	const struct reader_damage *d = reader_damage(c->in->reader);
	uint64_t packets = d->packets_lost - c->told.packets_lost;
	uint64_t samples = d->samples_lost - c->told.samples_lost + d->samples_strange -
			   c->told.samples_strange;

	c->told = *d;
	return stream_out_lose(&c->out, packets, samples);
}

/* Names are of the whole stream, so those of epochs without wanted samples are, too. */
static int write_names(struct cat *c, const Profiler__Packet *packet)
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

static int write_ledger(struct cat *c, const Profiler__Ledger *ledger)
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

static int write_packet(struct cat *c, const Profiler__Packet *packet, struct block_plan *plan)
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

static void say_later(const struct cat *c, uint64_t later_ns)
{
	if (later_ns)
		cli_error(&program,
			  "note: %s begins before the end of another stream of its host; its times "
			  "are %.3f s later here",
			  input_name(c->in), (double)later_ns / 1e9);
}

/* 0, 1 when reading failed and it was said, -errno of writing. */
static int copy_input(struct cat *c, size_t input)
{
	struct merge_input *in = c->in = &c->merge.input[input];
	const Profiler__Packet *packet = in->first;
	struct block_plan plan = {
		.filter = filter_of(c),
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
	if (got < 0)
		cli_explain(&program, input_name(in), got);
	else if (reader_damaged(in->reader))
		cli_report_damage(&program, input_name(in), reader_damage(in->reader), "passed on");
	err = ledger_merge_end(&c->ledger, in, reader_ledger(in->reader));
	return got < 0 ? 1 : err;
}

static int need_event(struct cat *c)
{
	bool found = false;

	for (size_t i = 0; i < c->merge.inputs; i++)
		found |= find_event(c, reader_header(c->merge.input[i].reader));
	if (!found)
		cli_error(&program, "no event '%s' in these streams", c->event);
	return found ? 0 : 1;
}

static void say_filter(struct cat *c)
{
	char text[FILTER_TEXT_BYTES];

	filter_text(&c->cli.filter, text);
	if (!is_whole(c))
		snprintf(c->notice, sizeof(c->notice),
			 "profiler-cat kept only samples of: %s%s%s; the ledger counts the others "
			 "as "
			 "filtered",
			 c->event ? c->event : "", c->event && *text ? ", " : "", text);
}

static int copy_all(struct cat *c)
{
	int err = merge_open(&c->merge);

	if (!err)
		err = tables_out_open(&c->tables);
	if (!err)
		err = block_copy_open(&c->blocks);
	ledger_merge_init(&c->ledger);
	say_filter(c);
	for (size_t i = 0; !err && i < c->merge.inputs; i++)
		err = copy_input(c, i);
	if (!err)
		err = stream_out_flush(&c->out);
	if (err == -E2BIG)
		cli_error(&program, "cannot merge: at most %d events and %d CPUs in one stream",
			  READER_MAX_EVENTS, READER_MAX_CPUS);
	else if (err < 0 && err != -EPIPE)
		cli_error(&program, "cannot write: %s", strerror(-err));
	stream_out_release(&c->out);
	ledger_merge_release(&c->ledger);
	block_copy_release(&c->blocks);
	tables_out_release(&c->tables);
	merge_release(&c->merge);
	return err && err != -EPIPE ? 1 : 0;
}

static int write_stream(struct cat *c)
{
	const char *name = c->output ? c->output : "stdout";
	int status = 0;

	c->out.file = stdout;
	if (!c->output && isatty(STDOUT_FILENO)) {
		cli_error(&program,
			  "binary data not written to a terminal; redirect it, use -o FILE, "
			  "or --text");
		return 2;
	}
	for (size_t i = 0; !status && i < c->merge.inputs; i++)
		status = read_header(&c->merge.input[i]);
	if (!status && c->event)
		status = need_event(c);
	if (status)
		return status;
	if (c->output)
		c->out.file = fopen(c->output, "wbe");
	if (!c->out.file) {
		cli_error(&program, "cannot open '%s': %s", name, strerror(errno));
		return 1;
	}
	status = copy_all(c);
	if (status) {
		fclose(c->out.file);
		return status;
	}
	return cli_close(&program, c->out.file, name);
}

/* --check and --text, one stream after another. */
static int look(struct cat *c)
{
	int worst = 0;
	int status;

	for (size_t i = 0; i < c->merge.inputs; i++) {
		const struct merge_input *in = &c->merge.input[i];
		int err = c->check ? cat_check(in->reader, input_name(in), c->json)
				   : cat_text(in->reader, filter_of(c));

		if (err < 0)
			cli_explain(&program, input_name(in), err);
		else if (c->text && reader_damaged(in->reader))
			cli_report_damage(&program, input_name(in), reader_damage(in->reader),
					  "shown");
		if (err)
			worst = 1;
	}
	status = cli_close(&program, stdout, "stdout");
	return worst ? worst : status;
}

static bool is_sensible(const struct cat *c)
{
	const char *what = NULL;

	if (c->check && c->text)
		what = "--check or --text, not both";
	else if (c->json && !c->check)
		what = "--json goes with --check";
	else if (c->check && !is_whole(c))
		what = "--check looks at whole streams, without filters";
	else if ((c->check || c->text) && c->output)
		what = "-o is for streams; redirect what --check and --text print";
	if (what)
		cli_error(&program, "%s", what);
	return !what;
}

int main(int argc, char **argv)
{
	struct cat *c = calloc(1, sizeof(*c));
	int status = 1;

	if (!c)
		return 1;
	status = cli_parse(&program, argc, argv, c, &c->cli);
	if (status == CLI_GO_ON) {
		status = is_sensible(c) ? open_inputs(c) : 2;
		if (!status)
			status = c->check || c->text ? look(c) : write_stream(c);
	}
	for (size_t i = 0; i < c->merge.inputs; i++)
		close_input(&c->merge.input[i]);
	free(c->merge.input);
	filter_release(&c->cli.filter);
	free(c->path);
	free(c);
	return status;
}

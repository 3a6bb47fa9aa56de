/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat.c - profiler-cat: streams to one stream (cat_copy.c), or checked, or as text.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cat.h"
#include "tools/cat_copy.h"
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
	const char *output;
	bool check;
	bool text;
	bool json;
	struct cli_input cli;
	struct cat_copy copy;
	char kept[FILTER_TEXT_BYTES + 128]; /* which samples are wanted; "" for all */
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
};

static int take(void *ctx, char letter, const char *argument)
{
	struct cat *c = ctx;

	if (letter == 'o')
		c->output = argument;
	else if (letter == 'e')
		c->copy.event = argument;
	else if (letter == OPTION_CHECK)
		c->check = true;
	else if (letter == OPTION_TEXT)
		c->text = true;
	else if (letter == OPTION_JSON)
		c->json = true;
	else
		c->copy.merge.end_to_end = true;
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

static bool is_whole(const struct cat *c)
{
	return !c->copy.event && !c->cli.function && !filter_is_set(&c->cli.filter);
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
		cli_explain(&program, merge_input_name(in), err);
	return err ? 1 : 0;
}

static void close_input(struct merge_input *in)
{
	reader_free(in->reader);
	sample_choice_release(&in->choice);
	if (in->path && in->fd >= 0)
		close(in->fd);
}

static int open_inputs(struct cat *c)
{
	struct merge *m = &c->copy.merge;
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
		cli_explain(&program, merge_input_name(in), got);
	else if (!got && !reader_bytes(in->reader))
		cli_error(&program, "%s is empty, not a profiler stream", merge_input_name(in));
	else if (!got)
		cli_error(&program, "%s has no whole header of a profiler stream in it",
			  merge_input_name(in));
	return got > 0 ? 0 : 1;
}

/* Reads a stream to its end, to know which of its samples are in a wanted function. */
static int choose_by_function(struct cat *c, struct merge_input *in)
{
	struct profile *profile = NULL;
	struct names *names = NULL;
	int status;
	int err;

	if (!in->path) {
		cli_error(&program, "--function reads streams twice: name files, not stdin");
		return 2;
	}
	c->cli.path = in->path;
	c->cli.listener = sample_choice_listener(&in->choice);
	status = cli_read(&program, &c->cli, PROFILE_BY_NOBODY, false, &profile, &names);
	if (status)
		return status;
	err = sample_choice_end(&in->choice, profile);
	if (err)
		cli_error(&program, "%s", strerror(-err));
	names_free(names);
	profile_free(profile);
	return err ? 1 : 0;
}

/* Which samples of each stream are wanted. */
static int choose(struct cat *c)
{
	struct merge *m = &c->copy.merge;
	int status = 0;

	for (size_t i = 0; !status && i < m->inputs; i++) {
		if (c->cli.function)
			status = choose_by_function(c, &m->input[i]);
		if (filter_is_set(&c->cli.filter))
			m->input[i].choice.filter = &c->cli.filter;
	}
	return status;
}

/* In words what is kept, for the header. */
static void say_kept(struct cat *c)
{
	char text[FILTER_TEXT_BYTES];
	const char *event = c->copy.event ? c->copy.event : "";
	const char *function = c->cli.function ? c->cli.function : "";

	if (is_whole(c))
		return;
	filter_text(&c->cli.filter, text);
	snprintf(c->kept, sizeof(c->kept), "%.60s%s%s%s%s%.60s", event, *event && *text ? ", " : "",
		 text, (*event || *text) && *function ? ", " : "",
		 *function ? "with a function " : "", function);
	c->copy.kept = c->kept;
}

static int copy_all(struct cat *c)
{
	int err;

	say_kept(c);
	c->copy.program = &program;
	err = cat_copy(&c->copy);
	if (err == -E2BIG)
		cli_error(&program, "cannot merge: at most %d events and %d CPUs in one stream",
			  READER_MAX_EVENTS, READER_MAX_CPUS);
	else if (err < 0 && err != -EPIPE)
		cli_error(&program, "cannot write: %s", strerror(-err));
	return err && err != -EPIPE ? 1 : 0;
}

static int write_stream(struct cat *c)
{
	const char *name = c->output ? c->output : "stdout";
	int status = 0;

	c->copy.out.file = stdout;
	if (!c->output && isatty(STDOUT_FILENO)) {
		cli_error(&program,
			  "binary data not written to a terminal; redirect it, use -o FILE, "
			  "or --text");
		return 2;
	}
	for (size_t i = 0; !status && i < c->copy.merge.inputs; i++)
		status = read_header(&c->copy.merge.input[i]);
	if (!status && c->copy.event && !cat_copy_has_event(&c->copy)) {
		cli_error(&program, "no event '%s' in these streams", c->copy.event);
		status = 1;
	}
	if (status)
		return status;
	if (c->output)
		c->copy.out.file = fopen(c->output, "wbe");
	if (!c->copy.out.file) {
		cli_error(&program, "cannot open '%s': %s", name, strerror(errno));
		return 1;
	}
	status = copy_all(c);
	if (status) {
		fclose(c->copy.out.file);
		return status;
	}
	return cli_close(&program, c->copy.out.file, name);
}

/* --check and --text, one stream after another. */
static int look(struct cat *c)
{
	int worst = 0;
	int status;

	for (size_t i = 0; i < c->copy.merge.inputs; i++) {
		struct merge_input *in = &c->copy.merge.input[i];
		int err = c->check ? cat_check(in->reader, merge_input_name(in), c->json)
				   : cat_text(in->reader, &in->choice);

		if (err < 0)
			cli_explain(&program, merge_input_name(in), err);
		else if (c->text && reader_damaged(in->reader))
			cli_report_damage(&program, merge_input_name(in), reader_damage(in->reader),
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
			status = choose(c);
		if (!status)
			status = c->check || c->text ? look(c) : write_stream(c);
	}
	for (size_t i = 0; i < c->copy.merge.inputs; i++)
		close_input(&c->copy.merge.input[i]);
	free(c->copy.merge.input);
	filter_release(&c->cli.filter);
	free(c->path);
	free(c);
	return status;
}

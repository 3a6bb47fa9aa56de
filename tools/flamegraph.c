/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flamegraph.c - profiler-flamegraph: a flame graph to click through, in one HTML file that needs
 * no network; or as a plain picture.
 *
 * The page has all events, threads and times of the samples, so everything else is chosen in it;
 * the picture shows one event.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/flame.h"
#include "tools/flame_page.h"
#include "tools/flame_svg.h"
#include "tools/flame_time.h"
#include "tools/text.h"
#include "tools/tree.h"

struct options {
	const char *event;
	const char *output;
	const char *title;
	const char *by;
	bool inverted;
	bool svg;
};

static int take(void *ctx, char letter, const char *argument);

enum {
	OPTION_SVG = CLI_LONG_ONLY,
	OPTION_INVERTED,
	OPTION_TITLE,
	OPTION_BY,
};

static const struct cli_option flamegraph_options[] = {
	{ "output", "FILE", "write to FILE instead of stdout", 'o' },
	{ "event", "NAME", "show this event first (default: the first with samples)", 'e' },
	{ "svg", NULL, "a plain picture of one event instead of a page", OPTION_SVG },
	{ "by", "WHAT", "merged (default), process or thread, to begin with", OPTION_BY },
	{ "inverted", NULL, "sampled functions first, and above them their callers",
	  OPTION_INVERTED },
	{ "title", "TEXT", "the title (default: what was recorded, and where)", OPTION_TITLE },
	{ 0 },
};

static const struct cli_program flamegraph = {
	.name = "profiler-flamegraph",
	.summary = "Makes a flame graph with a timeline, one HTML file for a browser.",
	.options = flamegraph_options,
	.take = take,
};

static int take_by(struct options *o, const char *by)
{
	if (strcmp(by, "merged") != 0 && strcmp(by, "process") != 0 && strcmp(by, "thread") != 0) {
		cli_error(&flamegraph, "--by takes merged, process or thread, not '%s'", by);
		return 2;
	}
	o->by = by;
	return 0;
}

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	switch (letter) {
	case 'o':
		o->output = argument;
		break;
	case 'e':
		o->event = argument;
		break;
	case OPTION_SVG:
		o->svg = true;
		break;
	case OPTION_INVERTED:
		o->inverted = true;
		break;
	case OPTION_TITLE:
		o->title = argument;
		break;
	default:
		return take_by(o, argument);
	}
	return 0;
}

/* Text that is made for a page; to be freed with facts_release(). */
struct facts {
	char *text[FLAME_FACTS_MAX];
	size_t count;
};

static void facts_release(struct facts *f)
{
	while (f->count)
		free(f->text[--f->count]);
}

/* One more, unless it is empty; takes over @text. */
static int add_fact(struct facts *f, struct flame_page *page, const char *key, char *text)
{
	if (!text)
		return -ENOMEM;
	if (!*text || f->count == FLAME_FACTS_MAX - 1) {
		free(text);
		return 0;
	}
	f->text[f->count] = text;
	page->fact[f->count++] = (struct flame_fact){ key, text };
	return 0;
}

static char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

static char *when(const struct profile *p)
{
	uint64_t ns = profile_realtime_ns(p, profile_header(p)->start_ns);
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm utc;
	char text[64];

	if (!ns || !gmtime_r(&seconds, &utc) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc))
		return strdup("");
	return strdup(text);
}

static char *command(const Profiler__Header *h)
{
	char *text = strdup("");

	for (size_t i = 0; text && i < h->n_command; i++) {
		char *longer = format("%s%s%s", text, i ? " " : "", h->command[i]);

		free(text);
		text = longer;
	}
	return text;
}

/* Samples that the recorder expected and could not write; the ledger says why. */
static char *losses(const struct profile *p)
{
	const Profiler__Ledger *ledger = profile_ledger(p);
	const struct reader_damage *damage = profile_damage(p);
	uint64_t expected = 0;
	uint64_t written = 0;
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];

	for (size_t i = 0; ledger && i < ledger->n_row; i++) {
		expected += ledger->row[i]->expected;
		written += ledger->row[i]->written;
	}
	if (damage)
		return format("the stream is damaged: %s samples of it are lost",
			      text_count(a, damage->samples_lost));
	if (!ledger)
		return strdup("no ledger in the stream: what was lost is not known");
	return format("%s expected, %s written; profiler-report --stats says what became of all",
		      text_count(a, expected), text_count(b, written));
}

static int add_facts(struct facts *f, struct flame_page *page, const struct profile *p,
		     const struct filter *filter)
{
	const Profiler__Header *h = profile_header(p);
	char text[FILTER_TEXT_BYTES];
	char length[TEXT_NUMBER_MAX];
	int err;

	err = add_fact(f, page, "recorded", when(p));
	if (!err)
		err = add_fact(f, page, "length",
			       strdup(text_weight(length, profile_duration_ns(p), "nanoseconds")));
	if (!err)
		err = add_fact(f, page, "host",
			       format("%s, Linux %s %s, %u CPUs%s%s", h->hostname,
				      h->kernel_release, h->machine, h->cpus_online,
				      *h->cpu_model ? ", " : "", h->cpu_model));
	if (!err)
		err = add_fact(f, page, "command", command(h));
	if (!err)
		err = add_fact(f, page, "recorder", strdup(h->recorder));
	if (!err)
		err = add_fact(f, page, "samples", losses(p));
	if (!err)
		err = add_fact(f, page, "only", strdup(filter_text(filter, text)));
	for (size_t i = 0; !err && i < h->n_notice; i++)
		err = add_fact(f, page, "notice", strdup(h->notice[i]));
	return err;
}

static char *make_title(const struct options *o, const struct profile *p)
{
	const Profiler__Header *h = profile_header(p);

	if (o->title)
		return strdup(o->title);
	return format("%s%s%s", *h->target ? h->target : "profile", *h->hostname ? " on " : "",
		      h->hostname);
}

static int write_page(FILE *out, const struct options *o, const struct cli_input *input,
		      const struct names *names, uint32_t event, const char *title)
{
	struct flame_page page = { .profile = names->profile,
				   .time = input->listener.ctx,
				   .title = title,
				   .event = event,
				   .view = o->by,
				   .inverted = o->inverted };
	struct facts facts = { 0 };
	struct flame flame;
	int err;

	flame_init(&flame, false);
	page.flame = &flame;
	err = flame_add(&flame, names, FLAME_NEW);
	if (!err)
		err = add_facts(&facts, &page, names->profile, &input->filter);
	if (!err)
		err = flame_page_write(out, &page);
	facts_release(&facts);
	flame_release(&flame);
	return err;
}

static int write_svg(FILE *out, const struct options *o, const struct names *names, uint32_t event,
		     const char *title)
{
	enum tree_root root = !strcmp(o->by, "thread")	  ? TREE_BY_THREAD
			      : !strcmp(o->by, "process") ? TREE_BY_PROCESS
							  : TREE_MERGED;
	struct tree tree;
	int err = tree_build(&tree, names, root, o->inverted ? TREE_INVERTED : 0);

	if (!err)
		err = flame_svg_write(out, &tree, event, title, o->inverted);
	tree_release(&tree);
	return err;
}

static FILE *open_output(const struct options *o)
{
	FILE *out = stdout;

	if (!o->output && isatty(STDOUT_FILENO)) {
		cli_error(&flamegraph, "not written to a terminal; use -o FILE or redirect stdout");
		return NULL;
	}
	if (o->output)
		out = fopen(o->output, "we");
	if (!out)
		cli_error(&flamegraph, "cannot open '%s': %s", o->output, strerror(errno));
	return out;
}

/* Writes what was asked for; returns the exit status. */
static int make(const struct options *o, const struct cli_input *input, const struct names *names)
{
	uint32_t event = 0;
	int status = cli_event(&flamegraph, names->profile, o->event, &event);
	char *title;
	FILE *out;
	int err;

	if (status)
		return status;
	out = open_output(o);
	if (!out)
		return 1;
	title = make_title(o, names->profile);
	if (!title)
		err = -ENOMEM;
	else if (o->svg)
		err = write_svg(out, o, names, event, title);
	else
		err = write_page(out, o, input, names, event, title);
	free(title);
	if (err)
		cli_error(&flamegraph, "cannot draw: %s", strerror(-err));
	status = cli_close(&flamegraph, out, o->output ? o->output : "stdout");
	return err ? 1 : status;
}

int main(int argc, char **argv)
{
	struct options options = { .by = "merged" };
	struct cli_input input = { 0 };
	struct flame_time time = { 0 };
	struct profile *profile = NULL;
	struct names *names = NULL;
	int status;

	status = cli_parse(&flamegraph, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	if (!options.svg)
		input.listener = flame_time_listener(&time);
	status = cli_read(&flamegraph, &input, PROFILE_BY_THREAD, false, &profile, &names);
	if (!status) {
		status = make(&options, &input, names);
		names_free(names);
		profile_free(profile);
	}
	flame_time_release(&time);
	filter_release(&input.filter);
	return status;
}

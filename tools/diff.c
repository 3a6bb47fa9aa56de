/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.c - profiler-diff: what is different between two profiles, and how sure that is.
 *
 * Reads one run after the other and keeps of each its stacks by names, with what they have in
 * blocks of time; then matches, compares and shows. The page shows every event: each is compared by
 * itself, as if it were the only one, with the same reading of the runs.
 */
#include "tools/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/diff_events.h"
#include "tools/diff_gate.h"
#include "tools/diff_html.h"

#define EXIT_WORSE 3 /* a --fail-on was met */

#define GATES_MAX    16
#define ROWS_DEFAULT 15
#define CONFIDENCE   0.95

enum option {
	OPTION_BASE = CLI_LONG_ONLY + 1,
	OPTION_NEW,
	OPTION_BY,
	OPTION_PER,
	OPTION_CONFIDENCE,
	OPTION_FAIL_ON,
	OPTION_JSON,
	OPTION_FOLDED,
	OPTION_PPROF,
	OPTION_HTML,
};

enum format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_FOLDED,
	FORMAT_PPROF,
	FORMAT_HTML,
};

struct options {
	struct diff *diff;		    /* of the event that was asked for */
	struct diff *of[READER_MAX_EVENTS]; /* each event that is compared, that one first */
	size_t events;
	size_t operands;
	const char *per;
	struct diff_gate gate[GATES_MAX];
	size_t gates;
	uint32_t rows;
	enum format format;
};

static const struct cli_option diff_options[] = {
	{ "base", "FILE", "a run of the base; may be given several times", OPTION_BASE },
	{ "new", "FILE", "a run of the new side; likewise", OPTION_NEW },
	{ "event", "NAME", "compare this event (default: the first with samples)", 'e' },
	{ "per", "WHAT", "samples (the default: shares), time, an event, or work as 500:480",
	  OPTION_PER },
	{ "by", "WHAT", "rows of function (the default) or stack", OPTION_BY },
	{ "confidence", "PCT", "of intervals and verdicts (default: 95)", OPTION_CONFIDENCE },
	{ "rows", "N", "at most N different rows in a table (default: 15)", 'n' },
	{ "fail-on", "COND", "exit 3 if so: self>2%, total>1%, NAME:self>0.5%", OPTION_FAIL_ON },
	{ "json", NULL, "all rows, as JSON", OPTION_JSON },
	{ "folded", NULL, "stacks with their samples of both sides", OPTION_FOLDED },
	{ "pprof", NULL, "new minus base, for go tool pprof", OPTION_PPROF },
	{ "html", NULL, "a differential flame graph of all events: a page without network",
	  OPTION_HTML },
	{ 0 },
};

static int take(void *ctx, char letter, const char *argument);
static int take_stream(void *ctx, const char *path);

static const struct cli_program program = {
	.name = "profiler-diff",
	.summary = "Tells what is different between two profiles, and how sure that is.",
	.options = diff_options,
	.take = take,
	.operands = "BASE NEW",
	.take_stream = take_stream,
};

static int add_run(struct options *o, enum diff_side side, const char *path)
{
	struct diff *d = o->diff;

	if (d->runs == DIFF_RUNS) {
		cli_error(&program, "at most %d recordings", DIFF_RUNS);
		return 2;
	}
	d->run[d->runs++] = (struct diff_run){ .path = path, .side = side };
	return 0;
}

static int take_stream(void *ctx, const char *path)
{
	struct options *o = ctx;

	if (o->operands == DIFF_SIDES) {
		cli_error(&program, "two recordings, not '%s' as well; --base and --new take more",
			  path);
		return 2;
	}
	return add_run(o, (enum diff_side)o->operands++, path);
}

static int take_confidence(struct diff *d, const char *argument)
{
	char *end;
	double percent = strtod(argument, &end);

	if (end == argument || *end || !(percent >= 50 && percent <= 99.99)) {
		cli_error(&program, "--confidence wants a number from 50 to 99.99, not '%s'",
			  argument);
		return 2;
	}
	d->confidence = percent / 100;
	return 0;
}

static int take_gate(struct options *o, const char *argument)
{
	if (o->gates == GATES_MAX) {
		cli_error(&program, "at most %d times --fail-on", GATES_MAX);
		return 2;
	}
	if (diff_gate_parse(argument, &o->gate[o->gates++])) {
		cli_error(&program,
			  "--fail-on wants self>N%%, total>N%% or NAME:self>N%%, not '%s'",
			  argument);
		return 2;
	}
	return 0;
}

static int take_by(struct diff *d, const char *argument)
{
	d->with_stacks = !strcmp(argument, "stack");
	if (d->with_stacks || !strcmp(argument, "function"))
		return 0;
	cli_error(&program, "--by takes function or stack, not '%s'", argument);
	return 2;
}

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	switch (letter) {
	case OPTION_BASE:
		return add_run(o, DIFF_BASE, argument);
	case OPTION_NEW:
		return add_run(o, DIFF_NEW, argument);
	case OPTION_BY:
		return take_by(o->diff, argument);
	case OPTION_CONFIDENCE:
		return take_confidence(o->diff, argument);
	case OPTION_FAIL_ON:
		return take_gate(o, argument);
	case 'n':
		return cli_number(&program, "-n", argument, &o->rows);
	case 'e':
		o->diff->event = argument;
		return 0;
	case OPTION_PER:
		o->per = argument;
		return 0;
	default:
		o->format = (enum format)(letter - OPTION_JSON + FORMAT_JSON);
		return 0;
	}
}

/* Takes the numbers of one side's runs: one for each, or one for all; false when these are not. */
static bool take_work(struct diff *d, enum diff_side side, const char *text, char end)
{
	double value = 0;
	size_t given = 0;
	size_t runs = 0;
	char *at;

	for (size_t i = 0; i < d->runs; i++) {
		if (d->run[i].side != side)
			continue;
		if (text) {
			value = strtod(text, &at);
			if (at == text || !(value > 0) || (*at != ',' && *at != end))
				return false;
			text = *at == ',' ? at + 1 : NULL;
			given++;
		}
		d->run[i].work = value;
		runs++;
	}
	return !text && (given == 1 || given == runs);
}

static int take_per(struct options *o)
{
	struct diff *d = o->diff;
	const char *colon = o->per ? strchr(o->per, ':') : NULL;

	if (!o->per || !strcmp(o->per, "samples"))
		return 0;
	if (!strcmp(o->per, "time")) {
		d->norm = DIFF_BY_TIME;
		return 0;
	}
	if (*o->per < '0' || *o->per > '9') {
		d->norm = DIFF_BY_EVENT;
		d->norm_event = o->per;
		return 0;
	}
	d->norm = DIFF_BY_WORK;
	if (colon && take_work(d, DIFF_BASE, o->per, ':') && take_work(d, DIFF_NEW, colon + 1, 0))
		return 0;
	cli_error(&program,
		  "--per wants the work of base and new, as 500:480, or of each run, as "
		  "500,510:480,470, not '%s'",
		  o->per);
	return 2;
}

static int check_options(struct options *o)
{
	bool has[DIFF_SIDES] = { false };

	for (size_t i = 0; i < o->diff->runs; i++)
		has[o->diff->run[i].side] = true;
	if (!has[DIFF_BASE] || !has[DIFF_NEW]) {
		cli_error(&program, "two recordings are wanted: profiler-diff BASE NEW");
		return 2;
	}
	if (o->gates && o->diff->with_stacks) {
		cli_error(&program, "--fail-on is of functions, not of stacks");
		return 2;
	}
	if (o->format == FORMAT_PPROF && isatty(STDOUT_FILENO)) {
		cli_error(&program, "compressed data not written to a terminal; redirect it");
		return 2;
	}
	return take_per(o);
}

static void set_event(struct diff *d, const struct profile *p, uint32_t event)
{
	const Profiler__Header *header = profile_header(p);

	profile_event_name(p, event, d->event_name);
	snprintf(d->unit, sizeof(d->unit), "%s",
		 event < header->n_event ? header->event[event]->unit : "");
	d->event = d->event_name; /* all runs are to have this one */
}

static bool has_event(const struct diff *d, const struct profile *p, uint32_t event)
{
	const Profiler__Header *header = profile_header(p);

	return event < header->n_event && !strcmp(d->unit, header->event[event]->unit) &&
	       p->event[event].count && p->event[event].weight;
}

/* Can the event that was asked for be compared with what other runs have of it? */
static int check_event(const struct diff *d, const char *path, const struct profile *p,
		       uint32_t event)
{
	const Profiler__Header *header = profile_header(p);

	if (event < header->n_event && strcmp(d->unit, header->event[event]->unit) != 0)
		cli_error(&program, "cannot compare: '%s' counts %s in '%s', %s elsewhere",
			  d->event_name, header->event[event]->unit, path, d->unit);
	else if (!has_event(d, p, event))
		cli_error(&program, "cannot compare: '%s' has no samples of '%s'%s", path,
			  d->event_name, p->left_out ? " that are wanted" : "");
	else if (d->norm == DIFF_BY_EVENT && diff_event_find(p, d->norm_event) >= READER_MAX_EVENTS)
		cli_error(&program, "--per: no event '%s' in '%s'", d->norm_event, path);
	else
		return 0;
	return 1;
}

static int check_whole(const struct diff_run *run)
{
	double whole = 0;

	for (size_t i = 0; i < DIFF_BLOCKS; i++)
		whole += run->whole[i];
	if (!(whole > 0))
		cli_error(&program, "cannot compare: nothing in '%s' of what --per names",
			  run->path);
	return whole > 0 ? 0 : 1;
}

/* The other events of the first run, before anything is added to the one that was asked for. */
static int find_others(struct options *o, const struct profile *p, uint32_t asked)
{
	const uint32_t count = (uint32_t)profile_header(p)->n_event;
	char name[EVENT_NAME_MAX];

	for (uint32_t i = 0; i < count; i++) {
		struct diff *d;

		if (i == asked || !p->event[i].weight ||
		    diff_event_find(p, profile_event_name(p, i, name)) != i)
			continue;
		d = malloc(sizeof(*d));
		if (!d)
			return -ENOMEM;
		*d = *o->diff;
		set_event(d, p, i);
		o->of[o->events++] = d;
	}
	return 0;
}

/* Adds a run to all other events; one that a run does not have is not compared. */
static int add_others(struct options *o, uint32_t index, const struct names *n,
		      const struct diff_events *e)
{
	size_t kept = 1;
	int err = 0;

	for (size_t i = 1; i < o->events; i++) {
		struct diff *d = o->of[i];
		uint32_t event = diff_event_find(n->profile, d->event);

		if (!has_event(d, n->profile, event)) {
			diff_release(d);
			free(d);
			continue;
		}
		o->of[kept++] = d;
		if (!err)
			err = diff_add(d, index, n, diff_events_blocks(e, event), event);
	}
	o->events = kept;
	return err;
}

static int add_run_of(struct options *o, uint32_t index, const struct names *n,
		      const struct diff_events *e)
{
	const struct profile *p = n->profile;
	struct diff *d = o->diff;
	uint32_t event = 0;
	int status = cli_event(&program, p, d->event, &event);
	int err = 0;

	if (status)
		return status;
	if (!*d->event_name)
		set_event(d, p, event);
	status = check_event(d, d->run[index].path, p, event);
	if (status)
		return status;
	if (!index && e->all)
		err = find_others(o, p, event);
	if (!err)
		err = diff_add(d, index, n, diff_events_blocks(e, event), event);
	if (!err)
		err = add_others(o, index, n, e);
	if (err)
		cli_error(&program, "cannot compare: %s", strerror(-err));
	return err ? 1 : check_whole(&d->run[index]);
}

static int read_run(struct options *o, uint32_t index, struct cli_input *input)
{
	const struct diff_run *run = &o->diff->run[index];
	struct diff_events events = {
		.all = o->format == FORMAT_HTML,
		.event = o->diff->event,
		.norm = o->diff->norm_event,
		.filter = &input->filter,
	};
	struct profile *profile = NULL;
	struct names *names = NULL;
	int status;

	input->path = strcmp(run->path, "-") ? run->path : NULL;
	input->listener = diff_events_listener(&events);
	status = cli_read(&program, input, PROFILE_BY_NOBODY, false, &profile, &names);
	if (!status)
		status = add_run_of(o, index, names, &events);
	diff_events_release(&events);
	names_free(names);
	profile_free(profile);
	return status;
}

static int compare(struct options *o, struct cli_input *input)
{
	int status = 0;
	int err = 0;

	for (uint32_t i = 0; !status && i < o->diff->runs; i++)
		status = read_run(o, i, input);
	if (status)
		return status;
	for (size_t i = 0; !err && i < o->events; i++) {
		err = diff_match(o->of[i]);
		if (!err)
			err = diff_compare(o->of[i]);
	}
	if (err)
		cli_error(&program, "cannot compare: %s", strerror(-err));
	return err ? 1 : 0;
}

static int show(const struct options *o)
{
	int err = 0;

	if (o->format == FORMAT_TEXT)
		diff_print_text(o->diff, o->rows ? o->rows : ROWS_DEFAULT);
	else if (o->format == FORMAT_JSON)
		diff_print_json(o->diff);
	else if (o->format == FORMAT_FOLDED)
		err = diff_print_folded(o->diff);
	else if (o->format == FORMAT_PPROF)
		err = diff_write_pprof(o->diff, dup(STDOUT_FILENO));
	else
		err = diff_write_html((const struct diff *const *)o->of, o->events, stdout);
	if (err && err != -EPIPE)
		cli_error(&program, "cannot write: %s", strerror(-err));
	return err && err != -EPIPE ? 1 : cli_close(&program, stdout, "stdout");
}

/* Says which conditions were met. */
static int judge(const struct options *o)
{
	const struct diff *d = o->diff;
	int status = 0;

	for (size_t i = 0; i < o->gates; i++) {
		const struct diff_row *row = diff_gate_find(d, &o->gate[i]);

		if (!row)
			continue;
		cli_error(&program, "--fail-on '%s': %s grew by %.2f %% (+-%.2f)", o->gate[i].text,
			  diff_text(d, diff_function(d, row->id)->name), row->percent.change,
			  row->percent.error);
		status = EXIT_WORSE;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct diff *diff = calloc(1, sizeof(*diff));
	struct options options = { .diff = diff, .of = { diff }, .events = 1 };
	struct cli_input input = { 0 };
	int status;

	if (!diff) {
		cli_error(&program, "cannot compare: %s", strerror(ENOMEM));
		return 1;
	}
	diff->confidence = CONFIDENCE;
	idmap_init(&diff->functions, sizeof(struct diff_function),
		   offsetof(struct diff_function, same_as));
	idmap_init(&diff->stacks, sizeof(struct diff_stack), offsetof(struct diff_stack, same_as));
	status = cli_parse(&program, argc, argv, &options, &input);
	if (status == CLI_GO_ON) {
		status = check_options(&options);
		if (!status)
			status = compare(&options, &input);
		if (!status)
			status = show(&options);
		if (!status)
			status = judge(&options);
	}
	filter_release(&input.filter);
	for (size_t i = 0; i < options.events; i++) {
		diff_release(options.of[i]);
		free(options.of[i]);
	}
	return status;
}

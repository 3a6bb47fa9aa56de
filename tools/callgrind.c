/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callgrind.c - profiler-callgrind: a profile in the format of callgrind.
 *
 *	events: cpu-clock page-faults
 *	fl=(file) fn=(function)		cost of the function's own lines: "line cost cost..."
 *	cfn=(function) calls=N 0	what it called: "line cost cost..." of all below the call
 *
 * Readers take for the inclusive cost of a function what all calls to it cost, or where nobody
 *calls it, what it called. So each sample is in one call to each function in its stack, the first
 *from outside, recursive or not; and the outermost functions are called by one that stands for all.
 *The self costs of all functions add up to the total of the profile. Functions that are inlined are
 * called by those they are inlined into. How often a call was made is not known: N is the number of
 * samples in it.
 *
 * Memory follows the distinct lines and calls.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/source_file.h"
#include "tools/stack.h"
#include "tools/text.h"

/* What has numbers of its own. */
enum name_kind {
	NAME_OBJECT = 1 << 0,
	NAME_FILE = 1 << 1,
	NAME_FUNCTION = 1 << 2,
};

/* A line of a function, or a call from it. */
struct cost {
	uint32_t function;
	uint32_t line;	   /* in the function's file; 0: unknown, or in another file */
	uint32_t callee;   /* a function; 0: cost of the line itself */
	uint32_t reserved; /* 0 */
	/* up to here the key */
	uint32_t next; /* of the same function */
	uint32_t reserved_too;
	uint64_t samples;
};

struct writer {
	const struct profile *profile;
	const struct names *names;
	struct stack *stack;
	struct idmap costs;
	uint64_t *value;   /* (cost id) * events + event */
	size_t value_room; /* in costs */
	uint32_t *first;   /* by function: its costs */
	uint32_t *seen;	   /* by function: the last row that it was found in */
	uint32_t *file_of; /* by function: string */
	uint8_t *told;	   /* by string: enum name_kind that its number stands for it in */
	uint32_t events;
	uint32_t only; /* event, or PROFILE_ALL_EVENTS */
};

struct options {
	const char *event;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option callgrind_options[] = {
	{ "event", "NAME", "this event only (default: all)", 'e' },
	{ 0 },
};

static const struct cli_program callgrind = {
	.name = "profiler-callgrind",
	.summary = "Writes a profile in the format of callgrind, for callgrind_annotate.",
	.options = callgrind_options,
	.take = take,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	(void)letter; /* there is only one */
	o->event = argument;
	return 0;
}

static bool is_shown(const struct writer *w, uint32_t event)
{
	return w->only == PROFILE_ALL_EVENTS || w->only == event;
}

static int make_room(struct writer *w, uint32_t id)
{
	size_t room = w->value_room ? w->value_room * 2 : 1024;
	uint64_t *larger;

	if (id < w->value_room)
		return 0;
	larger = reallocarray(w->value, room * w->events, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	memset(larger + w->value_room * w->events, 0,
	       (room - w->value_room) * w->events * sizeof(*larger));
	w->value = larger;
	w->value_room = room;
	return 0;
}

/* Adds the samples of a row to a line or call. */
static int add_cost(struct writer *w, const struct profile_row *row, const struct cost *key)
{
	uint32_t id = 0;
	struct cost *cost;
	int err = idmap_get(&w->costs, key, &id);

	if (err < 0)
		return err;
	cost = idmap_at(&w->costs, id);
	if (err) {
		cost->next = w->first[key->function];
		w->first[key->function] = id;
	}
	cost->samples += row->count;
	err = make_room(w, id);
	for (uint32_t event = 0; !err && event < w->events; event++)
		w->value[(size_t)id * w->events + event] +=
			profile_row_total(w->profile, row, event).weight;
	return err;
}

static uint32_t line_of(const struct writer *w, const struct stack_frame *frame)
{
	return frame->file == w->file_of[frame->function] ? frame->line : 0;
}

static int add_row(struct writer *w, uint32_t row_id)
{
	const struct profile_row *row = idmap_at(&w->profile->rows, row_id);
	struct cost key = { 0 }; /* nobody, who calls the outermost function */
	int err = stack_read(w->stack, w->names, row);

	for (size_t i = w->stack->count; !err && i--;) {
		const struct stack_frame *frame = &w->stack->frame[i];

		key.callee = frame->function;
		if (w->seen[frame->function] != row_id)
			err = add_cost(w, row, &key);
		w->seen[frame->function] = row_id;
		key.function = frame->function;
		key.line = line_of(w, frame);
	}
	key.callee = 0;
	return err ? err : add_cost(w, row, &key);
}

/* A number for a name, with the name where one of its kind has it for the first time. */
static void print_name(struct writer *w, const char *key, enum name_kind kind, uint32_t string)
{
	printf("%s=(%" PRIu32 ")", key, string + 1);
	if (!(w->told[string] & kind))
		printf(" %s", string ? profile_text(w->profile, string) : "???");
	w->told[string] |= (uint8_t)kind;
	putchar('\n');
}

static void print_function(struct writer *w, uint32_t id, bool is_callee)
{
	const struct function *f;

	if (!id) {
		puts("ob=(0) ???\nfl=(0) ???\nfn=(0) [all]");
		return;
	}
	f = names_function(w->names, id);
	print_name(w, is_callee ? "cob" : "ob", NAME_OBJECT, f->path);
	print_name(w, is_callee ? "cfi" : "fl", NAME_FILE, w->file_of[id]);
	print_name(w, is_callee ? "cfn" : "fn", NAME_FUNCTION, f->label);
}

static void print_values(const struct writer *w, uint32_t line, const uint64_t *value)
{
	printf("%" PRIu32, line);
	for (uint32_t event = 0; event < w->events; event++)
		if (is_shown(w, event))
			printf(" %" PRIu64, value[event]);
	putchar('\n');
}

static void print_costs(struct writer *w, uint32_t function)
{
	putchar('\n');
	print_function(w, function, false);
	for (uint32_t id = w->first[function]; id;) {
		const struct cost *cost = idmap_at(&w->costs, id);

		if (cost->callee) {
			print_function(w, cost->callee, true);
			printf("calls=%" PRIu64 " 0\n", cost->samples);
		}
		print_values(w, cost->line, &w->value[(size_t)id * w->events]);
		id = cost->next;
	}
}

/* Readers take spaces, ':' and ',' in a name for something else. */
static void print_event_names(const struct writer *w)
{
	char name[EVENT_NAME_MAX];

	fputs(w->events ? "events:" : "events: none", stdout); /* its reader wants one */
	for (uint32_t event = 0; event < w->events; event++) {
		if (!is_shown(w, event))
			continue;
		profile_event_name(w->profile, event, name);
		for (char *c = name; (c = strpbrk(c, " :,="));)
			*c = '_';
		printf(" %s", name);
	}
	putchar('\n');
}

static void print_total(const struct writer *w, const char *key)
{
	fputs(key, stdout);
	for (uint32_t event = 0; event < w->events; event++)
		if (is_shown(w, event))
			printf(" %" PRIu64, w->profile->event[event].weight);
	putchar('\n');
}

static void print_head(const struct writer *w)
{
	const Profiler__Header *h = profile_header(w->profile);
	char clean[3 * 256 + 1];
	char raw[256];

	snprintf(raw, sizeof(raw), "%s", h->target);
	clean[text_clean(clean, raw, strlen(raw))] = 0;
	printf("# callgrind format\nversion: 1\ncreator: profiler-callgrind " PROFILER_VERSION
	       "\ncmd: %s\npositions: line\n",
	       *clean ? clean : "profile");
	print_event_names(w);
	print_total(w, "summary:");
}

static int prepare(struct writer *w)
{
	size_t functions = (size_t)w->names->functions.count + 1;

	idmap_init(&w->costs, sizeof(struct cost), offsetof(struct cost, next));
	w->stack = calloc(1, sizeof(*w->stack));
	w->first = calloc(functions, sizeof(*w->first));
	w->seen = calloc(functions, sizeof(*w->seen));
	w->told = calloc((size_t)w->profile->strings.count + 1, sizeof(*w->told));
	if (!w->stack || !w->first || !w->seen || !w->told)
		return -ENOMEM;
	return source_files(w->names, &w->file_of);
}

static int write_profile(struct writer *w)
{
	int err = prepare(w);

	for (uint32_t id = 1; !err && id <= w->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&w->profile->rows, id);

		if (row->count)
			err = add_row(w, id);
	}
	if (!err) {
		print_head(w);
		for (uint32_t id = 0; id <= w->names->functions.count; id++)
			if (w->first[id])
				print_costs(w, id);
		print_total(w, "\ntotals:");
	}
	idmap_release(&w->costs);
	if (w->stack)
		stack_release(w->stack);
	free(w->stack);
	free(w->value);
	free(w->first);
	free(w->seen);
	free(w->file_of);
	free(w->told);
	return err;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct cli_input input = { 0 };
	struct writer w = { .only = PROFILE_ALL_EVENTS };
	struct profile *profile;
	struct names *names;
	int status;
	int err = 0;

	status = cli_parse(&callgrind, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = cli_read(&callgrind, &input, PROFILE_BY_NOBODY, false, &profile, &names);
	if (status)
		return status;
	if (options.event)
		status = cli_event(&callgrind, profile, options.event, &w.only);
	if (!status) {
		w.profile = profile;
		w.names = names;
		w.events = (uint32_t)profile_header(profile)->n_event;
		err = write_profile(&w);
		if (err)
			cli_error(&callgrind, "cannot write: %s", strerror(-err));
		status = cli_close(&callgrind, stdout, "stdout");
	}
	names_free(names);
	profile_free(profile);
	filter_release(&input.filter);
	return err ? 1 : status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script.c - profiler-script: samples as text, in the form of `perf script`.
 *
 *	comm pid/tid [cpu] secs.usecs: period event:
 *		address function (file)
 *
 * One sample after another in order of time, an empty line behind each; for programs that read what
 * perf prints. Of a group of counters each event has a sample of its own, as perf has it, where
 * anything was counted. The addresses are those of the ELF file; a caller's lies within its call.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/sample_log.h"

static int take(void *ctx, char letter, const char *argument);

struct options {
	const char *event;
};

/* What is printed of places in the code, made when it is needed first. */
struct script_texts {
	char **lines;  /* by location id */
	uint32_t *ref; /* the stack at hand */
};

static const struct cli_option script_options[] = {
	{ "event", "NAME", "samples of this event only", 'e' },
	{ 0 },
};

static const struct cli_program script = {
	.name = "profiler-script",
	.summary = "Prints the samples of a profile in order of time, as perf script does.",
	.options = script_options,
	.take = take,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	(void)letter; /* there is only one */
	o->event = argument;
	return 0;
}

/* Two spaces behind the name: readers want two characters before the last one. */
static void print_head(const struct profile *p, const struct logged_sample *s)
{
	const struct profile_row *row = idmap_at(&p->rows, s->row);
	const struct profile_thread *thread = profile_thread(p, row->who);
	const struct profile_process *process = profile_process(p, row->who);
	char event[EVENT_NAME_MAX];

	printf("%s  %" PRIu32 "/%" PRIu32 " [%03" PRIu32 "] %" PRIu64 ".%06" PRIu64 ": %" PRIu64
	       " %s:\n",
	       thread && thread->comm ? profile_text(p, thread->comm) : "[unknown]",
	       process ? process->pid : 0, thread ? thread->tid : 0, row->cpu,
	       s->time_ns / 1000000000, s->time_ns / 1000 % 1000000, s->weight,
	       profile_event_name(p, s->event, event));
}

/* The lines of a place in the code; those that are inlined come first. */
static char *make_lines(const struct names *n, const struct location *location)
{
	const struct code_line *line = names_lines(n, location);
	char *lines = NULL;
	size_t bytes;
	FILE *out = open_memstream(&lines, &bytes);

	for (uint32_t i = 0; out && i < location->lines; i++) {
		const struct function *f = names_function(n, line[i].function);
		const char *file = f->path ? profile_text(n->profile, f->path) : "[unknown]";

		fprintf(out, "\t%16" PRIx64 " %s (%s)\n", location->address,
			f->name ? profile_text(n->profile, f->name) : "[unknown]",
			i + 1 < location->lines ? "inlined" : file);
	}
	if (!out || fclose(out)) {
		free(lines);
		return NULL;
	}
	return lines;
}

static int print_stack(struct script_texts *t, const struct names *n, const struct profile_row *row)
{
	size_t length = profile_stack(n->profile, row, t->ref);

	for (size_t i = 0; i < length; i++) {
		uint32_t id = n->location_of_ref[t->ref[i]];

		if (!t->lines[id])
			t->lines[id] = make_lines(n, idmap_at(&n->locations, id));
		if (!t->lines[id])
			return -ENOMEM;
		fputs_unlocked(t->lines[id], stdout);
	}
	putchar_unlocked('\n');
	return 0;
}

static int print_samples(const struct sample_log *log, const struct names *n)
{
	struct script_texts t = { 0 };
	int err = 0;

	t.ref = calloc(PROFILE_STACK_MAX, sizeof(*t.ref));
	t.lines = calloc((size_t)n->locations.count + 1, sizeof(*t.lines));
	if (!t.ref || !t.lines)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < log->count; i++) {
		print_head(n->profile, &log->sample[i]);
		err = print_stack(&t, n, idmap_at(&n->profile->rows, log->sample[i].row));
	}
	for (uint32_t id = 1; t.lines && id <= n->locations.count; id++)
		free(t.lines[id]);
	free(t.lines);
	free(t.ref);
	return err;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct cli_input input = { 0 };
	struct sample_log log = { 0 };
	struct profile *profile;
	struct names *names;
	int status;
	int err;

	status = cli_parse(&script, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = sample_log_read(&script, &input, LOG_BY_TIME, options.event, &log, &names);
	if (!status) {
		profile = names->profile;
		err = print_samples(&log, names);
		if (err)
			cli_error(&script, "cannot print: %s", strerror(-err));
		status = cli_close(&script, stdout, "stdout");
		status = err ? 1 : status;
		names_free(names);
		profile_free(profile);
	}
	sample_log_release(&log);
	filter_release(&input.filter);
	return status;
}

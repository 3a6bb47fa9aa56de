/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speedscope.c - profiler-speedscope: a profile in speedscope's own JSON format.
 *
 * One profile of type "sampled" for each event, or for each thread and event, its samples in order
 * of time with their weights. A frame is a function, so the sandwich view has one line for each;
 * those that are inlined are frames of their own, above those they are inlined into. Where all
 * threads are in one profile, the name of the thread is the outermost frame, as in folded stacks.
 *
 * Sum of a profile's weights == its endValue == the event's weight (of the thread).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/json.h"
#include "tools/sample_log.h"
#include "tools/source_file.h"
#include "tools/stack.h"

struct options {
	const char *event;
	enum log_order order;
};

/* The name of threads, as a frame behind those of the functions. */
struct thread_frame {
	uint64_t comm; /* string */
};

struct writer {
	const struct profile *profile;
	const struct names *names;
	const struct sample_log *log;
	struct stack *stack;
	uint32_t *file_of;    /* by function: string */
	struct idmap threads; /* of thread_frame */
	enum log_order order;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option speedscope_options[] = {
	{ "event", "NAME", "this event only (default: each in a profile of its own)", 'e' },
	{ "threads", NULL, "a profile for each thread", 't' },
	{ 0 },
};

static const struct cli_program speedscope = {
	.name = "profiler-speedscope",
	.summary = "Writes a profile as JSON for speedscope.",
	.options = speedscope_options,
	.take = take,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	if (letter == 'e')
		o->event = argument;
	else
		o->order = LOG_BY_THREAD;
	return 0;
}

static uint32_t thread_comm(const struct profile *p, uint32_t who)
{
	const struct profile_thread *thread = profile_thread(p, who);

	return thread ? thread->comm : 0;
}

static const char *comm_text(const struct profile *p, uint64_t comm)
{
	return comm ? profile_text(p, (uint32_t)comm) : "[unknown]";
}

/* Frames of the threads that have samples. */
static int find_threads(struct writer *w)
{
	uint32_t id = 0;
	int err = 0;

	idmap_init(&w->threads, sizeof(struct thread_frame), sizeof(struct thread_frame));
	for (size_t i = 0; err >= 0 && w->order == LOG_BY_EVENT && i < w->log->count; i++) {
		const struct profile_row *row = idmap_at(&w->profile->rows, w->log->sample[i].row);
		const struct thread_frame key = { thread_comm(w->profile, row->who) };

		err = idmap_get(&w->threads, &key, &id);
	}
	return err < 0 ? err : 0;
}

static void print_function(const struct writer *w, uint32_t id)
{
	const struct function *f = names_function(w->names, id);
	uint32_t file = w->file_of[id] ? w->file_of[id] : f->path;

	fputs(id == 1 ? "\n{\"name\":" : ",\n{\"name\":", stdout);
	json_string(profile_text(w->profile, f->label));
	if (file) {
		fputs(",\"file\":", stdout);
		json_string(profile_text(w->profile, file));
	}
	putchar('}');
}

static void print_frames(const struct writer *w)
{
	uint32_t functions = w->names->functions.count;

	fputs("\"shared\":{\"frames\":[", stdout);
	for (uint32_t id = 1; id <= functions; id++)
		print_function(w, id);
	for (uint32_t id = 1; id <= w->threads.count; id++) {
		const struct thread_frame *frame = idmap_at(&w->threads, id);

		fputs(id + functions == 1 ? "\n{\"name\":" : ",\n{\"name\":", stdout);
		json_string(comm_text(w->profile, frame->comm));
		putchar('}');
	}
	fputs("\n]},\n", stdout);
}

/* Numbers of frames, the outermost first. */
static int print_stack(const struct writer *w, const struct logged_sample *s)
{
	const struct profile_row *row = idmap_at(&w->profile->rows, s->row);
	char separator = '[';
	int err = stack_read(w->stack, w->names, row);

	if (err)
		return err;
	if (w->threads.count) {
		const struct thread_frame key = { thread_comm(w->profile, row->who) };

		putchar_unlocked(separator);
		json_number(w->names->functions.count + idmap_find(&w->threads, &key) - 1);
		separator = ',';
	}
	for (size_t i = w->stack->count; i--; separator = ',') {
		putchar_unlocked(separator);
		json_number(w->stack->frame[i].function - 1);
	}
	putchar_unlocked(']');
	return 0;
}

static void print_name(const struct writer *w, const struct logged_sample *s)
{
	const struct profile *p = w->profile;
	const struct profile_row *row = idmap_at(&p->rows, s->row);
	const struct profile_thread *thread = profile_thread(p, row->who);
	const struct profile_process *process = profile_process(p, row->who);
	char event[EVENT_NAME_MAX];
	char *name = NULL;

	profile_event_name(p, s->event, event);
	if (w->order == LOG_BY_EVENT)
		json_string(event);
	else if (asprintf(&name, "%s %" PRIu32 "/%" PRIu32 " %s",
			  comm_text(p, thread_comm(p, row->who)), process ? process->pid : 0,
			  thread ? thread->tid : 0, event) >= 0)
		json_string(name);
	else
		json_string(event);
	free(name);
}

/* The samples from first up to end. */
static int print_profile(const struct writer *w, size_t first, size_t end)
{
	const struct logged_sample *sample = w->log->sample;
	const Profiler__Event *e = profile_header(w->profile)->event[sample[first].event];
	uint64_t sum = 0;
	int err = 0;

	for (size_t i = first; i < end; i++)
		sum += sample[i].weight;
	fputs(first ? ",\n{" : "\n{", stdout);
	json_text("type", "sampled");
	fputs("\"name\":", stdout);
	print_name(w, &sample[first]);
	fputs(", ", stdout);
	json_text("unit", strcmp(e->unit, "nanoseconds") ? "none" : "nanoseconds");
	printf("\"startValue\":0,\"endValue\":%" PRIu64 ",\n\"samples\":[", sum);
	for (size_t i = first; !err && i < end; i++) {
		if (i != first)
			putchar(',');
		err = print_stack(w, &sample[i]);
	}
	fputs("],\n\"weights\":[", stdout);
	for (size_t i = first; i < end; i++) {
		if (i != first)
			putchar_unlocked(',');
		json_number(sample[i].weight);
	}
	fputs("]}", stdout);
	return err;
}

static int print_all(const struct writer *w)
{
	const Profiler__Header *h = profile_header(w->profile);
	size_t end;
	int err = 0;

	fputs("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n", stdout);
	json_text("exporter", "profiler-speedscope " PROFILER_VERSION);
	json_text("name", *h->target ? h->target : "profile");
	print_frames(w);
	fputs("\"profiles\":[", stdout);
	for (size_t first = 0; !err && first < w->log->count; first = end) {
		end = sample_log_end(w->log, w->order, first);
		err = print_profile(w, first, end);
	}
	if (!w->log->count) /* its reader wants one */
		fputs("\n{\"type\":\"sampled\",\"name\":\"no samples\",\"unit\":\"none\","
		      "\"startValue\":0,\"endValue\":0,\"samples\":[],\"weights\":[]}",
		      stdout);
	fputs("\n]}\n", stdout);
	return err;
}

static int write_profile(const struct names *names, const struct sample_log *log,
			 enum log_order order)
{
	struct writer w = { .profile = names->profile, .names = names, .log = log, .order = order };
	int err;

	w.stack = calloc(1, sizeof(*w.stack));
	err = w.stack ? source_files(names, &w.file_of) : -ENOMEM;
	if (!err)
		err = find_threads(&w);
	if (!err)
		err = print_all(&w);
	idmap_release(&w.threads);
	free(w.file_of);
	if (w.stack)
		stack_release(w.stack);
	free(w.stack);
	return err;
}

int main(int argc, char **argv)
{
	struct options options = { .order = LOG_BY_EVENT };
	struct cli_input input = { 0 };
	struct sample_log log = { 0 };
	struct profile *profile;
	struct names *names;
	int status;
	int err;

	status = cli_parse(&speedscope, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = sample_log_read(&speedscope, &input, options.order, options.event, &log, &names);
	if (!status) {
		profile = names->profile;
		err = write_profile(names, &log, options.order);
		if (err)
			cli_error(&speedscope, "cannot write: %s", strerror(-err));
		status = cli_close(&speedscope, stdout, "stdout");
		status = err ? 1 : status;
		names_free(names);
		profile_free(profile);
	}
	sample_log_release(&log);
	filter_release(&input.filter);
	return status;
}

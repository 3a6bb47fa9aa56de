/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firefox.c - profiler-firefox: a profile in the processed format of the Firefox Profiler.
 *
 * Version 60 of that format, whose readers bring older versions up to theirs by themselves. Each
 * thread is one there, with its samples in order of time; for each event but the first it has a
 * further one, called after thread and event. The weight of a sample of a clock is in
 * milliseconds, to the nanosecond; of any other event it is a number. So the sum of the weights is
 * that of the event and thread.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/firefox_tables.h"
#include "tools/json.h"
#include "tools/sample_log.h"

#define FORMAT_VERSION 60
#define GECKO_VERSION  31 /* what the words of that version are from */

#define NS_PER_MS 1000000

struct options {
	const char *event;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option firefox_options[] = {
	{ "event", "NAME", "this event only (default: all, each as threads of its own)", 'e' },
	{ 0 },
};

static const struct cli_program firefox = {
	.name = "profiler-firefox",
	.summary = "Writes a profile as JSON for the Firefox Profiler.",
	.options = firefox_options,
	.take = take,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	(void)letter; /* there is only one */
	o->event = argument;
	return 0;
}

static void print_ms(uint64_t ns)
{
	json_number(ns / NS_PER_MS);
	putchar_unlocked('.');
	for (uint64_t unit = NS_PER_MS / 10; unit; unit /= 10)
		putchar_unlocked((int)('0' + ns / unit % 10));
}

static bool is_time(const struct profile *p, uint32_t event)
{
	return !strcmp(profile_value_unit(p, event), "nanoseconds");
}

/* Milliseconds between two samples: of the first clock. */
static void print_interval(const struct profile *p)
{
	uint64_t ns = NS_PER_MS;

	for (uint32_t event = (uint32_t)profile_header(p)->n_event; event--;)
		if (is_time(p, event) && profile_period(p, event))
			ns = profile_period(p, event);
	fputs("\"interval\":", stdout);
	print_ms(ns);
}

static void print_meta(const struct profile *p)
{
	const Profiler__Header *h = profile_header(p);

	fputs("\"meta\":{", stdout);
	print_interval(p);
	fputs(",\"startTime\":", stdout);
	print_ms(profile_realtime_ns(p, h->start_ns));
	printf(",\"processType\":0,\"stackwalk\":1,\"version\":%d,"
	       "\"preprocessedProfileVersion\":%d,\"symbolicated\":true,\n",
	       GECKO_VERSION, FORMAT_VERSION);
	json_text("product", *h->target ? h->target : "profile");
	json_text("importedFrom", "profiler-firefox " PROFILER_VERSION);
	json_text("platform", "Linux");
	json_text("oscpu", h->kernel_release);
	json_text("abi", h->machine);
	json_text("CPUName", h->cpu_model);
	printf("\"logicalCPUs\":%" PRIu32 ",\n", h->cpus_online);
	fputs("\"categories\":["
	      "{\"name\":\"Other\",\"color\":\"grey\",\"subcategories\":[\"Other\"]},"
	      "{\"name\":\"User\",\"color\":\"yellow\",\"subcategories\":[\"Other\"]},"
	      "{\"name\":\"Kernel\",\"color\":\"orange\",\"subcategories\":[\"Other\"]}],\n"
	      "\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\",\"threadCPUDelta\":\"ns\"},\n"
	      "\"markerSchema\":[],\"usesOnlyOneStackType\":true,"
	      "\"sourceCodeIsNotOnSearchfox\":true},\n",
	      stdout);
}

static uint64_t since_start(const struct profile *p, uint64_t time_ns)
{
	uint64_t start_ns = profile_header(p)->start_ns;

	return time_ns > start_ns ? time_ns - start_ns : 0;
}

static void print_cpu_deltas(const struct logged_sample *sample, size_t count)
{
	fputs("],\n\"threadCPUDelta\":[", stdout);
	for (size_t i = 0; i < count; i++) {
		if (i)
			putchar_unlocked(',');
		json_number(sample[i].weight);
	}
}

/* The samples from first up to end. */
static void print_samples(const struct firefox_tables *t, const struct sample_log *log,
			  size_t first, size_t end)
{
	const struct logged_sample *sample = log->sample;
	bool in_ms = is_time(t->profile, sample[first].event);

	fputs("\"samples\":{\"stack\":[", stdout);
	for (size_t i = first; i < end; i++) {
		if (i != first)
			putchar_unlocked(',');
		json_number(t->stack_of_row[sample[i].row] - 1);
	}
	fputs("],\n\"time\":[", stdout);
	for (size_t i = first; i < end; i++) {
		if (i != first)
			putchar(',');
		print_ms(since_start(t->profile, sample[i].time_ns));
	}
	fputs("],\n\"weight\":[", stdout);
	for (size_t i = first; i < end; i++) {
		if (i != first)
			putchar(',');
		if (in_ms)
			print_ms(sample[i].weight);
		else
			json_number(sample[i].weight);
	}
	if (in_ms) /* the time on a CPU up to each sample is what it stands for */
		print_cpu_deltas(&sample[first], end - first);
	printf("],\n\"weightType\":\"%s\",\"length\":%zu}", in_ms ? "tracing-ms" : "samples",
	       end - first);
}

/* Who it is; with the event where that is not the first one. */
static void print_thread_name(const struct profile *p, const struct logged_sample *s)
{
	bool is_more = s->event != 0;
	const struct profile_row *row = idmap_at(&p->rows, s->row);
	const struct profile_thread *thread = profile_thread(p, row->who);
	const struct profile_process *process = profile_process(p, row->who);
	const char *name = thread && thread->comm ? profile_text(p, thread->comm) : "[unknown]";
	uint32_t pid = process ? process->pid : 0;
	uint32_t tid = thread ? thread->tid : 0;
	char event[EVENT_NAME_MAX];
	char *text = NULL;

	profile_event_name(p, s->event, event);
	if (is_more && asprintf(&text, "%s (%s)", name, event) >= 0)
		name = text;
	json_text("name", name);
	free(text);
	json_text("processName", process ? profile_text(p, process->comm) : "[unknown]");
	if (is_more)
		printf("\"tid\":\"%" PRIu32 "-%" PRIu32 "\",", tid, s->event);
	else
		printf("\"tid\":%" PRIu32 ",", tid);
	printf("\"pid\":\"%" PRIu32 "\",\"isMainThread\":%s,\n", pid,
	       pid == tid && !is_more ? "true" : "false");
}

static void print_thread(const struct firefox_tables *t, const struct sample_log *log, size_t first,
			 size_t end)
{
	const struct logged_sample *sample = log->sample;

	fputs(first ? ",\n{" : "\n{", stdout);
	print_thread_name(t->profile, &sample[first]);
	json_text("processType", "default");
	fputs("\"processStartupTime\":0,\"processShutdownTime\":null,\"registerTime\":", stdout);
	print_ms(since_start(t->profile, sample[first].time_ns));
	fputs(",\"unregisterTime\":null,\"pausedRanges\":[],\n"
	      "\"markers\":{\"data\":[],\"name\":[],\"startTime\":[],\"endTime\":[],\"phase\":[],"
	      "\"category\":[],\"length\":0},\n",
	      stdout);
	print_samples(t, log, first, end);
	putchar('}');
}

static int write_profile(const struct names *names, const struct sample_log *log)
{
	struct firefox_tables t = { 0 };
	int err = firefox_find(&t, names);
	size_t end;

	if (err)
		goto out;
	putchar('{');
	print_meta(names->profile);
	firefox_print_libs(&t);
	fputs("\"pages\":[],\"counters\":[],\n", stdout);
	firefox_print_shared(&t);
	fputs("\"threads\":[", stdout);
	for (size_t first = 0; first < log->count; first = end) {
		end = sample_log_end(log, LOG_BY_THREAD, first);
		print_thread(&t, log, first, end);
	}
	fputs("\n]}\n", stdout);
out:
	firefox_release(&t);
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

	status = cli_parse(&firefox, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = sample_log_read(&firefox, &input, LOG_BY_THREAD, options.event, &log, &names);
	if (!status) {
		profile = names->profile;
		err = write_profile(names, &log);
		if (err)
			cli_error(&firefox, "cannot write: %s", strerror(-err));
		status = cli_close(&firefox, stdout, "stdout");
		status = err ? 1 : status;
		names_free(names);
		profile_free(profile);
	}
	sample_log_release(&log);
	filter_release(&input.filter);
	return status;
}

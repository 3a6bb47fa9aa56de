/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp.c - profiler-otlp: a stream as OpenTelemetry profiles, in protobuf.
 *
 * One ExportProfilesServiceRequest as proto/otlp_profiles.proto has it: one resource, the host, and
 * one profile for each event that was sampled or counted. A sample is what one stack of one thread
 * had of the event, all of its samples together; so sum of the values == the event's weight, and
 * memory follows distinct stacks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/otlp_dictionary.h"
#include "tools/text.h"

/* Field numbers of what is written in parts. */
enum {
	REQUEST_RESOURCE_PROFILES = 1,
	REQUEST_DICTIONARY = 2,
	RESOURCE_PROFILES_RESOURCE = 1,
	RESOURCE_PROFILES_SCOPE = 2,
	SCOPE_PROFILES_SCOPE = 1,
	SCOPE_PROFILES_PROFILE = 2,
	RESOURCE_ATTRIBUTE = 1,
	PROFILE_SAMPLE = 2,
};

/* Of a process and a thread. */
#define ATTRIBUTES_MAX 8

#define RESOURCE_KEY_MAX  32
#define RESOURCE_TEXT_MAX 256

struct options {
	const char *output;
	const char *event;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option otlp_options[] = {
	{ "event", "NAME", "this event only (default: each in a profile of its own)", 'e' },
	{ "output", "FILE", "write to FILE instead of stdout", 'o' },
	{ 0 },
};

static const struct cli_program otlp = {
	.name = "profiler-otlp",
	.summary = "Writes a profile as OpenTelemetry profiles (OTLP 1.10.0, protobuf).",
	.options = otlp_options,
	.take = take,
};

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	if (letter == 'e')
		o->event = argument;
	else
		o->output = argument;
	return 0;
}

static size_t make_attributes(struct otlp_dictionary *d, const struct profile_row *row,
			      int32_t ret[ATTRIBUTES_MAX])
{
	const struct profile *p = d->profile;
	const struct profile_process *process = profile_process(p, row->who);
	const struct profile_thread *thread = profile_thread(p, row->who);
	size_t count = 0;

	if (process) {
		ret[count++] = otlp_number(d, "process.pid", process->pid);
		ret[count++] = otlp_attribute(d, "process.title", profile_text(p, process->comm));
	}
	if (process && process->cgroup)
		ret[count++] =
			otlp_attribute(d, "process.linux.cgroup", profile_text(p, process->cgroup));
	if (process && process->container)
		ret[count++] =
			otlp_attribute(d, "container.id", profile_text(p, process->container));
	if (thread) {
		ret[count++] = otlp_number(d, "thread.id", thread->tid);
		ret[count++] = otlp_attribute(d, "thread.name", profile_text(p, thread->comm));
	}
	return count;
}

static void put_samples(struct otlp_dictionary *d, struct pb_buffer *to, uint32_t event)
{
	const struct profile *p = d->profile;
	Otlp__Sample sample = OTLP__SAMPLE__INIT;
	int32_t attribute[ATTRIBUTES_MAX];
	int64_t value;

	sample.attribute_indices = attribute;
	sample.values = &value;
	sample.n_values = 1;
	for (uint32_t id = 1; id <= p->rows.count; id++) {
		const struct profile_row *row = idmap_at(&p->rows, id);

		value = (int64_t)profile_row_total(p, row, event).weight;
		if (!value)
			continue;
		sample.stack_index = otlp_stack(d, row);
		sample.n_attribute_indices = make_attributes(d, row, attribute);
		pb_put_message(to, PROFILE_SAMPLE, &sample.base);
	}
}

static void put_profile(struct otlp_dictionary *d, struct pb_buffer *to, uint32_t event)
{
	const Profiler__Header *h = profile_header(d->profile);
	Otlp__Profile profile = OTLP__PROFILE__INIT;
	Otlp__ValueType type = OTLP__VALUE_TYPE__INIT;
	Otlp__ValueType period = OTLP__VALUE_TYPE__INIT;
	struct pb_buffer whole = { 0 };
	uint32_t leader = profile_leader(d->profile, event);
	char name[EVENT_NAME_MAX];

	type.type_strindex = otlp_string(d, profile_value_name(d->profile, event, name));
	type.unit_strindex = otlp_string(d, profile_value_unit(d->profile, event));
	period.type_strindex = otlp_string(d, profile_value_name(d->profile, leader, name));
	period.unit_strindex = otlp_string(d, profile_value_unit(d->profile, leader));
	profile.sample_type = &type;
	profile.period_type = &period;
	profile.period = (int64_t)profile_period(d->profile, leader);
	profile.time_unix_nano = profile_realtime_ns(d->profile, h->start_ns);
	profile.duration_nano = profile_duration_ns(d->profile);
	pb_put_fields(&whole, &profile.base);
	put_samples(d, &whole, event);
	pb_put_buffer(to, SCOPE_PROFILES_PROFILE, &whole);
}

/* What OpenTelemetry calls an architecture. */
static const char *arch_name(const char *machine)
{
	if (!strcmp(machine, "x86_64"))
		return "amd64";
	return strcmp(machine, "aarch64") ? machine : "arm64";
}

/* Any text, made fit for a string. */
static void put_text(struct pb_buffer *to, const char *key, const char *text)
{
	Otlp__KeyValue attribute = OTLP__KEY_VALUE__INIT;
	Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
	char clean[TEXT_CLEAN_GROWTH * RESOURCE_TEXT_MAX + 1];
	char name[RESOURCE_KEY_MAX];

	clean[text_clean(clean, text, strnlen(text, RESOURCE_TEXT_MAX))] = 0;
	snprintf(name, sizeof(name), "%s", key);
	value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	value.string_value = clean;
	attribute.key = name;
	attribute.value = &value;
	pb_put_message(to, RESOURCE_ATTRIBUTE, &attribute.base);
}

static void put_resource(const struct profile *p, struct pb_buffer *to)
{
	const Profiler__Header *h = profile_header(p);
	const char *const text[][2] = {
		{ "host.name", h->hostname },
		{ "host.arch", arch_name(h->machine) },
		{ "os.type", "linux" },
		{ "os.version", h->kernel_release },
	};
	struct pb_buffer resource = { 0 };

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		put_text(&resource, text[i][0], text[i][1]);
	pb_put_buffer(to, RESOURCE_PROFILES_RESOURCE, &resource);
}

static void put_scope(struct pb_buffer *to)
{
	char name[] = "profiler-otlp";
	char version[] = PROFILER_VERSION;
	Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;

	scope.name = name;
	scope.version = version;
	pb_put_message(to, SCOPE_PROFILES_SCOPE, &scope.base);
}

/* The whole request; @event may be PROFILE_ALL_EVENTS. */
static int make_request(const struct names *n, uint32_t event, struct pb_buffer *to)
{
	struct otlp_dictionary d;
	struct pb_buffer resource = { 0 };
	struct pb_buffer scope = { 0 };

	otlp_open(&d, n);
	put_scope(&scope);
	for (uint32_t i = 0; !d.err && i < profile_header(n->profile)->n_event; i++)
		if (event == PROFILE_ALL_EVENTS ? n->profile->event[i].count != 0 : i == event)
			put_profile(&d, &scope, i);
	put_resource(n->profile, &resource);
	pb_put_buffer(&resource, RESOURCE_PROFILES_SCOPE, &scope);
	pb_put_buffer(to, REQUEST_RESOURCE_PROFILES, &resource);
	otlp_put(&d, to, REQUEST_DICTIONARY);
	otlp_release(&d);
	return to->err;
}

static int write_output(const struct names *n, uint32_t event, const struct options *o)
{
	const char *name = o->output ? o->output : "stdout";
	FILE *out = o->output ? fopen(o->output, "we") : stdout;
	struct pb_buffer request = { 0 };
	int err;

	if (!out) {
		cli_error(&otlp, "cannot open '%s': %s", name, strerror(errno));
		return 1;
	}
	err = make_request(n, event, &request);
	if (err)
		cli_error(&otlp, "cannot write '%s': %s", name, strerror(-err));
	else
		fwrite(request.data, 1, request.bytes, out);
	pb_release(&request);
	return cli_close(&otlp, out, name) || err;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct cli_input input = { 0 };
	struct profile *profile;
	struct names *names;
	uint32_t event = PROFILE_ALL_EVENTS;
	int status;

	status = cli_parse(&otlp, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	if (!options.output && isatty(STDOUT_FILENO)) {
		cli_error(&otlp,
			  "binary data not written to a terminal; redirect it or use -o FILE");
		return 2;
	}
	status = cli_read(&otlp, &input, PROFILE_BY_THREAD, false, &profile, &names);
	if (status)
		return status;
	if (options.event)
		status = cli_event(&otlp, profile, options.event, &event);
	if (!status)
		status = write_output(names, event, &options);
	names_free(names);
	profile_free(profile);
	filter_release(&input.filter);
	return status;
}

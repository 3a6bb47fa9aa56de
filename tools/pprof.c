/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof.c - profiler-pprof: a stream as a gzipped profile.proto.
 *
 * The parts of the one Profile message are written as they are made, so memory is that of the
 * profile and one sample. Values are "samples" first and then one for each event; a sample has
 * values of its own event and, as far as it carries counts, of those that this leads. So the values
 * of a type add up to that event's total.
 *
 * Addresses are ELF virtual addresses where the recorded binary is on this machine, else file
 * offsets; the address of a caller lies within its call instruction. A mapping's range is in
 * the same terms, so a reader can look symbols up by itself. A place that has no name gets a
 * function called after its mapping, "[libfoo.so]", since some readers leave out places without
 * a function; has_functions stays false where none had a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/cli.h"
#include "tools/container.h"
#include "tools/losses.h"
#include "tools/pprof_writer.h"
#include "tools/text.h"

#define GZIP_BUFFER (64u << 10)
#define COMMENT_MAX 1024

enum label_bit {
	LABEL_PROCESS = 1 << 0,
	LABEL_PID = 1 << 1,
	LABEL_THREAD = 1 << 2,
	LABEL_TID = 1 << 3,
	LABEL_CPU = 1 << 4,
	LABEL_EVENT = 1 << 5,
	LABEL_CGROUP = 1 << 6,
	LABEL_CONTAINER = 1 << 7,
	LABEL_INNER_PID = 1 << 8,
};

static const char *const label_names[] = { "process", "pid",	"thread",    "tid",	 "cpu",
					   "event",   "cgroup", "container", "inner_pid" };

#define LABEL_COUNT (sizeof(label_names) / sizeof(label_names[0]))

struct options {
	const char *output;
	uint32_t labels;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option pprof_options[] = {
	{ "output", "FILE", "write to FILE instead of stdout", 'o' },
	{ "labels", "LIST",
	  "of process,pid,inner_pid,thread,tid,cgroup,container,cpu,event\n"
	  "                         (default: all) or none: what samples are told apart by;\n"
	  "                         fewer make a smaller file",
	  'l' },
	{ 0 },
};

static const struct cli_program pprof = {
	.name = "profiler-pprof",
	.summary = "Writes a profile in the format of pprof: a gzipped profile.proto.",
	.options = pprof_options,
	.take = take,
};

static int take_labels(struct options *o, const char *list)
{
	o->labels = 0;
	if (!strcmp(list, "none"))
		return 0;
	while (*list) {
		size_t length = strcspn(list, ",");
		uint32_t bit = 0;

		for (size_t i = 0; i < LABEL_COUNT; i++)
			if (strlen(label_names[i]) == length &&
			    !memcmp(label_names[i], list, length))
				bit = UINT32_C(1) << i;
		if (!bit) {
			cli_error(&pprof,
				  "no label '%.*s'; there are process, pid, inner_pid, thread, "
				  "tid, cgroup, container, cpu and event",
				  (int)length, list);
			return 2;
		}
		o->labels |= bit;
		list += length + (list[length] == ',');
	}
	return 0;
}

static int take(void *ctx, char letter, const char *argument)
{
	struct options *o = ctx;

	if (letter == 'l')
		return take_labels(o, argument);
	o->output = argument;
	return 0;
}

/* A label of a string, or of a number with the label's own name as unit so that 0 survives. */
static Perftools__Profiles__Label text_label(struct pprof_writer *w, enum label_bit bit,
					     uint32_t text)
{
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;

	label.key = pprof_string(w, label_names[__builtin_ctz(bit)]);
	label.str = text ? pprof_profile_string(w, text) : pprof_string(w, "[unknown]");
	return label;
}

static Perftools__Profiles__Label number_label(struct pprof_writer *w, enum label_bit bit,
					       uint32_t number)
{
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;

	label.key = pprof_string(w, label_names[__builtin_ctz(bit)]);
	label.num = number;
	label.num_unit = label.key;
	return label;
}

/* Where a process is, as far as that is known and worth a word. */
static size_t make_place_labels(struct pprof_writer *w, const struct profile_process *process,
				uint32_t wanted, Perftools__Profiles__Label *label)
{
	size_t count = 0;

	if (wanted & LABEL_CGROUP && process->cgroup)
		label[count++] = text_label(w, LABEL_CGROUP, process->cgroup);
	if (wanted & LABEL_CONTAINER && process->container) {
		char id[CONTAINER_SHORT_DIGITS + 1] = "";

		memcpy(id, profile_text(w->profile, process->container), CONTAINER_SHORT_DIGITS);
		label[count] = text_label(w, LABEL_CONTAINER, 0);
		label[count++].str = pprof_string(w, id);
	}
	if (wanted & LABEL_INNER_PID && process->inner_pid && process->inner_pid != process->pid)
		label[count++] = number_label(w, LABEL_INNER_PID, process->inner_pid);
	return count;
}

static size_t make_labels(struct pprof_writer *w, const struct profile_row *row, uint32_t wanted,
			  Perftools__Profiles__Label label[LABEL_COUNT])
{
	const struct profile_process *process = profile_process(w->profile, row->who);
	const struct profile_thread *thread = profile_thread(w->profile, row->who);
	char event[EVENT_NAME_MAX];
	size_t count = 0;

	if (wanted & LABEL_PROCESS)
		label[count++] = text_label(w, LABEL_PROCESS, process ? process->comm : 0);
	if (wanted & LABEL_PID && process)
		label[count++] = number_label(w, LABEL_PID, process->pid);
	if (process)
		count += make_place_labels(w, process, wanted, &label[count]);
	if (wanted & LABEL_THREAD)
		label[count++] = text_label(w, LABEL_THREAD, thread ? thread->comm : 0);
	if (wanted & LABEL_TID && thread)
		label[count++] = number_label(w, LABEL_TID, thread->tid);
	if (wanted & LABEL_CPU)
		label[count++] = number_label(w, LABEL_CPU, row->cpu);
	if (wanted & LABEL_EVENT) {
		label[count] = text_label(w, LABEL_EVENT, 0);
		label[count++].str =
			pprof_string(w, profile_event_name(w->profile, row->event, event));
	}
	return count;
}

static void write_samples(struct pprof_writer *w, uint32_t labels)
{
	size_t events = profile_header(w->profile)->n_event;
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	uint64_t *location = malloc(PROFILE_STACK_MAX * sizeof(*location));
	int64_t *value = calloc(events + 1, sizeof(*value));
	Perftools__Profiles__Label label[LABEL_COUNT];
	Perftools__Profiles__Label *pointer[LABEL_COUNT];
	Perftools__Profiles__Sample sample = PERFTOOLS__PROFILES__SAMPLE__INIT;

	if (!stack || !location || !value)
		pprof_fail(w, -ENOMEM);
	for (size_t i = 0; i < LABEL_COUNT; i++)
		pointer[i] = &label[i];
	sample.location_id = location;
	sample.value = value;
	sample.n_value = events + 1;
	sample.label = pointer;
	for (uint32_t id = 1; !w->err && id <= w->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&w->profile->rows, id);

		if (!row->count)
			continue; /* left out by a filter */
		sample.n_location_id = profile_stack(w->profile, row, stack);
		for (size_t i = 0; i < sample.n_location_id; i++)
			location[i] = w->names->location_of_ref[stack[i]];
		value[0] = (int64_t)row->count;
		for (uint32_t i = 0; i < events; i++)
			value[i + 1] = (int64_t)profile_row_total(w->profile, row, i).weight;
		sample.n_label = make_labels(w, row, labels, label);
		pprof_write_field(w, PPROF_SAMPLE, &sample.base);
		pprof_weigh_segments(w, id, row->weight, location, sample.n_location_id);
	}
	free(stack);
	free(location);
	free(value);
}

static void write_strings(struct pprof_writer *w)
{
	for (uint32_t id = 0; id <= w->strings.count; id++) {
		pprof_write_tag(w, PPROF_STRING, strtab_bytes(&w->strings, id));
		pprof_write_bytes(w, strtab_text(&w->strings, id), strtab_bytes(&w->strings, id));
	}
}

/* "cpu" in nanoseconds is what readers know time on a CPU by; all other events keep their name. */
static Perftools__Profiles__ValueType event_type(struct pprof_writer *w, uint32_t event)
{
	const Profiler__Header *header = profile_header(w->profile);
	Perftools__Profiles__ValueType type = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	char name[EVENT_NAME_MAX];
	bool is_first_time = true;

	for (uint32_t i = 0; i < event; i++)
		if (!strcmp(header->event[i]->unit, "nanoseconds"))
			is_first_time = false;
	type.unit = pprof_string(w, "count");
	if (!strcmp(header->event[event]->unit, "nanoseconds"))
		type.unit = pprof_string(w, "nanoseconds");
	if (!strcmp(header->event[event]->unit, "nanoseconds") && is_first_time)
		type.type = pprof_string(w, "cpu");
	else
		type.type = pprof_string(w, profile_event_name(w->profile, event, name));
	return type;
}

/* Counts between two samples: exact for a fixed period, else what it was on average. */
static int64_t event_period(const struct profile *p, uint32_t event)
{
	const Profiler__Event *e = profile_header(p)->event[event];
	const struct profile_total *total = &p->event[event];

	if (!e->asked_in_hz)
		return (int64_t)e->granted;
	if (!strcmp(e->unit, "nanoseconds") && e->granted)
		return (int64_t)(1000000000 / e->granted);
	return total->count ? (int64_t)(total->weight / total->count) : 0;
}

/* Comments: one string for each line of what the reader should know. */
struct comments {
	struct pprof_writer *writer;
	int64_t *string;
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void comment(struct comments *c, const char *format,
							  ...)
{
	char text[COMMENT_MAX];
	char clean[COMMENT_MAX * TEXT_CLEAN_GROWTH];
	int64_t *larger = reallocarray(c->string, c->count + 1, sizeof(*c->string));
	va_list args;

	if (!larger) {
		pprof_fail(c->writer, -ENOMEM);
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clean[text_clean(clean, text, strlen(text))] = 0;
	c->string = larger;
	c->string[c->count++] = pprof_string(c->writer, clean);
}

static void make_comments(struct comments *c)
{
	const struct profile *p = c->writer->profile;
	const Profiler__Header *h = profile_header(p);
	const struct reader_damage *damage = profile_damage(p);
	char command[COMMENT_MAX] = "";
	char text[LEDGER_TEXT_MAX];
	size_t used = 0;

	comment(c, "%s on %s, Linux %s %s", h->recorder, h->hostname, h->kernel_release,
		h->machine);
	for (size_t i = 0; i < h->n_command && used < sizeof(command); i++)
		used += (size_t)snprintf(command + used, sizeof(command) - used, "%s%s",
					 i ? " " : "", h->command[i]);
	comment(c, "command: %s", command);
	comment(c, "target: %s", h->target);
	for (uint32_t i = 0; i < h->n_event; i++) {
		char name[EVENT_NAME_MAX];

		if (h->event[i]->leader)
			continue;
		comment(c, "ledger of %s: %s", profile_event_name(p, i, name),
			ledger_text(p, i, text));
		if (p->groups.of[i].counters)
			comment(c,
				"%" PRIu64 " of %" PRIu64
				" samples of %s carry counts of its group",
				p->groups.of[i].counted, p->event[i].count, name);
	}
	for (size_t i = 0; i < h->n_notice; i++)
		comment(c, "notice: %s", h->notice[i]);
	if (damage)
		comment(c, "damaged: %" PRIu64 " samples in %" PRIu64 " packets were lost",
			damage->samples_lost, damage->packets_lost);
}

/* All that is there only once, packed as a Profile of its own: fields may come in any order. */
static void write_rest(struct pprof_writer *w)
{
	const Profiler__Header *header = profile_header(w->profile);
	size_t count = header->n_event + 1;
	Perftools__Profiles__Profile rest = PERFTOOLS__PROFILES__PROFILE__INIT;
	Perftools__Profiles__ValueType *type = calloc(count, sizeof(*type));
	Perftools__Profiles__ValueType **pointer = calloc(count, sizeof(*pointer));
	struct comments comments = { .writer = w };
	size_t bytes;

	if (!type || !pointer) {
		pprof_fail(w, -ENOMEM);
		goto out;
	}
	for (uint32_t i = 0; i < header->n_event; i++)
		type[i + 1] = event_type(w, i);
	type[0] = (Perftools__Profiles__ValueType)PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	type[0].type = pprof_string(w, "samples");
	type[0].unit = pprof_string(w, "count");
	for (size_t i = 0; i < count; i++)
		pointer[i] = &type[i];
	rest.n_sample_type = count;
	rest.sample_type = pointer;
	rest.default_sample_type = type[count > 1].type;
	rest.period_type = &type[count > 1];
	rest.period = count > 1 ? event_period(w->profile, 0) : 0;
	rest.time_nanos = (int64_t)profile_realtime_ns(w->profile, header->start_ns);
	rest.duration_nanos = (int64_t)profile_duration_ns(w->profile);
	make_comments(&comments);
	rest.n_comment = comments.count;
	rest.comment = comments.string;
	bytes = pprof_pack(w, &rest.base);
	pprof_write_bytes(w, w->buffer, bytes);
out:
	free(type);
	free(pointer);
	free(comments.string);
}

static void write_profile(struct pprof_writer *w, uint32_t labels)
{
	pprof_find_segments(w);
	write_samples(w, labels);
	pprof_write_mappings(w);
	pprof_write_locations(w);
	pprof_write_functions(w);
	write_rest(w);
	write_strings(w); /* last: all of the above add to them */
}

/* Takes fd over. */
static int write_file(const struct names *names, int fd, uint32_t labels)
{
	struct pprof_writer w = { .profile = names->profile, .names = names };

	w.out = gzdopen(fd, "wb");
	if (!w.out) {
		close(fd);
		return -ENOMEM;
	}
	gzbuffer(w.out, GZIP_BUFFER);
	write_profile(&w, labels);
	errno = 0;
	if (gzclose(w.out) != Z_OK)
		pprof_fail(&w, errno ? -errno : -EIO);
	idmap_release(&w.functions);
	idmap_release(&w.segments);
	strtab_release(&w.strings);
	free(w.segment_of);
	free(w.buffer);
	return w.err;
}

static enum profile_by labels_by(uint32_t labels)
{
	if (labels & (LABEL_THREAD | LABEL_TID))
		return PROFILE_BY_THREAD;
	if (labels & (LABEL_PROCESS | LABEL_PID | LABEL_INNER_PID | LABEL_CGROUP | LABEL_CONTAINER))
		return PROFILE_BY_PROCESS;
	return PROFILE_BY_NOBODY;
}

static int write_output(const struct names *names, const struct options *o)
{
	const char *name = o->output ? o->output : "stdout";
	int fd = o->output ? open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
			   : dup(STDOUT_FILENO);
	int err;

	if (fd < 0) {
		cli_error(&pprof, "cannot open '%s': %s", name, strerror(errno));
		return 1;
	}
	err = write_file(names, fd, o->labels);
	if (!err || err == -EPIPE)
		return 0;
	cli_error(&pprof, "cannot write '%s': %s", name, strerror(-err));
	return 1;
}

int main(int argc, char **argv)
{
	struct options options = { .labels = (1 << LABEL_COUNT) - 1 };
	struct cli_input input = { 0 };
	struct profile *profile = NULL;
	struct names *names = NULL;
	int status;

	status = cli_parse(&pprof, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	if (!options.output && isatty(STDOUT_FILENO)) {
		cli_error(&pprof,
			  "compressed data not written to a terminal; redirect it or use -o FILE");
		return 2;
	}
	status = cli_read(&pprof, &input, labels_by(options.labels), options.labels & LABEL_CPU,
			  &profile, &names);
	if (status)
		return status;
	status = write_output(names, &options);
	names_free(names);
	profile_free(profile);
	return status;
}

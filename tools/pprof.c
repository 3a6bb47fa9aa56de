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
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/cli.h"
#include "tools/losses.h"
#include "tools/pprof_labels.h"
#include "tools/pprof_writer.h"
#include "tools/text.h"

#define GZIP_BUFFER (64u << 10)
#define COMMENT_MAX 1024

struct options {
	const char *output;
	uint32_t labels;
	uint32_t split; /* enum label_bit, 0: one file */
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option pprof_options[] = {
	{ "output", "FILE", "write to FILE instead of stdout", 'o' },
	{ "labels", "LIST",
	  "of process,pid,inner_pid,thread,tid,cgroup,container,cpu,event\n"
	  "                         (default: all) or none: what samples are told apart by;\n"
	  "                         fewer make a smaller file",
	  'l' },
	{ "split", "LABEL", "a file for each value of a label, in the folder that -o names", 's' },
	{ 0 },
};

static const struct cli_program pprof = {
	.name = "profiler-pprof",
	.summary = "Writes a profile in the format of pprof: a gzipped profile.proto.",
	.options = pprof_options,
	.take = take,
};

/* The label of a name, or 0 after an error line. */
static uint32_t find_label(const char *name, size_t length)
{
	uint32_t bit = pprof_find_label(name, length);

	if (!bit)
		cli_error(&pprof,
			  "no label '%.*s'; there are process, pid, inner_pid, thread, tid, "
			  "cgroup, container, cpu and event",
			  (int)length, name);
	return bit;
}

static int take_labels(struct options *o, const char *list)
{
	o->labels = 0;
	if (!strcmp(list, "none"))
		return 0;
	while (*list) {
		size_t length = strcspn(list, ",");
		uint32_t bit = find_label(list, length);

		if (!bit)
			return 2;
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
	if (letter == 's') {
		o->split = find_label(argument, strlen(argument));
		return o->split ? 0 : 2;
	}
	o->output = argument;
	return 0;
}

static void write_samples(struct pprof_writer *w, const struct pprof_part *part)
{
	size_t events = profile_header(w->profile)->n_event;
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	uint64_t *location = malloc(PROFILE_STACK_MAX * sizeof(*location));
	int64_t *value = calloc(events + 1, sizeof(*value));
	Perftools__Profiles__Label label[PPROF_LABELS];
	Perftools__Profiles__Label *pointer[PPROF_LABELS];
	Perftools__Profiles__Sample sample = PERFTOOLS__PROFILES__SAMPLE__INIT;

	if (!stack || !location || !value)
		pprof_fail(w, -ENOMEM);
	for (size_t i = 0; i < PPROF_LABELS; i++)
		pointer[i] = &label[i];
	sample.location_id = location;
	sample.value = value;
	sample.n_value = events + 1;
	sample.label = pointer;
	for (uint32_t id = 1; !w->err && id <= w->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&w->profile->rows, id);

		if (!row->count || (part->of_row && part->of_row[id] != part->number))
			continue; /* left out by a filter, or of another file */
		sample.n_location_id = profile_stack(w->profile, row, stack);
		for (size_t i = 0; i < sample.n_location_id; i++)
			location[i] = w->names->location_of_ref[stack[i]];
		value[0] = (int64_t)row->count;
		for (uint32_t i = 0; i < events; i++)
			value[i + 1] = (int64_t)profile_row_total(w->profile, row, i).weight;
		sample.n_label = pprof_make_labels(w, row, part->labels, label);
		pprof_write_sample(w, &sample);
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

static Perftools__Profiles__ValueType event_type(struct pprof_writer *w, uint32_t event)
{
	Perftools__Profiles__ValueType type = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	char name[EVENT_NAME_MAX];

	type.unit = pprof_string(w, profile_value_unit(w->profile, event));
	type.type = pprof_string(w, profile_value_name(w->profile, event, name));
	return type;
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

static void make_comments(struct comments *c, const struct pprof_part *part)
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
	if (part->text)
		comment(c, "only samples of %s %s", part->label, part->text);
	if (damage)
		comment(c, "damaged: %" PRIu64 " samples in %" PRIu64 " packets were lost",
			damage->samples_lost, damage->packets_lost);
}

/* All that is there only once, packed as a Profile of its own: fields may come in any order. */
static void write_rest(struct pprof_writer *w, const struct pprof_part *part)
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
	rest.period = count > 1 ? (int64_t)profile_period(w->profile, 0) : 0;
	rest.time_nanos = (int64_t)profile_realtime_ns(w->profile, header->start_ns);
	rest.duration_nanos = (int64_t)profile_duration_ns(w->profile);
	make_comments(&comments, part);
	rest.n_comment = comments.count;
	rest.comment = comments.string;
	bytes = pprof_pack(w, &rest.base);
	pprof_write_bytes(w, w->buffer, bytes);
out:
	free(type);
	free(pointer);
	free(comments.string);
}

static void write_profile(struct pprof_writer *w, const struct pprof_part *part)
{
	write_samples(w, part);
	pprof_write_mappings(w);
	pprof_write_locations(w);
	pprof_write_functions(w);
	write_rest(w, part);
	write_strings(w); /* last: all of the above add to them */
}

/* Takes fd over. */
static int write_file(const struct names *names, int fd, const struct pprof_part *part)
{
	struct pprof_writer w = { .profile = names->profile, .names = names };

	w.out = gzdopen(fd, "wb4"); /* in half the time of the usual level 6, and 5 % larger */
	if (!w.out) {
		close(fd);
		return -ENOMEM;
	}
	gzbuffer(w.out, GZIP_BUFFER);
	w.err = pprof_find_code(&w);
	if (!w.err)
		write_profile(&w, part);
	errno = 0;
	if (gzclose(w.out) != Z_OK)
		pprof_fail(&w, errno ? -errno : -EIO);
	pprof_release_code(&w);
	pprof_release(&w);
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

/* To a file, or where that is NULL to stdout. */
static int write_part(const struct names *names, const char *path, const struct pprof_part *part)
{
	const char *name = path ? path : "stdout";
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
		      : dup(STDOUT_FILENO);
	int err;

	if (fd < 0) {
		cli_error(&pprof, "cannot open '%s': %s", name, strerror(errno));
		return 1;
	}
	err = write_file(names, fd, part);
	if (!err || err == -EPIPE)
		return 0;
	cli_error(&pprof, "cannot write '%s': %s", name, strerror(-err));
	return 1;
}

/* A file for each value of the label. */
static int write_parts(const struct names *names, const struct options *o)
{
	struct pprof_split split = { 0 };
	int status = 0;
	int err;

	if (mkdir(o->output, 0777) && errno != EEXIST) {
		cli_error(&pprof, "cannot make the folder '%s': %s", o->output, strerror(errno));
		return 1;
	}
	err = pprof_split_find(&split, names->profile, o->split);
	for (uint32_t i = 1; !err && !status && i <= split.values.count; i++) {
		struct pprof_part part = pprof_split_part(&split, i);
		char *path = NULL;

		part.labels = o->labels;
		if (asprintf(&path, "%s/%s.pb.gz", o->output, pprof_split_file(&split, i)) < 0)
			err = -ENOMEM;
		else
			status = write_part(names, path, &part);
		free(path);
	}
	pprof_split_release(&split);
	if (err)
		cli_error(&pprof, "cannot split: %s", strerror(-err));
	return err ? 1 : status;
}

/* What has to be right of options together. */
static int check_options(const struct options *o)
{
	if (o->split && !o->output) {
		cli_error(&pprof, "--split wants a folder for its files: -o DIR");
		return 2;
	}
	if (o->output || !isatty(STDOUT_FILENO))
		return 0;
	cli_error(&pprof, "compressed data not written to a terminal; redirect it or use -o FILE");
	return 2;
}

int main(int argc, char **argv)
{
	struct options options = { .labels = (1 << PPROF_LABELS) - 1 };
	struct cli_input input = { 0 };
	struct profile *profile = NULL;
	struct names *names = NULL;
	struct pprof_part whole = { 0 };
	uint32_t wanted;
	int status;

	status = cli_parse(&pprof, argc, argv, &options, &input);
	if (status != CLI_GO_ON)
		return status;
	status = check_options(&options);
	if (status)
		return status;
	wanted = options.labels | options.split;
	status = cli_read(&pprof, &input, labels_by(wanted), wanted & LABEL_CPU, &profile, &names);
	if (status)
		return status;
	whole.labels = options.labels;
	status = options.split ? write_parts(names, &options)
			       : write_part(names, options.output, &whole);
	names_free(names);
	profile_free(profile);
	filter_release(&input.filter);
	return status;
}

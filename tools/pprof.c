/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof.c - profiler-pprof: a stream as a gzipped profile.proto.
 *
 * The parts of the one Profile message are written as they are made, so memory is that of the
 * profile and one sample. Values are "samples" first and then one for each event; a sample has
 * a value of its own event only, so the values of a type add up to that event's total.
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

#include "pprof.pb-c.h"
#include "tools/cli.h"
#include "tools/losses.h"
#include "tools/text.h"

/* Field numbers of Profile that are written one entry at a time. */
enum profile_field {
	FIELD_SAMPLE = 2,
	FIELD_MAPPING = 3,
	FIELD_LOCATION = 4,
	FIELD_FUNCTION = 5,
	FIELD_STRING = 6,
};

#define WIRE_LENGTH_DELIMITED 2
#define GZIP_BUFFER	      (64u << 10)
#define COMMENT_MAX	      1024

enum label_bit {
	LABEL_PROCESS = 1 << 0,
	LABEL_PID = 1 << 1,
	LABEL_THREAD = 1 << 2,
	LABEL_TID = 1 << 3,
	LABEL_CPU = 1 << 4,
	LABEL_EVENT = 1 << 5,
};

static const char *const label_names[] = { "process", "pid", "thread", "tid", "cpu", "event" };

#define LABEL_COUNT (sizeof(label_names) / sizeof(label_names[0]))

struct options {
	const char *output;
	uint32_t labels;
};

/* A mapping as pprof has it: one for each segment of a file, however often it is mapped. */
struct segment {
	uint64_t bias; /* address less offset */
	uint32_t name;
	uint32_t build_id;
	uint32_t kind;
	uint32_t reserved;
	/* up to here the key */
	uint64_t start;
	uint64_t limit;
	uint64_t weight; /* of stacks that come through it */
	uint64_t seen;	 /* last row that was counted in weight */
	uint32_t has_functions;
	uint32_t reserved2;
};

struct writer {
	const struct profile *profile;
	const struct names *names;
	struct strtab strings; /* its ids are indexes in string_table */
	struct idmap segments;
	uint32_t *segment_of; /* by location id */
	gzFile out;
	uint8_t *buffer;
	size_t buffer_bytes;
	int err;
};

static int take(void *ctx, char letter, const char *argument);

static const struct cli_option pprof_options[] = {
	{ "output", "FILE", "write to FILE instead of stdout", 'o' },
	{ "labels", "LIST",
	  "of process,pid,thread,tid,cpu,event (default: all) or none: what samples\n"
	  "                         are told apart by; fewer make a smaller file",
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
				  "no label '%.*s'; there are process, pid, thread, tid, cpu "
				  "and event",
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

static void fail(struct writer *w, int err)
{
	if (!w->err)
		w->err = err;
}

static int64_t string(struct writer *w, const char *text)
{
	uint32_t id = 0;
	int err = strtab_get(&w->strings, text, strlen(text), &id);

	if (err)
		fail(w, err);
	return id;
}

static int64_t profile_string(struct writer *w, uint32_t id)
{
	return string(w, profile_text(w->profile, id));
}

static void write_bytes(struct writer *w, const void *data, size_t bytes)
{
	int result;

	if (w->err || !bytes)
		return;
	errno = 0;
	result = gzwrite(w->out, data, (unsigned int)bytes);
	if (result <= 0)
		fail(w, errno ? -errno : -EIO);
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)value | 0x80;
	*at++ = (uint8_t)value;
	return at;
}

/* The tag and the length of a field of Profile, whose bytes come next. */
static void write_tag(struct writer *w, enum profile_field field, size_t bytes)
{
	uint8_t head[16];
	uint8_t *end = put_varint(head, (uint64_t)field << 3 | WIRE_LENGTH_DELIMITED);

	end = put_varint(end, bytes);
	write_bytes(w, head, (size_t)(end - head));
}

/* Packs into the buffer, made larger where needed. Returns the size, 0 on failure. */
static size_t pack(struct writer *w, const ProtobufCMessage *message)
{
	size_t bytes = protobuf_c_message_get_packed_size(message);

	if (bytes > w->buffer_bytes) {
		uint8_t *larger = realloc(w->buffer, bytes * 2);

		if (!larger) {
			fail(w, -ENOMEM);
			return 0;
		}
		w->buffer = larger;
		w->buffer_bytes = bytes * 2;
	}
	return protobuf_c_message_pack(message, w->buffer);
}

static void write_field(struct writer *w, enum profile_field field, const ProtobufCMessage *message)
{
	size_t bytes = pack(w, message);

	write_tag(w, field, bytes);
	write_bytes(w, w->buffer, bytes);
}

/* A label of a string, or of a number with the label's own name as unit so that 0 survives. */
static Perftools__Profiles__Label text_label(struct writer *w, enum label_bit bit, uint32_t text)
{
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;

	label.key = string(w, label_names[__builtin_ctz(bit)]);
	label.str = text ? profile_string(w, text) : string(w, "[unknown]");
	return label;
}

static Perftools__Profiles__Label number_label(struct writer *w, enum label_bit bit,
					       uint32_t number)
{
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;

	label.key = string(w, label_names[__builtin_ctz(bit)]);
	label.num = number;
	label.num_unit = label.key;
	return label;
}

static size_t make_labels(struct writer *w, const struct profile_row *row, uint32_t wanted,
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
	if (wanted & LABEL_THREAD)
		label[count++] = text_label(w, LABEL_THREAD, thread ? thread->comm : 0);
	if (wanted & LABEL_TID && thread)
		label[count++] = number_label(w, LABEL_TID, thread->tid);
	if (wanted & LABEL_CPU)
		label[count++] = number_label(w, LABEL_CPU, row->cpu);
	if (wanted & LABEL_EVENT) {
		label[count] = text_label(w, LABEL_EVENT, 0);
		label[count++].str = string(w, profile_event_name(w->profile, row->event, event));
	}
	return count;
}

/* Adds the weight of a row to each segment that its stack comes through. */
static void weigh_segments(struct writer *w, uint32_t row_id, uint64_t weight,
			   const uint64_t *location, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t id = w->segment_of[location[i]];
		struct segment *segment;

		if (!id)
			continue;
		segment = idmap_at(&w->segments, id);
		if (segment->seen != row_id)
			segment->weight += weight;
		segment->seen = row_id;
	}
}

static void write_samples(struct writer *w, uint32_t labels)
{
	size_t events = profile_header(w->profile)->n_event;
	uint32_t *stack = malloc(PROFILE_STACK_MAX * sizeof(*stack));
	uint64_t *location = malloc(PROFILE_STACK_MAX * sizeof(*location));
	int64_t *value = calloc(events + 1, sizeof(*value));
	Perftools__Profiles__Label label[LABEL_COUNT];
	Perftools__Profiles__Label *pointer[LABEL_COUNT];
	Perftools__Profiles__Sample sample = PERFTOOLS__PROFILES__SAMPLE__INIT;

	if (!stack || !location || !value)
		fail(w, -ENOMEM);
	for (size_t i = 0; i < LABEL_COUNT; i++)
		pointer[i] = &label[i];
	sample.location_id = location;
	sample.value = value;
	sample.n_value = events + 1;
	sample.label = pointer;
	for (uint32_t id = 1; !w->err && id <= w->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&w->profile->rows, id);

		sample.n_location_id = profile_stack(w->profile, row, stack);
		for (size_t i = 0; i < sample.n_location_id; i++)
			location[i] = w->names->location_of_ref[stack[i]];
		value[0] = (int64_t)row->count;
		value[row->event + 1] = (int64_t)row->weight;
		sample.n_label = make_labels(w, row, labels, label);
		write_field(w, FIELD_SAMPLE, &sample.base);
		weigh_segments(w, id, row->weight, location, sample.n_location_id);
		value[row->event + 1] = 0;
	}
	free(stack);
	free(location);
	free(value);
}

/* Puts a location into its segment, which grows to hold it. */
static void add_to_segment(struct writer *w, uint32_t id, const struct location *location)
{
	const struct profile_mapping *m = idmap_at(&w->profile->mappings, location->mapping);
	struct segment key = {
		.bias = location->address - location->offset,
		.name = m->name,
		.build_id = m->build_id,
		.kind = m->kind,
	};
	uint64_t start = m->size ? m->file_offset + key.bias : location->address;
	uint64_t limit = m->size ? start + m->size : location->address + 1;
	struct segment *segment;
	int err;

	err = idmap_get(&w->segments, &key, &w->segment_of[id]);
	if (err < 0) {
		fail(w, err);
		return;
	}
	segment = idmap_at(&w->segments, w->segment_of[id]);
	if (err || start < segment->start)
		segment->start = start;
	if (limit > segment->limit)
		segment->limit = limit;
	segment->has_functions |= w->names->has_symbols[location->mapping];
}

static void find_segments(struct writer *w)
{
	uint32_t count = w->names->locations.count;

	w->segment_of = calloc(count + (size_t)1, sizeof(*w->segment_of));
	if (!w->segment_of)
		fail(w, -ENOMEM);
	for (uint32_t id = 1; !w->err && id <= count; id++) {
		const struct location *location = idmap_at(&w->names->locations, id);

		if (location->mapping)
			add_to_segment(w, id, location);
	}
}

/* The mapping that readers take for the program: the heaviest that is not a shared library. */
static uint32_t main_segment(const struct writer *w)
{
	uint32_t best = 0;
	uint64_t best_rank = 0;
	uint64_t best_weight = 0;

	for (uint32_t id = 1; id <= w->segments.count; id++) {
		const struct segment *s = idmap_at(&w->segments, id);
		uint64_t rank = 0;

		if (s->kind == PROFILER__MAPPING__KIND__FILE)
			rank = strstr(profile_text(w->profile, s->name), ".so") ? 1 : 2;
		if (best && (rank < best_rank || (rank == best_rank && s->weight <= best_weight)))
			continue;
		best = id;
		best_rank = rank;
		best_weight = s->weight;
	}
	return best;
}

static int64_t hex_string(struct writer *w, uint32_t raw)
{
	const char *bytes = strtab_text(&w->profile->strings, raw);
	size_t count = strtab_bytes(&w->profile->strings, raw);
	char digits[2 * TABLES_MAX_BUILD_ID + 1] = "";

	for (size_t i = 0; i < count && i < TABLES_MAX_BUILD_ID; i++)
		snprintf(digits + 2 * i, 3, "%02x", (unsigned int)(unsigned char)bytes[i]);
	return string(w, digits);
}

static void write_mapping(struct writer *w, uint32_t id)
{
	const struct segment *s = idmap_at(&w->segments, id);
	Perftools__Profiles__Mapping mapping = PERFTOOLS__PROFILES__MAPPING__INIT;

	mapping.id = id;
	mapping.memory_start = s->start;
	mapping.memory_limit = s->limit;
	mapping.file_offset = s->start - s->bias;
	mapping.filename = profile_string(w, s->name);
	mapping.build_id = hex_string(w, s->build_id);
	mapping.has_functions = s->has_functions;
	write_field(w, FIELD_MAPPING, &mapping.base);
}

static void write_mappings(struct writer *w)
{
	uint32_t first = main_segment(w);

	if (first)
		write_mapping(w, first);
	for (uint32_t id = 1; id <= w->segments.count; id++)
		if (id != first)
			write_mapping(w, id);
}

static void write_locations(struct writer *w)
{
	Perftools__Profiles__Line line = PERFTOOLS__PROFILES__LINE__INIT;
	Perftools__Profiles__Line *lines[] = { &line };
	Perftools__Profiles__Location location = PERFTOOLS__PROFILES__LOCATION__INIT;

	location.line = lines;
	location.n_line = 1;
	for (uint32_t id = 1; id <= w->names->locations.count; id++) {
		const struct location *l = idmap_at(&w->names->locations, id);

		location.id = id;
		location.mapping_id = w->segment_of[id];
		location.address = l->address;
		line.function_id = l->function;
		write_field(w, FIELD_LOCATION, &location.base);
	}
}

static void write_functions(struct writer *w)
{
	Perftools__Profiles__Function function = PERFTOOLS__PROFILES__FUNCTION__INIT;

	for (uint32_t id = 1; id <= w->names->functions.count; id++) {
		function.id = id;
		function.name = profile_string(w, names_function(w->names, id)->label);
		function.system_name = function.name;
		write_field(w, FIELD_FUNCTION, &function.base);
	}
}

static void write_strings(struct writer *w)
{
	for (uint32_t id = 0; id <= w->strings.count; id++) {
		write_tag(w, FIELD_STRING, strtab_bytes(&w->strings, id));
		write_bytes(w, strtab_text(&w->strings, id), strtab_bytes(&w->strings, id));
	}
}

/* "cpu" in nanoseconds is what readers know time on a CPU by; all other events keep their name. */
static Perftools__Profiles__ValueType event_type(struct writer *w, uint32_t event)
{
	const Profiler__Header *header = profile_header(w->profile);
	Perftools__Profiles__ValueType type = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	char name[EVENT_NAME_MAX];
	bool is_first_time = true;

	for (uint32_t i = 0; i < event; i++)
		if (!strcmp(header->event[i]->unit, "nanoseconds"))
			is_first_time = false;
	type.unit = string(w, "count");
	if (!strcmp(header->event[event]->unit, "nanoseconds"))
		type.unit = string(w, "nanoseconds");
	if (!strcmp(header->event[event]->unit, "nanoseconds") && is_first_time)
		type.type = string(w, "cpu");
	else
		type.type = string(w, profile_event_name(w->profile, event, name));
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
	struct writer *writer;
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
		fail(c->writer, -ENOMEM);
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clean[text_clean(clean, text, strlen(text))] = 0;
	c->string = larger;
	c->string[c->count++] = string(c->writer, clean);
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

		comment(c, "ledger of %s: %s", profile_event_name(p, i, name),
			ledger_text(p, i, text));
	}
	for (size_t i = 0; i < h->n_notice; i++)
		comment(c, "notice: %s", h->notice[i]);
	if (damage)
		comment(c, "damaged: %" PRIu64 " samples in %" PRIu64 " packets were lost",
			damage->samples_lost, damage->packets_lost);
}

/* All that is there only once, packed as a Profile of its own: fields may come in any order. */
static void write_rest(struct writer *w)
{
	const Profiler__Header *header = profile_header(w->profile);
	size_t count = header->n_event + 1;
	Perftools__Profiles__Profile rest = PERFTOOLS__PROFILES__PROFILE__INIT;
	Perftools__Profiles__ValueType *type = calloc(count, sizeof(*type));
	Perftools__Profiles__ValueType **pointer = calloc(count, sizeof(*pointer));
	struct comments comments = { .writer = w };
	size_t bytes;

	if (!type || !pointer) {
		fail(w, -ENOMEM);
		goto out;
	}
	for (uint32_t i = 0; i < header->n_event; i++)
		type[i + 1] = event_type(w, i);
	type[0] = (Perftools__Profiles__ValueType)PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	type[0].type = string(w, "samples");
	type[0].unit = string(w, "count");
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
	bytes = pack(w, &rest.base);
	write_bytes(w, w->buffer, bytes);
out:
	free(type);
	free(pointer);
	free(comments.string);
}

static void write_profile(struct writer *w, uint32_t labels)
{
	find_segments(w);
	write_samples(w, labels);
	write_mappings(w);
	write_locations(w);
	write_functions(w);
	write_rest(w);
	write_strings(w); /* last: all of the above add to them */
}

/* Takes fd over. */
static int write_file(const struct names *names, int fd, uint32_t labels)
{
	struct writer w = { .profile = names->profile, .names = names };

	idmap_init(&w.segments, sizeof(struct segment), offsetof(struct segment, start));
	w.out = gzdopen(fd, "wb");
	if (!w.out) {
		close(fd);
		return -ENOMEM;
	}
	gzbuffer(w.out, GZIP_BUFFER);
	write_profile(&w, labels);
	errno = 0;
	if (gzclose(w.out) != Z_OK)
		fail(&w, errno ? -errno : -EIO);
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
	return labels & (LABEL_PROCESS | LABEL_PID) ? PROFILE_BY_PROCESS : PROFILE_BY_NOBODY;
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
	const char *input = NULL;
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
	status = cli_read(&pprof, input, labels_by(options.labels), options.labels & LABEL_CPU,
			  &profile, &names);
	if (status)
		return status;
	status = write_output(names, &options);
	names_free(names);
	profile_free(profile);
	return status;
}

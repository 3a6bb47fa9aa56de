/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_writer.c - makes streams for the tests of the tools, see stream_writer.h.
 */
#include "tests/golden/stream_writer.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/packet.h"

static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array; /* room for the next power of two is there */
	array = realloc(array, (count ? 2 * count : 1) * size);
	if (!array)
		err(1, "realloc");
	return array;
}

#define APPEND(array, count) ((array) = grow((array), (count), sizeof(*(array))), (count)++)

static void list_add(struct list *l, uint32_t value)
{
	APPEND(l->value, l->count);
	l->value[l->count - 1] = value;
}

static void wide_add(struct wide *l, uint64_t value)
{
	APPEND(l->value, l->count);
	l->value[l->count - 1] = value;
}

uint32_t writer_add_string(struct writer *w, const char *text)
{
	struct epoch *e = &w->epoch;

	if (!*text)
		return 0;
	for (uint32_t i = 0; i < e->strings; i++)
		if (!strcmp(e->string[i], text))
			return i + 1;
	APPEND(e->string, e->strings);
	e->string[e->strings - 1] = strdup(text);
	return e->strings;
}

uint32_t writer_add_mapping(struct writer *w, Profiler__Mapping__Kind kind, const char *path,
			    ProtobufCBinaryData build_id, uint64_t file_offset, uint64_t size)
{
	struct epoch *e = &w->epoch;
	uint32_t string = writer_add_string(w, path);

	for (uint32_t i = 0; i < e->mappings; i++)
		if (e->mapping[i].kind == kind && e->mapping[i].path == string)
			return i + 1;
	APPEND(e->mapping, e->mappings);
	e->mapping[e->mappings - 1] = (Profiler__Mapping)PROFILER__MAPPING__INIT;
	e->mapping[e->mappings - 1].id = e->mappings;
	e->mapping[e->mappings - 1].kind = kind;
	e->mapping[e->mappings - 1].path = string;
	e->mapping[e->mappings - 1].build_id = build_id;
	e->mapping[e->mappings - 1].file_offset = file_offset;
	e->mapping[e->mappings - 1].size = size;
	return e->mappings;
}

uint32_t writer_new_memory(struct writer *w, uint32_t process, uint32_t generation)
{
	struct epoch *e = &w->epoch;
	Profiler__Mapping *m;

	APPEND(e->mapping, e->mappings);
	m = &e->mapping[e->mappings - 1];
	*m = (Profiler__Mapping)PROFILER__MAPPING__INIT;
	m->id = e->mappings;
	m->kind = PROFILER__MAPPING__KIND__ANON;
	m->process = process;
	m->generation = generation;
	return e->mappings;
}

void writer_add_name(struct writer *w, uint32_t mapping, uint64_t start, uint64_t size,
		     const char *function, Profiler__Names__Unknown unknown)
{
	struct epoch *e = &w->epoch;
	uint32_t string = writer_add_string(w, function);

	APPEND(e->name, e->names);
	e->name[e->names - 1].mapping = mapping;
	e->name[e->names - 1].start = start;
	e->name[e->names - 1].size = size;
	e->name[e->names - 1].function = string;
	e->name[e->names - 1].unknown = unknown;
}

uint32_t writer_new_frame(struct writer *w, uint32_t mapping, uint64_t offset, uint32_t function)
{
	struct epoch *e = &w->epoch;

	APPEND(e->frame, e->frames);
	e->frame[e->frames - 1].mapping = mapping;
	e->frame[e->frames - 1].offset = offset;
	e->frame[e->frames - 1].function = function;
	return e->frames;
}

uint32_t writer_new_node(struct writer *w, uint32_t parent, uint32_t frame)
{
	struct epoch *e = &w->epoch;

	APPEND(e->node, e->nodes);
	e->node[e->nodes - 1].parent = parent;
	e->node[e->nodes - 1].frame = frame;
	return e->nodes;
}

uint32_t writer_add_node(struct writer *w, uint32_t parent, uint32_t mapping, uint64_t offset,
			 uint32_t function)
{
	struct epoch *e = &w->epoch;
	uint32_t frame = 0;

	for (uint32_t i = 0; i < e->frames && !frame; i++)
		if (e->frame[i].mapping == mapping && e->frame[i].offset == offset &&
		    e->frame[i].function == function)
			frame = i + 1;
	if (!frame)
		frame = writer_new_frame(w, mapping, offset, function);
	for (uint32_t i = 0; i < e->nodes; i++)
		if (e->node[i].parent == parent && e->node[i].frame == frame)
			return i + 1;
	return writer_new_node(w, parent, frame);
}

uint32_t writer_add_process(struct writer *w, uint32_t pid, const char *comm, uint64_t start_ns)
{
	struct epoch *e = &w->epoch;
	uint32_t string = writer_add_string(w, comm);

	for (uint32_t i = 0; i < e->processes; i++)
		if (e->process[i].pid == pid && e->process[i].comm == string &&
		    e->process[i].start_ns == start_ns)
			return i + 1;
	APPEND(e->process, e->processes);
	e->process[e->processes - 1] = (Profiler__Process)PROFILER__PROCESS__INIT;
	e->process[e->processes - 1].id = e->processes;
	e->process[e->processes - 1].pid = pid;
	e->process[e->processes - 1].comm = string;
	e->process[e->processes - 1].start_ns = start_ns;
	return e->processes;
}

void writer_place_process(struct writer *w, uint32_t process, const char *cgroup,
			  uint32_t inner_pid)
{
	uint32_t string = writer_add_string(w, cgroup);

	w->epoch.process[process - 1].cgroup = string;
	w->epoch.process[process - 1].inner_pid = inner_pid;
}

uint32_t writer_add_thread(struct writer *w, uint32_t process, uint32_t tid, const char *comm)
{
	struct epoch *e = &w->epoch;
	uint32_t string = writer_add_string(w, comm);

	for (uint32_t i = 0; i < e->threads; i++)
		if (e->thread[i].process == process && e->thread[i].tid == tid)
			return i + 1;
	APPEND(e->thread, e->threads);
	e->thread[e->threads - 1] = (Profiler__Thread)PROFILER__THREAD__INIT;
	e->thread[e->threads - 1].id = e->threads;
	e->thread[e->threads - 1].process = process;
	e->thread[e->threads - 1].tid = tid;
	e->thread[e->threads - 1].comm = string;
	return e->threads;
}

/* Is a counter in the group of an event? Itself, where it has one. */
static bool leads(const struct writer *w, uint32_t leader, uint32_t event)
{
	for (uint32_t i = 0; i < w->header.n_event; i++)
		if (w->header.event[i]->leader == leader + 1 && (i == event || event == leader))
			return true;
	return false;
}

void writer_add_sample(struct writer *w, uint32_t cpu, uint32_t event, uint32_t thread,
		       uint32_t user, uint32_t kernel, uint32_t weight, uint32_t flags)
{
	struct block *b = &w->block[cpu][event];
	int64_t deviation = 0;

	w->time_ns += 1000000;
	if (b->thread.count)
		deviation = (int64_t)(w->time_ns - b->last_ns) - 1000000;
	else
		b->first_ns = w->time_ns;
	b->last_ns = w->time_ns;
	APPEND(b->deviation.value, b->deviation.count);
	b->deviation.value[b->deviation.count - 1] = deviation;
	list_add(&b->thread, thread);
	list_add(&b->user, user);
	list_add(&b->kernel, kernel);
	list_add(&b->weight, weight);
	list_add(&b->flags, flags);
	for (uint32_t i = 0; i < EVENTS; i++)
		wide_add(&b->counter[i], 0);
	wide_add(&b->enabled, 0);
	wide_add(&b->running, 0);
	w->packet_samples++;
	w->row[cpu][event].written++;
	w->row[cpu][event].counts_lost += leads(w, event, event);
}

void writer_add_counts(struct writer *w, uint32_t cpu, uint32_t event, const uint64_t *count,
		       uint64_t enabled_ns, uint64_t running_ns, bool shared)
{
	struct block *b = &w->block[cpu][event];
	uint32_t last = b->flags.count - 1;

	b->flags.value[last] |= PROFILER__SAMPLE_FLAG__COUNTED;
	if (shared)
		b->flags.value[last] |= PROFILER__SAMPLE_FLAG__SHARED;
	b->enabled.value[last] = enabled_ns;
	b->running.value[last] = running_ns;
	w->row[cpu][event].counts_lost--;
	for (uint32_t i = 0; i < w->header.n_event; i++) {
		if (!leads(w, event, i))
			continue;
		b->counter[i].value[last] = count[i];
		w->row[cpu][i].counted += count[i];
	}
}

/* A new epoch: all ids begin again. */
void writer_begin_epoch(struct writer *w)
{
	struct epoch *e = &w->epoch;

	for (uint32_t i = 0; i < e->strings; i++)
		free(e->string[i]);
	free(e->string);
	free(e->mapping);
	free(e->process);
	free(e->thread);
	free(e->frame);
	free(e->node);
	free(e->name);
	*e = (struct epoch){ 0 };
	w->number++;
	w->header_due = true;
}

/* Pointers to the entries of a table from @done up, as protobuf-c wants them. */
#define POINTERS(entry, done, count)                                      \
	({                                                                \
		void **pointers = calloc((count) + 1, sizeof(*pointers)); \
		for (uint32_t p = (done); pointers && p < (count); p++)   \
			pointers[p - (done)] = &(entry)[p];               \
		(void *)pointers;                                         \
	})

static void fill_frames(const struct epoch *e, Profiler__Frames *frames)
{
	uint32_t count = e->frames - e->done_frames;
	uint64_t before = 0;

	frames->first_id = e->done_frames + 1;
	frames->n_mapping = frames->n_offset_delta = frames->n_function = count;
	frames->mapping = calloc(count, sizeof(*frames->mapping));
	frames->offset_delta = calloc(count, sizeof(*frames->offset_delta));
	frames->function = calloc(count, sizeof(*frames->function));
	for (uint32_t i = 0; i < count; i++) {
		frames->mapping[i] = e->frame[e->done_frames + i].mapping;
		frames->function[i] = e->frame[e->done_frames + i].function;
		frames->offset_delta[i] = (int64_t)(e->frame[e->done_frames + i].offset - before);
		before = e->frame[e->done_frames + i].offset;
	}
}

static void fill_nodes(const struct epoch *e, Profiler__Nodes *nodes)
{
	uint32_t count = e->nodes - e->done_nodes;
	uint32_t before = 0;

	nodes->first_id = e->done_nodes + 1;
	nodes->n_parent_back = nodes->n_frame_delta = count;
	nodes->parent_back = calloc(count, sizeof(*nodes->parent_back));
	nodes->frame_delta = calloc(count, sizeof(*nodes->frame_delta));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = e->done_nodes + i + 1;

		nodes->parent_back[i] = id - e->node[id - 1].parent;
		nodes->frame_delta[i] = (int32_t)(e->node[id - 1].frame - before);
		before = e->node[id - 1].frame;
	}
}

static void fill_names(const struct epoch *e, Profiler__Names *names)
{
	uint32_t count = e->names - e->done_names;
	uint64_t before = 0;

	names->n_mapping = names->n_start_delta = names->n_size = names->n_function =
		names->n_unknown = count;
	names->mapping = calloc(count, sizeof(*names->mapping));
	names->start_delta = calloc(count, sizeof(*names->start_delta));
	names->size = calloc(count, sizeof(*names->size));
	names->function = calloc(count, sizeof(*names->function));
	names->unknown = calloc(count, sizeof(*names->unknown));
	for (uint32_t i = 0; i < count; i++) {
		names->mapping[i] = e->name[e->done_names + i].mapping;
		names->start_delta[i] = (int64_t)(e->name[e->done_names + i].start - before);
		names->size[i] = e->name[e->done_names + i].size;
		names->function[i] = e->name[e->done_names + i].function;
		names->unknown[i] = e->name[e->done_names + i].unknown;
		before = e->name[e->done_names + i].start;
	}
}

/* The counters of a group, for the writer to pack and then to forget. */
static void fill_counters(struct writer *w, struct block *from, Profiler__SampleBlock *to)
{
	to->counter = calloc(EVENTS, sizeof(*to->counter));
	for (uint32_t i = 0; i < w->header.n_event; i++) {
		Profiler__Counter *c;

		if (!leads(w, to->event, i))
			continue;
		c = malloc(sizeof(*c));
		*c = (Profiler__Counter)PROFILER__COUNTER__INIT;
		c->event = i;
		c->n_count = to->count;
		c->count = from->counter[i].value;
		to->counter[to->n_counter++] = c;
	}
	if (!to->n_counter)
		return;
	to->n_enabled_ns = to->n_running_ns = to->count;
	to->enabled_ns = from->enabled.value;
	to->running_ns = from->running.value;
}

static void forget_counters(Profiler__SampleBlock *block, size_t blocks)
{
	for (size_t i = 0; i < blocks; i++) {
		for (size_t c = 0; c < block[i].n_counter; c++)
			free(block[i].counter[c]);
		free(block[i].counter);
	}
}

/* Blocks of all CPUs and events that have samples; the columns stay the writer's. */
static size_t fill_blocks(struct writer *w, Profiler__SampleBlock *block,
			  Profiler__SampleBlock **pointer)
{
	size_t count = 0;

	for (uint32_t i = 0; i < CPUS * EVENTS; i++) {
		struct block *from = &w->block[i / EVENTS][i % EVENTS];
		Profiler__SampleBlock *to = &block[count];

		if (!from->thread.count)
			continue;
		*to = (Profiler__SampleBlock)PROFILER__SAMPLE_BLOCK__INIT;
		to->cpu = i / EVENTS;
		to->event = i % EVENTS;
		to->count = from->thread.count;
		to->first_time_ns = from->first_ns;
		to->interval_ns = 1000000;
		to->n_time_deviation = to->n_thread = to->n_user_stack = to->n_kernel_stack =
			to->n_weight = to->n_flags = to->count;
		to->time_deviation = from->deviation.value;
		to->thread = from->thread.value;
		to->user_stack = from->user.value;
		to->kernel_stack = from->kernel.value;
		to->weight = from->weight.value;
		to->flags = from->flags.value;
		fill_counters(w, from, to);
		pointer[count++] = to;
	}
	return count;
}

static void forget_blocks(struct writer *w)
{
	for (uint32_t i = 0; i < CPUS * EVENTS; i++) {
		struct block *b = &w->block[i / EVENTS][i % EVENTS];

		free(b->thread.value);
		free(b->user.value);
		free(b->kernel.value);
		free(b->weight.value);
		free(b->flags.value);
		free(b->deviation.value);
		for (uint32_t c = 0; c < EVENTS; c++)
			free(b->counter[c].value);
		free(b->enabled.value);
		free(b->running.value);
		*b = (struct block){ 0 };
	}
	w->samples += w->packet_samples;
	w->packet_samples = 0;
}

static void write_packet(struct writer *w, Profiler__Packet *packet)
{
	size_t bytes;
	uint8_t *buffer;
	size_t whole;

	packet->epoch = w->number;
	if (w->header_due)
		packet->header = &w->header;
	w->header_due = false;
	bytes = profiler__packet__get_packed_size(packet);
	buffer = malloc(PACKET_PREFIX + bytes + PACKET_SUFFIX);
	if (!buffer || bytes > PACKET_CONTENT_MAX)
		errx(1, "a packet of %zu bytes", bytes);
	profiler__packet__pack(packet, buffer + PACKET_PREFIX);
	whole = packet_seal(buffer, bytes, w->sequence++, w->samples);
	if (fwrite(buffer, 1, whole, stdout) != whole)
		err(1, "write");
	free(buffer);
}

/* Writes all definitions and samples that were added since the last time. */
void writer_flush(struct writer *w)
{
	struct epoch *e = &w->epoch;
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Definitions definitions = PROFILER__DEFINITIONS__INIT;
	Profiler__Strings strings = PROFILER__STRINGS__INIT;
	Profiler__Frames frames = PROFILER__FRAMES__INIT;
	Profiler__Nodes nodes = PROFILER__NODES__INIT;
	Profiler__Names names = PROFILER__NAMES__INIT;
	Profiler__SampleBlock block[CPUS * EVENTS];
	Profiler__SampleBlock *blocks[CPUS * EVENTS];

	packet.definitions = &definitions;
	strings.first_id = e->done_strings + 1;
	strings.n_value = e->strings - e->done_strings;
	strings.value = calloc(strings.n_value + 1, sizeof(*strings.value));
	for (uint32_t i = 0; i < strings.n_value; i++) {
		char *text = e->string[e->done_strings + i];

		strings.value[i] = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
	}
	definitions.strings = strings.n_value ? &strings : NULL;
	definitions.n_mapping = e->mappings - e->done_mappings;
	definitions.mapping = POINTERS(e->mapping, e->done_mappings, e->mappings);
	definitions.n_process = e->processes - e->done_processes;
	definitions.process = POINTERS(e->process, e->done_processes, e->processes);
	definitions.n_thread = e->threads - e->done_threads;
	definitions.thread = POINTERS(e->thread, e->done_threads, e->threads);
	fill_frames(e, &frames);
	definitions.frames = frames.n_mapping ? &frames : NULL;
	fill_nodes(e, &nodes);
	definitions.nodes = nodes.n_parent_back ? &nodes : NULL;
	fill_names(e, &names);
	definitions.names = names.n_mapping ? &names : NULL;
	packet.n_samples = fill_blocks(w, block, blocks);
	packet.samples = blocks;
	write_packet(w, &packet);
	e->done_strings = e->strings;
	e->done_mappings = e->mappings;
	e->done_processes = e->processes;
	e->done_threads = e->threads;
	e->done_frames = e->frames;
	e->done_nodes = e->nodes;
	e->done_names = e->names;
	forget_counters(block, packet.n_samples);
	forget_blocks(w);
	free(strings.value);
	free(definitions.mapping);
	free(definitions.process);
	free(definitions.thread);
	free(frames.mapping);
	free(frames.offset_delta);
	free(frames.function);
	free(nodes.parent_back);
	free(nodes.frame_delta);
	free(names.mapping);
	free(names.start_delta);
	free(names.size);
	free(names.function);
	free(names.unknown);
}

static void set_ledger_notes(struct writer *w, Profiler__Ledger *ledger)
{
	static Profiler__RateLimit lower = PROFILER__RATE_LIMIT__INIT;
	static Profiler__RateLimit *limit = &lower;

	if (!w->throttled)
		return;
	lower.time_ns = START_NS + 120000000;
	lower.max_sample_rate = 31500;
	ledger->max_sample_rate = 31500;
	ledger->rate_limit = &limit;
	ledger->n_rate_limit = 1;
	ledger->sideband_lost = 6;
	ledger->stacks_unresolved = 3;
	ledger->unknown_process = 5;
	ledger->packets_dropped = 2;
}

void writer_write_ledger(struct writer *w, bool final)
{
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Ledger ledger = PROFILER__LEDGER__INIT;
	Profiler__LedgerRow *row[CPUS * EVENTS];

	for (uint32_t i = 0; i < CPUS * EVENTS; i++) {
		Profiler__LedgerRow *r = &w->row[i / EVENTS][i % EVENTS];

		if (i % EVENTS >= w->header.n_event || (!r->written && !r->counted))
			continue;
		r->cpu = i / EVENTS;
		r->event = i % EVENTS;
		if (r->counted) {
			r->uncounted = 1000000 * (r->event + 1);
			r->count = r->counted + r->uncounted + 500;
		}
		r->idle = r->event || w->idle ? 0 : 20;
		r->ring_full = r->event || w->idle ? 0 : 2;
		r->blind = r->event ? 0 : w->idle ? 8 : 1;
		r->enabled_ns = w->time_ns - START_NS;
		r->running_ns = r->enabled_ns / 100 * w->running_percent;
		r->idle_ns = w->idle ? r->running_ns - r->running_ns / 100 : 0;
		r->throttles = r->event || !w->throttled ? 0 : 3;
		r->throttled = r->throttles * 4;
		r->entries = r->written + r->idle + r->ring_full;
		r->expected = r->entries + (uint64_t)r->blind + r->throttled;
		row[ledger.n_row++] = r;
	}
	ledger.row = row;
	ledger.time_ns = w->time_ns;
	ledger.final = final;
	ledger.stopped_by = (char *)(uintptr_t)(final ? "duration" : "");
	set_ledger_notes(w, &ledger);
	packet.ledger = &ledger;
	write_packet(w, &packet);
}

char *event_text(const char *literal)
{
	return strdup(literal);
}

void writer_add_event(struct writer *w, Profiler__Event event)
{
	APPEND(w->header.event, w->header.n_event);
	w->header.event[w->header.n_event - 1] = malloc(sizeof(event));
	*w->header.event[w->header.n_event - 1] = event;
}

void writer_begin(struct writer *w)
{
	static Profiler__Clock clock = PROFILER__CLOCK__INIT;
	static char *command[] = { (char *)(uintptr_t) "profiler", (char *)(uintptr_t) "--hz",
				   (char *)(uintptr_t) "1000", (char *)(uintptr_t) "--hw-events" };

	*w = (struct writer){ .time_ns = START_NS,
			      .header = PROFILER__HEADER__INIT,
			      .running_percent = 100 };
	clock.boottime_ns = START_NS;
	clock.realtime_ns = REALTIME_NS;
	for (uint32_t i = 0; i < CPUS * EVENTS; i++)
		w->row[i / EVENTS][i % EVENTS] = (Profiler__LedgerRow)PROFILER__LEDGER_ROW__INIT;
	w->header.version = STREAM_VERSION;
	w->header.recorder = event_text("profiler 0.1.0");
	w->header.hostname = event_text("testhost");
	w->header.kernel_release = event_text("6.1.0-test");
	w->header.machine = event_text("x86_64");
	w->header.cpus_online = w->header.cpus_possible = CPUS;
	w->header.command = command;
	w->header.n_command = 4;
	w->header.start_ns = START_NS;
	w->header.clock = &clock;
	w->header.target = event_text("all CPUs");
}

Profiler__Event event_cpu_clock(void)
{
	Profiler__Event event = PROFILER__EVENT__INIT;

	event.name = event_text("cpu-clock");
	event.unit = event_text("nanoseconds");
	event.asked_in_hz = true;
	event.asked = event.granted = 1000;
	event.requested = event_text("cycles");
	return event;
}

Profiler__Event event_counted(const char *name, const char *modifier, uint64_t period)
{
	Profiler__Event event = PROFILER__EVENT__INIT;

	event.name = event_text(name);
	event.unit = event_text("count");
	event.modifier = event_text(modifier);
	event.asked = event.granted = period;
	return event;
}

Profiler__Event event_member(const char *name, const char *modifier, uint32_t leader)
{
	Profiler__Event event = event_counted(name, modifier, 0);

	event.leader = leader + 1;
	return event;
}

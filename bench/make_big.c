/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_big.c - large profiles of the same samples, as a stream of ours and as a perf.data.
 *
 *	make_big stream SAMPLES STACKS LIBRARY TEXT >big.prof
 *	make_big perf SAMPLES STACKS LIBRARY TEXT >perf.data
 *
 * All code is in LIBRARY: FUNCTIONS functions of 64 bytes each, the first at TEXT, its offset in
 * the file (bench/tools.py makes one). Stacks are 20 functions deep, share their outer half by the
 * hundred, and are all as frequent: harder on caches than what programs do. 200 threads, a
 *millisecond between samples, a new epoch of the stream every million samples. The same arguments
 *give the same bytes.
 */
#include <err.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/packet.h"
#include "stream.pb-c.h"

#define FUNCTIONS      1000
#define FUNCTION_BYTES 64
#define DEPTH	       20
#define SHARED	       10 /* functions that a group of stacks has in common */
#define GROUP	       100
#define THREADS	       200
#define FIRST_PID      1000
#define CPUS	       4
#define PACKET_SAMPLES 4000
#define NODES_MAX      20000 /* in a packet */
#define START_NS       UINT64_C(5000000000)
#define EPOCH	       1000000
#define PERIOD_NS      1000000

/* Where the perf.data says that the library is mapped. */
#define MAPPED_AT UINT64_C(0x7f0000000000)

/* Where in a function a frame is. */
#define FRAME_OFFSET 8

struct plan {
	uint64_t samples;
	uint32_t stacks;
	const char *library;
	uint64_t text;
};

/* The function at a depth of a stack, 0 the outermost. */
static uint32_t function_at(uint32_t stack, uint32_t depth)
{
	return depth < SHARED ? (stack / GROUP * 7 + depth * 131) % FUNCTIONS
			      : (stack * 31 + depth * 17) % FUNCTIONS;
}

static uint32_t next_stack(const struct plan *plan, uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*random >> 33) % plan->stacks;
}

static uint32_t pid_of(uint32_t thread)
{
	return FIRST_PID + thread / 8 * 8;
}

static void put(const void *data, size_t bytes)
{
	if (fwrite(data, bytes, 1, stdout) != 1)
		err(1, "cannot write");
}

/* What make_stream() is at. */
struct out {
	const struct plan *plan;
	uint64_t sequence;
	uint64_t samples; /* written */
	uint32_t epoch;
	uint32_t nodes;	    /* of the epoch, written */
	uint32_t node_room; /* filled */
	uint32_t parent_back[NODES_MAX];
	int32_t frame_delta[NODES_MAX];
	uint32_t frame; /* of the node before */
	uint32_t *leaf; /* by stack */
};

static void put_packet(struct out *o, Profiler__Packet *packet)
{
	static uint8_t buffer[PACKET_TOTAL_MAX];
	size_t bytes;

	packet->epoch = o->epoch;
	bytes = profiler__packet__get_packed_size(packet);
	if (bytes > PACKET_CONTENT_MAX)
		errx(1, "a packet is too large");
	profiler__packet__pack(packet, buffer + PACKET_PREFIX);
	put(buffer, packet_seal(buffer, bytes, o->sequence++, o->samples));
}

static void put_definitions(struct out *o, Profiler__Definitions *d, Profiler__Header *header)
{
	Profiler__Packet packet = PROFILER__PACKET__INIT;

	packet.header = header;
	packet.definitions = d;
	put_packet(o, &packet);
}

static void put_header(struct out *o, Profiler__Definitions *d)
{
	Profiler__Header header = PROFILER__HEADER__INIT;
	Profiler__Event event = PROFILER__EVENT__INIT;
	Profiler__Event *events[] = { &event };
	char name[] = "cpu-clock", unit[] = "nanoseconds", self[] = "big";

	event.name = name;
	event.unit = unit;
	event.asked = event.granted = 1000;
	event.asked_in_hz = true;
	header.version = STREAM_VERSION;
	header.recorder = header.hostname = self;
	header.cpus_online = header.cpus_possible = CPUS;
	header.start_ns = START_NS;
	header.event = events;
	header.n_event = 1;
	put_definitions(o, d, &header);
}

/* String 1 is the library, those behind it are functions, and then threads. */
static void put_strings(struct out *o)
{
	static char text[FUNCTIONS + THREADS][32];
	ProtobufCBinaryData value[1 + FUNCTIONS + THREADS];
	char *library = strdup(o->plan->library);
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Strings strings = PROFILER__STRINGS__INIT;

	if (!library)
		err(1, "strdup");
	value[0] = (ProtobufCBinaryData){ strlen(library), (uint8_t *)library };
	for (uint32_t i = 0; i < FUNCTIONS + THREADS; i++) {
		int bytes = i < FUNCTIONS ? snprintf(text[i], sizeof(text[i]), "function_%u", i)
					  : snprintf(text[i], sizeof(text[i]), "thread_%u",
						     i - FUNCTIONS);

		value[1 + i] = (ProtobufCBinaryData){ (size_t)bytes, (uint8_t *)text[i] };
	}
	strings.first_id = 1;
	strings.value = value;
	strings.n_value = 1 + FUNCTIONS + THREADS;
	d.strings = &strings;
	put_header(o, &d);
	free(library);
}

static void put_code(struct out *o)
{
	static uint32_t mappings[FUNCTIONS], functions[FUNCTIONS];
	static int64_t frame_delta[FUNCTIONS], start_delta[FUNCTIONS];
	static uint64_t sizes[FUNCTIONS];
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Mapping mapping = PROFILER__MAPPING__INIT;
	Profiler__Mapping *all[] = { &mapping };
	Profiler__Frames frames = PROFILER__FRAMES__INIT;
	Profiler__Names names = PROFILER__NAMES__INIT;

	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		mappings[i] = 1;
		functions[i] = 2 + i;
		sizes[i] = FUNCTION_BYTES;
		start_delta[i] = i ? FUNCTION_BYTES : (int64_t)o->plan->text;
		frame_delta[i] = start_delta[i] + (i ? 0 : FRAME_OFFSET);
	}
	mapping.id = mapping.path = 1;
	mapping.kind = PROFILER__MAPPING__KIND__FILE;
	mapping.file_offset = o->plan->text;
	mapping.size = FUNCTIONS * FUNCTION_BYTES;
	frames.first_id = 1;
	frames.mapping = names.mapping = mappings;
	frames.offset_delta = frame_delta;
	names.start_delta = start_delta;
	names.size = sizes;
	names.function = functions;
	frames.n_mapping = frames.n_offset_delta = names.n_mapping = names.n_start_delta =
		names.n_size = names.n_function = FUNCTIONS;
	d.mapping = all;
	d.n_mapping = 1;
	d.frames = &frames;
	d.names = &names;
	put_definitions(o, &d, NULL);
}

static void put_threads(struct out *o)
{
	Profiler__Process process[THREADS];
	Profiler__Thread thread[THREADS];
	Profiler__Process *processes[THREADS];
	Profiler__Thread *threads[THREADS];
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;

	for (uint32_t i = 0; i < THREADS; i++) {
		uint32_t comm = 2 + FUNCTIONS + i;

		if (pid_of(i) == FIRST_PID + i) {
			process[d.n_process] = (Profiler__Process)PROFILER__PROCESS__INIT;
			process[d.n_process].id = (uint32_t)d.n_process + 1;
			process[d.n_process].pid = pid_of(i);
			process[d.n_process].comm = comm;
			processes[d.n_process] = &process[d.n_process];
			d.n_process++;
		}
		thread[i] = (Profiler__Thread)PROFILER__THREAD__INIT;
		thread[i].id = 1 + i;
		thread[i].tid = FIRST_PID + i;
		thread[i].process = (uint32_t)d.n_process;
		thread[i].comm = comm;
		threads[i] = &thread[i];
	}
	d.process = processes;
	d.thread = threads;
	d.n_thread = THREADS;
	put_definitions(o, &d, NULL);
}

static void put_nodes(struct out *o)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Nodes nodes = PROFILER__NODES__INIT;

	if (!o->node_room)
		return;
	nodes.first_id = o->nodes + 1;
	nodes.parent_back = o->parent_back;
	nodes.frame_delta = o->frame_delta;
	nodes.n_parent_back = nodes.n_frame_delta = o->node_room;
	d.nodes = &nodes;
	put_definitions(o, &d, NULL);
	o->nodes += o->node_room;
	o->node_room = 0;
	o->frame = 0;
}

static uint32_t add_node(struct out *o, uint32_t parent, uint32_t function)
{
	uint32_t id;

	if (o->node_room == NODES_MAX)
		put_nodes(o);
	id = o->nodes + o->node_room + 1;
	o->parent_back[o->node_room] = id - parent;
	o->frame_delta[o->node_room++] = (int32_t)(1 + function - o->frame);
	o->frame = 1 + function;
	return id;
}

/* Begins an epoch: defines everything again. */
static void define(struct out *o)
{
	uint32_t outer = 0;

	o->epoch++;
	o->nodes = 0;
	put_strings(o);
	put_code(o);
	put_threads(o);
	for (uint32_t i = 0; i < o->plan->stacks; i++) {
		uint32_t node;

		for (uint32_t d = 0; i % GROUP == 0 && d < SHARED; d++)
			outer = add_node(o, d ? outer : 0, function_at(i, d));
		node = outer;
		for (uint32_t d = SHARED; d < DEPTH; d++)
			node = add_node(o, node, function_at(i, d));
		o->leaf[i] = node;
	}
	put_nodes(o);
}

/* Samples take turns on the CPUs. */
static void put_samples(struct out *o, uint32_t count, uint64_t *random)
{
	static uint32_t thread[CPUS][PACKET_SAMPLES], stack[CPUS][PACKET_SAMPLES];
	uint32_t period = PERIOD_NS;
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__SampleBlock block[CPUS];
	Profiler__SampleBlock *blocks[CPUS];

	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		block[cpu] = (Profiler__SampleBlock)PROFILER__SAMPLE_BLOCK__INIT;
		block[cpu].cpu = cpu;
		block[cpu].first_time_ns = START_NS + (o->samples + cpu) * PERIOD_NS;
		block[cpu].interval_ns = (uint64_t)PERIOD_NS * CPUS;
		block[cpu].thread = thread[cpu];
		block[cpu].user_stack = stack[cpu];
		block[cpu].weight = &period;
		block[cpu].n_weight = 1;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t cpu = i % CPUS;
		uint32_t next = next_stack(o->plan, random);

		thread[cpu][block[cpu].count] = 1 + next % THREADS;
		stack[cpu][block[cpu].count++] = o->leaf[next];
	}
	for (uint32_t cpu = 0; cpu < CPUS && block[cpu].count; cpu++) {
		block[cpu].n_thread = block[cpu].n_user_stack = block[cpu].count;
		blocks[packet.n_samples++] = &block[cpu];
	}
	packet.samples = blocks;
	put_packet(o, &packet);
	o->samples += count;
}

static void make_stream(const struct plan *plan)
{
	static struct out o;
	uint64_t random = 1;

	o.plan = plan;
	o.leaf = calloc(plan->stacks, sizeof(*o.leaf));
	if (!o.leaf)
		err(1, "calloc");
	while (o.samples < plan->samples) {
		uint64_t left = plan->samples - o.samples;

		if (o.samples % EPOCH == 0)
			define(&o);
		put_samples(&o, left < PACKET_SAMPLES ? (uint32_t)left : PACKET_SAMPLES, &random);
	}
	free(o.leaf);
}

struct file_section {
	uint64_t offset, size;
};

/* As in tools/perf/Documentation/perf.data-file-format.txt of the kernel. */
struct perf_header {
	char magic[8];
	uint64_t size, attr_size;
	struct file_section attrs, data, event_types;
	uint64_t flags[4];
};

struct perf_attr {
	struct perf_event_attr attr;
	struct file_section ids;
};

struct perf_comm {
	struct perf_event_header header;
	uint32_t pid, tid;
	char comm[16];
};

struct perf_mmap {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, length, file_offset;
	char path[256];
};

struct perf_sample {
	struct perf_event_header header;
	uint64_t ip;
	uint32_t pid, tid;
	uint64_t time_ns;
	uint32_t cpu, reserved;
	uint64_t period, frames;
	uint64_t frame[1 + DEPTH];
};

/* What came before need not be waited for; so perf holds little at a time. */
#define PERF_RECORD_FINISHED_ROUND 68

static void put_perf_header(uint64_t data_bytes)
{
	struct perf_header header = {
		.magic = "PERFILE2",
		.size = sizeof(header),
		.attr_size = sizeof(struct perf_attr),
		.attrs = { sizeof(header), sizeof(struct perf_attr) },
		.data = { sizeof(header) + sizeof(struct perf_attr), data_bytes },
	};
	struct perf_attr attr = {
		.attr = {
			.type = PERF_TYPE_SOFTWARE,
			.size = sizeof(attr.attr),
			.config = PERF_COUNT_SW_CPU_CLOCK,
			.sample_period = PERIOD_NS,
			.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
				       PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
				       PERF_SAMPLE_CALLCHAIN,
		},
	};

	put(&header, sizeof(header));
	put(&attr, sizeof(attr));
}

static void put_perf_threads(const struct plan *plan)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		struct perf_comm comm = {
			.header = { .type = PERF_RECORD_COMM, .size = sizeof(comm) },
			.pid = pid_of(i),
			.tid = FIRST_PID + i,
		};
		struct perf_mmap map = {
			.header = { PERF_RECORD_MMAP, PERF_RECORD_MISC_USER, sizeof(map) },
			.pid = pid_of(i),
			.tid = pid_of(i),
			.start = MAPPED_AT,
			.length = FUNCTIONS * FUNCTION_BYTES,
			.file_offset = plan->text,
		};

		snprintf(comm.comm, sizeof(comm.comm), "thread_%u", i);
		snprintf(map.path, sizeof(map.path), "%s", plan->library);
		put(&comm, sizeof(comm));
		if (map.pid == comm.tid)
			put(&map, sizeof(map));
	}
}

static void put_perf_sample(uint64_t number, uint32_t stack)
{
	uint32_t thread = stack % THREADS;
	struct perf_sample sample = {
		.header = { PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER, sizeof(sample) },
		.pid = pid_of(thread),
		.tid = FIRST_PID + thread,
		.time_ns = START_NS + number * PERIOD_NS,
		.cpu = (uint32_t)(number % CPUS),
		.period = PERIOD_NS,
		.frames = 1 + DEPTH,
		.frame = { PERF_CONTEXT_USER },
	};

	for (uint32_t d = 0; d < DEPTH; d++)
		sample.frame[DEPTH - d] =
			MAPPED_AT + (uint64_t)function_at(stack, d) * FUNCTION_BYTES + FRAME_OFFSET;
	sample.ip = sample.frame[1];
	put(&sample, sizeof(sample));
}

static void make_perf(const struct plan *plan)
{
	const struct perf_event_header round = { .type = PERF_RECORD_FINISHED_ROUND,
						 .size = sizeof(round) };
	const uint64_t processes = (THREADS + 7) / 8;
	uint64_t random = 1;

	put_perf_header(THREADS * sizeof(struct perf_comm) + processes * sizeof(struct perf_mmap) +
			plan->samples * sizeof(struct perf_sample) +
			plan->samples / PACKET_SAMPLES * sizeof(round));
	put_perf_threads(plan);
	for (uint64_t done = 0; done < plan->samples; done++) {
		put_perf_sample(done, next_stack(plan, &random));
		if (done % PACKET_SAMPLES == PACKET_SAMPLES - 1)
			put(&round, sizeof(round));
	}
}

int main(int argc, char **argv)
{
	struct plan plan;

	if (argc != 6)
		errx(2, "see the top of make_big.c");
	plan.samples = strtoull(argv[2], NULL, 10);
	plan.stacks = (uint32_t)strtoul(argv[3], NULL, 10);
	plan.library = argv[4];
	plan.text = strtoull(argv[5], NULL, 0);
	if (!plan.samples || !plan.stacks || strlen(argv[4]) >= 256)
		errx(2, "see the top of make_big.c");
	if (!strcmp(argv[1], "stream"))
		make_stream(&plan);
	else if (!strcmp(argv[1], "perf"))
		make_perf(&plan);
	else
		errx(2, "see the top of make_big.c");
	if (fflush(stdout))
		err(1, "cannot write");
	return 0;
}

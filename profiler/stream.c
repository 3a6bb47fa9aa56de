// SPDX-License-Identifier: Apache-2.0
/*
 * stream.c - turns resolved samples into packets of proto/stream.proto.
 *
 * A packet holds a block of columns per CPU and event, and the definitions that its samples are
 * the first to use. It closes at PACKET_TARGET bytes or when the drain loop says so. Packet
 * bytes are proto/packet.h's, numbering and writing writer.c's.
 *
 * Invariant: every id in a packet is defined in it or in an earlier packet of its epoch. So a
 * packet that the hand-off has no room for ends its epoch at once.
 */
#include "profiler/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/event.h"
#include "profiler/calltree.h"
#include "profiler/column.h"
#include "profiler/handoff.h"
#include "profiler/name_table.h"
#include "profiler/string_table.h"
#include "profiler/wire.h"
#include "proto/packet.h"

/*
 * A packet closes when it has grown to this, which is looked at after so many samples: they can
 * make it twice as large at most, were the stack of each the deepest and all new.
 */
#define PACKET_TARGET  (64u << 10)
#define SAMPLES_A_LOOK 8

/* Field numbers in proto/stream.proto, of what does not go through protobuf-c. */
enum {
	PACKET_DEFINITIONS = 6,
	PACKET_SAMPLES = 7,
	DEFINITIONS_MAPPING = 2,
	DEFINITIONS_PROCESS = 3,
	DEFINITIONS_THREAD = 4,
	MAPPING_ID = 1,
	MAPPING_KIND = 2,
	MAPPING_PATH = 3,
	MAPPING_BUILD_ID = 4,
	MAPPING_FILE_OFFSET = 5,
	MAPPING_SIZE = 6,
	MAPPING_PROCESS = 7,
	MAPPING_GENERATION = 8,
	PROCESS_ID = 1,
	PROCESS_PID = 2,
	PROCESS_PARENT_PID = 3,
	PROCESS_COMM = 4,
	PROCESS_START_NS = 5,
	PROCESS_CGROUP = 6,
	PROCESS_INNER_PID = 7,
	THREAD_ID = 1,
	THREAD_TID = 2,
	THREAD_PROCESS = 3,
	THREAD_COMM = 4,
	BLOCK_CPU = 1,
	BLOCK_EVENT = 2,
	BLOCK_COUNT = 3,
	BLOCK_FIRST_TIME_NS = 4,
	BLOCK_INTERVAL_NS = 5,
	BLOCK_TIME_DEVIATION = 6,
	BLOCK_THREAD = 7,
	BLOCK_USER_STACK = 8,
	BLOCK_KERNEL_STACK = 9,
	BLOCK_WEIGHT = 10,
	BLOCK_FLAGS = 11,
	BLOCK_COUNTER = 12,
	BLOCK_ENABLED_NS = 13,
	BLOCK_RUNNING_NS = 14,
	COUNTER_EVENT = 1,
	COUNTER_COUNT = 2,
};

/* An event and those it leads, by their numbers in the header. */
struct group {
	uint32_t size; /* 0: leads none */
	uint32_t event[MAX_GROUP];
};

/* The samples of one CPU and event in the packet that is being filled. */
struct block {
	uint32_t count;
	uint32_t cpu;
	uint32_t event;
	uint32_t counters; /* of the event's group; 0 when it leads none */
	uint64_t first_time_ns;
	uint64_t last_time_ns;
	uint64_t dropped; /* over the whole run */
	struct buffer time;
	struct column thread;
	struct column user_stack;
	struct column kernel_stack;
	struct column weight;
	struct column flags;
	struct column enabled_ns;
	struct column running_ns;
	struct column counted[MAX_GROUP];
};

struct stream {
	struct handoff *handoff;
	Profiler__Header *header;
	bool header_due;
	uint32_t epoch;
	uint32_t cpus;
	uint64_t opened_ns; /* time of the first sample in the packet, 0 when there is none */
	size_t block_bytes; /* of all blocks together */
	uint32_t unlooked;  /* samples since the packet's size was looked at */
	uint32_t last_mapping;
	uint32_t last_process;
	uint32_t last_thread;
	uint64_t packets_dropped;
	struct string_table *strings;
	struct calltree *calltree;
	struct name_table names;
	struct buffer definitions; /* mappings, processes and threads, encoded */
	struct buffer message;	   /* work space: one message inside the packet */
	struct buffer inner;	   /* work space: one inside that */
	struct buffer packet;	   /* work space: the packet's content */
	uint32_t used_count;
	uint32_t *used; /* indexes of the blocks that have samples */
	struct block **blocks;
	uint64_t interval_ns[MAX_EVENTS];
	struct group groups[MAX_EVENTS];
};

static void find_groups(struct stream *st)
{
	for (uint32_t i = 0; i < st->header->n_event; i++) {
		uint32_t leader = st->header->event[i]->leader;
		struct group *g;

		if (!leader || leader > MAX_EVENTS)
			continue;
		g = &st->groups[leader - 1];
		if (!g->size)
			g->event[g->size++] = leader - 1;
		if (g->size < MAX_GROUP)
			g->event[g->size++] = i;
	}
}

int stream_new(struct stream **ret, struct handoff *handoff, Profiler__Header *header,
	       const uint64_t *interval_ns, uint32_t cpus)
{
	struct stream *st = calloc(1, sizeof(*st));
	size_t blocks = (size_t)cpus * MAX_EVENTS;

	if (!st)
		return -ENOMEM;
	st->handoff = handoff;
	st->header = header;
	st->header_due = true;
	st->epoch = 1;
	st->cpus = cpus;
	memcpy(st->interval_ns, interval_ns, sizeof(st->interval_ns));
	find_groups(st);
	st->blocks = calloc(blocks, sizeof(*st->blocks));
	st->used = calloc(blocks, sizeof(*st->used));
	if (!st->blocks || !st->used || string_table_new(&st->strings) ||
	    calltree_new(&st->calltree)) {
		stream_free(st);
		return -ENOMEM;
	}
	*ret = st;
	return 0;
}

static void block_free(struct block *b)
{
	if (!b)
		return;
	buffer_free(&b->time);
	column_free(&b->thread);
	column_free(&b->user_stack);
	column_free(&b->kernel_stack);
	column_free(&b->weight);
	column_free(&b->flags);
	column_free(&b->enabled_ns);
	column_free(&b->running_ns);
	for (uint32_t i = 0; i < b->counters; i++)
		column_free(&b->counted[i]);
	free(b);
}

void stream_free(struct stream *st)
{
	if (!st)
		return;
	for (size_t i = 0; st->blocks && i < (size_t)st->cpus * MAX_EVENTS; i++)
		block_free(st->blocks[i]);
	free(st->blocks);
	free(st->used);
	string_table_free(st->strings);
	calltree_free(st->calltree);
	name_table_release(&st->names);
	buffer_free(&st->definitions);
	buffer_free(&st->message);
	buffer_free(&st->inner);
	buffer_free(&st->packet);
	free(st);
}

uint32_t stream_epoch(const struct stream *st)
{
	return st->epoch;
}

struct calltree *stream_calltree(struct stream *st)
{
	return st->calltree;
}

uint32_t stream_string(struct stream *st, const char *value)
{
	return string_table_id(st->strings, value, strlen(value));
}

/* Ends the message in st->message as a field of Definitions. */
static void end_definition(struct stream *st, uint32_t field)
{
	wire_field_bytes(&st->definitions, field, st->message.data, st->message.size);
	st->definitions.failed |= st->message.failed;
	buffer_clear(&st->message);
}

uint32_t stream_mapping(struct stream *st, const struct stream_mapping *m)
{
	wire_field_varint(&st->message, MAPPING_ID, ++st->last_mapping);
	wire_field_varint(&st->message, MAPPING_KIND, m->kind);
	wire_field_varint(&st->message, MAPPING_PATH, stream_string(st, m->path));
	if (m->build_id_bytes)
		wire_field_bytes(&st->message, MAPPING_BUILD_ID, m->build_id, m->build_id_bytes);
	wire_field_varint(&st->message, MAPPING_FILE_OFFSET, m->file_offset);
	wire_field_varint(&st->message, MAPPING_SIZE, m->size);
	wire_field_varint(&st->message, MAPPING_PROCESS, m->process);
	wire_field_varint(&st->message, MAPPING_GENERATION, m->generation);
	end_definition(st, DEFINITIONS_MAPPING);
	return st->last_mapping;
}

uint32_t stream_process(struct stream *st, const struct stream_process *p)
{
	wire_field_varint(&st->message, PROCESS_ID, ++st->last_process);
	wire_field_varint(&st->message, PROCESS_PID, p->pid);
	wire_field_varint(&st->message, PROCESS_PARENT_PID, p->parent_pid);
	wire_field_varint(&st->message, PROCESS_COMM, stream_string(st, p->comm));
	wire_field_varint(&st->message, PROCESS_START_NS, p->start_ns);
	wire_field_varint(&st->message, PROCESS_CGROUP, stream_string(st, p->cgroup));
	wire_field_varint(&st->message, PROCESS_INNER_PID, p->inner_pid);
	end_definition(st, DEFINITIONS_PROCESS);
	return st->last_process;
}

uint32_t stream_thread(struct stream *st, uint32_t tid, uint32_t process, const char *comm)
{
	wire_field_varint(&st->message, THREAD_ID, ++st->last_thread);
	wire_field_varint(&st->message, THREAD_TID, tid);
	wire_field_varint(&st->message, THREAD_PROCESS, process);
	wire_field_varint(&st->message, THREAD_COMM, stream_string(st, comm));
	end_definition(st, DEFINITIONS_THREAD);
	return st->last_thread;
}

/* The block of a CPU and event, ready for a sample; NULL when there is no memory for it. */
static struct block *open_block(struct stream *st, uint32_t cpu, uint32_t event)
{
	uint32_t index = cpu * MAX_EVENTS + event;
	struct block *b = st->blocks[index];

	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return NULL;
		b->cpu = cpu;
		b->event = event;
		b->counters = st->groups[event].size;
		st->blocks[index] = b;
	}
	if (!b->count)
		st->used[st->used_count++] = index;
	return b;
}

/* Definitions count too: code that never takes the same way twice has more of them than samples. */
static size_t packet_size(const struct stream *st)
{
	return st->block_bytes + st->definitions.size + calltree_pending_bytes(st->calltree) +
	       string_table_pending_bytes(st->strings) + name_table_bytes(&st->names);
}

bool stream_name(struct stream *st, const struct stream_name *name)
{
	uint32_t function = 0;

	if (name->function && !string_table_crowded(st->strings))
		function = stream_string(st, name->function);
	if (name->function && !function)
		return false;
	name_table_add(&st->names, name->mapping, name->start, name->end, function, name->unknown);
	return true;
}

/* The columns of a group; returns what they add to the flags, and to @bytes their growth. */
static uint32_t push_counts(struct block *b, const struct counts_record *c, size_t *bytes)
{
	static const struct counts_record none;
	uint32_t flags = c ? PROFILER__SAMPLE_FLAG__COUNTED : 0;
	bool always;

	if (c && c->shared)
		flags |= PROFILER__SAMPLE_FLAG__SHARED;
	if (!c)
		c = &none;
	always = c->enabled_ns == c->running_ns;
	*bytes += column_push(&b->enabled_ns, b->count, always ? 0 : c->enabled_ns);
	*bytes += column_push(&b->running_ns, b->count, always ? 0 : c->running_ns);
	for (uint32_t i = 0; i < b->counters; i++)
		*bytes += column_push(&b->counted[i], b->count, c->count[i]);
	return flags;
}

void stream_sample(struct stream *st, const struct stream_sample *s)
{
	struct block *b = open_block(st, s->cpu, s->event);
	uint32_t flags = s->flags;
	uint64_t deviation = 0;
	size_t bytes;

	if (!b)
		return; /* not in encoded: the ledger shows it as unaccounted */
	if (b->count)
		deviation = s->time_ns - b->last_time_ns - st->interval_ns[s->event];
	else
		b->first_time_ns = s->time_ns;
	b->last_time_ns = s->time_ns;
	bytes = b->time.size;
	wire_varint(&b->time, wire_zigzag((int64_t)deviation));
	bytes = b->time.size - bytes;
	bytes += column_push(&b->thread, b->count, s->thread);
	bytes += column_push(&b->user_stack, b->count, s->user_stack);
	bytes += column_push(&b->kernel_stack, b->count, s->kernel_stack);
	bytes += column_push(&b->weight, b->count, s->weight);
	if (b->counters)
		flags |= push_counts(b, s->counts, &bytes);
	bytes += column_push(&b->flags, b->count, flags);
	b->count++;
	st->block_bytes += bytes;
	if (!st->opened_ns)
		st->opened_ns = s->time_ns;
	if (++st->unlooked == SAMPLES_A_LOOK)
		stream_flush_full(st);
}

static void clear_block(struct block *b)
{
	buffer_clear(&b->time);
	column_clear(&b->thread);
	column_clear(&b->user_stack);
	column_clear(&b->kernel_stack);
	column_clear(&b->weight);
	column_clear(&b->flags);
	column_clear(&b->enabled_ns);
	column_clear(&b->running_ns);
	for (uint32_t i = 0; i < b->counters; i++)
		column_clear(&b->counted[i]);
	b->count = 0;
}

static void encode_counts(struct stream *st, struct block *b)
{
	const struct group *g = &st->groups[b->event];
	struct buffer *m = &st->message, *inner = &st->inner;

	for (uint32_t i = 0; i < b->counters; i++) {
		wire_field_varint(inner, COUNTER_EVENT, g->event[i]);
		column_encode(&b->counted[i], COUNTER_COUNT, inner);
		wire_field_bytes(m, BLOCK_COUNTER, inner->data, inner->size);
		m->failed |= inner->failed;
		buffer_clear(inner);
	}
	column_encode(&b->enabled_ns, BLOCK_ENABLED_NS, m);
	column_encode(&b->running_ns, BLOCK_RUNNING_NS, m);
}

static void encode_block(struct stream *st, struct block *b)
{
	struct buffer *m = &st->message;

	wire_field_varint(m, BLOCK_CPU, b->cpu);
	wire_field_varint(m, BLOCK_EVENT, b->event);
	wire_field_varint(m, BLOCK_COUNT, b->count);
	wire_field_varint(m, BLOCK_FIRST_TIME_NS, b->first_time_ns);
	wire_field_varint(m, BLOCK_INTERVAL_NS, st->interval_ns[b->event]);
	if (b->count > 1)
		wire_field_bytes(m, BLOCK_TIME_DEVIATION, b->time.data, b->time.size);
	m->failed |= b->time.failed;
	column_encode(&b->thread, BLOCK_THREAD, m);
	column_encode(&b->user_stack, BLOCK_USER_STACK, m);
	column_encode(&b->kernel_stack, BLOCK_KERNEL_STACK, m);
	column_encode(&b->weight, BLOCK_WEIGHT, m);
	column_encode(&b->flags, BLOCK_FLAGS, m);
	if (b->counters)
		encode_counts(st, b);
	wire_field_bytes(&st->packet, PACKET_SAMPLES, m->data, m->size);
	st->packet.failed |= m->failed;
	buffer_clear(m);
}

static void encode_definitions(struct stream *st)
{
	struct buffer *m = &st->message;

	string_table_encode(st->strings, m);
	wire_append(m, st->definitions.data, st->definitions.size);
	m->failed |= st->definitions.failed;
	buffer_clear(&st->definitions);
	calltree_encode(st->calltree, m);
	name_table_encode(&st->names, m);
	if (m->size)
		wire_field_bytes(&st->packet, PACKET_DEFINITIONS, m->data, m->size);
	st->packet.failed |= m->failed;
	buffer_clear(m);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The header and the ledger: rare, and many fields, so through protobuf-c. */
static void encode_messages(struct stream *st, const Profiler__Ledger *ledger)
{
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Clock clock = PROFILER__CLOCK__INIT;
	size_t size;

	packet.epoch = st->epoch;
	if (st->header_due) {
		clock.boottime_ns = clock_ns(CLOCK_BOOTTIME);
		clock.realtime_ns = clock_ns(CLOCK_REALTIME);
		st->header->clock = &clock;
		packet.header = st->header;
	}
	/* protobuf-c reads it only; its generated pointer is not const. */
	memcpy(&packet.ledger, &ledger, sizeof(ledger));
	size = profiler__packet__get_packed_size(&packet);
	if (buffer_reserve(&st->packet, size))
		st->packet.size +=
			profiler__packet__pack(&packet, st->packet.data + st->packet.size);
	st->header->clock = NULL;
}

/* Puts the content in st->packet into the hand-off; false when there is no room. */
static bool push(struct stream *st)
{
	struct handoff_packet *p;

	if (st->packet.failed || st->packet.size > PACKET_CONTENT_MAX)
		return false;
	p = handoff_reserve(st->handoff, st->used_count,
			    (uint32_t)(PACKET_PREFIX + st->packet.size + PACKET_SUFFIX));
	if (!p)
		return false;
	for (uint32_t i = 0; i < st->used_count; i++) {
		const struct block *b = st->blocks[st->used[i]];

		p->row[i] = (struct handoff_row){ (uint16_t)b->cpu, (uint16_t)b->event, b->count };
		p->samples += b->count;
	}
	memcpy(handoff_bytes(p) + PACKET_PREFIX, st->packet.data, st->packet.size);
	handoff_commit(st->handoff, p);
	handoff_wake(st->handoff);
	return true;
}

bool stream_flush(struct stream *st, const Profiler__Ledger *ledger)
{
	bool pushed;

	if (!st->used_count && !st->names.count && !ledger)
		return true;
	buffer_clear(&st->packet);
	encode_messages(st, ledger);
	encode_definitions(st);
	for (uint32_t i = 0; i < st->used_count; i++)
		encode_block(st, st->blocks[st->used[i]]);
	pushed = push(st);
	for (uint32_t i = 0; i < st->used_count; i++) {
		struct block *b = st->blocks[st->used[i]];

		if (!pushed)
			b->dropped += b->count;
		clear_block(b);
	}
	st->used_count = 0;
	st->block_bytes = 0;
	st->opened_ns = 0;
	if (pushed) {
		st->header_due = false;
	} else {
		st->packets_dropped++;
		stream_next_epoch(st); /* what the packet defined is missing now */
	}
	return pushed;
}

void stream_flush_full(struct stream *st)
{
	st->unlooked = 0;
	if (packet_size(st) >= PACKET_TARGET)
		stream_flush(st, NULL);
}

uint64_t stream_age_ns(const struct stream *st, uint64_t now_ns)
{
	return st->opened_ns && now_ns > st->opened_ns ? now_ns - st->opened_ns : 0;
}

void stream_next_epoch(struct stream *st)
{
	stream_flush(st, NULL);
	st->epoch++;
	st->header_due = true;
	string_table_clear(st->strings);
	calltree_clear(st->calltree);
	name_table_clear(&st->names);
	buffer_clear(&st->definitions);
	st->last_mapping = 0;
	st->last_process = 0;
	st->last_thread = 0;
}

static const struct block *find_block(const struct stream *st, uint32_t cpu, uint32_t event)
{
	return st->blocks[cpu * MAX_EVENTS + event];
}

uint64_t stream_dropped(const struct stream *st, uint32_t cpu, uint32_t event)
{
	const struct block *b = find_block(st, cpu, event);

	return b ? b->dropped : 0;
}

uint64_t stream_packets_dropped(const struct stream *st)
{
	return st->packets_dropped;
}

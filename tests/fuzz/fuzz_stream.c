/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_stream.c - the reader of streams on bytes from libFuzzer.
 *
 * The first byte of an input chooses what the rest is:
 *
 *   even   a stream, as it is: mostly the search for packets and the counting of damage;
 *   odd    contents of packets, as sealed.h has them.
 *
 * Everything that a tool might look at is looked at, and what the reader promises is required.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/packet.h"
#include "proto/reader.h"
#include "tests/fuzz/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the build type may have turned that off. */
static void require(bool ok)
{
	if (!ok)
		abort();
}

/* Walks a stack to its root, or to where definitions are missing. */
static uint64_t walk(const struct tables *t, uint32_t id)
{
	const struct table_node *node;
	uint64_t sum = 0;

	for (; (node = tables_node(t, id)); id = node->parent) {
		const struct table_frame *frame = tables_frame(t, node->frame);
		const struct table_mapping *mapping;
		const char *text;
		size_t bytes;

		require(node->parent < id && node->frame);
		if (!frame)
			continue;
		require(frame->mapping);
		mapping = tables_mapping(t, frame->mapping);
		text = tables_string(t, mapping ? mapping->path : frame->function, &bytes);
		if (text)
			require(strlen(text) == bytes);
		for (uint32_t i = 0; mapping && i < mapping->build_id_bytes; i++)
			sum += mapping->build_id[i];
		sum += frame->offset;
	}
	return sum;
}

/* What a sample counted; its block has no counters, or those of its group in the header. */
static uint64_t look_at_counts(const Profiler__Header *header, const Profiler__SampleBlock *b,
			       uint32_t place)
{
	uint64_t sum = sample_wide(b->enabled_ns, b->n_enabled_ns, place) +
		       sample_wide(b->running_ns, b->n_running_ns, place);

	require(b->n_counter <= READER_MAX_COUNTERS && !header->event[b->event]->leader);
	for (size_t i = 0; i < b->n_counter; i++) {
		const Profiler__Counter *c = b->counter[i];

		require(c->event < header->n_event);
		require(i ? header->event[c->event]->leader == b->event + 1 : c->event == b->event);
		sum += sample_wide(c->count, c->n_count, place);
	}
	return sum;
}

static uint64_t look_at(const struct reader *r, const Profiler__Packet *packet)
{
	const struct tables *t = reader_tables(r);
	uint64_t sum = 0;

	for (size_t i = 0; i < packet->n_samples; i++) {
		struct sample_iter it;
		struct reader_sample s;

		require(packet->samples[i]->event < reader_header(r)->n_event);
		require(packet->samples[i]->cpu < READER_MAX_CPUS);
		reader_samples(r, packet->samples[i], &it);
		while (sample_iter_next(&it, &s)) {
			const struct table_thread *thread = tables_thread(t, s.thread);

			sum += s.time_ns + s.weight + s.flags;
			sum += look_at_counts(reader_header(r), packet->samples[i], s.place);
			sum += walk(t, s.user_stack) + walk(t, s.kernel_stack);
			if (thread && tables_process(t, thread->process))
				sum += tables_process(t, thread->process)->pid;
		}
	}
	for (uint32_t i = 1; i < tables_end(t, TABLE_NAMES); i++) {
		const struct table_name *name = tables_name(t, i);

		require(name && name->mapping && name->size);
		require(name->start + name->size > name->start);
	}
	for (int i = 0; i < TABLE_COUNT; i++)
		require(tables_end(t, (enum table)i) >= 1);
	if (reader_ledger(r))
		for (size_t i = 0; i < reader_ledger(r)->n_row; i++)
			sum += reader_ledger(r)->row[i]->cpu;
	return sum;
}

static void read_stream(const uint8_t *data, size_t size)
{
	const Profiler__Packet *packet;
	const struct reader_damage *d;
	struct reader *r;
	volatile uint64_t sum = 0; /* keeps the reads from being optimised away */
	uint64_t good = 0, next = 0;
	int result;

	if (reader_open_memory(&r, data, size))
		abort();
	while ((result = reader_next(r, &packet)) > 0) {
		require(packet->sequence >= next);
		next = packet->sequence + 1;
		good++;
		sum = sum + look_at(r, packet);
		if (!next)
			break;
	}
	d = reader_damage(r);
	require(reader_packets(r) == good);
	require(d->bytes_skipped + d->truncated_bytes <= reader_bytes(r));
	if (!result)
		require(reader_bytes(r) == size);
	reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *stream;
	size_t bytes;

	if (!size || size > PACKET_MAX)
		return 0;
	if (!(data[0] & 1)) {
		read_stream(data + 1, size - 1);
		return 0;
	}
	stream = sealed_make(data + 1, size - 1, &bytes);
	if (!stream)
		return 0;
	read_stream(stream, bytes);
	free(stream);
	return 0;
}

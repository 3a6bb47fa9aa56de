/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome.h - reads a made stream to its end and holds each packet against what make_kth()
 * (packets.h) put into it.
 */
#ifndef PROFILER_OUTCOME_H
#define PROFILER_OUTCOME_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "packets.h"
#include "proto/reader.h"

/* What a reader gave until it ended. */
struct outcome {
	int result;
	uint64_t packets;
	uint64_t sequence[MADE_PACKETS];
	struct reader_damage damage;
	uint64_t bytes;
	bool header;
	bool final;
};

static inline void check_known(const struct tables *t, uint64_t k)
{
	uint32_t epoch = packet_epoch(k), id = packet_id(k);
	const struct table_node *node = tables_node(t, id);
	const struct table_frame *frame = tables_frame(t, id);
	char text[32];

	cr_assert(eq(u32, tables_epoch(t), epoch));
	cr_assert(node && frame && tables_mapping(t, id) && tables_process(t, id) &&
		  tables_thread(t, id) && tables_string(t, id, NULL));
	cr_assert(eq(u32, node->frame, id));
	cr_assert(eq(u32, node->parent, id - 1));
	cr_assert(
		all(eq(u32, frame->mapping, id), eq(u64, frame->offset, frame_offset(epoch, id))));
	snprintf(text, sizeof(text), "string %" PRIu32 " of epoch %" PRIu32, id, epoch);
	cr_assert(zero(int, strcmp(tables_string(t, id, NULL), text)));
	cr_assert(eq(u32, tables_thread(t, id)->tid, epoch * 100 + id));
}

/* All that is defined is of this epoch: what was lost is unknown, never something else. */
static inline void check_tables(const struct tables *t, uint64_t k)
{
	for (uint64_t i = k - k % EPOCH_PACKETS; i <= k; i++)
		if (tables_node(t, packet_id(i)))
			check_known(t, i);
	cr_assert(eq(u32, tables_end(t, TABLE_NODES), packet_id(k) + 1));
}

static inline void check_samples(const struct reader *r, const Profiler__SampleBlock *b, uint64_t k)
{
	struct sample_iter it;
	struct reader_sample s;
	uint32_t i = 0;

	reader_samples(r, b, &it);
	while (sample_iter_next(&it, &s)) {
		cr_assert(eq(u64, s.time_ns, sample_time(k, i)));
		cr_assert(eq(u32, s.cpu, (uint32_t)k));
		cr_assert(eq(u32, s.event, 1));
		cr_assert(eq(u32, s.thread, packet_id(k)));
		cr_assert(eq(u32, s.user_stack, packet_id(k)));
		cr_assert(zero(u32, s.kernel_stack));
		cr_assert(zero(u32, s.flags));
		cr_assert(
			eq(u64, s.weight, (uint64_t)sample_weight(k, k & 1 ? i : 0) << MADE_SHIFT));
		i++;
	}
	cr_assert(eq(u32, i, packet_samples(k)));
}

static inline void check_made(const struct reader *r, const Profiler__Packet *packet)
{
	uint64_t k = packet->sequence;

	cr_assert(k < MADE_PACKETS);
	cr_assert(eq(u64, packet->first_sample, samples_before(k)));
	check_known(reader_tables(r), k);
	check_tables(reader_tables(r), k);
	if (reader_header(r) && packet_samples(k)) {
		cr_assert(eq(sz, packet->n_samples, 1));
		check_samples(r, packet->samples[0], k);
	} else {
		cr_assert(zero(sz, packet->n_samples));
	}
	cr_assert(eq(int, packet->ledger != NULL, k % 3 == 2));
	if (packet->ledger)
		cr_assert(eq(u64, reader_ledger(r)->time_ns, k));
}

static inline struct outcome read_all(struct reader *r)
{
	struct outcome out = { 0 };
	const Profiler__Packet *packet;

	while ((out.result = reader_next(r, &packet)) > 0) {
		check_made(r, packet);
		cr_assert(out.packets < MADE_PACKETS);
		out.sequence[out.packets++] = packet->sequence;
	}
	cr_assert(eq(int, reader_next(r, &packet), out.result), "the end stays the end");
	cr_assert(eq(u64, reader_packets(r), out.packets));
	out.damage = *reader_damage(r);
	out.bytes = reader_bytes(r);
	out.header = reader_header(r);
	out.final = reader_ledger(r) && reader_ledger(r)->final;
	return out;
}

static inline struct outcome read_memory(const void *data, size_t bytes)
{
	struct reader *r;
	struct outcome out;

	cr_assert(zero(int, reader_open_memory(&r, data, bytes)));
	out = read_all(r);
	reader_free(r);
	return out;
}

static inline bool undamaged(struct reader_damage d)
{
	return !d.bytes_skipped && !d.packets_damaged && !d.packets_lost && !d.samples_lost &&
	       !d.packets_strayed && !d.samples_strange && !d.truncated_bytes && !d.version_too_new;
}

/* Sequence numbers and samples add up exactly, as far as the last packet that was found. */
static inline void check_gaps(const struct outcome *out)
{
	uint64_t last, samples = 0;

	if (!out->packets)
		return;
	last = out->sequence[out->packets - 1];
	for (uint64_t i = 0; i < out->packets; i++)
		samples += packet_samples(out->sequence[i]);
	cr_assert(eq(u64, out->damage.packets_lost, last + 1 - out->packets));
	cr_assert(eq(u64, out->damage.samples_lost, samples_before(last + 1) - samples));
}

#endif /* PROFILER_OUTCOME_H */

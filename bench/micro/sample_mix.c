// SPDX-License-Identifier: Apache-2.0
/*
 * sample_mix.c - made samples with the statistics of real ones, and streams of them.
 *
 * The streams are made by the product's own stages, so they are what it writes.
 */
#include "bench/micro/sample_mix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/event.h"
#include "profiler/calltree.h"

#define BEGIN_NS      UINT64_C(1000000000000)
#define EPOCH_SAMPLES (4000u * MIX_CPUS)
#define HANDOFF_BYTES (1u << 20)

/* A number from 1 to @limit, small ones far more often. */
static uint32_t skewed(uint64_t *random, uint32_t limit)
{
	uint64_t r = mix_below(random, 1024);

	return 1 + (uint32_t)(r * r * r * limit >> 30);
}

void mix_samples(struct stream_sample *ret, uint32_t count)
{
	uint64_t random = 1;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t late_ns = mix_below(&random, 2000);

		ret[i] = (struct stream_sample){
			.time_ns = BEGIN_NS + i / MIX_CPUS * (uint64_t)MIX_INTERVAL_NS + late_ns,
			.cpu = i % MIX_CPUS,
			.thread = skewed(&random, MIX_THREADS),
			.user_stack = skewed(&random, MIX_STACKS),
			.weight = MIX_INTERVAL_NS,
		};
		if (mix_below(&random, 4) == 0) {
			ret[i].kernel_stack = skewed(&random, MIX_STACKS);
			ret[i].flags = PROFILER__SAMPLE_FLAG__IN_KERNEL;
		}
	}
}

uint64_t mix_frame(uint32_t stack, uint32_t i)
{
	uint64_t branch = i < MIX_DEPTH / 2 ? 0 : i < MIX_SHARED ? 1 + stack / 16 : 1000 + stack;
	uint64_t state = branch << 8 | (i + 1);

	return mix_random(&state) % (2u << 20) & ~UINT64_C(3);
}

Profiler__Header *mix_header(void)
{
	static char name[] = "cpu-clock", recorder[] = "micro";
	static Profiler__Event event;
	static Profiler__Event *events[] = { &event };
	static Profiler__Header header;

	profiler__event__init(&event);
	event.name = name;
	profiler__header__init(&header);
	header.version = STREAM_VERSION;
	header.recorder = recorder;
	header.n_event = 1;
	header.event = events;
	return &header;
}

int mix_stream_new(struct stream **ret, struct handoff **ret_handoff)
{
	const uint64_t interval_ns[MAX_EVENTS] = { MIX_INTERVAL_NS };
	int err = handoff_new(ret_handoff, HANDOFF_BYTES);

	if (err)
		return err;
	err = stream_new(ret, *ret_handoff, mix_header(), interval_ns, MIX_CPUS);
	if (err)
		handoff_free(*ret_handoff);
	return err;
}

uint64_t mix_drain(struct handoff *h)
{
	struct handoff_packet *p;
	uint64_t bytes = 0;

	while (!handoff_empty(h)) {
		p = handoff_wait(h);
		bytes += mix_content_bytes(p);
		handoff_done(h, p);
	}
	return bytes;
}

/* What the numbers of the made samples are in the epoch that is being written. */
struct ids {
	uint32_t thread[MIX_THREADS + 1];
	uint32_t stack[MIX_STACKS + 1];
};

static void define(struct stream *st, struct ids *ids)
{
	const struct stream_mapping m = { .kind = PROFILER__MAPPING__KIND__FILE,
					  .path = "/usr/bin/program",
					  .size = 2u << 20 };
	const struct stream_process p = { .pid = 1234, .comm = "program", .cgroup = "/service" };
	uint32_t mapping = stream_mapping(st, &m), process = stream_process(st, &p);

	for (uint32_t i = 1; i <= MIX_THREADS; i++)
		ids->thread[i] = stream_thread(st, 1233 + i, process, "worker");
	for (uint32_t stack = 1; stack <= MIX_STACKS; stack++) {
		uint32_t node = 0;

		for (uint32_t i = 0; i < MIX_DEPTH; i++) {
			uint32_t frame = calltree_frame(stream_calltree(st), mapping,
							mix_frame(stack, i), 0);

			node = calltree_node(stream_calltree(st), node, frame);
		}
		ids->stack[stack] = node;
	}
}

/* Numbers and seals what is in the hand-off, behind what there is. */
static int collect(struct mix_bytes *m, struct handoff *h, uint64_t *samples)
{
	while (!handoff_empty(h)) {
		struct handoff_packet *p = handoff_wait(h);
		uint8_t *packet = handoff_bytes(p), *data;
		size_t bytes = packet_seal(packet, mix_content_bytes(p), m->packets++, *samples);

		*samples += p->samples;
		data = realloc(m->data, m->bytes + bytes);
		if (!data)
			return -ENOMEM;
		memcpy(data + m->bytes, packet, bytes);
		m->data = data;
		m->bytes += bytes;
		handoff_done(h, p);
	}
	return 0;
}

static int write_samples(struct mix_bytes *m, struct stream *st, struct handoff *h,
			 struct stream_sample *samples, uint32_t count)
{
	struct ids ids = { 0 };
	uint64_t collected = 0;
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		struct stream_sample *s = &samples[i];

		if (i && i % EPOCH_SAMPLES == 0)
			stream_next_epoch(st);
		if (i % EPOCH_SAMPLES == 0)
			define(st, &ids);
		s->thread = ids.thread[s->thread];
		s->user_stack = ids.stack[s->user_stack];
		s->kernel_stack = ids.stack[s->kernel_stack];
		m->sum += mix_sum(s->time_ns, s->weight, s->thread, s->user_stack, s->kernel_stack,
				  s->flags);
		stream_sample(st, s);
		if ((i + 1) % MIX_PACKET == 0 || i + 1 == count) {
			stream_flush(st, NULL);
			err = collect(m, h, &collected);
		}
	}
	return err;
}

int mix_bytes_new(struct mix_bytes *ret, uint32_t samples)
{
	struct stream_sample *made = calloc(samples, sizeof(*made));
	struct handoff *h = NULL;
	struct stream *st = NULL;
	int err = made ? mix_stream_new(&st, &h) : -ENOMEM;

	*ret = (struct mix_bytes){ 0 };
	if (!err) {
		mix_samples(made, samples);
		err = write_samples(ret, st, h, made, samples);
		stream_free(st);
		handoff_free(h);
	}
	free(made);
	if (err)
		mix_bytes_free(ret);
	return err;
}

void mix_bytes_free(struct mix_bytes *m)
{
	free(m->data);
	*m = (struct mix_bytes){ 0 };
}

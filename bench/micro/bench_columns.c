// SPDX-License-Identifier: Apache-2.0
/*
 * bench_columns.c - samples to the bytes of a packet, as profiler/stream.c does it.
 *
 * All that become the same message do so byte for byte, which is checked when the peer is made. The
 * others have what the same samples come to as the kernel's 32 bytes: with zlib over them, and as
 * they are, which is the limit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/sample_mix.h"
#include "bpf/event.h"

#define SAMPLES	     (8 * MIX_PACKET)
#define OF_CPU	     (MIX_PACKET / MIX_CPUS)
#define PACKET_BYTES (256u << 10) /* more than any packet of so many samples */

struct columns {
	struct stream_sample *samples;
	uint32_t next; /* of them */
	struct handoff *handoff;
	struct stream *stream;
	uint64_t encoded;
	uint64_t bytes;
};

/* The samples of a CPU, as protobuf-c wants them. */
struct cpu_columns {
	uint64_t last_ns;
	int64_t deviation[OF_CPU];
	uint32_t thread[OF_CPU];
	uint32_t user_stack[OF_CPU];
	uint32_t kernel_stack[OF_CPU];
	uint32_t weight[OF_CPU];
	uint32_t flags[OF_CPU];
};

struct copies {
	struct stream_sample *samples;
	struct sample_event *events; /* the same samples as the kernel writes them */
	uint32_t next;
	uint64_t encoded;
	uint64_t bytes;
	Profiler__Packet packet;
	Profiler__SampleBlock block[MIX_CPUS];
	Profiler__SampleBlock *blocks[MIX_CPUS];
	struct cpu_columns columns[MIX_CPUS];
	uint8_t out[PACKET_BYTES];
};

static void free_columns(void *state)
{
	struct columns *c = state;

	stream_free(c->stream);
	handoff_free(c->handoff);
	free(c->samples);
	free(c);
}

static void put_packet(struct columns *c)
{
	for (uint32_t i = 0; i < MIX_PACKET; i++)
		stream_sample(c->stream, &c->samples[c->next + i]);
	stream_flush(c->stream, NULL);
	c->next = (c->next + MIX_PACKET) % SAMPLES;
	c->encoded += MIX_PACKET;
}

static uint64_t run_columns(void *state, uint64_t ops)
{
	struct columns *c = state;
	uint64_t done;

	for (done = 0; done < ops; done += MIX_PACKET) {
		put_packet(c);
		c->bytes += mix_drain(c->handoff);
	}
	return done;
}

static int make_columns(void **ret_state)
{
	struct columns *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!c)
		return err;
	c->samples = calloc(SAMPLES, sizeof(*c->samples));
	if (c->samples)
		err = mix_stream_new(&c->stream, &c->handoff);
	if (err) {
		free_columns(c);
		return err;
	}
	mix_samples(c->samples, SAMPLES);
	run_columns(c, SAMPLES); /* the header goes out, and buffers get their room */
	c->encoded = c->bytes = 0;
	*ret_state = c;
	return 0;
}

static double columns_bytes(void *state)
{
	const struct columns *c = state;

	return (double)c->bytes / (double)c->encoded;
}

static void free_copies(void *state)
{
	struct copies *c = state;

	free(c->events);
	free(c->samples);
	free(c);
}

static void append(struct copies *c, const struct stream_sample *s)
{
	Profiler__SampleBlock *b = &c->block[s->cpu];
	struct cpu_columns *to = &c->columns[s->cpu];
	uint32_t i = b->count++;

	if (i)
		to->deviation[i] = (int64_t)(s->time_ns - to->last_ns - MIX_INTERVAL_NS);
	else
		b->first_time_ns = s->time_ns;
	to->last_ns = s->time_ns;
	to->thread[i] = s->thread;
	to->user_stack[i] = s->user_stack;
	to->kernel_stack[i] = s->kernel_stack;
	to->weight[i] = s->weight;
	to->flags[i] = s->flags;
}

/* Entries that a column needs: one if all are the same, none if they are 0. */
static size_t column_length(const uint32_t *value, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (value[i] != value[0])
			return n;
	return value[0] != 0;
}

static void finish_block(Profiler__SampleBlock *b)
{
	b->n_time_deviation = b->count;
	b->n_thread = column_length(b->thread, b->count);
	b->n_user_stack = column_length(b->user_stack, b->count);
	b->n_kernel_stack = column_length(b->kernel_stack, b->count);
	b->n_weight = column_length(b->weight, b->count);
	b->n_flags = column_length(b->flags, b->count);
}

static void pack_packet(struct copies *c)
{
	for (uint32_t i = 0; i < MIX_CPUS; i++)
		c->block[i].count = 0;
	for (uint32_t i = 0; i < MIX_PACKET; i++)
		append(c, &c->samples[c->next + i]);
	for (uint32_t i = 0; i < MIX_CPUS; i++)
		finish_block(&c->block[i]);
	c->bytes += profiler__packet__pack(&c->packet, c->out);
	c->next = (c->next + MIX_PACKET) % SAMPLES;
	c->encoded += MIX_PACKET;
}

static uint64_t run_protobuf_c(void *state, uint64_t ops)
{
	uint64_t done;

	for (done = 0; done < ops; done += MIX_PACKET)
		pack_packet(state);
	return done;
}

static void init_blocks(struct copies *c)
{
	profiler__packet__init(&c->packet);
	c->packet.epoch = 1;
	c->packet.n_samples = MIX_CPUS;
	c->packet.samples = c->blocks;
	for (uint32_t i = 0; i < MIX_CPUS; i++) {
		Profiler__SampleBlock *b = c->blocks[i] = &c->block[i];

		profiler__sample_block__init(b);
		b->cpu = i;
		b->interval_ns = MIX_INTERVAL_NS;
		b->time_deviation = c->columns[i].deviation;
		b->thread = c->columns[i].thread;
		b->user_stack = c->columns[i].user_stack;
		b->kernel_stack = c->columns[i].kernel_stack;
		b->weight = c->columns[i].weight;
		b->flags = c->columns[i].flags;
	}
}

static int make_copies(void **ret_state)
{
	struct copies *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->samples = calloc(SAMPLES, sizeof(*c->samples));
	c->events = calloc(SAMPLES, sizeof(*c->events));
	if (!c->samples || !c->events) {
		free_copies(c);
		return -ENOMEM;
	}
	mix_samples(c->samples, SAMPLES);
	for (uint32_t i = 0; i < SAMPLES; i++)
		c->events[i] = (struct sample_event){
			.time_ns = c->samples[i].time_ns,
			.pid = 1234,
			.tid = 1233 + c->samples[i].thread,
			.user_stack = c->samples[i].user_stack,
			.kernel_stack = c->samples[i].kernel_stack,
			.weight = c->samples[i].weight,
			.cpu = (uint16_t)c->samples[i].cpu,
			.flags = (uint8_t)c->samples[i].flags,
		};
	init_blocks(c);
	*ret_state = c;
	return 0;
}

/* Is what the product makes of a packet's samples the same as what protobuf-c does? */
static bool packs_the_same(struct columns *ours, struct copies *c)
{
	struct handoff_packet *p;
	uint64_t before = c->bytes;
	bool same;

	put_packet(ours);
	pack_packet(c);
	p = handoff_wait(ours->handoff);
	same = mix_content_bytes(p) == c->bytes - before &&
	       !memcmp(handoff_bytes(p) + PACKET_PREFIX, c->out, c->bytes - before);
	handoff_done(ours->handoff, p);
	return same;
}

static int make_protobuf_c(void **ret_state)
{
	void *ours, *copies;
	int err = make_columns(&ours);
	bool same = true;

	if (err)
		return err;
	err = make_copies(&copies);
	for (uint32_t i = 0; !err && i < SAMPLES / MIX_PACKET; i++)
		same &= packs_the_same(ours, copies);
	free_columns(ours);
	if (!err && !same) {
		free_copies(copies);
		return -EBADMSG;
	}
	if (!err)
		*ret_state = copies;
	return err;
}

static uint64_t run_zlib(void *state, uint64_t ops)
{
	struct copies *c = state;
	uint64_t done;

	for (done = 0; done < ops; done += MIX_PACKET) {
		uLongf bytes = sizeof(c->out);

		compress2(c->out, &bytes, (const Bytef *)&c->events[c->next],
			  MIX_PACKET * sizeof(*c->events), 1);
		c->bytes += bytes;
		c->encoded += MIX_PACKET;
		c->next = (c->next + MIX_PACKET) % SAMPLES;
	}
	return done;
}

static uint64_t run_memcpy(void *state, uint64_t ops)
{
	struct copies *c = state;
	uint64_t done;

	for (done = 0; done < ops; done += MIX_PACKET) {
		memcpy(c->out, &c->events[c->next], MIX_PACKET * sizeof(*c->events));
		bench_keep((uint64_t)c->out);
		c->bytes += MIX_PACKET * sizeof(*c->events);
		c->encoded += MIX_PACKET;
		c->next = (c->next + MIX_PACKET) % SAMPLES;
	}
	return done;
}

static double copies_bytes(void *state)
{
	const struct copies *c = state;

	return (double)c->bytes / (double)c->encoded;
}

static const struct bench benches[] = {
	{
		.group = "columns",
		.name = "profiler",
		.about = "columns filled sample by sample, a packet every 2,000",
		.role = BENCH_OURS,
		.op = "sample",
		.allocates_nothing = 1,
		.setup = make_columns,
		.run = run_columns,
		.teardown = free_columns,
		.bytes = columns_bytes,
	},
	{
		.group = "columns",
		.name = "protobuf-c",
		.about = "the same bytes: arrays, then its pack()",
		.role = BENCH_PEER,
		.op = "sample",
		.setup = make_protobuf_c,
		.run = run_protobuf_c,
		.teardown = free_copies,
		.bytes = copies_bytes,
	},
	{
		.group = "columns",
		.name = "zlib",
		.about = "the kernel's 32 bytes a sample, compressed at level 1",
		.role = BENCH_PEER,
		.op = "sample",
		.setup = make_copies,
		.run = run_zlib,
		.teardown = free_copies,
		.bytes = copies_bytes,
	},
	{
		.group = "columns",
		.name = "memcpy",
		.about = "the kernel's 32 bytes a sample, as they are",
		.role = BENCH_LIMIT,
		.op = "sample",
		.setup = make_copies,
		.run = run_memcpy,
		.teardown = free_copies,
		.bytes = copies_bytes,
	},
};

const struct bench_list bench_columns = { benches, sizeof(benches) / sizeof(benches[0]) };

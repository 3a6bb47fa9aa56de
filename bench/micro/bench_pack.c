// SPDX-License-Identifier: Apache-2.0
/*
 * bench_pack.c - one column of a protobuf message: values appended one by one, then encoded.
 *
 * What profiler/column.h does for each column of a sample, beside protobuf-c with the same values
 * in an array. Both give the same bytes, which is checked when they are made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/harness.h"
#include "bench/micro/sample_mix.h"
#include "profiler/column.h"
#include "stream.pb-c.h"

#define VALUES	   4096
#define COLUMN_MAX (VALUES * 5 + 16)
#define FIELD	   4 /* Frames.function */

struct pack {
	uint32_t value[VALUES];
	struct column column;
	struct buffer out;
	uint32_t array[VALUES];
	Profiler__Frames frames;
	uint8_t packed[COLUMN_MAX];
	uint64_t bytes; /* of all values once */
};

static void free_pack(void *state)
{
	struct pack *p = state;

	column_free(&p->column);
	buffer_free(&p->out);
	free(p);
}

static void encode_column(struct pack *p)
{
	column_clear(&p->column);
	buffer_clear(&p->out);
	for (uint32_t i = 0; i < VALUES; i++)
		column_push(&p->column, i, p->value[i]);
	column_encode(&p->column, FIELD, &p->out);
	bench_keep(p->out.size);
}

static uint64_t run_column(void *state, uint64_t ops)
{
	uint64_t done;

	for (done = 0; done < ops; done += VALUES)
		encode_column(state);
	return done;
}

static void pack_array(struct pack *p)
{
	for (uint32_t i = 0; i < VALUES; i++)
		p->array[i] = p->value[i];
	p->frames.n_function = VALUES;
	p->frames.function = p->array;
	p->bytes = profiler__frames__pack(&p->frames, p->packed);
	bench_keep(p->bytes);
}

static uint64_t run_protobuf_c(void *state, uint64_t ops)
{
	uint64_t done;

	for (done = 0; done < ops; done += VALUES)
		pack_array(state);
	return done;
}

static uint64_t run_memcpy(void *state, uint64_t ops)
{
	struct pack *p = state;
	uint64_t done;

	for (done = 0; done < ops; done += VALUES) {
		memcpy(p->array, p->value, sizeof(p->array));
		bench_keep((uint64_t)p->array);
	}
	return done;
}

/* Ids: most in a byte, some in two, few in three. */
static void fill(uint32_t *value)
{
	static const uint8_t bits[16] = { 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 14, 14, 14, 21 };
	uint64_t random = 1;

	for (uint32_t i = 0; i < VALUES; i++)
		value[i] = mix_below(&random, 1u << bits[mix_below(&random, 16)]);
}

static int make_pack(void **ret_state)
{
	struct pack *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	fill(p->value);
	profiler__frames__init(&p->frames);
	encode_column(p);
	pack_array(p);
	if (p->out.failed || p->out.size != p->bytes ||
	    memcmp(p->out.data, p->packed, p->bytes) != 0) {
		free_pack(p);
		return -EBADMSG;
	}
	*ret_state = p;
	return 0;
}

static double pack_bytes(void *state)
{
	const struct pack *p = state;

	return (double)p->bytes / VALUES;
}

static const struct bench benches[] = {
	{
		.group = "pack",
		.name = "profiler",
		.about = "a column, its values appended one by one as varints",
		.role = BENCH_OURS,
		.op = "value",
		.allocates_nothing = 1,
		.setup = make_pack,
		.run = run_column,
		.teardown = free_pack,
		.bytes = pack_bytes,
	},
	{
		.group = "pack",
		.name = "protobuf-c",
		.about = "the same bytes: an array, then its pack()",
		.role = BENCH_PEER,
		.op = "value",
		.setup = make_pack,
		.run = run_protobuf_c,
		.teardown = free_pack,
		.bytes = pack_bytes,
	},
	{
		.group = "pack",
		.name = "memcpy",
		.about = "the values as they are, four bytes each",
		.role = BENCH_LIMIT,
		.op = "value",
		.bytes_per_op = sizeof(uint32_t),
		.setup = make_pack,
		.run = run_memcpy,
		.teardown = free_pack,
	},
};

const struct bench_list bench_pack = { benches, sizeof(benches) / sizeof(benches[0]) };

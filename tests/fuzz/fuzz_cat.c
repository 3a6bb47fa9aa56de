/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cat.c - profiler-cat on streams from libFuzzer: what it writes is whole.
 *
 * The first byte of an input says what is done, by bits: 1 leave out what was sampled in the
 * kernel, 2 the stream is merged with itself, 4 without the time between. The rest is contents of
 * packets, as sealed.h has them.
 *
 * Whatever goes in, what comes out is read without damage but for the loss that was passed on, has
 * all samples that are wanted, and copied once more is the same bytes. The answers in text and of
 * the checks are made, too, and go nowhere.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/reader.h"
#include "tests/fuzz/sealed.h"
#include "tools/cat.h"
#include "tools/cat_copy.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how {
	ONLY_USER = 1,
	TWICE = 2,
	END_TO_END = 4,
};

struct bytes {
	char *at;
	size_t count;
};

/* Not assert(): the build type may have turned that off. */
static void require(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	require(freopen("/dev/null", "w", stdout));
	return 0;
}

static struct reader *open_reader(const void *data, size_t size)
{
	struct reader *r;

	require(!reader_open_memory(&r, data, size));
	return r;
}

/* Reads up to the first header; false where there is none. */
static bool open_input(struct merge_input *in, const void *data, size_t size,
		       const struct filter *filter)
{
	int got;

	*in = (struct merge_input){ .choice = { .filter = filter } };
	in->reader = open_reader(data, size);
	do
		got = reader_next(in->reader, &in->first);
	while (got > 0 && !reader_header(in->reader));
	return got > 0;
}

/* What profiler-cat writes; nothing where it refuses the streams. */
static struct bytes copy(const void *data, size_t size, const struct filter *filter, uint8_t how)
{
	struct merge_input in[2];
	struct cat_copy *c = calloc(1, sizeof(*c));
	struct bytes out = { 0 };
	size_t inputs = how & TWICE ? 2 : 1;
	bool has_headers = true;
	int err = 1;

	require(c);
	for (size_t i = 0; i < inputs; i++)
		has_headers &= open_input(&in[i], data, size, filter);
	c->kept = filter ? "in user mode" : NULL;
	c->merge.input = in;
	c->merge.inputs = inputs;
	c->merge.end_to_end = how & END_TO_END;
	c->out.file = open_memstream(&out.at, &out.count);
	require(c->out.file);
	if (has_headers)
		err = cat_copy(c);
	require(!fclose(c->out.file));
	for (size_t i = 0; i < inputs; i++)
		reader_free(in[i].reader);
	free(c);
	if (err) { /* more events or CPUs than a stream can have, a newer version */
		free(out.at);
		out = (struct bytes){ 0 };
	}
	return out;
}

static uint64_t count_wanted(struct reader *r, const struct filter *filter)
{
	const Profiler__Packet *packet;
	uint64_t count = 0;

	while (reader_next(r, &packet) > 0) {
		for (size_t i = 0; i < packet->n_samples; i++) {
			struct reader_sample s;
			struct sample_iter it;

			reader_samples(r, packet->samples[i], &it);
			while (sample_iter_next(&it, &s))
				count += !filter || filter_wants(filter, reader_tables(r), &s, 0);
		}
	}
	return count;
}

/* All that was wanted is in what was written, which is whole. */
static void check_output(const void *data, size_t size, const struct filter *filter, uint8_t how,
			 const struct bytes *out)
{
	struct reader *before = open_reader(data, size);
	struct reader *after = open_reader(out->at, out->count);
	const uint64_t times = how & TWICE ? 2 : 1;
	const uint64_t wanted = times * count_wanted(before, filter);
	const struct reader_damage *lost = reader_damage(before);
	const struct reader_damage *d = reader_damage(after);

	require(count_wanted(after, NULL) == wanted);
	require(!d->bytes_skipped && !d->truncated_bytes && !d->packets_damaged);
	require(!d->packets_strayed && !d->samples_strange && !d->version_too_new);
	/* a loss behind all that is written is a gap in nothing */
	require(d->samples_lost <= times * (lost->samples_lost + lost->samples_strange));
	reader_free(before);
	reader_free(after);
}

static void check_again(const struct bytes *out)
{
	struct bytes again = copy(out->at, out->count, NULL, 0);

	require(again.count == out->count && !memcmp(again.at, out->at, out->count));
	free(again.at);
}

/* What people and other programs are told of a stream. */
static void tell(const void *data, size_t size)
{
	struct sample_choice all = { 0 };
	struct reader *r = open_reader(data, size);

	(void)!cat_text(r, &all);
	reader_free(r);
	for (int json = 0; json < 2; json++) {
		r = open_reader(data, size);
		(void)!cat_check(r, "input", json);
		reader_free(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter user = { 0 };
	char why[FILTER_ERROR_BYTES];
	const struct filter *filter = NULL;
	uint8_t *stream;
	struct bytes out;
	size_t bytes;

	if (!size || size > PACKET_MAX)
		return 0;
	stream = sealed_make(data + 1, size - 1, &bytes);
	require(stream && !filter_add(&user, FILTER_BY_USER, NULL, why));
	if (data[0] & ONLY_USER)
		filter = &user;
	tell(stream, bytes);
	out = copy(stream, bytes, filter, data[0]);
	if (out.at) {
		check_output(stream, bytes, filter, data[0], &out);
		check_again(&out);
		tell(out.at, out.count);
	}
	free(out.at);
	free(stream);
	filter_release(&user);
	return 0;
}

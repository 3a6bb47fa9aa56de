/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reader.c - the reader of streams, on whole, cut and damaged ones, from memory and pipes.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group_packets.h"
#include "outcome.h"
#include "packets.h"
#include "proto/packet.h"
#include "proto/reader.h"

Test(reader, a_whole_stream)
{
	struct made_stream s = make_stream();
	struct outcome out = read_memory(s.data, s.bytes);

	cr_expect(zero(int, out.result));
	cr_expect(eq(u64, out.packets, MADE_PACKETS));
	cr_expect(undamaged(out.damage));
	cr_expect(out.header);
	cr_expect(out.final);
	cr_expect(eq(u64, out.bytes, s.bytes));
	free(s.data);
}

Test(reader, header_and_ledger_outlive_their_packets)
{
	struct made_stream s = make_stream();
	const Profiler__Packet *packet;
	struct reader *r;

	cr_assert(zero(int, reader_open_memory(&r, s.data, s.bytes)));
	cr_expect(reader_header(r) == NULL);
	cr_expect(reader_ledger(r) == NULL);
	cr_expect(reader_damaged(r) == false);
	for (int i = 0; i < 4; i++)
		cr_assert(eq(int, reader_next(r, &packet), 1));
	cr_expect(packet->header == NULL);
	cr_assert(eq(sz, reader_header(r)->n_event, 2));
	cr_expect(zero(int, strcmp(reader_header(r)->event[1]->name, "cpu-clock")));
	cr_expect(zero(int, strcmp(reader_header(r)->recorder, "a test")));
	cr_expect(eq(u64, reader_ledger(r)->time_ns, 2));
	reader_free(r);
	free(s.data);
}

Test(reader, cut_at_every_byte)
{
	struct made_stream s = make_stream();
	size_t whole = 0;

	for (size_t cut = 0; cut <= s.bytes; cut++) {
		/* Of this size exactly, so that ASan sees a read beyond it. */
		uint8_t *data = malloc(cut + 1);
		struct outcome out;

		memcpy(data, s.data, cut);
		if (cut == s.offset[whole + 1])
			whole++;
		out = read_memory(data, cut);
		cr_assert(zero(int, out.result), "cut at %zu", cut);
		cr_assert(eq(u64, out.packets, whole), "cut at %zu", cut);
		cr_assert(eq(u64, out.damage.truncated_bytes, cut - s.offset[whole]));
		out.damage.truncated_bytes = 0;
		cr_assert(undamaged(out.damage), "cut at %zu", cut);
		free(data);
	}
	free(s.data);
}

/* Any suffix: what is before counts as lost, what follows the next header is all there. */
Test(reader, begun_at_every_byte)
{
	struct made_stream s = make_stream();
	size_t first = 0;

	for (size_t from = 0; from < s.offset[MADE_PACKETS - 1]; from++) {
		struct outcome out;

		if (from > s.offset[first])
			first++;
		out = read_memory(s.data + from, s.bytes - from);
		cr_assert(zero(int, out.result));
		cr_assert(eq(u64, out.packets, MADE_PACKETS - first), "from %zu", from);
		cr_assert(eq(u64, out.damage.bytes_skipped, s.offset[first] - from));
		check_gaps(&out);
	}
	free(s.data);
}

Test(reader, flipped_bits_cost_the_packets_they_hit)
{
	struct made_stream s = make_stream();
	uint8_t *data = malloc(s.bytes);
	uint64_t random = 2;

	for (int round = 0; round < 20000; round++) {
		bool hit[MADE_PACKETS] = { false };
		unsigned int flips = 1 + (unsigned int)(next_random(&random) % 3);
		uint64_t good = 0, good_bytes = 0;
		struct outcome out;

		memcpy(data, s.data, s.bytes);
		while (flips--) {
			size_t bit = next_random(&random) % (s.bytes * 8), k = 0;

			data[bit / 8] ^= 1 << bit % 8;
			while (bit / 8 >= s.offset[k + 1])
				k++;
			hit[k] = memcmp(data + s.offset[k], s.data + s.offset[k],
					s.offset[k + 1] - s.offset[k]);
		}
		out = read_memory(data, s.bytes);
		cr_assert(zero(int, out.result));
		for (uint64_t k = 0; k < MADE_PACKETS; k++) {
			if (hit[k])
				continue;
			cr_assert(good < out.packets, "round %d, packet %" PRIu64, round, k);
			cr_assert(eq(u64, out.sequence[good], k), "round %d", round);
			good_bytes += s.offset[k + 1] - s.offset[k];
			good++;
		}
		cr_assert(eq(u64, out.packets, good), "round %d", round);
		cr_assert(eq(u64, out.bytes,
			     good_bytes + out.damage.bytes_skipped + out.damage.truncated_bytes));
		check_gaps(&out);
	}
	free(data);
	free(s.data);
}

/* Garbage full of first bytes and of markers, between all packets. */
Test(reader, garbage_between_packets_is_skipped)
{
	struct made_stream s = make_stream();
	uint8_t *data = malloc(s.bytes + (MADE_PACKETS + 1) * 512);
	size_t bytes = 0, garbage = 0;
	uint64_t random = 3;
	struct outcome out;

	for (size_t k = 0; k < MADE_PACKETS; k++) {
		size_t n = next_random(&random) % 512;

		for (size_t i = 0; i < n; i++)
			data[bytes + i] =
				next_random(&random) % 4 ? (uint8_t)next_random(&random) : '\n';
		if (n > 200 && k % 2)
			memcpy(data + bytes + n - 150, s.data, PACKET_PREFIX + (k & 3));
		bytes += n;
		garbage += n;
		memcpy(data + bytes, s.data + s.offset[k], s.offset[k + 1] - s.offset[k]);
		bytes += s.offset[k + 1] - s.offset[k];
	}
	out = read_memory(data, bytes);
	cr_expect(zero(int, out.result));
	cr_expect(eq(u64, out.packets, MADE_PACKETS));
	cr_expect(eq(u64, out.damage.bytes_skipped, garbage));
	cr_expect(zero(u64, out.damage.packets_lost));
	cr_expect(zero(u64, out.damage.samples_lost));
	free(data);
	free(s.data);
}

Test(reader, lost_packets_and_samples_are_counted_exactly)
{
	struct made_stream s = make_stream();
	uint8_t *data = malloc(s.bytes);

	for (unsigned int keep = 1; keep < 1u << MADE_PACKETS; keep += 37) {
		size_t bytes = 0;
		struct outcome out;

		for (size_t k = 0; k < MADE_PACKETS; k++) {
			size_t size = s.offset[k + 1] - s.offset[k];

			if (!(keep >> k & 1))
				continue;
			memcpy(data + bytes, s.data + s.offset[k], size);
			bytes += size;
		}
		out = read_memory(data, bytes);
		cr_assert(eq(u64, out.packets, (uint64_t)__builtin_popcount(keep)));
		check_gaps(&out);
		cr_assert(zero(u64, out.damage.packets_damaged));
		cr_assert(zero(u64, out.damage.bytes_skipped));
	}
	free(data);
	free(s.data);
}

Test(reader, samples_without_a_header_are_counted)
{
	struct made_stream s = make_stream();
	size_t from = s.offset[1]; /* behind the first header; the next is in packet 4 */
	struct outcome out = read_memory(s.data + from, s.offset[4] - from);

	cr_expect(eq(u64, out.packets, 3));
	cr_expect(out.header == false);
	cr_expect(eq(u64, out.damage.samples_strange, samples_before(4) - samples_before(1)));
	cr_expect(eq(u64, out.damage.samples_lost, samples_before(1)));
	free(s.data);
}

Test(reader, a_second_stream_is_not_mixed_in)
{
	struct made_stream s = make_stream();
	uint8_t *data = malloc(2 * s.bytes);
	struct outcome out;

	memcpy(data, s.data, s.bytes);
	memcpy(data + s.bytes, s.data, s.bytes);
	out = read_memory(data, 2 * s.bytes);
	cr_expect(eq(u64, out.packets, MADE_PACKETS));
	cr_expect(eq(u64, out.damage.packets_strayed, MADE_PACKETS));
	free(data);
	free(s.data);
}

Test(reader, what_is_no_stream_is_told_from_what_is_empty)
{
	static const char text[] = "#!/bin/sh\n\n\necho hello\n";
	uint8_t *zeros = calloc(1, 6 << 20), packet[256];
	size_t size = make_kth(packet, 0);
	struct outcome out = read_memory("", 0);

	cr_expect(zero(int, out.result));
	cr_expect(zero(u64, out.packets));
	cr_expect(undamaged(out.damage));
	out = read_memory(text, sizeof(text) - 1);
	cr_expect(eq(int, out.result, -EBADMSG));
	out = read_memory(zeros, 1000);
	cr_expect(eq(int, out.result, -EBADMSG));
	out = read_memory(zeros, 6 << 20);
	cr_expect(eq(int, out.result, -EBADMSG));
	cr_expect(out.bytes < 6 << 20, "given up early");
	packet[size - 1] ^= 1;
	out = read_memory(packet, size);
	cr_expect(zero(int, out.result), "a damaged stream is one");
	cr_expect(eq(u64, out.damage.packets_damaged, 1));
	cr_expect(eq(u64, out.damage.bytes_skipped, size));
	free(zeros);
}

Test(reader, a_newer_version_is_refused)
{
	uint8_t packet[256];
	size_t size = make_header_packet(packet, STREAM_VERSION + 1, 0);
	struct outcome out = read_memory(packet, size);

	cr_expect(eq(int, out.result, -EPROTONOSUPPORT));
	cr_expect(eq(u32, out.damage.version_too_new, STREAM_VERSION + 1));
}

static uint64_t three_counts[] = { 7, 8, 9 };

/* A group of three counters, led by the first of four events; a block of three samples. */
static struct group_packet good_group(void)
{
	return (struct group_packet){
		.events = 4,
		.leader = { 0, 0, 1, 1 },
		.samples = 3,
		.flags = PROFILER__SAMPLE_FLAG__COUNTED,
		.counters = 3,
		.counter = { 0, 2, 3 },
		.count = { { three_counts, 3 }, { three_counts, 1 }, { NULL, 0 } },
		.enabled_ns = { three_counts, 1 },
		.running_ns = { three_counts, 3 },
	};
}

/* What became of a packet, behind one with the header of good_group() if @has_header. */
static struct reader_damage read_group(struct group_packet *g, bool has_header, int *ret_given)
{
	uint8_t data[4096];
	struct group_packet first = good_group();
	const Profiler__Packet *packet;
	struct reader_damage damage;
	size_t bytes = 0;
	struct reader *r;
	int given = 0;

	first.samples = 0;
	if (has_header)
		bytes = make_group_packet(data, &first, 0, 0);
	bytes += make_group_packet(data + bytes, g, has_header, 0);
	cr_assert(zero(int, reader_open_memory(&r, data, bytes)));
	while (reader_next(r, &packet) > 0)
		given += (int)packet->n_samples;
	damage = *reader_damage(r);
	reader_free(r);
	*ret_given = given;
	return damage;
}

Test(reader, counts_come_in_columns)
{
	struct group_packet g = good_group();
	const Profiler__SampleBlock *b;
	const Profiler__Packet *packet;
	struct reader_sample s;
	struct sample_iter it;
	uint8_t data[4096];
	struct reader *r;

	cr_assert(zero(int, reader_open_memory(&r, data, make_group_packet(data, &g, 0, 0))));
	cr_assert(eq(int, reader_next(r, &packet), 1));
	cr_assert(eq(sz, packet->n_samples, 1));
	b = packet->samples[0];
	reader_samples(r, b, &it);
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert(sample_iter_next(&it, &s));
		cr_expect(eq(u32, s.place, i));
		cr_expect(eq(u64, sample_wide(b->counter[0]->count, 3, i), 7 + i));
		cr_expect(eq(u64, sample_wide(b->counter[1]->count, 1, i), 7));
		cr_expect(zero(u64, sample_wide(b->counter[2]->count, 0, i)));
		cr_expect(eq(u64, sample_wide(b->running_ns, b->n_running_ns, i), 7 + i));
	}
	reader_free(r);
}

static void set_column(struct group_packet *g)
{
	g->count[1].n = 2;
}

static void set_enabled(struct group_packet *g)
{
	g->enabled_ns = (struct column64){ three_counts, 2 };
}

static void set_running(struct group_packet *g)
{
	g->running_ns = (struct column64){ three_counts, 2 };
}

static void set_not_own(struct group_packet *g)
{
	g->counter[0] = 1;
}

static void set_twice(struct group_packet *g)
{
	g->counter[2] = 2;
}

static void set_too_many(struct group_packet *g)
{
	g->counters = READER_MAX_COUNTERS + 1;
	for (uint32_t i = 0; i < g->counters; i++)
		g->counter[i] = i;
}

static void set_other_leader(struct group_packet *g)
{
	g->leader[3] = 2;
}

static void set_other_events(struct group_packet *g)
{
	g->events = 5;
}

static void set_late_leader(struct group_packet *g)
{
	g->leader[2] = 4;
	g->leader[3] = 0;
}

static void set_chain(struct group_packet *g)
{
	g->leader[3] = 3;
}

static void set_large_group(struct group_packet *g)
{
	g->events = READER_MAX_COUNTERS + 1;
	for (uint32_t i = 1; i < g->events; i++)
		g->leader[i] = 1;
	g->counters = 0;
}

static void set_member_block(struct group_packet *g)
{
	g->event = g->counter[0] = 2;
	g->counters = 1;
}

static void set_incomplete(struct group_packet *g)
{
	g->counters = 2;
}

static void set_others_member(struct group_packet *g)
{
	g->counter[1] = 1;
	g->counters = 2;
}

static void set_beyond(struct group_packet *g)
{
	g->counter[2] = 4;
}

static void set_one_more(struct group_packet *g)
{
	g->leader[3] = 0;
}

static void set_none(struct group_packet *g)
{
	g->counters = 0;
}

/* Wrong in itself: the packet is refused. Not as the header says: only its samples are left out. */
Test(reader, wrong_groups_never_reach_a_tool)
{
	static const struct {
		void (*set)(struct group_packet *g);
		bool has_header;
		bool refused;
		bool strange;
	} cases[] = {
		{ set_none, false, false, false },	 { set_none, true, false, false },
		{ set_column, false, true, false },	 { set_enabled, false, true, false },
		{ set_running, false, true, false },	 { set_not_own, false, true, false },
		{ set_twice, false, true, false },	 { set_too_many, false, true, false },
		{ set_other_leader, true, true, false }, { set_other_events, true, true, false },
		{ set_late_leader, false, true, false }, { set_chain, false, true, false },
		{ set_large_group, false, true, false }, { set_member_block, false, false, true },
		{ set_incomplete, false, false, true },	 { set_others_member, false, false, true },
		{ set_beyond, false, false, true },	 { set_one_more, false, false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct group_packet g = good_group();
		struct reader_damage damage;
		int given = 0;

		cases[i].set(&g);
		damage = read_group(&g, cases[i].has_header, &given);
		cr_expect(eq(u64, damage.packets_damaged, cases[i].refused), "case %zu", i);
		cr_expect(eq(u64, damage.samples_strange, cases[i].strange ? 3 : 0), "case %zu", i);
		cr_expect(eq(int, given, !cases[i].refused && !cases[i].strange), "case %zu", i);
	}
}

static int open_pipe(struct reader **r, int flags, int *ret_write)
{
	int ends[2];

	cr_assert(zero(int, pipe2(ends, O_CLOEXEC | flags)));
	cr_assert(zero(int, reader_open(r, ends[0])));
	*ret_write = ends[1];
	return ends[0];
}

/* Pieces of every size; more than the pipe and the buffer hold, so that both fill up and move. */
Test(reader, a_pipe_in_pieces)
{
	struct made_stream s = make_stream();
	uint64_t random = 4;
	struct outcome out;
	struct reader *r;
	int in, from = open_pipe(&r, 0, &in);
	pid_t child = fork();

	if (!child) {
		for (size_t at = 0; at < s.bytes;) {
			size_t n = 1 + next_random(&random) % 50;
			ssize_t written =
				write(in, s.data + at, n < s.bytes - at ? n : s.bytes - at);

			if (written < 0)
				_exit(1);
			at += (size_t)written;
		}
		_exit(0);
	}
	close(in);
	out = read_all(r);
	cr_expect(eq(u64, out.packets, MADE_PACKETS));
	cr_expect(undamaged(out.damage));
	reader_free(r);
	close(from);
	waitpid(child, NULL, 0);
	free(s.data);
}

Test(reader, a_packet_is_given_when_its_last_byte_is_there)
{
	struct made_stream s = make_stream();
	const Profiler__Packet *packet;
	struct reader *r;
	int in, from = open_pipe(&r, O_NONBLOCK, &in);

	for (size_t k = 0; k < MADE_PACKETS; k++) {
		size_t size = s.offset[k + 1] - s.offset[k];

		cr_assert(eq(long, write(in, s.data + s.offset[k], size - 1), (long)size - 1));
		cr_assert(eq(int, reader_next(r, &packet), -EAGAIN));
		cr_assert(eq(long, write(in, s.data + s.offset[k + 1] - 1, 1), 1));
		cr_assert(eq(int, reader_next(r, &packet), 1));
		check_made(r, packet);
	}
	close(in);
	cr_expect(zero(int, reader_next(r, &packet)));
	cr_expect(reader_damaged(r) == false);
	reader_free(r);
	close(from);
	free(s.data);
}

Test(reader, errors_of_read_are_passed_on)
{
	const Profiler__Packet *packet;
	struct reader *r;
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	cr_assert(zero(int, reader_open(&r, fd)));
	cr_expect(eq(int, reader_next(r, &packet), -EISDIR));
	reader_free(r);
	close(fd);
}

/* Largest packets, with a damaged one and garbage among them: the buffer wraps many times. */
Test(reader, largest_packets_in_a_file)
{
	char path[] = "/tmp/test_reader.XXXXXX";
	int fd = mkstemp(path);
	uint8_t *data = calloc(1, PACKET_TOTAL_MAX);
	const Profiler__Packet *packet;
	struct reader *r;
	uint64_t n = 0;

	cr_assert(le(int, 0, fd));
	unlink(path);
	/* A field of bytes with number 100, which nobody knows. */
	for (uint64_t k = 0; k < 20; k++) {
		uint32_t length = PACKET_CONTENT_MAX - 5 - (uint32_t)k * 3;
		size_t size;

		memcpy(data + PACKET_PREFIX,
		       (uint8_t[]){ 0xA2, 0x06, (length & 0x7F) | 0x80, (length >> 7 & 0x7F) | 0x80,
				    length >> 14 & 0x7F },
		       5);
		size = packet_seal(data, 5 + length, k, 0);
		if (k == 7)
			data[size / 2] ^= 1;
		cr_assert(eq(long, write(fd, data, size), (long)size));
	}
	lseek(fd, 0, SEEK_SET);
	cr_assert(zero(int, reader_open(&r, fd)));
	for (; reader_next(r, &packet) == 1; n++)
		cr_assert(eq(u64, packet->sequence, n < 7 ? n : n + 1));
	cr_expect(eq(u64, n, 19));
	cr_expect(eq(u64, reader_damage(r)->packets_damaged, 1));
	cr_expect(eq(u64, reader_damage(r)->packets_lost, 1));
	cr_expect(zero(u64, reader_damage(r)->truncated_bytes));
	reader_free(r);
	close(fd);
	free(data);
}

/* The outside reader: a file of ours is one message to protoc. */
Test(reader, protoc_decodes_a_stream)
{
	struct made_stream s = make_stream();
	char path[] = "/tmp/test_reader.XXXXXX", command[256], line[512];
	int fd, packets = 0, crcs = 0;
	FILE *out;

	if (system("command -v protoc >/dev/null 2>&1"))
		cr_skip_test("no protoc here");
	fd = mkstemp(path);
	cr_assert(le(int, 0, fd));
	cr_assert(eq(long, write(fd, s.data, s.bytes), (long)s.bytes));
	snprintf(command, sizeof(command),
		 "protoc -I ../proto --decode=profiler.Stream stream.proto <%s", path);
	out = popen(command, "r"); /* ctest runs us in tests/ */
	cr_assert(ne(ptr, out, NULL));
	while (fgets(line, sizeof(line), out)) {
		packets += !strcmp(line, "packet {\n");
		crcs += !strncmp(line, "  crc: ", 7);
	}
	cr_expect(zero(int, pclose(out)));
	cr_expect(eq(int, packets, MADE_PACKETS));
	cr_expect(eq(int, crcs, MADE_PACKETS));
	close(fd);
	unlink(path);
	free(s.data);
}

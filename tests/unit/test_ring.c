// SPDX-License-Identifier: Apache-2.0
/*
 * test_ring.c - the ring's consumer over memory laid out as the kernel lays it out, and over a
 * real ring of the kernel; and the check of what lies in a record.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/parse.h"
#include "profiler/ring.h"
#include "tests/unit/random.h"

#define RING_BYTES 4096ul

/* The kernel's side: the pages as it maps them, but with the data written twice. */
static struct {
	int fd;
	size_t page;
	uint8_t *pages;
	unsigned long produced;
	uint8_t fill;
} made;

static struct ring ring;

static unsigned long *position_at(size_t page)
{
	return (unsigned long *)(void *)(made.pages + page * made.page);
}

static void put_bytes(unsigned long at, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t offset = 2 * made.page + ((at + i) & (RING_BYTES - 1));

		made.pages[offset] = made.pages[offset + RING_BYTES] = ((const uint8_t *)bytes)[i];
	}
}

static void put_header(unsigned long at, uint32_t bytes, uint32_t bits)
{
	const uint32_t header[2] = { bytes | bits, 0 };

	put_bytes(at, header, sizeof(header));
}

/* Makes a record whose bytes all are @fill; returns where it lies. */
static unsigned long put_record(uint32_t bytes, uint32_t bits, uint8_t fill)
{
	unsigned long at = made.produced;

	put_header(at, bytes, bits);
	for (uint32_t i = 0; i < bytes; i++)
		put_bytes(at + 8 + i, &fill, 1);
	made.produced += (8 + bytes + 7) & ~7ul;
	*position_at(1) = made.produced;
	return at;
}

static void setup(void)
{
	size_t bytes;

	made.page = (size_t)sysconf(_SC_PAGESIZE);
	bytes = 2 * made.page + 2 * RING_BYTES;
	made.fd = memfd_create("ring", MFD_CLOEXEC);
	cr_assert(zero(int, ftruncate(made.fd, (off_t)bytes)));
	made.pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, made.fd, 0);
	cr_assert(zero(int, ring_open(&ring, made.fd, RING_BYTES)));
}

static void teardown(void)
{
	ring_close(&ring);
	munmap(made.pages, 2 * made.page + 2 * RING_BYTES);
	close(made.fd);
}

TestSuite(ring, .init = setup, .fini = teardown);

/* The next record up to the end; its length, 0 when there is none. Steps over it. */
static uint32_t take(uint8_t *ret_fill)
{
	uint32_t bytes;
	const uint8_t *record = ring_peek(&ring, ring_produced(&ring), &bytes);

	if (!record)
		return 0;
	cr_assert(zero(u64, (uintptr_t)record % 8));
	for (uint32_t i = 1; i < bytes; i++)
		cr_assert(eq(u8, record[i], record[0]));
	*ret_fill = record[0];
	ring_advance(&ring, bytes);
	return bytes;
}

Test(ring, an_empty_ring_has_no_record)
{
	uint8_t fill;

	cr_assert(eq(ulong, ring_produced(&ring), 0));
	cr_assert(zero(u32, take(&fill)));
}

Test(ring, records_come_in_order_with_their_bytes)
{
	uint8_t fill;

	for (uint32_t i = 1; i < 10; i++)
		put_record(i * 11, 0, (uint8_t)i);
	for (uint32_t i = 1; i < 10; i++) {
		cr_assert(eq(u32, take(&fill), i * 11));
		cr_assert(eq(u8, fill, (uint8_t)i));
	}
	cr_assert(zero(u32, take(&fill)));
}

Test(ring, peeking_does_not_step)
{
	uint32_t bytes;
	const void *first;

	put_record(32, 0, 1);
	first = ring_peek(&ring, ring_produced(&ring), &bytes);
	cr_assert(first == ring_peek(&ring, ring_produced(&ring), &bytes));
}

Test(ring, stops_at_the_first_busy_record)
{
	unsigned long busy;
	uint8_t fill;

	put_record(32, 0, 1);
	busy = put_record(40, BPF_RINGBUF_BUSY_BIT, 2);
	put_record(48, 0, 3);
	cr_assert(eq(u32, take(&fill), 32));
	cr_assert(zero(u32, take(&fill)));
	cr_assert(zero(u32, take(&fill)));
	put_header(busy, 40, 0);
	cr_assert(eq(u32, take(&fill), 40));
	cr_assert(eq(u32, take(&fill), 48));
}

Test(ring, discarded_records_are_passed_over)
{
	uint8_t fill;

	put_record(64, BPF_RINGBUF_DISCARD_BIT, 1);
	put_record(13, BPF_RINGBUF_DISCARD_BIT, 2);
	put_record(32, 0, 3);
	put_record(24, BPF_RINGBUF_DISCARD_BIT, 4);
	cr_assert(eq(u32, take(&fill), 32));
	cr_assert(eq(u8, fill, 3));
	cr_assert(zero(u32, take(&fill)));
	ring_release(&ring); /* their room is given back too */
	cr_assert(eq(ulong, *position_at(0), made.produced));
}

Test(ring, goes_no_further_than_the_limit)
{
	unsigned long limit;
	uint32_t bytes;

	put_record(32, 0, 1);
	limit = ring_produced(&ring);
	put_record(32, 0, 2);
	cr_assert(ring_peek(&ring, limit, &bytes) != NULL);
	ring_advance(&ring, bytes);
	cr_assert(ring_peek(&ring, limit, &bytes) == NULL);
	cr_assert(ring_peek(&ring, ring_produced(&ring), &bytes) != NULL);
}

Test(ring, room_is_given_back_by_release_alone)
{
	uint8_t fill;

	put_record(32, 0, 1);
	put_record(33, 0, 2);
	take(&fill);
	take(&fill);
	cr_assert(eq(ulong, *position_at(0), 0));
	ring_release(&ring);
	cr_assert(eq(ulong, *position_at(0), 40 + 48));
}

Test(ring, opens_where_the_last_reader_stopped)
{
	uint8_t fill;

	put_record(32, 0, 1);
	put_record(48, 0, 2);
	take(&fill);
	ring_release(&ring);
	ring_close(&ring);
	cr_assert(zero(int, ring_open(&ring, made.fd, RING_BYTES)));
	cr_assert(eq(u32, take(&fill), 48));
}

Test(ring, many_laps)
{
	uint32_t waiting[512], first = 0, end = 0;
	uint64_t random = 1;
	uint8_t fill;

	for (int i = 0; i < 20000; i++) {
		uint32_t bytes = 1 + random_below(&random, 300);

		/* As the kernel does: never more than a ring without its last byte. */
		if (made.produced + ((8 + bytes + 7) & ~7u) - *position_at(0) < RING_BYTES) {
			put_record(bytes, 0, (uint8_t)end);
			waiting[end++ % 512] = bytes;
		}
		while (first != end && random_below(&random, 3)) {
			cr_assert(eq(u32, take(&fill), waiting[first % 512]));
			cr_assert(eq(u8, fill, (uint8_t)first));
			first++;
		}
		if (random_below(&random, 4) == 0)
			ring_release(&ring);
	}
	cr_assert(gt(ulong, made.produced, 100 * RING_BYTES));
}

Test(ring, failure_leaves_nothing_behind)
{
	struct ring none = { 0 };

	cr_assert(eq(int, ring_open(&none, -1, RING_BYTES), -EBADF));
	cr_assert(none.consumer_map == NULL);
	ring_close(&none);
	ring_close(&ring);
	cr_assert(ring.consumer_map == NULL);
}

/* A program that puts a record of @bytes bytes (8, 16, ... 64) into the ring of @map. */
static int load_writer(int map, int32_t bytes)
{
	struct bpf_insn code[16];
	int n = 0;

	for (int16_t at = -64; at < 0; at += 8) /* the record: bytes in every word */
		code[n++] = (struct bpf_insn){ BPF_ST | BPF_MEM | BPF_DW, 10, 0, at, bytes };
	code[n++] = (struct bpf_insn){ BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map };
	code[n++] = (struct bpf_insn){ 0 };
	code[n++] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0 };
	code[n++] = (struct bpf_insn){ BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -64 };
	code[n++] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, bytes };
	code[n++] = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0 };
	code[n++] = (struct bpf_insn){ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output };
	code[n++] = (struct bpf_insn){ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 };
	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "writer", "GPL", code, (size_t)n, NULL);
}

Test(kernel_ring, is_read_as_the_kernel_writes_it)
{
	static const int32_t sizes[] = { 32, 40, 8, 64 };
	uint8_t packet[64] = { 0 };
	struct ring real;
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, RING_BYTES, NULL);
	int program[4];

	if (map == -EPERM)
		cr_skip_test("needs root");
	cr_assert(ge(int, map, 0));
	for (int i = 0; i < 4; i++)
		cr_assert(ge(int, program[i] = load_writer(map, sizes[i]), 0));
	cr_assert(zero(int, ring_open(&real, map, RING_BYTES)));
	for (uint32_t round = 0; round < 1000; round++) { /* 40 laps */
		uint32_t bytes;
		const uint64_t *record;
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet,
			    .data_size_in = sizeof(packet));

		cr_assert(zero(int, bpf_prog_test_run_opts(program[round % 4], &run)));
		cr_assert(zero(u32, run.retval), "round %u: no room", round);
		record = ring_peek(&real, ring_produced(&real), &bytes);
		cr_assert(record != NULL);
		if (!record)
			break;
		cr_assert(eq(u32, bytes, (uint32_t)sizes[round % 4]));
		for (uint32_t i = 0; i < bytes / 8; i++)
			cr_assert(eq(u64, record[i], bytes));
		ring_advance(&real, bytes);
		if (round % 7 == 0)
			ring_release(&real);
	}
	ring_close(&real);
}

Test(parse, samples)
{
	struct sample_event s = { .cpu = 3,
				  .event = MAX_EVENTS - 1,
				  .user_stack = STACK_SLOTS,
				  .kernel_stack = STACK_SLOTS };

	cr_assert(parse_sample(&s, sizeof(s), 3) == &s);
	cr_assert(parse_sample(&s, sizeof(s), 2) == NULL);
	cr_assert(parse_sample(&s, sizeof(s) + 8, 3) == NULL);
	cr_assert(parse_sample(&s, sizeof(s) - 8, 3) == NULL);
	s.event = MAX_EVENTS;
	cr_assert(parse_sample(&s, sizeof(s), 3) == NULL);
	s.event = 0;
	s.user_stack = STACK_SLOTS + 1;
	cr_assert(parse_sample(&s, sizeof(s), 3) == NULL);
	s.user_stack = 0;
	s.kernel_stack = STACK_SLOTS + 1;
	cr_assert(parse_sample(&s, sizeof(s), 3) == NULL);
}

/* Values about each bound, and of every size. */
static uint32_t about(uint64_t *random, uint32_t bound)
{
	uint32_t any = (uint32_t)next_random(random);

	return random_below(random, 2) ? bound - 2 + random_below(random, 5)
				       : any >> random_below(random, 32);
}

/* The check of several fields at once says what checking one after the other would say. */
Test(parse, a_sample_is_valid_when_each_field_is)
{
	uint64_t random = 1;
	uint32_t valid = 0;

	for (int i = 0; i < 200000; i++) {
		const uint32_t cpu =
			random_below(&random, 4) ? 3 : about(&random, 0x8000) % 0x10000;
		struct sample_event s = {
			.time_ns = next_random(&random),
			.pid = (uint32_t)next_random(&random),
			.tid = (uint32_t)next_random(&random),
			.user_stack = about(&random, STACK_SLOTS),
			.kernel_stack = about(&random, STACK_SLOTS),
			.weight = (uint32_t)next_random(&random),
			.cpu = (uint16_t)(random_below(&random, 4) ? 3 : about(&random, 3)),
			.event = (uint8_t)about(&random, MAX_EVENTS),
			.flags = (uint8_t)next_random(&random),
		};
		bool expected = s.cpu == cpu && s.event < MAX_EVENTS &&
				s.user_stack <= STACK_SLOTS && s.kernel_stack <= STACK_SLOTS;

		cr_assert(eq(int, parse_sample(&s, sizeof(s), cpu) == &s, expected),
			  "cpu %u of %u, event %u, stacks %u and %u", s.cpu, cpu, s.event,
			  s.user_stack, s.kernel_stack);
		valid += expected;
	}
	cr_assert(gt(u32, valid, 1000));
}

Test(parse, stacks)
{
	struct stack_record s = { .type = RECORD_STACK, .slot = STACK_SLOTS - 1 };
	uint32_t n = 0;

	for (uint32_t frames = 2; frames <= MAX_FRAMES; frames++) {
		s.size = STACK_RECORD_HEADER + frames * 8;
		s.frames[frames - 1] = 7;
		cr_assert(parse_stack(&s, s.size, &n) == &s);
		cr_assert(eq(u32, n, frames));
	}
	s.frames[1] = 0;
	s.size = STACK_RECORD_MIN;
	cr_assert(parse_stack(&s, s.size, &n) == &s);
	cr_assert(eq(u32, n, 1)); /* a lone frame and its padding */
}

Test(parse, refuses_stacks_that_are_none)
{
	const uint32_t good = STACK_RECORD_HEADER + 5 * 8;
	struct stack_record s = { .type = RECORD_STACK, .size = good, .slot = 1 };
	struct stack_record bad;
	uint32_t n = 77;

	cr_assert(parse_stack(&s, good, &n) == &s);
	n = 77;
	cr_assert(parse_stack(&s, good + 8, &n) == NULL);
	cr_assert(parse_stack(&s, STACK_RECORD_HEADER, &n) == NULL);
	bad = s;
	bad.type = RECORD_STACK + 1;
	cr_assert(parse_stack(&bad, good, &n) == NULL);
	bad = s;
	bad.slot = STACK_SLOTS;
	cr_assert(parse_stack(&bad, good, &n) == NULL);
	bad = s;
	bad.size = good + 4;
	cr_assert(parse_stack(&bad, bad.size, &n) == NULL);
	bad.size = sizeof(bad) + 8;
	cr_assert(parse_stack(&bad, bad.size, &n) == NULL);
	bad.size = sizeof(struct sample_event);
	cr_assert(parse_stack(&bad, bad.size, &n) == NULL);
	cr_assert(eq(u32, n, 77));
}

Test(parse, snapshots)
{
	static struct snapshot_record s = { .type = RECORD_SNAPSHOT };

	for (uint32_t bytes = 0; bytes <= MAX_SNAPSHOT_BYTES; bytes += 512) {
		s.stack_bytes = bytes;
		s.size = SNAPSHOT_RECORD_HEADER + bytes;
		cr_assert(parse_snapshot(&s, s.size) == &s);
		cr_assert(parse_snapshot(&s, s.size + 8) == NULL);
		cr_assert(parse_snapshot(&s, s.size - 8) == NULL);
	}
}

/* Whatever its fields say, a snapshot lies within the record, and is no larger than one may be. */
Test(parse, refuses_snapshots_that_are_none)
{
	static struct snapshot_record s = { .type = RECORD_SNAPSHOT };
	const uint32_t good = SNAPSHOT_RECORD_HEADER + 512;

	s.size = good;
	s.stack_bytes = 512;
	cr_assert(parse_snapshot(&s, good) == &s);
	cr_assert(parse_snapshot(&s, SNAPSHOT_RECORD_HEADER - 8) == NULL);
	cr_assert(parse_snapshot(&s, STACK_RECORD_HEADER) == NULL);
	s.stack_bytes = 520;
	cr_assert(parse_snapshot(&s, good) == NULL);
	s.stack_bytes = 504;
	cr_assert(parse_snapshot(&s, good) == NULL);
	s.stack_bytes = 512;
	s.type = RECORD_STACK;
	cr_assert(parse_snapshot(&s, good) == NULL);
	s.type = RECORD_SNAPSHOT;
	s.stack_bytes = MAX_SNAPSHOT_BYTES + 512;
	s.size = SNAPSHOT_RECORD_HEADER + s.stack_bytes;
	cr_assert(parse_snapshot(&s, s.size) == NULL);
}

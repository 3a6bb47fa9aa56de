// SPDX-License-Identifier: Apache-2.0
/*
 * bench_parse.c - reading the events in a ring, from bytes to checked fields.
 *
 * A memory of our own is laid out as the kernel lays out a ring, full of samples: each has a header
 * of 8 bytes before its 32. Reading one is to find it, to check all that the recorder relies on,
 * and to add up fields of it. Beside it: a reader that makes a copy of each event on the heap, one
 * that trusts the bytes and checks nothing, an addition of all 64-bit words of the same memory and
 * a memcpy of it. Group parse has a ring that stays in the nearest cache, parse-cold one that no
 * cache holds.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/micro/harness.h"
#include "profiler/parse.h"
#include "profiler/ring.h"

#define WARM_BYTES   (32ul << 10)
#define COLD_BYTES   (64ul << 20)
#define RECORD_BYTES (BPF_RINGBUF_HDR_SZ + sizeof(struct sample_event))
#define CPU	     1

struct made {
	struct ring ring;
	size_t page;
	size_t size; /* of the ring */
	uint8_t *pages;
	uint64_t events; /* in a lap */
	uint64_t fields; /* of a lap, added up */
	uint64_t words;
	uint8_t *copy;
};

static void fill(struct sample_event *s, uint64_t k)
{
	s->time_ns = k * 100003;
	s->pid = (uint32_t)k / 1000;
	s->tid = (uint32_t)k / 100;
	s->user_stack = (uint32_t)(k * 7 % (STACK_SLOTS + 1));
	s->kernel_stack = (uint32_t)(k * 3 % (STACK_SLOTS + 1));
	s->weight = 1000000;
	s->cpu = CPU;
	s->event = (uint8_t)(k % MAX_EVENTS);
	s->flags = (uint8_t)k;
}

/* What every reader makes of an event. */
static inline uint64_t use(const struct sample_event *s)
{
	return s->time_ns + s->tid + s->user_stack + s->weight;
}

/* The same of a copy on the heap, as where events outlive the ring. */
static inline uint64_t use_copy(const struct sample_event *s)
{
	struct sample_event *copy = malloc(sizeof(*copy));
	uint64_t sum;

	if (!copy)
		return 0;
	*copy = *s;
	bench_keep((uintptr_t)copy);
	sum = use(copy);
	free(copy);
	return sum;
}

/* One lap of records; a discarded one of no bytes fills it up, so that all laps are alike. */
static void lay_out(struct made *m)
{
	uint8_t *data = m->pages + 2 * m->page;
	const uint32_t discarded[2] = { BPF_RINGBUF_DISCARD_BIT, 0 };
	size_t at = 0;

	for (; at + RECORD_BYTES <= m->size; at += RECORD_BYTES) {
		const uint32_t header[2] = { sizeof(struct sample_event), 0 };
		struct sample_event *s = (void *)(data + at + sizeof(header));

		memcpy(data + at, header, sizeof(header));
		fill(s, m->events++);
		m->fields += use(s);
	}
	for (; at < m->size; at += sizeof(discarded))
		memcpy(data + at, discarded, sizeof(discarded));
	for (at = 0; at < m->size; at += sizeof(uint64_t))
		m->words += *(const uint64_t *)(const void *)(data + at);
}

static void release(void *state)
{
	struct made *m = state;

	ring_close(&m->ring);
	if (m->pages)
		munmap(m->pages, 2 * m->page + m->size);
	free(m->copy);
	free(m);
}

static int make(struct made *m)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)(2 * m->page + 2 * m->size)))
		err = -errno;
	if (!err) {
		m->pages = mmap(NULL, 2 * m->page + m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				0);
		if (m->pages == MAP_FAILED) {
			m->pages = NULL;
			err = -errno;
		}
	}
	if (!err)
		err = ring_open(&m->ring, fd, m->size);
	close(fd);
	return err;
}

static int set_up(void **ret_state, size_t size)
{
	struct made *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->page = (size_t)sysconf(_SC_PAGESIZE);
	m->size = size;
	m->copy = malloc(size);
	err = m->copy ? make(m) : -ENOMEM;
	if (err) {
		release(m);
		return err;
	}
	memset(m->copy, 1, size);
	lay_out(m);
	*ret_state = m;
	return 0;
}

static int set_up_warm(void **ret_state)
{
	return set_up(ret_state, WARM_BYTES);
}

static int set_up_cold(void **ret_state)
{
	return set_up(ret_state, COLD_BYTES);
}

static uint64_t laps_of(const struct made *m, uint64_t ops)
{
	return (ops + m->events - 1) / m->events;
}

/* The kernel has written another lap. */
static void produce(struct made *m)
{
	unsigned long *producer_pos = (void *)(m->pages + m->page);

	__atomic_store_n(producer_pos, *producer_pos + m->size, __ATOMIC_RELEASE);
}

/* The recorder's loop (drain.c); with @copy, each event goes to the heap first. */
static inline uint64_t read_laps(struct made *m, uint64_t laps, bool copy)
{
	uint64_t sum = 0, other = 0;

	for (uint64_t lap = 0; lap < laps; lap++) {
		struct ring at;
		unsigned long limit;
		const void *record;
		uint32_t bytes;

		produce(m);
		limit = ring_produced(&m->ring);
		at = m->ring;
		while ((record = ring_peek(&at, limit, &bytes))) {
			const struct sample_event *s = parse_sample(record, bytes, CPU);

			if (s) {
				sum += copy ? use_copy(s) : use(s);
				ring_advance(&at, sizeof(*s));
				continue;
			}
			other++;
			ring_advance(&at, bytes);
		}
		m->ring.position = at.position;
		ring_release(&m->ring);
	}
	bench_check(sum == laps * m->fields && !other, "wrong sum");
	return laps * m->events;
}

static uint64_t run_profiler(void *state, uint64_t ops)
{
	return read_laps(state, laps_of(state, ops), false);
}

static uint64_t run_copying(void *state, uint64_t ops)
{
	return read_laps(state, laps_of(state, ops), true);
}

/* Knows where the events are and believes them. */
static uint64_t run_unchecked(void *state, uint64_t ops)
{
	struct made *m = state;
	uint64_t laps = laps_of(m, ops), sum = 0;

	for (uint64_t lap = 0; lap < laps; lap++) {
		const uint8_t *at = m->pages + 2 * m->page;

		for (uint64_t k = 0; k < m->events; k++, at += RECORD_BYTES)
			sum += use((const void *)(at + BPF_RINGBUF_HDR_SZ));
		__asm__ volatile("" : "+r"(sum) : : "memory");
	}
	bench_check(sum == laps * m->fields, "wrong sum");
	return laps * m->events;
}

static uint64_t run_scan(void *state, uint64_t ops)
{
	struct made *m = state;
	uint64_t laps = laps_of(m, ops), sum = 0;

	for (uint64_t lap = 0; lap < laps; lap++) {
		const uint64_t *word = (const void *)(m->pages + 2 * m->page);

		for (size_t i = 0; i < m->size / sizeof(*word); i++)
			sum += word[i];
		__asm__ volatile("" : "+r"(sum) : : "memory");
	}
	bench_check(sum == laps * m->words, "wrong sum");
	return laps * m->events;
}

static uint64_t run_memcpy(void *state, uint64_t ops)
{
	struct made *m = state;
	uint64_t laps = laps_of(m, ops);

	for (uint64_t lap = 0; lap < laps; lap++) {
		memcpy(m->copy, m->pages + 2 * m->page, m->size);
		__asm__ volatile("" : : : "memory");
	}
	return laps * m->events;
}

#define READERS(GROUP, SET_UP)                                                                     \
	{                                                                                          \
		.group = GROUP,                                                                    \
		.name = "profiler",                                                                \
		.about = "in place: found, checked, added up",                                     \
		.role = BENCH_OURS,                                                                \
		.op = "event",                                                                     \
		.bytes_per_op = RECORD_BYTES,                                                      \
		.allocates_nothing = 1,                                                            \
		.setup = SET_UP,                                                                   \
		.run = run_profiler,                                                               \
		.teardown = release,                                                               \
	},                                                                                         \
		{                                                                                  \
			.group = GROUP,                                                            \
			.name = "copy-and-allocate",                                               \
			.about = "the same, but each event copied to the heap",                    \
			.role = BENCH_PEER,                                                        \
			.op = "event",                                                             \
			.bytes_per_op = RECORD_BYTES,                                              \
			.setup = SET_UP,                                                           \
			.run = run_copying,                                                        \
			.teardown = release,                                                       \
		},                                                                                 \
		{                                                                                  \
			.group = GROUP,                                                            \
			.name = "unchecked",                                                       \
			.about = "the same fields added up, nothing checked",                      \
			.role = BENCH_LIMIT,                                                       \
			.op = "event",                                                             \
			.bytes_per_op = RECORD_BYTES,                                              \
			.setup = SET_UP,                                                           \
			.run = run_unchecked,                                                      \
			.teardown = release,                                                       \
		},                                                                                 \
		{                                                                                  \
			.group = GROUP,                                                            \
			.name = "scan",                                                            \
			.about = "all 64-bit words of the same memory added up",                   \
			.role = BENCH_LIMIT,                                                       \
			.op = "event",                                                             \
			.bytes_per_op = RECORD_BYTES,                                              \
			.setup = SET_UP,                                                           \
			.run = run_scan,                                                           \
			.teardown = release,                                                       \
		},                                                                                 \
	{                                                                                          \
		.group = GROUP, .name = "memcpy", .about = "the same memory copied",               \
		.role = BENCH_LIMIT, .op = "event", .bytes_per_op = RECORD_BYTES, .setup = SET_UP, \
		.run = run_memcpy, .teardown = release,                                            \
	}

static const struct bench benches[] = {
	READERS("parse", set_up_warm),
	READERS("parse-cold", set_up_cold),
};

const struct bench_list bench_parse = { benches, sizeof(benches) / sizeof(*benches) };

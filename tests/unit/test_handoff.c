// SPDX-License-Identifier: Apache-2.0
/*
 * test_handoff.c - the queue between the drain thread and the writer thread, mostly used by one
 * thread. With two it also runs in tests/race/.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <string.h>

#include "profiler/handoff.h"
#include "tests/unit/random.h"

#define QUEUE_BYTES (1u << 14)

static struct handoff *handoff;

static void setup(void)
{
	cr_assert(zero(int, handoff_new(&handoff, QUEUE_BYTES)));
}

static void teardown(void)
{
	handoff_free(handoff);
}

TestSuite(handoff, .init = setup, .fini = teardown);

/* Puts packet number @k of that size; false when there is no room. */
static bool put(uint32_t k, uint32_t rows, uint32_t bytes)
{
	struct handoff_packet *p = handoff_reserve(handoff, rows, bytes);

	if (!p)
		return false;
	cr_assert(eq(u32, p->rows, rows));
	cr_assert(eq(u32, p->bytes, bytes));
	cr_assert(zero(u32, p->samples));
	p->samples = k;
	for (uint32_t i = 0; i < rows; i++)
		p->row[i] = (struct handoff_row){ (uint16_t)i, (uint16_t)k, k + i };
	memset(handoff_bytes(p), (int)k, bytes);
	handoff_commit(handoff, p);
	return true;
}

/* Takes the oldest packet, which must be number @k, just as it was put. */
static void take(uint32_t k, uint32_t rows, uint32_t bytes)
{
	struct handoff_packet *p = handoff_wait(handoff);
	const uint8_t *data;

	cr_assert(p != NULL);
	cr_assert(eq(u32, p->samples, k));
	cr_assert(eq(u32, p->rows, rows));
	cr_assert(eq(u32, p->bytes, bytes));
	for (uint32_t i = 0; i < rows; i++) {
		cr_assert(eq(u16, p->row[i].cpu, (uint16_t)i));
		cr_assert(eq(u32, p->row[i].samples, k + i));
	}
	data = handoff_bytes(p);
	for (uint32_t i = 0; i < bytes; i++)
		cr_assert(eq(u8, data[i], (uint8_t)k));
	handoff_done(handoff, p);
}

Test(handoff, closed_and_empty_gives_null)
{
	cr_assert(handoff_empty(handoff));
	cr_assert(not(handoff_closed(handoff)));
	handoff_close(handoff);
	cr_assert(handoff_closed(handoff));
	cr_assert(handoff_wait(handoff) == NULL);
	cr_assert(handoff_wait(handoff) == NULL);
}

Test(handoff, what_was_put_before_closing_is_taken)
{
	cr_assert(put(1, 2, 100));
	cr_assert(put(2, 0, 0));
	handoff_close(handoff);
	cr_assert(not(handoff_empty(handoff)));
	take(1, 2, 100);
	take(2, 0, 0);
	cr_assert(handoff_empty(handoff));
	cr_assert(handoff_wait(handoff) == NULL);
}

Test(handoff, the_oldest_packet_stays_until_it_is_done)
{
	cr_assert(put(1, 1, 10));
	cr_assert(handoff_wait(handoff) == handoff_wait(handoff));
	take(1, 1, 10);
}

Test(handoff, full_has_no_room_and_then_room_again)
{
	uint32_t n = 0;

	while (put(n, 1, 1000))
		n++;
	cr_assert(ge(u32, n, QUEUE_BYTES / 1100));
	cr_assert(not(put(n, 1, 1000)));
	take(0, 1, 1000);
	take(1, 1, 1000);
	cr_assert(put(n, 1, 1000));
	for (uint32_t k = 2; k <= n; k++)
		take(k, 1, 1000);
	cr_assert(handoff_empty(handoff));
}

/* Up to half of the queue, a packet always fits an empty one, wherever the last one ended. */
Test(handoff, half_of_the_queue_always_fits_an_empty_one)
{
	const uint32_t half = QUEUE_BYTES / 2 - 256;

	for (uint32_t k = 0; k < 2000; k++) {
		cr_assert(put(2 * k, 1, k * 37 % 3000));
		take(2 * k, 1, k * 37 % 3000);
		cr_assert(put(2 * k + 1, 3, half), "after %u packets", k);
		take(2 * k + 1, 3, half);
	}
}

Test(handoff, never_more_than_there_is)
{
	cr_assert(not(put(1, 0, QUEUE_BYTES)));
	cr_assert(not(put(1, 0, QUEUE_BYTES - 8)));
	cr_assert(not(put(1, QUEUE_BYTES / sizeof(struct handoff_row), 0)));
	cr_assert(handoff_empty(handoff));
	cr_assert(put(1, 0, 10));
	take(1, 0, 10);
}

Test(handoff, random_sizes_many_laps)
{
	struct {
		uint32_t rows, bytes;
	} waiting[1024];
	uint32_t first = 0, end = 0, refused = 0;
	uint64_t random = 1, bytes_taken = 0;

	for (int i = 0; i < 30000; i++) {
		uint32_t rows = random_below(&random, 20);
		uint32_t bytes = random_below(&random, random_below(&random, 4) ? 500 : 7000);

		if (put(end, rows, bytes)) {
			waiting[end % 1024].rows = rows;
			waiting[end++ % 1024].bytes = bytes;
		} else {
			refused++;
			cr_assert(ne(u32, first, end), "an empty queue refused %u bytes", bytes);
		}
		while (first != end && random_below(&random, 2)) {
			take(first, waiting[first % 1024].rows, waiting[first % 1024].bytes);
			bytes_taken += waiting[first++ % 1024].bytes;
		}
		cr_assert(eq(int, handoff_empty(handoff), first == end));
	}
	cr_assert(gt(u64, bytes_taken, 100 * QUEUE_BYTES));
	cr_assert(gt(u32, refused, 10));
}

/* Not always equally long. */
static void dawdle(uint64_t *random)
{
	for (volatile uint32_t i = random_below(random, 300); i; i--)
		;
}

static void *take_all(void *taken)
{
	uint64_t random = 2;
	struct handoff_packet *p;

	while ((p = handoff_wait(handoff))) {
		++*(uint32_t *)taken;
		handoff_done(handoff, p);
		dawdle(&random);
	}
	return NULL;
}

/*
 * The consumer is about to fall asleep for every packet, and the packet comes a little earlier or
 * later each time: should a wake-up be lost, both wait for ever.
 */
Test(handoff, a_packet_wakes_a_consumer_that_falls_asleep, .timeout = 60)
{
	uint32_t taken = 0;
	uint64_t random = 1;
	pthread_t consumer;

	cr_assert(zero(int, pthread_create(&consumer, NULL, take_all, &taken)));
	for (uint32_t k = 0; k < 50000; k++) {
		dawdle(&random);
		cr_assert(put(k, 1, 16));
		handoff_wake(handoff);
		while (!handoff_empty(handoff))
			;
	}
	handoff_close(handoff);
	pthread_join(consumer, NULL);
	cr_assert(eq(u32, taken, 50000));
}

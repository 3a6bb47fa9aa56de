// SPDX-License-Identifier: Apache-2.0
/*
 * race_handoff.c - the hand-off with its two threads, for the thread sanitizer.
 *
 * A program of its own, because the test library's processes and the sanitizer do not get along.
 * Packets of random sizes carry their number and a checksum; the consumer sometimes falls asleep
 * and sometimes falls behind, so that both ends of the queue are met. Exits 0 when every
 * packet that was let in came out whole and in order.
 */
#include "profiler/handoff.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/random.h"

#define QUEUE_BYTES (1u << 14)
#define PACKETS	    100000u

struct result {
	struct handoff *handoff;
	uint32_t taken;
	uint32_t wrong;
};

static uint32_t checksum(const uint8_t *data, uint32_t bytes)
{
	uint32_t sum = bytes;

	for (uint32_t i = 0; i < bytes; i++)
		sum = sum * 31 + data[i];
	return sum;
}

static void *consume(void *arg)
{
	struct result *r = arg;
	uint64_t random = 2;
	struct handoff_packet *p;

	while ((p = handoff_wait(r->handoff))) {
		const uint8_t *data = handoff_bytes(p);

		if (p->samples != r->taken || p->rows != 1 ||
		    p->row[0].samples != checksum(data, p->bytes))
			r->wrong++;
		r->taken++;
		if (random_below(&random, 500) == 0) /* let the queue fill */
			for (int i = 0; i < 50; i++)
				sched_yield();
		handoff_done(r->handoff, p);
	}
	return NULL;
}

static void produce(struct handoff *h, uint32_t k, uint64_t *random, uint32_t *refused)
{
	uint32_t bytes = random_below(random, random_below(random, 50) ? 100 : 6000);
	struct handoff_packet *p;
	uint8_t *data;

	while (!(p = handoff_reserve(h, 1, bytes))) {
		++*refused;
		sched_yield();
	}
	data = handoff_bytes(p);
	memset(data, (int)next_random(random), bytes);
	p->samples = k;
	p->row[0] = (struct handoff_row){ .samples = checksum(data, bytes) };
	handoff_commit(h, p);
	handoff_wake(h);
	if (random_below(random, 2000) == 0) /* let the queue run empty */
		while (!handoff_empty(h))
			sched_yield();
}

int main(void)
{
	struct result result = { 0 };
	uint64_t random = 1;
	uint32_t refused = 0;
	pthread_t consumer;

	if (handoff_new(&result.handoff, QUEUE_BYTES) ||
	    pthread_create(&consumer, NULL, consume, &result))
		return 2;
	for (uint32_t k = 0; k < PACKETS; k++)
		produce(result.handoff, k, &random, &refused);
	handoff_close(result.handoff);
	pthread_join(consumer, NULL);
	handoff_free(result.handoff);
	printf("%u packets put, %u taken, %u wrong, queue full %u times\n", PACKETS, result.taken,
	       result.wrong, refused);
	return result.taken != PACKETS || result.wrong || !refused;
}

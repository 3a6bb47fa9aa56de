// SPDX-License-Identifier: Apache-2.0
/*
 * unwind_space.c - which places of one of the walker's tables are in use.
 *
 * Bits, for the tables have a few thousand places at most, and first fit, so that the low places
 * are used again and again and the high ones stay untouched. What is retired waits in bits too: of
 * the two tickets that can be out, one is even and one is odd.
 */
#include "profiler/unwind_space.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int unwind_space_init(struct unwind_space *s, uint32_t count)
{
	uint64_t *bits = calloc(count / 64 * 3, sizeof(*bits));

	if (!bits)
		return -ENOMEM;
	*s = (struct unwind_space){ .count = count, .free = count, .taken = bits };
	s->retired[0].bits = bits + count / 64;
	s->retired[1].bits = bits + count / 64 * 2;
	return 0;
}

void unwind_space_release(struct unwind_space *s)
{
	free(s->taken);
	*s = (struct unwind_space){ 0 };
}

static bool is_taken(const struct unwind_space *s, uint32_t i)
{
	return s->taken[i / 64] >> (i % 64) & 1;
}

int unwind_space_take(struct unwind_space *s, uint32_t n)
{
	uint32_t run = 0, i = 0;

	if (n == 0 || n > s->free)
		return -ENOSPC;
	while (i < s->count && run < n) {
		if (i % 64 == 0 && s->taken[i / 64] == UINT64_MAX) {
			run = 0;
			i += 64;
			continue;
		}
		run = is_taken(s, i) ? 0 : run + 1;
		i++;
	}
	if (run < n)
		return -ENOSPC;
	for (uint32_t k = i - n; k < i; k++)
		s->taken[k / 64] |= UINT64_C(1) << (k % 64);
	s->free -= n;
	return (int)(i - n);
}

void unwind_space_give(struct unwind_space *s, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++)
		s->taken[i / 64] &= ~(UINT64_C(1) << (i % 64));
	s->free += n;
}

static void free_retired(struct unwind_space *s, struct unwind_retired *retired)
{
	if (!retired->count)
		return;
	for (uint32_t i = 0; i < s->count / 64; i++) {
		s->taken[i] &= ~retired->bits[i];
		retired->bits[i] = 0;
	}
	s->free += retired->count;
	retired->count = 0;
}

void unwind_space_retire(struct unwind_space *s, uint32_t first, uint32_t n, uint64_t ticket)
{
	struct unwind_retired *retired = &s->retired[ticket & 1];

	/* The ticket two before this one is done, or this one could not be out. */
	if (retired->ticket != ticket)
		free_retired(s, retired);
	retired->ticket = ticket;
	for (uint32_t i = first; i < first + n; i++)
		retired->bits[i / 64] |= UINT64_C(1) << (i % 64);
	retired->count += n;
}

void unwind_space_reclaim(struct unwind_space *s, uint64_t done)
{
	for (int i = 0; i < 2; i++)
		if (s->retired[i].ticket <= done)
			free_retired(s, &s->retired[i]);
}

uint32_t unwind_space_coming(const struct unwind_space *s)
{
	return s->free + s->retired[0].count + s->retired[1].count;
}

uint64_t unwind_space_bytes(const struct unwind_space *s)
{
	return (uint64_t)s->count / 8 * 3;
}

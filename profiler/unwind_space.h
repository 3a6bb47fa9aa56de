/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_space.h - which places of one of the walker's tables are in use.
 *
 * A place is free, or in use, or retired: taken back, but a program may still read it. Nothing
 * here can fail or grow once it is open.
 */
#ifndef PROFILER_UNWIND_SPACE_H
#define PROFILER_UNWIND_SPACE_H

#include <stdint.h>

/* The places that were retired with one ticket. */
struct unwind_retired {
	uint64_t *bits;
	uint64_t ticket;
	uint32_t count;
};

struct unwind_space {
	uint32_t count; /* places, a multiple of 64 */
	uint32_t free;
	uint64_t *taken;		  /* a bit for each place that is not free */
	struct unwind_retired retired[2]; /* by ticket & 1: no more than two are ever out */
};

/** unwind_space_init() - all free; 0 or -ENOMEM */
__attribute__((warn_unused_result)) int unwind_space_init(struct unwind_space *s, uint32_t count);

/** unwind_space_release() - frees the bits; one that is all zero is fine */
void unwind_space_release(struct unwind_space *s);

/** unwind_space_take() - the lowest @n places in a row, the first returned; -ENOSPC */
__attribute__((warn_unused_result)) int unwind_space_take(struct unwind_space *s, uint32_t n);

/** unwind_space_give() - places that no program has ever seen are free again */
void unwind_space_give(struct unwind_space *s, uint32_t first, uint32_t n);

/** unwind_space_retire() - places are free again when the ticket of retire_ticket() is done */
void unwind_space_retire(struct unwind_space *s, uint32_t first, uint32_t n, uint64_t ticket);

/** unwind_space_reclaim() - @done: of retire_done() */
void unwind_space_reclaim(struct unwind_space *s, uint64_t done);

/** unwind_space_coming() - places that are free or will be */
uint32_t unwind_space_coming(const struct unwind_space *s);

/** unwind_space_bytes() - memory of the bits */
uint64_t unwind_space_bytes(const struct unwind_space *s);

#endif /* PROFILER_UNWIND_SPACE_H */

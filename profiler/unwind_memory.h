/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_memory.h - the walker's tables (bpf/unwind.h) as memory of the recorder.
 *
 * Plain pointers, so that everything that works on the tables runs in a test on memory of its own.
 * The sampler has the real arrays; shards come and go here.
 */
#ifndef PROFILER_UNWIND_MEMORY_H
#define PROFILER_UNWIND_MEMORY_H

#include <stdint.h>
#include <string.h>

#include "bpf/unwind.h"

struct unwind_memory {
	struct unwind_process *processes; /* UNWIND_PROCESSES; all is zero at first */
	struct unwind_mapping *mappings;  /* UNWIND_MAPPINGS */
	uint64_t *directory;		  /* UNWIND_DIRECTORY words, each a struct unwind_page */
	struct unwind_rule *rules;	  /* UNWIND_RULES */
	uint64_t *cache;		  /* UNWIND_CACHE, the walker's own */
};

/**
 * unwind_memory_make_shard() - make a shard, map it and show it to the programs
 * @shards_fd: the map of shards
 * @ret: UNWIND_SHARD_ROWS rows, all zero
 *
 * The kernel waits until all running programs have ended: 10 to 50 ms, so not in the drain thread.
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int unwind_memory_make_shard(int shards_fd, uint32_t shard,
								 struct unwind_row **ret);

/** unwind_memory_unmap_shard() - at the end, when no program runs any more: only give it back */
void unwind_memory_unmap_shard(struct unwind_row *rows);

/** unwind_memory_drop_shard() - take it from the programs and unmap it; as slow as to make it */
void unwind_memory_drop_shard(int shards_fd, uint32_t shard, struct unwind_row *rows);

/*
 * The one store that makes contents known, or unknown. Release: what was written before, to places
 * that only this word leads to, is seen by whoever sees the word. It pairs with the address
 * dependency in the walker: a word gives the index of what is read next. (arm64 keeps loads in
 * order where one's address comes from the other's value, and BPF has no other barrier
 * before 6.13.) Without it the walker could read what the place held before.
 */
static inline void unwind_publish(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t unwind_page_word(struct unwind_page page)
{
	uint64_t word;

	memcpy(&word, &page, sizeof(word));
	return word;
}

static inline struct unwind_page unwind_page_of(uint64_t word)
{
	struct unwind_page page;

	memcpy(&page, &word, sizeof(page));
	return page;
}

#endif /* PROFILER_UNWIND_MEMORY_H */

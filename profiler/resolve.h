/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - a sample's numbers (pid, slots, addresses) to the stream's ids. See resolve.c. */
#ifndef PROFILER_RESOLVE_H
#define PROFILER_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "profiler/calltree.h"

struct completer;
struct held_sample;
struct jitnamer;
struct kallsyms;
struct namer;
struct procmap;
struct stacks;
struct stream;
struct thread;
struct unwind_job;

#define RESOLVE_ANON   256
#define RESOLVE_FRAMES 1024 /* a power of two */

/* Of a frame: the namer was told of it as a leaf, and as a return address. */
#define RESOLVE_ASKED_LEAF   1
#define RESOLVE_ASKED_RETURN 2

/**
 * struct resolver - what resolving needs, all of it the caller's
 * @kallsyms: NULL when the kernel hides its symbols
 * @completer: NULL where the walker has no tables
 * @namer, @jitnamer: NULL where functions stay without names
 * @kernel_addresses: offsets of kernel frames are raw addresses
 * @unresolved: counts stacks given up because nothing was known of them or a table was full
 * @outcomes: counts samples with a user stack, by STACK_HOW() and STACK_END() of it
 *
 * The rest is resolve.c's and starts as 0.
 */
struct resolver {
	struct procmap *procmap;
	struct kallsyms *kallsyms;
	struct stacks *stacks;
	struct stream *stream;
	struct completer *completer;
	struct namer *namer;
	struct jitnamer *jitnamer;
	bool kernel_addresses;
	uint64_t unresolved;
	uint64_t outcomes[STACK_HOWS][STACK_ENDS];
	uint32_t epoch; /* that the mapping ids below are of */
	uint32_t kernel_mapping;
	uint32_t bpf_mapping;
	uint32_t unknown_mapping;
	uint32_t end_mapping[STACK_ENDS];
	struct {
		struct thread *thread; /* NULL: there is none */
		uint32_t pid;
		uint32_t tid;
		uint64_t space; /* address space of its user stacks */
	} last;			/* of the sample before; see resolve_begin() */
	uint32_t last_module_mapping;
	char last_module[64];
	struct {
		uint64_t process; /* serial */
		const struct region *region;
		uint32_t generation;
		uint32_t epoch;
		uint32_t mapping;
	} anon[RESOLVE_ANON]; /* mappings of memory without a file, as they were used last */
	struct resolve_frame {
		uint64_t address;
		uint64_t image; /* id; KERNEL_IMAGE in resolve.c for the kernel */
		uint32_t epoch;
		uint32_t id;
	} frame[2][RESOLVE_FRAMES];	/* frames as they were found last: callers, leaves */
	uint8_t asked[CALLTREE_FRAMES]; /* by frame of this epoch: RESOLVE_ASKED_* */
};

/**
 * resolve_begin() - a row of samples begins
 *
 * To be called whenever something else than resolve_sample() may have changed processes, threads or
 * mappings: samples of the same thread that follow each other are taken to be of the same process.
 */
void resolve_begin(struct resolver *r);

/**
 * resolve_sample() - resolve a sample and append it to the stream
 * @counts: of its group, or NULL
 */
void resolve_sample(struct resolver *r, const struct sample_event *sample,
		    const struct counts_record *counts);

/**
 * resolve_hold() - let a sample wait for the walk of its snapshot
 * @job: of completer_snapshot(); taken over
 * @counts: of its group, or NULL
 *
 * Returns false when it cannot wait: resolve_sample() it.
 */
bool resolve_hold(struct resolver *r, struct unwind_job *job, const struct sample_event *sample,
		  const struct counts_record *counts);

/** resolve_held() - the same for a sample whose user stack came later */
void resolve_held(struct resolver *r, const struct held_sample *held);

#endif /* PROFILER_RESOLVE_H */

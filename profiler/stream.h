/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - turns resolved samples into packets of proto/stream.proto.
 *
 * Used by the drain thread only. Finished packets go to the hand-off; the writer numbers them.
 * Ids that are given out (strings, mappings, threads, frames, nodes) are those of the current
 * epoch: callers keep them beside the epoch and ask again when stream_epoch() has changed.
 */
#ifndef PROFILER_STREAM_H
#define PROFILER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.pb-c.h"

struct counts_record;
struct handoff;
struct stream;

/** struct stream_sample - a sample with everything resolved to ids of the current epoch */
struct stream_sample {
	uint64_t time_ns;
	uint32_t cpu;
	uint32_t event;
	uint32_t thread;
	uint32_t user_stack;
	uint32_t kernel_stack;
	uint32_t weight;		    /* shifted */
	uint32_t flags;			    /* enum sample_flag */
	const struct counts_record *counts; /* of the event's group, NULL where there are none */
};

/** struct stream_mapping - what a Mapping message says */
struct stream_mapping {
	Profiler__Mapping__Kind kind;
	const char *path; /* "" when there is none */
	const uint8_t *build_id;
	size_t build_id_bytes;
	uint64_t file_offset;
	uint64_t size;
	uint32_t process; /* id; of memory without a file, whose it is */
	uint32_t generation;
};

/**
 * struct stream_name - what an entry of Names says
 * @mapping: id, of this epoch; stands for its file, or its process's memory
 * @start, @end: offsets as in its frames
 * @function: NULL: unknown, for the reason @unknown (PROFILER__NAMES__UNKNOWN__*)
 */
struct stream_name {
	uint32_t mapping;
	uint64_t start;
	uint64_t end;
	const char *function;
	uint32_t unknown;
};

/** struct stream_process - what a Process message says */
struct stream_process {
	uint32_t pid;
	uint32_t parent_pid;
	uint32_t inner_pid;
	const char *comm;
	const char *cgroup; /* "" when it is not known */
	uint64_t start_ns;
};

/**
 * stream_new() - a stream into @handoff
 * @header: repeated at the start of each epoch, clock renewed; the caller's, must outlive it; its
 *          events are known by now
 * @interval_ns: for each event the expected time between two samples, 0 when there is none
 * @cpus: CPU numbers are below this
 *
 * Returns 0 or -ENOMEM.
 */
__attribute__((warn_unused_result)) int stream_new(struct stream **ret, struct handoff *handoff,
						   Profiler__Header *header,
						   const uint64_t *interval_ns, uint32_t cpus);

/** stream_free() - NULL is fine */
void stream_free(struct stream *st);

/** stream_epoch() - number of the current epoch, from 1 */
uint32_t stream_epoch(const struct stream *st);

/** stream_string() - id of a string of this epoch; 0 for "" or when the table is full */
uint32_t stream_string(struct stream *st, const char *value);

/** stream_mapping() - define a mapping; returns its id */
uint32_t stream_mapping(struct stream *st, const struct stream_mapping *m);

/**
 * stream_name() - say what code is
 *
 * Goes with the packet that is being filled. Returns false when the epoch has too many strings
 * already: names leave room for paths and the names of processes.
 */
bool stream_name(struct stream *st, const struct stream_name *name);

/** stream_process() - define a process; returns its id */
uint32_t stream_process(struct stream *st, const struct stream_process *p);

/** stream_thread() - define a thread of a process of this epoch; returns its id */
uint32_t stream_thread(struct stream *st, uint32_t tid, uint32_t process, const char *comm);

/** stream_calltree() - the frames and nodes of this epoch, for calltree_frame() and _node() */
struct calltree *stream_calltree(struct stream *st);

/**
 * stream_sample() - append a sample
 *
 * May close a packet, and with it begin a new epoch (when the hand-off had no room): the ids of the
 * next sample are to be taken after this call.
 */
void stream_sample(struct stream *st, const struct stream_sample *sample);

/**
 * stream_flush() - close the packet that is being filled
 * @ledger: goes with it; NULL for none
 *
 * An empty packet without a ledger is not made. Returns true when the packet went into the hand-off
 * or there was none, false when it had to be dropped.
 */
bool stream_flush(struct stream *st, const Profiler__Ledger *ledger);

/** stream_flush_full() - the same if the packet has grown to its size: ids are to be taken after */
void stream_flush_full(struct stream *st);

/** stream_age_ns() - how long before @now_ns the packet that is being filled was begun, 0: empty */
uint64_t stream_age_ns(const struct stream *st, uint64_t now_ns);

/** stream_next_epoch() - begin a new epoch: all ids given out so far are void */
void stream_next_epoch(struct stream *st);

/** stream_dropped() - samples of a CPU and event in packets that the hand-off had no room for */
uint64_t stream_dropped(const struct stream *st, uint32_t cpu, uint32_t event);

/** stream_packets_dropped() - packets that the hand-off had no room for */
uint64_t stream_packets_dropped(const struct stream *st);

#endif /* PROFILER_STREAM_H */

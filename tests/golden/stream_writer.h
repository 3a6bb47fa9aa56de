/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_writer.h - makes streams for the tests of the tools, a packet at a time, to stdout.
 *
 * Plain rather than fast, and it ends the program with a message when anything fails.
 */
#ifndef PROFILER_STREAM_WRITER_H
#define PROFILER_STREAM_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "stream.pb-c.h"

#define START_NS    UINT64_C(5000000000)
#define REALTIME_NS UINT64_C(1700000000000000000)
#define EVENTS	    6
#define CPUS	    4

struct list {
	uint32_t *value;
	uint32_t count;
};

struct column {
	int64_t *value;
	uint32_t count;
};

struct wide {
	uint64_t *value;
	uint32_t count;
};

struct block {
	struct list thread, user, kernel, weight, flags;
	struct column deviation;
	struct wide counter[EVENTS], enabled, running; /* of a group; counters by event */
	uint64_t first_ns, last_ns;
};

/* What is known of the epoch; entry i of an array has id i + 1. */
struct epoch {
	char **string;
	Profiler__Mapping *mapping;
	Profiler__Process *process;
	Profiler__Thread *thread;
	struct {
		uint32_t mapping, function;
		uint64_t offset;
	} * frame;
	struct {
		uint32_t parent, frame;
	} * node;
	struct {
		uint32_t mapping, function, unknown;
		uint64_t start, size;
	} * name;
	uint32_t strings, mappings, processes, threads, frames, nodes, names;
	/* of these are written already */
	uint32_t done_strings, done_mappings, done_processes, done_threads, done_frames, done_nodes,
		done_names;
};

struct writer {
	struct epoch epoch;
	struct block block[CPUS][EVENTS];
	Profiler__Header header;
	Profiler__LedgerRow row[CPUS][EVENTS];
	uint64_t sequence, samples, packet_samples, time_ns;
	uint32_t number;
	bool header_due;
	bool idle;	/* the CPUs did nothing but what the samples show */
	bool throttled; /* the kernel stopped event 0 for a while, and lowered the limit of the rate
			 */
	uint32_t running_percent; /* of the time that events were enabled */
};

/** writer_add_string() - the id of a string in the epoch, 0 for "" */
uint32_t writer_add_string(struct writer *w, const char *text);

/** writer_add_mapping() - the id of a mapping; those of one kind and path are one */
uint32_t writer_add_mapping(struct writer *w, Profiler__Mapping__Kind kind, const char *path,
			    ProtobufCBinaryData build_id, uint64_t file_offset, uint64_t size);

/** writer_new_memory() - a mapping without a file: a process's own executable memory */
uint32_t writer_new_memory(struct writer *w, uint32_t process, uint32_t generation);

/** writer_add_name() - what code of a mapping is called, or (with "") why it has no name */
void writer_add_name(struct writer *w, uint32_t mapping, uint64_t start, uint64_t size,
		     const char *function, Profiler__Names__Unknown unknown);

/** writer_new_frame() - a frame, whether or not it is there already */
uint32_t writer_new_frame(struct writer *w, uint32_t mapping, uint64_t offset, uint32_t function);

/** writer_new_node() - a node, likewise */
uint32_t writer_new_node(struct writer *w, uint32_t parent, uint32_t frame);

/** writer_add_node() - the node below @parent for a frame */
uint32_t writer_add_node(struct writer *w, uint32_t parent, uint32_t mapping, uint64_t offset,
			 uint32_t function);

/** writer_add_process() - the id of a process */
uint32_t writer_add_process(struct writer *w, uint32_t pid, const char *comm, uint64_t start_ns);

/** writer_place_process() - where a process that was just added is */
void writer_place_process(struct writer *w, uint32_t process, const char *cgroup,
			  uint32_t inner_pid);

/** writer_add_thread() - the id of a thread */
uint32_t writer_add_thread(struct writer *w, uint32_t process, uint32_t tid, const char *comm);

/** writer_add_sample() - one more sample, a millisecond after the last */
void writer_add_sample(struct writer *w, uint32_t cpu, uint32_t event, uint32_t thread,
		       uint32_t user, uint32_t kernel, uint32_t weight, uint32_t flags);

/**
 * writer_add_counts() - what the sample that was just added carries of its group
 * @w: the writer
 * @cpu: of the sample
 * @event: of the sample, which leads the group
 * @count: what each event has counted, by event
 * @enabled_ns: of the group, 0 where it was on the hardware all of the time
 * @running_ns: likewise
 * @shared: the counts are of several tasks
 */
void writer_add_counts(struct writer *w, uint32_t cpu, uint32_t event, const uint64_t *count,
		       uint64_t enabled_ns, uint64_t running_ns, bool shared);

/** writer_begin_epoch() - a new epoch: all ids begin again, the next packet has a header */
void writer_begin_epoch(struct writer *w);

/** writer_flush() - writes all definitions and samples that were added since the last time */
void writer_flush(struct writer *w);

/** writer_write_ledger() - a packet with a ledger that fits the samples so far */
void writer_write_ledger(struct writer *w, bool final);

/** writer_add_event() - one more event for the header */
void writer_add_event(struct writer *w, Profiler__Event event);

/** writer_begin() - an empty stream, with a header but for the events */
void writer_begin(struct writer *w);

/** event_cpu_clock() - cpu-clock at 1,000 Hz, for cycles */
Profiler__Event event_cpu_clock(void);

/** event_counted() - an event of a fixed period */
Profiler__Event event_counted(const char *name, const char *modifier, uint64_t period);

/** event_member() - an event that is counted at the samples of the one with index @leader */
Profiler__Event event_member(const char *name, const char *modifier, uint32_t leader);

/** event_text() - a string as protobuf-c wants them */
char *event_text(const char *literal);

#endif /* PROFILER_STREAM_WRITER_H */

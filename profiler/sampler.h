/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler.h - the BPF programs and their maps: loaded, filtered, read.
 *
 * Which perf events run them is session.c's; what the rings hold is drain.c's.
 */
#ifndef PROFILER_SAMPLER_H
#define PROFILER_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "profiler/ring.h"
#include "profiler/unwind_memory.h"

#define SAMPLER_ERROR_BYTES 256

struct sampler;

/**
 * struct sampler_config - what has to be known before the load
 * @cpus: CPU numbers are below this
 * @events: how many programs are needed
 * @mode: for each event its enum mode_filter
 * @weight_shift: for each event
 * @group_size: for each event, how many counters it leads, itself included; 0 when it leads none
 * @filter: bits of enum filter_bit
 * @user_walk: how user stacks are walked
 * @snapshot_bytes: of stack in a snapshot, 0 without snapshots
 * @follow_children: a child of a target process is a target too
 * @pids, @tids: the first targets, where filter says so
 * @cgroup_fds: directories of the cgroup2 hierarchy
 * @ring_bytes: of each CPU's ring, a power of two and a multiple of the page size
 */
struct sampler_config {
	uint32_t cpus;
	uint32_t events;
	uint8_t mode[MAX_EVENTS];
	uint8_t weight_shift[MAX_EVENTS];
	uint8_t group_size[MAX_EVENTS];
	uint32_t filter;
	enum user_walk user_walk;
	uint32_t snapshot_bytes;
	bool follow_children;
	const uint32_t *pids;
	const uint32_t *tids;
	const int *cgroup_fds;
	uint32_t pid_count;
	uint32_t tid_count;
	uint32_t cgroup_count;
	size_t ring_bytes;
};

/**
 * sampler_load() - load the programs and make the maps
 * @ret: the sampler; the caller frees it
 * @config: copied where needed
 * @err: on failure, one line: cause; remedy
 * @err_bytes: SAMPLER_ERROR_BYTES
 *
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int sampler_load(struct sampler **ret,
						     const struct sampler_config *config, char *err,
						     size_t err_bytes);

/** sampler_free() - NULL is fine; the programs go when the last perf event is closed */
void sampler_free(struct sampler *s);

/** sampler_add_ring() - make the ring of a CPU that has none; 0 or -errno */
__attribute__((warn_unused_result)) int sampler_add_ring(struct sampler *s, uint32_t cpu);

/** sampler_ring() - the ring of a CPU, NULL when it has none */
struct ring *sampler_ring(struct sampler *s, uint32_t cpu);

/** sampler_ring_fd() - for epoll, edge-triggered; -1 when the CPU has no ring */
int sampler_ring_fd(const struct sampler *s, uint32_t cpu);

/** sampler_program_fd() - the program of an event */
int sampler_program_fd(const struct sampler *s, uint32_t event);

/** sampler_counters() - a copy of the counters of a CPU and event, by an atomic load of each */
struct event_counters sampler_counters(const struct sampler *s, uint32_t cpu, uint32_t event);

/**
 * sampler_set_counter() - the programs of a CPU read this counter of a group from now on
 * @place: in the group, 0 is the event that leads it
 * @fd: perf event, counts from 0; the caller's
 *
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int sampler_set_counter(struct sampler *s, uint32_t cpu,
							    uint32_t event, uint32_t place, int fd);

/** sampler_clear_counter() - before it is closed: until then the programs have it open, too */
void sampler_clear_counter(struct sampler *s, uint32_t cpu, uint32_t event, uint32_t place);

/** sampler_group() - a copy of what a group has counted on a CPU; all 0 where it leads none */
struct group_counts sampler_group(const struct sampler *s, uint32_t cpu, uint32_t event);

/** sampler_add_pid() - make a process a target; 0 or -errno */
__attribute__((warn_unused_result)) int sampler_add_pid(struct sampler *s, uint32_t pid);

/** sampler_next_generation() - make the programs say every stack anew */
void sampler_next_generation(struct sampler *s);

/** sampler_unwind_memory() - the walker's tables, empty at first; they live as long as the sampler
 */
struct unwind_memory sampler_unwind_memory(const struct sampler *s);

/** sampler_shards_fd() - the map of the walker's shards */
int sampler_shards_fd(const struct sampler *s);

/** sampler_follow_failed() - children that found the table of targets full */
uint64_t sampler_follow_failed(const struct sampler *s);

/**
 * sampler_runs() - runs of an event's program by the kernel's own statistics
 * @ret_time_ns: set to the time they took together
 *
 * Returns 0 while kernel.bpf_stats_enabled is 0.
 */
uint64_t sampler_runs(const struct sampler *s, uint32_t event, uint64_t *ret_time_ns);

#endif /* PROFILER_SAMPLER_H */

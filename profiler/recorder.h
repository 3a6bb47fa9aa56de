/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.h - the recorder's stages in one struct; for setup.c, record.c and account.c only.
 */
#ifndef PROFILER_RECORDER_H
#define PROFILER_RECORDER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/command.h"
#include "profiler/completer.h"
#include "profiler/cputime.h"
#include "profiler/drain.h"
#include "profiler/handoff.h"
#include "profiler/header.h"
#include "profiler/jitnamer.h"
#include "profiler/kallsyms.h"
#include "profiler/namer.h"
#include "profiler/output.h"
#include "profiler/plan.h"
#include "profiler/procmap.h"
#include "profiler/record.h"
#include "profiler/resolve.h"
#include "profiler/sampler.h"
#include "profiler/session.h"
#include "profiler/sideband.h"
#include "profiler/stacks.h"
#include "profiler/stream.h"
#include "profiler/writer.h"

/* Changes of kernel.perf_event_max_sample_rate that the ledger tells. */
#define RATE_LIMITS_MAX 64

/**
 * struct recorder - one recording
 *
 * Everything here belongs to the drain thread; the hand-off and the writer's counters are what it
 * shares with the writer thread.
 */
struct recorder {
	const struct options *options;
	struct plan plan;
	struct header header;
	struct output output;
	struct command command;
	int epoll_fd;
	int signal_fd;
	int output_failed_fd;
	int exit_status;
	bool disk_full; /* the user was told, and not yet that there is room again */
	bool disk_was_full;
	struct pollfd *targets; /* a pidfd for each of -p: readable once the process has ended */
	uint64_t start_ns;
	uint64_t end_ns;
	const char *stopped_by; /* NULL while the run goes on */
	struct sampler *sampler;
	struct session *session;
	struct sideband *sideband;
	struct procmap *procmap;
	struct kallsyms *kallsyms;
	struct unwinder *unwinder;   /* NULL when neither names nor tables are asked for */
	int unwinder_fd;	     /* readable when something is back */
	struct completer *completer; /* NULL without unwind tables */
	struct namer *namer;	     /* NULL without names, as the next */
	struct jitnamer *jitnamer;
	bool obstacle_said;
	uint32_t max_sample_rate; /* as it was last seen */
	uint32_t n_rate_limits;
	Profiler__RateLimit rate_limits[RATE_LIMITS_MAX]; /* its changes */
	bool hurry;					  /* what came just now is wanted soon */
	uint64_t sideband_records;			  /* that there have been by now, */
	uint64_t busy_ns;				  /* and when the last came */
	struct stacks *stacks;
	struct handoff *handoff;
	struct stream *stream;
	struct writer *writer;
	struct resolver resolver;
	struct drain drain;
	struct cputime *cputime_start;
	struct cputime *cputime_now;
	Profiler__LedgerRow *rows; /* room for a ledger: cpu_limit * n_events */
	Profiler__LedgerRow **row_list;
};

/** setup_watch() - wake the loop for @fd; a descriptor that is watched already is fine */
__attribute__((warn_unused_result)) int setup_watch(struct recorder *r, int fd, uint32_t events);

/** setup_watch_rings() - wake the loop when a program says that its ring is filling */
__attribute__((warn_unused_result)) int setup_watch_rings(struct recorder *r);

/**
 * account_read_idle() - note how long the CPUs were idle
 *
 * For the final ledger when sampling has just ended: what comes after does not count.
 */
void account_read_idle(struct recorder *r);

/** account_count() - count again for record_totals(), once nothing moves any more */
void account_count(struct recorder *r);

/**
 * account_write() - put a ledger into the stream, with the packet that is being filled
 * @final: sampling is off, account_read_idle() was called, and everything is through
 *
 * Returns false when the hand-off had no room.
 */
bool account_write(struct recorder *r, bool final);

/** recorder_now_ns() - CLOCK_BOOTTIME, the clock of all records */
uint64_t recorder_now_ns(void);

#endif /* PROFILER_RECORDER_H */

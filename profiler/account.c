// SPDX-License-Identifier: Apache-2.0
/*
 * account.c - collects what every stage has counted into the ledger.
 *
 * Downstream counters are read before upstream ones: a sample that moves on meanwhile is then
 * still counted where it was, never in both places.
 */
#include "profiler/recorder.h"

#include <stdio.h>
#include <string.h>

#include "profiler/ledger.h"

void account_read_idle(struct recorder *r)
{
	if (cputime_read(r->cputime_now, r->plan.cpu_limit))
		memcpy(r->cputime_now, r->cputime_start,
		       r->plan.cpu_limit * sizeof(*r->cputime_now));
}

/* What became of the samples of an event on a CPU. */
static struct ledger_input read_samples(const struct recorder *r, uint32_t cpu, uint32_t event)
{
	/* Downstream first: what is counted there was counted upstream before. */
	struct ledger_input in = { .written = writer_written(r->writer, cpu, event) };

	in.output = writer_lost(r->writer, cpu, event);
	in.handoff = stream_dropped(r->stream, cpu, event);
	in.kernel = sampler_counters(r->sampler, cpu, event);
	in.count = session_read(r->session, cpu, event);
	in.idle_ns = r->cputime_now[cpu].idle_ns - r->cputime_start[cpu].idle_ns;
	in.steal_ns = r->cputime_now[cpu].steal_ns - r->cputime_start[cpu].steal_ns;
	return in;
}

/* Where the counts of a group went. */
static void add_counts(const struct recorder *r, const struct group_counts *g,
		       Profiler__LedgerRow *row)
{
	const struct event_spec *event = &r->plan.events[row->event];

	row->counted = g->counted[event->place];
	row->uncounted = g->uncounted[event->place];
	row->counts_lost = event->leader ? 0 : g->lost;
}

/* Fills r->rows and r->row_list; returns the number of rows. */
static size_t make_rows(struct recorder *r, bool final)
{
	size_t n = 0;

	if (!final)
		account_read_idle(r);
	for (uint32_t cpu = 0; cpu < r->plan.cpu_limit; cpu++) {
		for (uint32_t i = 0; i < r->plan.n_events; i++) {
			struct ledger_input in;
			struct group_counts
				g; /* read before what was counted, so as not to be ahead */
			uint32_t leader;

			if (!session_has(r->session, cpu, i))
				continue;
			leader = r->plan.events[i].leader;
			g = sampler_group(r->sampler, cpu, leader ? leader - 1 : i);
			if (leader)
				in = (struct ledger_input){ .count = session_read(r->session, cpu,
										  i) };
			else
				in = read_samples(r, cpu, i);
			profiler__ledger_row__init(&r->rows[n]);
			r->rows[n].cpu = cpu;
			r->rows[n].event = i;
			ledger_row(&r->plan.events[i], &in, final, &r->rows[n]);
			add_counts(r, &g, &r->rows[n]);
			r->row_list[n] = &r->rows[n];
			n++;
		}
	}
	return n;
}

void account_count(struct recorder *r)
{
	make_rows(r, true);
}

/* Fills the two arrays; returns how many there are. */
static size_t list_stacks(const struct resolver *r, Profiler__StackCount *counts,
			  Profiler__StackCount **list)
{
	size_t n = 0;

	for (int how = 0; how < STACK_HOWS; how++) {
		for (int end = 0; end < STACK_ENDS; end++) {
			if (!r->outcomes[how][end])
				continue;
			profiler__stack_count__init(&counts[n]);
			counts[n].how = (Profiler__StackCount__How)how;
			counts[n].end = (Profiler__StackCount__End)end;
			counts[n].samples = r->outcomes[how][end];
			list[n] = &counts[n];
			n++;
		}
	}
	return n;
}

bool account_write(struct recorder *r, bool final)
{
	Profiler__Ledger ledger = PROFILER__LEDGER__INIT;
	Profiler__ProgramRuns runs[MAX_EVENTS], *run_list[MAX_EVENTS];
	Profiler__StackCount stacks[STACK_HOWS * STACK_ENDS];
	Profiler__StackCount *stack_list[STACK_HOWS * STACK_ENDS];
	struct sideband_stats sideband;
	struct procmap_stats processes;
	Profiler__RateLimit *rate_limits[RATE_LIMITS_MAX];
	char stopped_by[32];

	sideband_stats(r->sideband, &sideband);
	procmap_stats(r->procmap, &processes);
	ledger.time_ns = recorder_now_ns();
	ledger.final = final;
	ledger.n_row = make_rows(r, final);
	ledger.row = r->row_list;
	ledger.sideband_lost = sideband.lost;
	ledger.max_sample_rate = r->max_sample_rate;
	for (uint32_t i = 0; i < r->n_rate_limits; i++)
		rate_limits[i] = &r->rate_limits[i];
	ledger.n_rate_limit = r->n_rate_limits;
	ledger.rate_limit = rate_limits;
	ledger.stacks_unresolved = r->resolver.unresolved;
	ledger.unknown_process = processes.unknown;
	ledger.packets_dropped = stream_packets_dropped(r->stream);
	ledger.n_stacks = list_stacks(&r->resolver, stacks, stack_list);
	ledger.stacks = stack_list;
	if (final) {
		snprintf(stopped_by, sizeof(stopped_by), "%s", r->stopped_by);
		ledger.stopped_by = stopped_by;
	}
	for (uint32_t i = 0; i < r->plan.n_sampling; i++) {
		profiler__program_runs__init(&runs[i]);
		runs[i].runs = sampler_runs(r->sampler, i, &runs[i].run_time_ns);
		run_list[i] = &runs[i];
	}
	if (runs[0].runs) {
		ledger.n_program = r->plan.n_sampling;
		ledger.program = run_list;
	}
	return stream_flush(r->stream, &ledger);
}

struct record_totals record_totals(const struct recorder *r)
{
	struct record_totals t = {
		.stopped_by = r->stopped_by,
		.bytes = writer_bytes(r->writer),
		.disk_was_full = r->disk_was_full,
	};
	struct sideband_stats sideband;

	for (int how = 0; r->completer && how < STACK_HOWS; how++) {
		t.stacks_whole += r->resolver.outcomes[how][STACK_COMPLETE];
		for (int end = 0; end < STACK_ENDS; end++)
			t.stacks += r->resolver.outcomes[how][end];
	}
	sideband_stats(r->sideband, &sideband);
	t.sideband_lost = sideband.lost;
	t.seconds = (double)((r->end_ns ? r->end_ns : recorder_now_ns()) - r->start_ns) / 1e9;
	for (size_t i = 0; i < (size_t)r->plan.cpu_limit * r->plan.n_events && r->row_list[i];
	     i++) {
		const Profiler__LedgerRow *row = r->row_list[i];

		t.expected += row->expected;
		if (!r->plan.events[row->event].clock || row->idle_ns < row->running_ns / 10) {
			t.busy_expected += row->expected;
			t.busy_blind += row->blind;
		}
		t.throttled += row->throttled;
		t.entries += row->entries;
		t.idle += row->idle;
		t.filtered += row->filtered_target + row->filtered_mode;
		t.ring_full += row->ring_full;
		t.ring_busy += row->ring_busy;
		t.handoff += row->handoff;
		t.output += row->output;
		t.written += row->written;
		t.in_flight += row->in_flight;
		t.unaccounted += row->unaccounted;
		t.stack_lost += row->stack_lost;
		t.truncated += row->user_truncated + row->kernel_truncated;
		t.user_failed += row->user_failed;
	}
	return t;
}

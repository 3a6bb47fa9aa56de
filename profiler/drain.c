// SPDX-License-Identifier: Apache-2.0
/*
 * drain.c - one round over all rings and the side-band, merged by time.
 *
 * Invariant: a sample is resolved after every side-band record that is older, and before every
 * one that is younger. So a sample meets the processes and mappings as they were when it was
 * taken, without any history being kept.
 *
 * For that a round has a cut, a little in the past. Whatever was written before the cut is in
 * the buffers by now: the rings' ends are noted first and the side-band is read after, so a
 * sample that is seen has its side-band records seen too. What is younger waits for the next round.
 */
#include "profiler/drain.h"

#include <stddef.h>
#include <string.h>

#include "profiler/completer.h"
#include "profiler/jitnamer.h"
#include "profiler/kallsyms.h"
#include "profiler/namer.h"
#include "profiler/parse.h"
#include "profiler/procmap.h"
#include "profiler/resolve.h"
#include "profiler/ring.h"
#include "profiler/sampler.h"
#include "profiler/sideband.h"
#include "profiler/stacks.h"

/*
 * Rounds until nothing in a ring can name the generation before: one takes all that was older than
 * its cut, the next the rest.
 */
#define ROUNDS_PER_GENERATION 2

static void take_snapshot(struct drain *d, uint32_t cpu, const struct snapshot_record *snapshot)
{
	const struct thread *thread;

	unwind_job_free(d->snapshots[cpu]); /* its sample found no room in the ring */
	thread = d->completer ? procmap_thread(d->procmap, snapshot->pid, snapshot->tid) : NULL;
	d->snapshots[cpu] =
		thread ? completer_snapshot(d->completer, snapshot, thread->process) : NULL;
}

/* Not in place: its sample may be there only in the next round. */
static void keep_counts(struct drain *d, uint32_t cpu, const struct counts_record *counts,
			uint32_t n)
{
	struct counts_record *to = &d->counts[cpu];

	memset(to, 0, sizeof(*to));
	memcpy(to, counts, COUNTS_RECORD_HEADER + n * sizeof(counts->count[0]));
}

static void take_sample(struct drain *d, uint32_t cpu, const struct sample_event *sample)
{
	struct unwind_job *job = d->snapshots[cpu];
	struct counts_record *kept = &d->counts[cpu];
	const struct counts_record *counts = NULL;

	d->snapshots[cpu] = NULL;
	if (job && !(sample->flags & SAMPLE_SNAPSHOT)) {
		unwind_job_free(job);
		job = NULL;
	}
	/* Those of a sample that found no room in the ring come again with the next. */
	if (kept->type == RECORD_COUNTS && kept->time_ns == sample->time_ns &&
	    kept->event == sample->event)
		counts = kept;
	if (job)
		resolve_begin(d->resolver);
	if (!job || !resolve_hold(d->resolver, job, sample, counts))
		resolve_sample(d->resolver, sample, counts);
	kept->type = 0;
}

/* Takes the samples of a CPU that are older than @until_ns, and what belongs to them. */
static void drain_ring(struct drain *d, uint32_t cpu, uint64_t until_ns)
{
	struct ring *ring = sampler_ring(d->sampler, cpu);
	struct ring at;
	const void *record;
	uint32_t bytes, n;

	if (!ring)
		return;
	at = *ring;
	resolve_begin(d->resolver);
	while ((record = ring_peek(&at, d->limits[cpu], &bytes))) {
		const struct sample_event *sample = parse_sample(record, bytes, cpu);
		const struct snapshot_record *snapshot;
		const struct counts_record *counts;
		const struct stack_record *stack;

		if (sample) {
			if (sample->time_ns >= until_ns)
				break;
			take_sample(d, cpu, sample);
			ring_advance(&at, sizeof(*sample));
			continue;
		}
		if ((stack = parse_stack(record, bytes, &n))) {
			stacks_put(d->stacks, cpu, stack, n);
		} else if ((snapshot = parse_snapshot(record, bytes))) {
			if (snapshot->time_ns >= until_ns)
				break;
			take_snapshot(d, cpu, snapshot);
			resolve_begin(d->resolver);
		} else if ((counts = parse_counts(record, bytes, &n))) {
			if (counts->time_ns >= until_ns)
				break;
			keep_counts(d, cpu, counts, n);
		} else {
			d->invalid++;
		}
		ring_advance(&at, bytes);
	}
	if (ring->position != at.position) {
		ring->position = at.position;
		ring_release(ring);
	}
}

static void drain_rings(struct drain *d, uint64_t until_ns)
{
	for (uint32_t cpu = 0; cpu < d->cpus; cpu++)
		drain_ring(d, cpu, until_ns);
}

static void apply_ksymbol(struct kallsyms *kallsyms, const struct sideband_ksymbol *k)
{
	if (!kallsyms)
		return;
	if (k->unregister)
		kallsyms_del(kallsyms, k->addr);
	else if (kallsyms_add(kallsyms, k->bpf ? KSYM_BPF : KSYM_OTHER, k->addr, k->size, k->name))
		return; /* counted there; frames in it stay unnamed */
}

/* On kernels that tell no build ids the jail's reading gives them. */
static void take_build_ids(struct drain *d, const struct unwind_job *job)
{
	for (uint32_t i = 0; i < job->sources; i++) {
		const struct unwind_source *s = &job->source[i];

		if (s->read_id_size && !s->build_id_size && s->kind == MAPPED_FILE)
			procmap_identify(d->procmap, job->pid, s->start, job->texts + s->path,
					 s->read_id, s->read_id_size);
	}
}

/* What the unwinder thread was asked for: names, tables, stacks. */
static void take_jobs(struct drain *d)
{
	struct held_sample *held;
	struct unwind_job *job;

	while ((job = unwinder_pop(d->unwinder))) {
		take_build_ids(d, job);
		if (job->kind == JOB_NAMES) {
			if (job->names.of_code)
				jitnamer_take(d->jitnamer, job);
			else
				namer_take(d->namer, job);
			continue;
		}
		held = completer_take(d->completer, job);
		if (!held)
			continue;
		resolve_held(d->resolver, held);
		completer_release(d->completer, held);
	}
}

void drain_round(struct drain *d, uint64_t cut_ns, uint64_t now_ns)
{
	const struct sideband_record *record;

	if (d->completer)
		completer_tick(d->completer, now_ns);
	if (d->unwinder)
		take_jobs(d);
	for (uint32_t cpu = 0; cpu < d->cpus; cpu++) {
		struct ring *ring = sampler_ring(d->sampler, cpu);

		d->limits[cpu] = ring ? ring_produced(ring) : 0;
	}
	sideband_poll(d->sideband);
	while ((record = sideband_next(d->sideband, cut_ns))) {
		drain_rings(d, record->time_ns);
		if (record->kind == SIDEBAND_KSYMBOL)
			apply_ksymbol(d->kallsyms, &record->ksymbol);
		else
			procmap_apply(d->procmap, record);
		if (d->completer)
			completer_applied(d->completer, record);
	}
	drain_rings(d, cut_ns);
	if (d->namer) {
		namer_tick(d->namer, now_ns);
		jitnamer_tick(d->jitnamer, now_ns);
	}
	procmap_tick(d->procmap, cut_ns);
	if (++d->rounds_in_generation > ROUNDS_PER_GENERATION && stacks_filling(d->stacks)) {
		sampler_next_generation(d->sampler);
		stacks_next_generation(d->stacks);
		d->rounds_in_generation = 0;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scaling_rounds.c - rounds of the recorder's drain thread over more CPUs than the machine has.
 *
 * For bench/scaling.py. The drain thread's code is the product's, with its tables, its stream and
 * its writer; only what it reads is made here: rings in plain memory, filled before each round
 * as the BPF program would, and records of the side-band. So the linker puts __wrap_sampler_ring()
 * and its like in the place of the functions that they are named after.
 *
 * Before a round the rings are driven out of the caches, for on a real machine it is the other CPUs
 * that have written them. What is not in the figures: that they have then to be fetched from those
 * CPUs' caches, possibly of another socket.
 *
 * Prints one JSON object: CPU time of the drain thread for rounds with samples, for rounds without,
 * and for rounds without samples but with records of the side-band; of the writer; and how many
 * samples the hand-off had no room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "profiler/drain.h"
#include "profiler/handoff.h"
#include "profiler/procmap.h"
#include "profiler/resolve.h"
#include "profiler/ring.h"
#include "profiler/sideband.h"
#include "profiler/stacks.h"
#include "profiler/stream.h"
#include "profiler/writer.h"
#include "proto/packet.h"

#define ROUND_NS	UINT64_C(100000000)
#define HANDOFF_BYTES	(1u << 20) /* as the recorder's */
#define RECORD_HEADER	8
#define THREADS_PER_CPU 4
#define STACKS		64 /* on each CPU, the same on all */
#define FRAMES		20
#define FIRST_TID	1000000u
#define RECORDS		1000 /* of the side-band, in a round of them */
#define CACHE_BYTES	(128u << 20)

/* Stands in for both the sampler and the side-band, which nobody looks into but these functions. */
struct machine {
	struct ring *rings;
	unsigned long *produced, *consumed;
	uint8_t **memory;
	size_t ring_bytes;
	uint32_t cpus, samples; /* of a CPU in a round */
	uint64_t time_ns;	/* the round's begin */
	uint32_t records, taken;
	struct sideband_record record;
};

struct ring *__wrap_sampler_ring(struct sampler *s, uint32_t cpu);
void __wrap_sampler_next_generation(struct sampler *s);
void __wrap_sideband_poll(struct sideband *sb);
const struct sideband_record *__wrap_sideband_next(struct sideband *sb, uint64_t upto_ns);

struct ring *__wrap_sampler_ring(struct sampler *s, uint32_t cpu)
{
	return &((struct machine *)(void *)s)->rings[cpu];
}

void __wrap_sampler_next_generation(struct sampler *s)
{
	(void)s; /* the stacks are too few for it */
}

void __wrap_sideband_poll(struct sideband *sb)
{
	(void)sb;
}

/* A thread gets the name that it has: what is measured is the round, not the process table. */
const struct sideband_record *__wrap_sideband_next(struct sideband *sb, uint64_t upto_ns)
{
	struct machine *m = (struct machine *)(void *)sb;

	(void)upto_ns;
	if (m->taken == m->records)
		return NULL;
	m->record = (struct sideband_record){
		.kind = SIDEBAND_COMM,
		.pid = (uint32_t)getpid(),
		.tid = FIRST_TID,
		.comm.name = "worker",
		.time_ns = m->time_ns + ROUND_NS / m->records * m->taken++,
	};
	return &m->record;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int machine_init(struct machine *m, uint32_t cpus, uint32_t samples)
{
	size_t round = samples * (RECORD_HEADER + sizeof(struct sample_event)) +
		       STACKS * (RECORD_HEADER + STACK_RECORD_HEADER + FRAMES * 8);

	*m = (struct machine){ .cpus = cpus, .samples = samples, .ring_bytes = 64u << 10 };
	while (m->ring_bytes < 3 * round)
		m->ring_bytes *= 2;
	m->rings = calloc(cpus, sizeof(*m->rings));
	m->memory = calloc(cpus, sizeof(*m->memory));
	m->produced = calloc(cpus, 64); /* each on a cache line of its own, as in the kernel */
	m->consumed = calloc(cpus, 64);
	if (!m->rings || !m->memory || !m->produced || !m->consumed)
		return -ENOMEM;
	for (uint32_t i = 0; i < cpus; i++) {
		/* Twice: the last record goes on behind the end, as in the kernel's double mapping.
		 */
		m->memory[i] = malloc(2 * m->ring_bytes);
		if (!m->memory[i])
			return -ENOMEM;
		m->rings[i] = (struct ring){ .consumer_pos = &m->consumed[i * 8],
					     .producer_pos = &m->produced[i * 8],
					     .data = m->memory[i],
					     .mask = m->ring_bytes - 1 };
	}
	return 0;
}

static void *append(struct machine *m, uint32_t cpu, unsigned long *at, uint32_t bytes)
{
	uint8_t *header = m->memory[cpu] + (*at & m->rings[cpu].mask);

	memcpy(header, &bytes, sizeof(bytes));
	memset(header + sizeof(bytes), 0, RECORD_HEADER - sizeof(bytes));
	*at += RECORD_HEADER + bytes;
	return header + RECORD_HEADER;
}

static void append_stack(struct machine *m, uint32_t cpu, unsigned long *at, uint32_t slot)
{
	const uint32_t bytes = STACK_RECORD_HEADER + FRAMES * 8;
	struct stack_record *s = append(m, cpu, at, bytes);
	uint64_t code = (uint64_t)(uintptr_t)&machine_init;

	s->type = RECORD_STACK;
	s->size = bytes;
	s->slot = slot;
	s->outcome = 0;
	s->hash = (slot + 1) * UINT64_C(0x9E3779B97F4A7C15);
	for (uint32_t i = 0; i < FRAMES; i++)
		s->frames[i] = code + 4 * (i ? i : slot);
}

/* What came on a CPU in one round; with the first samples come their stacks. */
static void fill(struct machine *m, uint32_t cpu, bool with_stacks, uint32_t samples)
{
	unsigned long at = m->rings[cpu].position;

	for (uint32_t i = 0; with_stacks && i < STACKS; i++)
		append_stack(m, cpu, &at, i);
	for (uint32_t i = 0; i < samples; i++) {
		struct sample_event *s = append(m, cpu, &at, sizeof(*s));

		*s = (struct sample_event){
			.time_ns = m->time_ns + ROUND_NS / samples * i,
			.pid = (uint32_t)getpid(),
			.tid = FIRST_TID + cpu * THREADS_PER_CPU + i / 16 % THREADS_PER_CPU,
			.user_stack = 1 + i * 7 % STACKS,
			.weight = (uint32_t)(ROUND_NS / samples),
			.cpu = (uint16_t)cpu,
		};
	}
	m->produced[cpu * 8] = at;
}

static uint64_t drive_out_of_caches(uint8_t *other)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < CACHE_BYTES; i += 64)
		sum += other[i]++;
	return sum;
}

struct stages {
	struct machine machine;
	struct drain drain;
	struct resolver resolver;
	struct handoff *handoff;
	struct writer *writer;
	struct stream *stream;
	Profiler__Header header;
	Profiler__Event event, *events[1];
	uint8_t *other;
};

static int stages_init(struct stages *s, uint32_t cpus, uint32_t samples, int fd)
{
	const uint64_t interval_ns[MAX_EVENTS] = { ROUND_NS / samples };
	static char clock[] = "cpu-clock", recorder[] = "bench";
	struct drain *d = &s->drain;
	int err = machine_init(&s->machine, cpus, samples);

	profiler__event__init(&s->event);
	s->event.name = clock;
	profiler__header__init(&s->header);
	s->header.version = STREAM_VERSION;
	s->header.recorder = recorder;
	s->header.n_event = 1;
	s->header.event = s->events;
	s->events[0] = &s->event;
	*d = (struct drain){ .sampler = (struct sampler *)&s->machine,
			     .sideband = (struct sideband *)&s->machine,
			     .resolver = &s->resolver,
			     .cpus = cpus };
	d->limits = calloc(cpus, sizeof(*d->limits));
	d->snapshots = calloc(cpus, sizeof(*d->snapshots));
	d->counts = calloc(cpus, sizeof(*d->counts));
	s->other = malloc(CACHE_BYTES);
	if (err || !d->limits || !d->snapshots || !d->counts || !s->other)
		return -ENOMEM;
	memset(s->other, 1, CACHE_BYTES);
	err = stacks_new(&d->stacks, cpus);
	err = err ? err : procmap_open(&d->procmap);
	err = err ? err : procmap_scan(d->procmap);
	err = err ? err : handoff_new(&s->handoff, HANDOFF_BYTES);
	err = err ? err : stream_new(&s->stream, s->handoff, &s->header, interval_ns, cpus);
	err = err ? err : writer_start(&s->writer, s->handoff, fd, eventfd(0, 0), cpus);
	s->resolver.procmap = d->procmap;
	s->resolver.stacks = d->stacks;
	s->resolver.stream = s->stream;
	return err;
}

static void start_threads(struct stages *s)
{
	for (uint32_t i = 0; i < s->machine.cpus * THREADS_PER_CPU; i++) {
		const struct sideband_record born = {
			.kind = SIDEBAND_FORK,
			.pid = (uint32_t)getpid(),
			.tid = FIRST_TID + i,
			.fork = { .parent_pid = (uint32_t)getpid(),
				  .parent_tid = (uint32_t)getpid() },
		};
		procmap_apply(s->drain.procmap, &born);
	}
}

/* CPU time of the drain thread for one round, ns. */
static uint64_t one_round(struct stages *s, bool with_stacks, uint32_t samples, uint32_t records)
{
	struct machine *m = &s->machine;

	m->time_ns += ROUND_NS;
	m->taken = 0;
	m->records = records;
	for (uint32_t cpu = 0; cpu < m->cpus && samples; cpu++)
		fill(m, cpu, with_stacks, samples);
	s->drain.invalid += drive_out_of_caches(s->other) == 0;
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	drain_round(&s->drain, m->time_ns + ROUND_NS, m->time_ns + ROUND_NS);
	stream_flush(s->stream, NULL);
	uint64_t took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	while (!handoff_empty(s->handoff))
		usleep(100);
	return took;
}

static void print_rounds(struct stages *s, const char *name, uint32_t rounds, uint32_t samples,
			 uint32_t records, double divisor)
{
	printf(", \"%s\": [", name);
	for (uint32_t i = 0; i < rounds; i++)
		printf("%s%.2f", i ? ", " : "",
		       (double)one_round(s, false, samples, records) / divisor);
	printf("]");
}

static uint64_t dropped(const struct stages *s)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < s->machine.cpus; cpu++)
		sum += stream_dropped(s->stream, cpu, 0);
	return sum;
}

/* All that went in came out, or was counted as dropped. */
static bool is_accounted(const struct stages *s, uint64_t samples)
{
	uint64_t sum = dropped(s);

	for (uint32_t cpu = 0; cpu < s->machine.cpus; cpu++)
		sum += writer_written(s->writer, cpu, 0);
	return !s->drain.invalid && !s->resolver.unresolved && sum == samples;
}

static int measure(struct stages *s, uint32_t rounds)
{
	const struct machine *m = &s->machine;
	double all = (double)m->cpus * m->samples;

	start_threads(s);
	one_round(s, true, m->samples, 0);
	one_round(s, false, m->samples, 0);
	printf("{\"cpus\": %" PRIu32 ", \"samples\": %" PRIu32, m->cpus, m->samples);
	uint64_t lost = dropped(s);
	uint64_t process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t thread = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	print_rounds(s, "ns_per_sample", rounds, m->samples, 0, all);
	process = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process;
	thread = clock_ns(CLOCK_THREAD_CPUTIME_ID) - thread;
	lost = dropped(s) - lost;
	print_rounds(s, "ns_per_empty_round", rounds, 0, 0, 1);
	print_rounds(s, "ns_per_record", rounds, 0, RECORDS, RECORDS);
	printf(", \"writer_ns_per_sample\": %.3f, \"dropped\": %" PRIu64 "}\n",
	       (double)(process - thread) / (all * rounds), lost);
	if (!is_accounted(s, (rounds + 2) * (uint64_t)m->cpus * m->samples))
		return -EBADMSG;
	return writer_error(s->writer);
}

int main(int argc, char **argv)
{
	uint32_t cpus = argc == 5 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	uint32_t samples = argc == 5 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	uint32_t rounds = argc == 5 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	struct stages *s = calloc(1, sizeof(*s));

	if (!cpus || !samples || !rounds || !s) {
		fprintf(stderr, "usage: scaling_rounds CPUS SAMPLES ROUNDS FILE\n");
		return 2;
	}
	int fd = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : stages_init(s, cpus, samples, fd);

	err = err ? err : measure(s, rounds);
	if (err)
		fprintf(stderr, "scaling_rounds: %s\n", strerror(-err));
	/* Everything is freed by the end, of which the writer is told first. */
	if (s->writer) {
		handoff_close(s->handoff);
		writer_finish(s->writer);
	}
	return err ? 1 : 0;
}

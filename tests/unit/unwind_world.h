/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_world.h - the walker's tables without a kernel: memory, counters of programs, and readers
 * that go through the tables as bpf/unwind.h says, one load at a time.
 *
 * A reader is a run of a program on a CPU of its own. Between any two of its steps the test may
 * do anything to the tables.
 */
#ifndef PROFILER_UNWIND_WORLD_H
#define PROFILER_UNWIND_WORLD_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "profiler/retire.h"
#include "profiler/unwind_memory.h"
#include "profiler/unwind_tables.h"

#define WORLD_CPUS   4
#define WORLD_EVENTS 2

struct world {
	struct unwind_memory memory;
	struct unwind_row *shards[UNWIND_SHARDS];
	struct event_counters counters[WORLD_CPUS * WORLD_EVENTS];
	struct retire *retire;
	uint64_t now_ns;
	uint64_t reads; /* of counters */
};

static inline struct event_counters world_read(void *context, uint32_t cpu, uint32_t event)
{
	struct world *w = context;

	cr_assert(cpu < WORLD_CPUS && event < WORLD_EVENTS);
	w->reads++;
	return w->counters[cpu * WORLD_EVENTS + event];
}

static inline void world_open(struct world *w)
{
	*w = (struct world){ 0 };
	w->memory.processes = calloc(UNWIND_PROCESSES, sizeof(struct unwind_process));
	w->memory.mappings = calloc(UNWIND_MAPPINGS, sizeof(struct unwind_mapping));
	w->memory.directory = calloc(UNWIND_DIRECTORY, sizeof(uint64_t));
	w->memory.rules = calloc(UNWIND_RULES, sizeof(struct unwind_rule));
	w->memory.cache = calloc(UNWIND_CACHE, sizeof(uint64_t));
	cr_assert(zero(int, retire_open(&w->retire, WORLD_CPUS, WORLD_EVENTS, world_read, w)));
}

static inline void world_close(struct world *w)
{
	for (uint32_t i = 0; i < UNWIND_SHARDS; i++)
		free(w->shards[i]);
	free(w->memory.processes);
	free(w->memory.mappings);
	free(w->memory.directory);
	free(w->memory.cache);
	free(w->memory.rules);
	retire_free(w->retire);
}

/* What the unwinder thread does with a job. */
static inline void world_do_job(struct world *w, struct unwind_shard_job *job)
{
	if (job->make) {
		cr_assert(w->shards[job->shard] == NULL);
		job->rows = calloc(UNWIND_SHARD_ROWS, sizeof(struct unwind_row));
		w->shards[job->shard] = job->rows;
	} else {
		cr_assert(job->rows == w->shards[job->shard]);
		free(job->rows);
		w->shards[job->shard] = NULL;
	}
}

enum reader_stage {
	READER_PROCESS, /* find the slot */
	READER_RANGE,
	READER_MAPPING,
	READER_OFFSET,
	READER_PAGE,
	READER_ROW,
	READER_RULE,
	READER_FOUND, /* a rule */
	READER_NONE,  /* nothing; frame pointers too */
};

struct world_reader {
	uint32_t cpu_event;
	enum reader_stage stage;
	uint32_t pid;
	uint64_t addr;
	uint64_t range;
	uint32_t index; /* slot, mapping, entry of the directory, row: what was found last */
	uint32_t offset;
	struct unwind_page page;
	struct unwind_rule rule;
};

static inline void reader_begin(struct world *w, struct world_reader *r)
{
	w->counters[r->cpu_event].entries++;
}

static inline void reader_end(struct world *w, struct world_reader *r, uint32_t outcome)
{
	struct event_counters *c = &w->counters[r->cpu_event];
	__u64 *ends[] = { &c->idle,	 &c->filtered_target, &c->filtered_mode,
			  &c->ring_full, &c->ring_busy,	      &c->submitted };

	++*ends[outcome % 6];
}

static inline void find_process(struct world *w, struct world_reader *r)
{
	r->stage = READER_NONE;
	for (uint32_t i = 0; i < UNWIND_PROBES; i++) {
		r->index = (unwind_process_slot(r->pid) + i) % UNWIND_PROCESSES;
		if (w->memory.processes[r->index].pid == r->pid) {
			r->stage = READER_RANGE;
			return;
		}
	}
}

static inline void find_mapping(struct world *w, struct world_reader *r)
{
	uint32_t first = (uint32_t)(r->range >> 32), count = (uint32_t)r->range;

	r->stage = READER_NONE;
	for (uint32_t i = first; i < first + count; i++) {
		const struct unwind_mapping *m = &w->memory.mappings[i];

		cr_assert(i == first || m->start > m[-1].start, "not sorted");
		if (r->addr - m->start < (uint64_t)m->pages_4k << 12) {
			r->index = i;
			r->stage = READER_OFFSET;
		}
	}
}

static inline void find_entry(struct world *w, struct world_reader *r)
{
	const struct unwind_mapping *m = &w->memory.mappings[r->index];
	uint64_t offset = r->addr - m->bias;

	r->stage = READER_NONE;
	if (m->directory >= UNWIND_UNKNOWN_FILE)
		return;
	r->index = m->directory + (uint32_t)(offset >> UNWIND_PAGE_SHIFT);
	r->offset = (uint32_t)offset % UNWIND_PAGE_BYTES;
	cr_assert(lt(u32, r->index, UNWIND_DIRECTORY));
	r->stage = READER_PAGE;
}

static inline void find_row(struct world *w, struct world_reader *r)
{
	const struct unwind_row *rows = w->shards[r->page.shard];
	uint32_t i = r->page.first, last = i + r->page.count;

	cr_assert(rows && last < UNWIND_SHARD_ROWS);
	while (i < last && rows[i + 1].offset <= r->offset)
		i++;
	r->index = rows[i].rule;
	r->stage = READER_RULE;
}

/* The next load. Returns false when the reader has come to an end. */
static inline bool reader_step(struct world *w, struct world_reader *r)
{
	switch (r->stage) {
	case READER_PROCESS:
		find_process(w, r);
		break;
	case READER_RANGE:
		r->range = w->memory.processes[r->index].range;
		r->stage = r->range ? READER_MAPPING : READER_NONE;
		break;
	case READER_MAPPING:
		find_mapping(w, r);
		break;
	case READER_OFFSET:
		find_entry(w, r);
		break;
	case READER_PAGE:
		r->page = unwind_page_of(w->memory.directory[r->index]);
		r->stage = r->page.state == UNWIND_PAGE_LOADED ? READER_ROW : READER_NONE;
		break;
	case READER_ROW:
		find_row(w, r);
		break;
	case READER_RULE:
		r->rule = w->memory.rules[r->index];
		r->stage = READER_FOUND;
		break;
	default:
		break;
	}
	return r->stage < READER_FOUND;
}

/*
 * Tables whose contents tell where they belong: 1 to @most rows of equal size, and three rules that
 * no other file and page has.
 */
#define MADE_RULES 3

struct made_table {
	struct unwind_table table;
	struct unwind_row rows[UNWIND_SHARD_ROWS];
	struct unwind_rule rules[MADE_RULES];
};

static inline uint32_t made_rows(uint32_t file, uint32_t page, uint32_t most)
{
	return 1 + (file * 2654435761u + page * 40503u) % most;
}

static inline struct unwind_rule made_rule(uint32_t file, uint32_t page, uint32_t row)
{
	return (struct unwind_rule){
		.cfa = UNWIND_SP,
		.cfa_off = (__s32)(file << 16 | page),
		.ra_off = -8,
		.fp_off = (__s16)(row % MADE_RULES * 8),
	};
}

static inline void make_table(struct made_table *m, uint32_t file, uint32_t page, uint32_t most)
{
	uint32_t n = made_rows(file, page, most);

	for (uint32_t i = 0; i < n; i++)
		m->rows[i] = (struct unwind_row){ (__u16)(i * (UNWIND_PAGE_BYTES / n)),
						  (__u16)(i % MADE_RULES) };
	for (uint32_t i = 0; i < MADE_RULES; i++)
		m->rules[i] = made_rule(file, page, i);
	m->table = (struct unwind_table){ m->rows, m->rules, n, MADE_RULES };
}

/* What a look-up of this offset in the page has to give. */
static inline bool made_rule_is(const struct unwind_rule *rule, uint32_t file, uint32_t page,
				uint32_t offset, uint32_t most)
{
	uint32_t n = made_rows(file, page, most), row = offset / (UNWIND_PAGE_BYTES / n);
	struct unwind_rule right = made_rule(file, page, row < n ? row : n - 1);

	return !memcmp(rule, &right, sizeof(right));
}

#endif /* PROFILER_UNWIND_WORLD_H */

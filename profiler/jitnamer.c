// SPDX-License-Identifier: Apache-2.0
/*
 * jitnamer.c - functions of code made at run time, by the maps that its makers write.
 *
 * A map is appended to, so its size at one moment says how it was then. A window of a process
 * begins with the size that the map had a little before. When it is closed, its places are looked
 * up in the map: a place of which the map has said nothing since that size, or of which it spoke
 * for the first time, was that one function all the time. Of any other the map has changed its
 * mind within the window: it is said to have changed, and has no name.
 *
 * Windows of a map that grows are short, so that little is lost that way; of one that does not, as
 * long as an epoch of the stream, which defines all frames anew anyhow. Where there is no map the
 * window stays open: Java writes its map when it is asked to.
 *
 * Invariant: a window that is closed gets no more places, is asked about once, and then freed. A
 * window with a job on its way is not freed.
 */
#include "profiler/jitnamer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/htable.h"
#include "profiler/jitfile.h"
#include "profiler/name_job.h"
#include "profiler/place_set.h"
#include "profiler/procmap.h"
#include "profiler/stream.h"
#include "profiler/unwinder.h"

#define MS	     UINT64_C(1000000)
#define WINDOW_NS    (250 * MS)	  /* of a map that grows, at least, */
#define WINDOW_ASKS  20		  /* and so many times as long as asking takes */
#define GROWS_NS     (10000 * MS) /* since it last did */
#define LAG_NS	     (150 * MS)	  /* samples of this age may still be on their way */
#define ASK_AGAIN_NS (250 * MS)	  /* what could not be answered */
#define PAUSE_MIN_NS (1000 * MS)  /* between looks for a map where there is none */
#define PAUSE_MAX_NS (32000 * MS)
#define FAILURES_MAX 3	       /* of a map that the jail cannot read; then it is not asked */
#define JOBS_MAX     2	       /* on their way: walks and tables come behind them */
#define ALL_MEMORY   INT64_MAX /* bytes */
#define IDLE_EPOCHS  2	       /* then a window is forgotten */

struct window {
	struct hlink link; /* by its process's serial, while it is open */
	struct window *next;
	struct process process;	       /* as it was, without references */
	struct jitfile_process parent; /* whose code it has inherited; all 0: nobody's */
	struct unwind_source source;   /* a jitdump's mapping, or of kind MAPPED_ANON */
	char *dump;		       /* its path; NULL: a perf map */
	struct place_set places;
	struct jitfile_state before; /* the map at the beginning; all 0: there was none */
	struct jitfile_state latest; /* at the last look */
	uint32_t generation;
	uint32_t stream_mapping; /* of that generation, in that epoch */
	uint32_t stream_epoch;
	uint32_t opened_epoch;
	uint64_t opened_ns;
	uint64_t looked_ns; /* 0: never */
	uint64_t asked_ns;
	uint64_t took_ns; /* the last answer */
	uint64_t pause_ns;
	uint64_t dump_image; /* that was searched for a jitdump */
	uint32_t failures;
	uint64_t changed_ns; /* when the map was last seen to have changed */
	bool looked_to_close;
	bool closed;
	bool on_its_way;
};

struct jitnamer {
	struct unwinder *unwinder;
	struct stream *stream;
	const struct procmap *procmap;
	struct htable open; /* windows by process */
	struct window *all;
	uint32_t jobs;
	uint32_t generations;
	uint64_t now_ns;
	bool finishing;
};

int jitnamer_open(struct jitnamer **ret, struct unwinder *unwinder, struct stream *stream,
		  const struct procmap *procmap)
{
	struct jitnamer *n = calloc(1, sizeof(*n));

	if (!n || htable_init(&n->open)) {
		free(n);
		return -ENOMEM;
	}
	n->unwinder = unwinder;
	n->stream = stream;
	n->procmap = procmap;
	*ret = n;
	return 0;
}

static void window_free(struct window *w)
{
	place_set_release(&w->places);
	free(w->dump);
	free(w);
}

void jitnamer_close(struct jitnamer *n)
{
	if (!n)
		return;
	while (n->all) {
		struct window *w = n->all;

		n->all = w->next;
		window_free(w);
	}
	htable_release(&n->open);
	free(n);
}

/* Windows */

static uint32_t hash_of(const struct process *process)
{
	return htable_hash(0, &process->serial, sizeof(process->serial));
}

static struct window *window_new(struct jitnamer *n, const struct process *process)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->process = *process;
	w->process.image = NULL;
	w->process.cgroup = NULL;
	w->source.kind = MAPPED_ANON;
	w->pause_ns = PAUSE_MIN_NS;
	w->generation = ++n->generations;
	w->opened_epoch = w->stream_epoch = stream_epoch(n->stream);
	w->opened_ns = w->changed_ns = n->now_ns;
	w->next = n->all;
	n->all = w;
	htable_insert(&n->open, &w->link, hash_of(process));
	return w;
}

static struct jitfile_process jit_process(const struct process *p)
{
	return (struct jitfile_process){
		.pid = p->pid, .inner_pid = p->inner_pid, .uid = p->uid, .start_ns = p->start_ns
	};
}

/* A process that called exec, or has another name, is another one. */
static struct window *find_open(const struct jitnamer *n, const struct process *process)
{
	for (struct hlink *l = htable_first(&n->open, hash_of(process)); l; l = htable_next(l)) {
		struct window *w = htable_entry(l, struct window, link);

		if (w->process.serial == process->serial)
			return w;
	}
	return NULL;
}

static struct window *find(struct jitnamer *n, const struct process *process)
{
	struct window *w = find_open(n, process);
	const struct process *parent;

	if (w)
		return w;
	w = window_new(n, process);
	if (!w)
		return NULL;
	parent = procmap_process(n->procmap, process->parent_pid);
	if (parent && parent->image == process->image) /* forked, and nothing else since */
		w->parent = jit_process(parent);
	return w;
}

/* A process that maps a jitdump says there what its code is. */
static void find_dump(struct window *w, const struct image *image)
{
	if (!image || w->dump || w->dump_image == image->id)
		return;
	w->dump_image = image->id;
	for (uint32_t i = 0; i < image->count; i++) {
		const struct mapping *m = &image->mappings[i];

		if (!jitfile_is_dump(m->region->file->path))
			continue;
		w->dump = strdup(m->region->file->path);
		if (w->dump)
			w->source = unwind_source_of(m);
		return;
	}
}

/* What the next window of the process begins with. */
static void open_next(struct jitnamer *n, const struct window *w)
{
	struct window *next = window_new(n, &w->process);

	if (!next)
		return;
	next->parent = w->parent;
	next->source = w->source;
	next->dump = w->dump ? strdup(w->dump) : NULL;
	if (!next->dump)
		next->source = (struct unwind_source){ .kind = MAPPED_ANON };
	next->before = next->latest = w->latest;
	next->looked_ns = w->looked_ns;
	next->changed_ns = w->changed_ns;
	next->took_ns = w->took_ns;
	next->failures = w->failures;
}

static void close_window(struct jitnamer *n, struct window *w)
{
	htable_remove(&n->open, &w->link);
	w->closed = true;
}

uint32_t jitnamer_generation(const struct jitnamer *n, const struct process *process)
{
	const struct window *w = find_open(n, process);

	return w ? w->generation : 0;
}

uint32_t jitnamer_begin(struct jitnamer *n, const struct process *process)
{
	const struct window *w = find(n, process);

	return w ? w->generation : 0;
}

void jitnamer_place(struct jitnamer *n, const struct process *process, uint32_t stream_mapping,
		    uint64_t address)
{
	struct window *w = find(n, process);

	if (!w)
		return;
	find_dump(w, process->image);
	w->stream_mapping = stream_mapping;
	w->stream_epoch = stream_epoch(n->stream);
	(void)place_set_add(&w->places, address);
}

/* Saying */

/* An id of this epoch that stands for the window, where no frame has one by chance. */
static uint32_t stand_in(struct jitnamer *n, struct window *w)
{
	const struct stream_process p = {
		.pid = w->process.pid,
		.parent_pid = w->process.parent_pid,
		.inner_pid = w->process.inner_pid,
		.comm = w->process.comm,
		.cgroup = "",
		.start_ns = w->process.start_ns,
	};
	struct stream_mapping m = {
		.kind = PROFILER__MAPPING__KIND__ANON,
		.path = "//anon",
		.generation = w->generation,
	};

	if (!w->stream_mapping || w->stream_epoch != stream_epoch(n->stream)) {
		m.process = stream_process(n->stream, &p);
		w->stream_mapping = stream_mapping(n->stream, &m);
		w->stream_epoch = stream_epoch(n->stream);
	}
	return w->stream_mapping;
}

/* What one stretch is; in a new epoch if this one has too many strings. */
static void say_stretch(struct jitnamer *n, struct window *w, const struct jail_stretch *s,
			const char *texts)
{
	struct stream_name name = { .mapping = stand_in(n, w), .start = s->start, .end = s->end };

	if (s->name == JAIL_NO_NAME)
		name.unknown = PROFILER__NAMES__UNKNOWN__NO_SYMBOL;
	else if (s->name == JAIL_CHANGED)
		name.unknown = PROFILER__NAMES__UNKNOWN__CHANGED;
	else
		name.function = texts + s->name;
	if (stream_name(n->stream, &name))
		return;
	stream_next_epoch(n->stream);
	name.mapping = stand_in(n, w);
	(void)stream_name(n->stream, &name);
}

static void say_unknown(struct jitnamer *n, struct window *w, uint32_t why)
{
	const struct stream_name name = {
		.mapping = stand_in(n, w),
		.end = ALL_MEMORY,
		.unknown = why,
	};

	(void)stream_name(n->stream, &name);
}

/* Asking */

/* Looks at the map; when the window is closed, for its places too. */
static void ask(struct jitnamer *n, struct window *w)
{
	struct place_set none = { 0 };
	struct unwind_job *job =
		name_job_new(w->process.pid, &w->source, w->dump ? w->dump : "//anon",
			     w->closed ? &w->places : &none);

	if (!job)
		return;
	job->sample = w;
	job->names.of_code = true;
	job->names.process = jit_process(&w->process);
	job->names.parent = w->parent;
	job->names.before = w->before;
	if (!unwinder_push(n->unwinder, job)) {
		unwind_job_free(job);
		return;
	}
	n->jobs++;
	w->on_its_way = true;
	w->asked_ns = n->now_ns;
	if (w->closed)
		place_set_drop(&w->places, job->names.places);
}

static bool same_map(const struct jitfile_state *a, const struct jitfile_state *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

static void take_look(struct jitnamer *n, struct window *w, const struct jitfile_state *map)
{
	if (!w->looked_ns)
		w->before = *map;
	if (!w->looked_ns || !same_map(&w->latest, map))
		w->changed_ns = n->now_ns; /* one that is new here may be growing */
	else if (!map->inode && w->pause_ns < PAUSE_MAX_NS)
		w->pause_ns *= 2;
	w->latest = *map;
	w->looked_ns = n->now_ns;
}

/* The process's next window is told how it went. */
static void take_names(struct jitnamer *n, struct window *w, struct unwind_job *job)
{
	struct window *next = find_open(n, &w->process);
	struct unwind_names *names = &job->names;

	if (names->timed_out)
		names->unknown = PROFILER__NAMES__UNKNOWN__BAD_FILE;
	w->failures += names->unknown == PROFILER__NAMES__UNKNOWN__BAD_FILE;
	w->took_ns = n->now_ns - w->asked_ns;
	if (next) {
		next->failures = w->failures;
		next->took_ns = w->took_ns;
	}
	for (uint32_t i = 0; i < names->stretches; i++)
		say_stretch(n, w, &names->stretch[i], names->texts);
	if (names->unknown)
		say_unknown(n, w, names->unknown);
	if (names->unknown || names->lasting)
		place_set_drop(&w->places, w->places.count);
	else
		name_job_put_back(job, &w->places);
}

void jitnamer_take(struct jitnamer *n, struct unwind_job *job)
{
	struct window *w = job->sample;

	n->jobs--;
	w->on_its_way = false;
	if (w->closed)
		take_names(n, w, job);
	else
		take_look(n, w, &job->names.map);
	unwind_job_free(job);
	stream_flush_full(n->stream);
}

/* Rounds */

static bool wants_to_close(const struct jitnamer *n, const struct window *w)
{
	uint64_t length =
		WINDOW_ASKS * w->took_ns > WINDOW_NS ? WINDOW_ASKS * w->took_ns : WINDOW_NS;
	bool grows = n->now_ns - w->changed_ns < GROWS_NS;

	return w->places.count && w->latest.inode &&
	       (w->opened_epoch != stream_epoch(n->stream) ||
		(grows && n->now_ns - w->opened_ns >= length));
}

/* Where there is no map one may come as long as the process lives. */
static bool wants_to_look(struct jitnamer *n, struct window *w)
{
	const struct process *process;

	if (w->latest.inode || !w->places.count || n->now_ns - w->looked_ns < w->pause_ns)
		return false;
	process = procmap_process(n->procmap, w->process.pid);
	if (!process || process->serial != w->process.serial)
		close_window(n, w);
	return true;
}

/* Moves a window on; returns true when it has to be asked about. */
static bool advance(struct jitnamer *n, struct window *w)
{
	if (n->finishing && !w->closed)
		close_window(n, w);
	if (w->closed)
		return w->places.count && (n->finishing || n->now_ns - w->asked_ns >= ASK_AGAIN_NS);
	if (!w->looked_ns)
		return true;
	if (!wants_to_close(n, w))
		return wants_to_look(n, w);
	if (!w->looked_to_close) {
		w->looked_to_close = true;
		return true;
	}
	/* Samples that are older than the look must not come into the next window. */
	if (n->now_ns - w->looked_ns < LAG_NS)
		return false;
	close_window(n, w);
	open_next(n, w);
	w->asked_ns = 0;
	return true;
}

/* A map that the jail died of is not given to it again. */
static void give_up(struct jitnamer *n, struct window *w)
{
	say_unknown(n, w, PROFILER__NAMES__UNKNOWN__BAD_FILE);
	place_set_drop(&w->places, w->places.count);
}

static bool is_over(const struct jitnamer *n, const struct window *w)
{
	if (w->on_its_way || w->places.count)
		return false;
	return w->closed || w->stream_epoch + IDLE_EPOCHS < stream_epoch(n->stream);
}

void jitnamer_tick(struct jitnamer *n, uint64_t now_ns)
{
	struct window **link = &n->all;

	n->now_ns = now_ns;
	for (struct window *w = n->all; w; w = w->next) {
		if (w->on_its_way || n->jobs == JOBS_MAX || !advance(n, w))
			continue;
		if (w->closed && w->failures >= FAILURES_MAX)
			give_up(n, w);
		else
			ask(n, w);
	}
	while (*link) {
		struct window *w = *link;

		if (!is_over(n, w)) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		if (!w->closed)
			close_window(n, w);
		window_free(w);
	}
}

bool jitnamer_waits(const struct jitnamer *n)
{
	return n->all != NULL;
}

bool jitnamer_finish(struct jitnamer *n)
{
	bool waits = n->jobs != 0;

	n->finishing = true;
	for (const struct window *w = n->all; w && !waits; w = w->next)
		waits = w->places.count != 0;
	return !waits;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * namer.c - functions of user code: what is known of them, and asking for what is not.
 *
 * One `named` for each file, and one for the memory without a file of each process. Places that
 * are not known are gathered in it until they are asked for, all at once; one job of a `named` is
 * on its way at a time. What comes back is kept, so that the next epoch, which has to say names
 * again, asks for nothing.
 *
 * Invariant: what is said of memory without a file holds for the generation that it is said of.
 * The map of its maker has grown: then old code may be gone, and new frames belong to a new
 * generation, of which nothing is known yet.
 */
#include "profiler/namer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/htable.h"
#include "profiler/jitfile.h"
#include "profiler/name_list.h"
#include "profiler/stream.h"
#include "profiler/unwinder.h"

#define MS		 UINT64_C(1000000)
#define LOOK_NS		 (100 * MS)
#define ASK_AGAIN_NS	 (250 * MS)  /* the same file, so that places come together */
#define LOOK_AGAIN_NS	 (1000 * MS) /* at the map of code made at run time: has it grown? */
#define JOBS_MAX	 2	     /* on their way: walks and tables come behind them */
#define PLACES_MAX	 4096	     /* of one `named`, that wait */
#define FIRST_PLACES	 64
#define NAMER_BYTES_MAX	 (2u << 20) /* then everything is forgotten with the epoch */
#define WHOLE_FILE_BYTES INT64_MAX

/* A file, or the memory without a file of one process. */
struct named {
	struct hlink link;
	struct named *next;	     /* of all */
	struct name_list list;	     /* what is known */
	struct unwind_source source; /* the mapping that was seen last; .path is 0 */
	bool of_code;		/* memory without a file: answers come from a map of its maker */
	struct process process; /* whose, as it was, without references */
	struct jitfile_process parent; /* whose code it has inherited; all 0: nobody's */
	char *dump; /* path of a jitdump, which @source is then; NULL: a perf map */
	bool on_its_way;
	bool lasting; /* `unknown` stays so */
	uint32_t pid;
	uint32_t unknown;	/* why the whole is; 0: nothing is wrong */
	uint32_t unknown_epoch; /* in which that was found */
	uint32_t generation;
	uint32_t stream_mapping; /* stands for it, in that epoch */
	uint32_t stream_epoch;
	uint32_t places; /* that wait */
	uint32_t room;
	uint64_t *place;
	uint64_t asked_ns;
	struct jitfile_state map; /* that the answers came from */
	char path[];
};

struct namer {
	struct unwinder *unwinder;
	struct stream *stream;
	const struct procmap *procmap;
	struct htable table;
	struct named *all;
	uint32_t jobs; /* on their way */
	uint32_t generations;
	uint64_t now_ns;
	uint64_t look_ns; /* when to look again who is due */
	uint32_t cleared_epoch;
	bool fresh; /* look at once: files that were never asked for may go soon */
	bool finishing;
	uint64_t bytes; /* of all */
};

int namer_open(struct namer **ret, struct unwinder *unwinder, struct stream *stream,
	       const struct procmap *procmap)
{
	struct namer *n = calloc(1, sizeof(*n));

	if (!n || htable_init(&n->table)) {
		free(n);
		return -ENOMEM;
	}
	n->unwinder = unwinder;
	n->stream = stream;
	n->procmap = procmap;
	*ret = n;
	return 0;
}

static void named_free(struct named *d)
{
	name_list_release(&d->list);
	free(d->place);
	free(d->dump);
	free(d);
}

void namer_close(struct namer *n)
{
	if (!n)
		return;
	while (n->all) {
		struct named *d = n->all;

		n->all = d->next;
		named_free(d);
	}
	htable_release(&n->table);
	free(n);
}

static size_t named_bytes(const struct named *d)
{
	return sizeof(*d) + name_list_bytes(&d->list) + d->room * sizeof(*d->place);
}

static struct named *named_new(struct namer *n, uint32_t hash, const char *path)
{
	struct named *d = calloc(1, sizeof(*d) + strlen(path) + 1);

	if (!d)
		return NULL;
	memcpy(d->path, path, strlen(path) + 1);
	d->generation = ++n->generations;
	d->next = n->all;
	n->all = d;
	htable_insert(&n->table, &d->link, hash);
	n->bytes += named_bytes(d);
	return d;
}

/* Files */

static void describe(struct unwind_source *s, const struct mapping *m)
{
	const struct mapped_file *file = m->region->file;

	*s = (struct unwind_source){
		.start = m->start,
		.end = m->end,
		.file_offset = m->file_offset,
		.inode = file->inode,
		.dev_major = file->dev_major,
		.dev_minor = file->dev_minor,
		.kind = file->kind,
		.build_id_size = file->build_id_size,
	};
	memcpy(s->build_id, file->build_id, file->build_id_size);
}

static bool is_file(const struct named *d, const struct mapped_file *file)
{
	const struct unwind_source *s = &d->source;

	return !d->of_code && s->kind == file->kind && s->build_id_size == file->build_id_size &&
	       s->inode == file->inode && s->dev_major == file->dev_major &&
	       s->dev_minor == file->dev_minor && !strcmp(d->path, file->path) &&
	       !memcmp(s->build_id, file->build_id, file->build_id_size);
}

static struct named *find_file(struct namer *n, const struct mapping *m)
{
	const struct mapped_file *file = m->region->file;
	uint32_t hash = htable_hash(file->build_id_size, file->path, strlen(file->path));
	struct named *d;

	for (struct hlink *l = htable_first(&n->table, hash); l; l = htable_next(l)) {
		d = htable_entry(l, struct named, link);
		if (is_file(d, file))
			return d;
	}
	d = named_new(n, hash, file->path);
	if (d)
		describe(&d->source, m);
	return d;
}

/* Memory without a file */

static struct jitfile_process jit_process(const struct process *p)
{
	return (struct jitfile_process){
		.pid = p->pid, .inner_pid = p->inner_pid, .uid = p->uid, .start_ns = p->start_ns
	};
}

/* A process that called exec is another one: its old code has gone. */
static struct named *find_code(struct namer *n, const struct process *process)
{
	uint32_t hash = htable_hash(0, &process->serial, sizeof(process->serial));
	const struct process *parent;
	struct named *d;

	for (struct hlink *l = htable_first(&n->table, hash); l; l = htable_next(l)) {
		d = htable_entry(l, struct named, link);
		if (d->of_code && d->process.serial == process->serial)
			return d;
	}
	d = named_new(n, hash, "//anon");
	if (!d)
		return NULL;
	parent = procmap_process(n->procmap, process->parent_pid);
	if (parent && parent->image == process->image) /* forked, and nothing else since */
		d->parent = jit_process(parent);
	d->process = *process;
	d->process.image = NULL;
	d->process.cgroup = NULL;
	d->source.kind = MAPPED_ANON;
	d->of_code = true;
	return d;
}

/* A process that maps a jitdump tells there what its code is. */
static void find_jitdump(struct named *d, const struct image *image)
{
	for (uint32_t i = 0; image && i < image->count; i++) {
		const struct mapped_file *file = image->mappings[i].region->file;

		if (!jitfile_is_dump(file->path))
			continue;
		d->dump = strdup(file->path);
		if (d->dump)
			describe(&d->source, &image->mappings[i]);
		return;
	}
}

/* Saying */

/* An id of this epoch that stands for it, where no frame has one by chance. */
static uint32_t stand_in(struct namer *n, struct named *d)
{
	struct stream_mapping m = {
		.kind = d->of_code			? PROFILER__MAPPING__KIND__ANON
			: d->source.kind == MAPPED_VDSO ? PROFILER__MAPPING__KIND__VDSO
							: PROFILER__MAPPING__KIND__FILE,
		.path = d->path,
		.build_id = d->source.build_id,
		.build_id_bytes = d->of_code ? 0 : d->source.build_id_size,
		.generation = d->of_code ? d->generation : 0,
	};
	const struct stream_process p = {
		.pid = d->process.pid,
		.parent_pid = d->process.parent_pid,
		.inner_pid = d->process.inner_pid,
		.comm = d->process.comm,
		.cgroup = "",
		.start_ns = d->process.start_ns,
	};

	if (d->stream_epoch != stream_epoch(n->stream)) {
		m.process = d->of_code ? stream_process(n->stream, &p) : 0;
		d->stream_mapping = stream_mapping(n->stream, &m);
		d->stream_epoch = stream_epoch(n->stream);
	}
	return d->stream_mapping;
}

static void say(struct namer *n, struct named *d, struct name_stretch *s)
{
	const struct stream_name name = {
		.mapping = stand_in(n, d),
		.start = s->start,
		.end = s->end,
		.function = s->text == NAME_LIST_NONE ? NULL : d->list.texts + s->text,
		.unknown = s->text == NAME_LIST_NONE ? PROFILER__NAMES__UNKNOWN__NO_SYMBOL : 0,
	};

	if (s->epoch != d->stream_epoch && stream_name(n->stream, &name))
		s->epoch = d->stream_epoch;
}

/* Of the whole file, or all memory. */
static void say_unknown(struct namer *n, struct named *d)
{
	const struct stream_name name = {
		.mapping = stand_in(n, d),
		.end = WHOLE_FILE_BYTES,
		.unknown = d->unknown,
	};

	if (d->unknown)
		(void)stream_name(n->stream, &name);
}

/* Asking */

static void put_place(struct namer *n, struct named *d, uint64_t place)
{
	uint64_t *more;
	uint32_t room;

	if (d->places == d->room) {
		room = d->room ? d->room * 2 : FIRST_PLACES;
		more = room <= PLACES_MAX ? realloc(d->place, room * sizeof(*more)) : NULL;
		if (!more)
			return; /* its next frame asks, in another epoch */
		n->bytes += (room - d->room) * sizeof(*more);
		d->place = more;
		d->room = room;
	}
	d->place[d->places++] = place;
	n->fresh = n->fresh || !d->asked_ns;
}

static void want(struct namer *n, struct named *d, uint64_t place)
{
	struct name_stretch *s = name_list_find(&d->list, place);

	if (s)
		say(n, d, s);
	else if (!d->unknown)
		put_place(n, d, place);
	else if (d->unknown_epoch == stream_epoch(n->stream))
		return; /* said in this epoch */
	else if (d->lasting) {
		d->unknown_epoch = stream_epoch(n->stream);
		say_unknown(n, d);
	} else {
		d->unknown = 0; /* another process may still have it */
		put_place(n, d, place);
	}
}

void namer_file(struct namer *n, uint32_t pid, const struct mapping *m, uint32_t stream_mapping,
		uint64_t offset)
{
	struct named *d = find_file(n, m);

	if (!d)
		return;
	d->pid = pid;
	d->source.start = m->start; /* who was seen last is the most likely to live */
	d->source.end = m->end;
	d->source.file_offset = m->file_offset;
	d->stream_mapping = stream_mapping;
	d->stream_epoch = stream_epoch(n->stream);
	want(n, d, offset);
}

void namer_code(struct namer *n, const struct process *process, uint32_t stream_mapping,
		uint64_t address)
{
	struct named *d = find_code(n, process);

	if (!d)
		return;
	d->pid = process->pid;
	if (!d->dump)
		find_jitdump(d, process->image);
	d->stream_mapping = stream_mapping;
	d->stream_epoch = stream_epoch(n->stream);
	want(n, d, address);
}

uint32_t namer_generation(struct namer *n, const struct process *process)
{
	struct named *d = find_code(n, process);

	return d ? d->generation : 0;
}

static int by_place(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct unwind_job *make_job(const struct named *d)
{
	const char *path = d->dump ? d->dump : d->path;
	uint32_t path_bytes = (uint32_t)strlen(path) + 1;
	struct unwind_job *job =
		unwind_job_new(JOB_NAMES, 1, path_bytes, d->places * (uint32_t)sizeof(uint64_t));
	struct unwind_names *names;

	if (!job)
		return NULL;
	job->pid = d->pid;
	job->source[0] = d->source;
	memcpy(job->texts, path, path_bytes);
	names = &job->names;
	names->of_code = d->of_code;
	names->process = jit_process(&d->process);
	names->parent = d->parent;
	names->place = (uint64_t *)(void *)job->stack;
	memcpy(names->place, d->place, d->places * sizeof(*d->place));
	qsort(names->place, d->places, sizeof(*names->place), by_place);
	for (uint32_t i = 0; i < d->places; i++)
		if (!i || names->place[i] != names->place[names->places - 1])
			names->place[names->places++] = names->place[i];
	return job;
}

static void ask(struct namer *n, struct named *d)
{
	struct unwind_job *job = make_job(d);

	if (!job)
		return;
	job->sample = d;
	if (!unwinder_push(n->unwinder, job)) {
		unwind_job_free(job);
		return;
	}
	n->jobs++;
	d->on_its_way = true;
	d->asked_ns = n->now_ns;
	d->places = 0;
}

/* Taking answers */

/* Keeps what came back and says it. */
static void keep(struct namer *n, struct named *d, const struct unwind_names *names)
{
	struct name_stretch *found = malloc((names->stretches + 1) * sizeof(*found));
	size_t before = named_bytes(d);

	for (uint32_t i = 0; found && i < names->stretches; i++) {
		const struct jail_stretch *s = &names->stretch[i];

		found[i] =
			(struct name_stretch){ .start = s->start, .end = s->end, .text = s->name };
	}
	if (found &&
	    !name_list_add(&d->list, found, names->stretches, names->texts, names->text_bytes)) {
		for (uint32_t i = 0; i < names->stretches; i++) {
			struct name_stretch *s = name_list_find(&d->list, found[i].start);

			if (s)
				say(n, d, s);
		}
	}
	n->bytes += named_bytes(d) - before;
	free(found);
}

static void take_file(struct namer *n, struct named *d, const struct unwind_names *names)
{
	keep(n, d, names);
	d->unknown = names->unknown;
	d->lasting = names->hopeless;
	d->unknown_epoch = stream_epoch(n->stream);
	say_unknown(n, d);
}

static bool same_map(const struct jitfile_state *a, const struct jitfile_state *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

/* Where there is no map yet there may be one later: Java writes its map when it is asked to. */
static void take_code(struct namer *n, struct named *d, const struct unwind_names *names)
{
	static const struct jitfile_state none;

	if (names->unknown && !n->finishing) {
		for (uint32_t i = 0; i < names->places; i++)
			put_place(n, d, names->place[i]);
		return;
	}
	keep(n, d, names);
	d->unknown = names->unknown;
	say_unknown(n, d);
	d->unknown = 0;
	if (!same_map(&d->map, &none) && !same_map(&d->map, &names->map)) {
		n->bytes -= name_list_bytes(&d->list);
		name_list_release(&d->list);
		d->generation = ++n->generations;
		d->stream_epoch = 0;
	}
	d->map = names->map;
}

void namer_take(struct namer *n, struct unwind_job *job)
{
	struct named *d = job->sample;

	n->jobs--;
	d->on_its_way = false;
	if (d->of_code)
		take_code(n, d, &job->names);
	else
		take_file(n, d, &job->names);
	unwind_job_free(job);
	stream_flush_full(n->stream);
}

/* Rounds */

/* Is it time to ask for the places that wait, or to look whether a map has grown? */
static bool is_due(const struct namer *n, const struct named *d)
{
	uint64_t since = n->now_ns - d->asked_ns;
	bool has_map = d->map.inode != 0;

	if (d->on_its_way)
		return false;
	if (d->places)
		return n->finishing ||
		       since >= (d->of_code && !has_map ? LOOK_AGAIN_NS : ASK_AGAIN_NS);
	return has_map && !n->finishing && since >= LOOK_AGAIN_NS &&
	       d->stream_epoch == stream_epoch(n->stream);
}

/* Names of long ago are asked for again if they are needed again. */
static void forget(struct namer *n)
{
	struct named **link = &n->all;

	n->cleared_epoch = stream_epoch(n->stream);
	while (*link) {
		struct named *d = *link;

		if (d->on_its_way || d->places) {
			link = &d->next;
			continue;
		}
		*link = d->next;
		htable_remove(&n->table, &d->link);
		n->bytes -= named_bytes(d);
		named_free(d);
	}
}

void namer_tick(struct namer *n, uint64_t now_ns)
{
	n->now_ns = now_ns;
	if (n->bytes > NAMER_BYTES_MAX && n->cleared_epoch != stream_epoch(n->stream))
		forget(n);
	if (now_ns < n->look_ns && !n->fresh && !n->finishing)
		return;
	n->look_ns = now_ns + LOOK_NS;
	n->fresh = false;
	for (struct named *d = n->all; d; d = d->next) {
		if (!is_due(n, d))
			continue;
		if (n->jobs == JOBS_MAX) {
			n->fresh = true; /* as soon as one is back */
			return;
		}
		ask(n, d);
	}
}

bool namer_finish(struct namer *n)
{
	bool waits = n->jobs != 0;

	n->finishing = true;
	for (const struct named *d = n->all; d && !waits; d = d->next)
		waits = d->places != 0;
	return !waits;
}

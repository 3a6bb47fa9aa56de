// SPDX-License-Identifier: Apache-2.0
/*
 * namer.c - functions of user code: what is known of them, and asking for what is not.
 *
 * Places that are not known are gathered by file until they are asked for, all at once. What comes
 * back is kept, so that the next epoch, which has to say names again, asks for nothing.
 *
 * Invariant: one job of a file is on its way at a time, and until it is back the file is not
 * forgotten.
 */
#include "profiler/namer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/htable.h"
#include "profiler/name_job.h"
#include "profiler/name_list.h"
#include "profiler/place_set.h"
#include "profiler/stream.h"
#include "profiler/unwinder.h"

#define MS		 UINT64_C(1000000)
#define LOOK_NS		 (100 * MS)
#define ASK_AGAIN_NS	 (1000 * MS) /* the same file: the jail goes through all of its symbols */
#define JOBS_MAX	 2	     /* on their way: walks and tables come behind them */
#define TIMEOUTS_MAX	 2
#define NAMER_BYTES_MAX	 (2u << 20) /* then everything is forgotten with the epoch */
#define WHOLE_FILE_BYTES INT64_MAX

/* A file. */
struct named {
	struct hlink link;
	struct named *next;	     /* of all */
	struct name_list list;	     /* what is known */
	struct unwind_source source; /* the mapping that was seen last; .path is 0 */
	bool on_its_way;
	bool lasting; /* `unknown` stays so */
	uint8_t timeouts;
	uint32_t pid;
	uint32_t unknown;	 /* why the whole file is; 0: nothing is wrong */
	uint32_t unknown_epoch;	 /* in which that was found */
	uint32_t stream_mapping; /* stands for it, in that epoch */
	uint32_t stream_epoch;
	struct place_set places; /* that wait */
	uint64_t asked_ns;
	char path[];
};

struct namer {
	struct unwinder *unwinder;
	struct stream *stream;
	struct htable table;
	struct named *all;
	struct named *turn; /* who is asked for next; NULL: the first */
	uint32_t jobs;	    /* on their way */
	uint64_t now_ns;
	uint64_t look_ns; /* when to look again who is due */
	uint32_t cleared_epoch;
	bool fresh; /* look at once: files that were never asked for may go soon */
	bool finishing;
	uint64_t bytes; /* of all */
};

int namer_open(struct namer **ret, struct unwinder *unwinder, struct stream *stream)
{
	struct namer *n = calloc(1, sizeof(*n));

	if (!n || htable_init(&n->table)) {
		free(n);
		return -ENOMEM;
	}
	n->unwinder = unwinder;
	n->stream = stream;
	*ret = n;
	return 0;
}

static void named_free(struct named *d)
{
	name_list_release(&d->list);
	place_set_release(&d->places);
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
	return sizeof(*d) + strlen(d->path) + name_list_bytes(&d->list) +
	       d->places.room * sizeof(*d->places.place);
}

static struct named *named_new(struct namer *n, uint32_t hash, const char *path)
{
	struct named *d = calloc(1, sizeof(*d) + strlen(path) + 1);

	if (!d)
		return NULL;
	memcpy(d->path, path, strlen(path) + 1);
	d->next = n->all;
	n->all = d;
	htable_insert(&n->table, &d->link, hash);
	n->bytes += named_bytes(d);
	return d;
}

/* Files */

static bool is_file(const struct named *d, const struct mapped_file *file)
{
	const struct unwind_source *s = &d->source;

	return s->kind == file->kind && s->build_id_size == file->build_id_size &&
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
		d->source = unwind_source_of(m);
	return d;
}

/* Saying */

/* An id of this epoch that stands for it, where no frame has one by chance. */
static uint32_t stand_in(struct namer *n, struct named *d)
{
	const struct stream_mapping m = {
		.kind = d->source.kind == MAPPED_VDSO ? PROFILER__MAPPING__KIND__VDSO
						      : PROFILER__MAPPING__KIND__FILE,
		.path = d->path,
		.build_id = d->source.build_id,
		.build_id_bytes = d->source.build_id_size,
	};

	if (d->stream_epoch != stream_epoch(n->stream)) {
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

/* Of the whole file. */
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
	size_t before = named_bytes(d);

	/* One for which there is no room is asked for by its next frame, in another epoch. */
	(void)place_set_add(&d->places, place);
	n->bytes += named_bytes(d) - before;
	n->fresh = n->fresh || !d->asked_ns;
}

static void want(struct namer *n, struct named *d, uint64_t place)
{
	struct name_stretch *s = name_list_find(&d->list, place);

	if (s) {
		say(n, d, s);
	} else if (d->unknown && d->unknown_epoch == stream_epoch(n->stream)) {
		return; /* said already */
	} else if (d->lasting) {
		d->unknown_epoch = stream_epoch(n->stream);
		say_unknown(n, d);
	} else {
		d->unknown = 0; /* another process may still have the file */
		put_place(n, d, place);
	}
}

void namer_place(struct namer *n, uint32_t pid, const struct mapping *m, uint32_t stream_mapping,
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

/* @patient: the answer may come with the next round, for nothing else waits to be asked. */
static void ask(struct namer *n, struct named *d, bool patient)
{
	struct unwind_job *job = name_job_new(d->pid, &d->source, d->path, &d->places);

	if (!job)
		return;
	job->sample = d;
	job->patient = patient;
	if (!unwinder_push(n->unwinder, job)) {
		unwind_job_free(job);
		return;
	}
	n->jobs++;
	d->on_its_way = true;
	d->asked_ns = n->now_ns;
	place_set_drop(&d->places, job->names.places);
}

/* Taking answers */

/* In a new epoch if this one has too many strings. */
static void say_surely(struct namer *n, struct named *d, uint64_t place)
{
	struct name_stretch *s = name_list_find(&d->list, place);

	if (!s)
		return;
	say(n, d, s);
	if (s->epoch == stream_epoch(n->stream))
		return;
	stream_next_epoch(n->stream);
	say(n, d, s);
}

/* Keeps what came back and says it. */
static void keep(struct namer *n, struct named *d, const struct unwind_names *names)
{
	struct name_stretch *found = malloc((names->stretches + 1) * sizeof(*found));
	size_t before = named_bytes(d);
	int error = found ? 0 : -ENOMEM;

	for (uint32_t i = 0; !error && i < names->stretches; i++) {
		const struct jail_stretch *s = &names->stretch[i];

		found[i] =
			(struct name_stretch){ .start = s->start, .end = s->end, .text = s->name };
	}
	if (!error)
		error = name_list_add(&d->list, found, names->stretches, names->texts,
				      names->text_bytes);
	for (uint32_t i = 0; !error && i < names->stretches; i++)
		say_surely(n, d, found[i].start);
	n->bytes += named_bytes(d) - before;
	free(found);
}

void namer_take(struct namer *n, struct unwind_job *job)
{
	struct named *d = job->sample;
	struct unwind_names *names = &job->names;

	n->jobs--;
	d->on_its_way = false;
	if (names->timed_out && ++d->timeouts == TIMEOUTS_MAX) {
		names->unknown = PROFILER__NAMES__UNKNOWN__BAD_FILE;
		names->lasting = true;
	}
	if (names->stretches)
		keep(n, d, names);
	d->unknown = names->unknown;
	d->lasting = names->lasting;
	d->unknown_epoch = stream_epoch(n->stream);
	say_unknown(n, d);
	if (!names->unknown && !names->lasting)
		name_job_put_back(job, &d->places);
	unwind_job_free(job);
	stream_flush_full(n->stream);
}

/* Rounds */

static bool is_due(const struct namer *n, const struct named *d)
{
	return d->places.count && !d->on_its_way &&
	       (n->finishing || n->now_ns - d->asked_ns >= ASK_AGAIN_NS);
}

/* Names of long ago are asked for again if they are needed again. */
static void forget(struct namer *n)
{
	struct named **link = &n->all;

	n->cleared_epoch = stream_epoch(n->stream);
	n->turn = NULL;
	while (*link) {
		struct named *d = *link;

		if (d->on_its_way) {
			link = &d->next;
			continue;
		}
		*link = d->next;
		htable_remove(&n->table, &d->link);
		n->bytes -= named_bytes(d);
		named_free(d);
	}
}

static uint32_t count_due(const struct namer *n)
{
	uint32_t due = 0;

	for (const struct named *d = n->all; d; d = d->next)
		due += is_due(n, d);
	return due;
}

void namer_tick(struct namer *n, uint64_t now_ns)
{
	struct named *d;
	bool patient;

	n->now_ns = now_ns;
	if (n->bytes > NAMER_BYTES_MAX && n->cleared_epoch != stream_epoch(n->stream))
		forget(n);
	if (now_ns < n->look_ns && !n->fresh && !n->finishing)
		return;
	n->look_ns = now_ns + LOOK_NS;
	n->fresh = false;
	patient = !n->finishing && n->jobs + count_due(n) <= JOBS_MAX;
	for (d = n->turn ? n->turn : n->all; d && n->jobs < JOBS_MAX; d = d->next)
		if (is_due(n, d))
			ask(n, d, patient);
	/* Whose turn it is next; the rest as soon as a job is back. */
	n->fresh = n->fresh || d || n->turn;
	n->turn = d;
}

bool namer_finish(struct namer *n)
{
	bool waits = n->jobs != 0;

	n->finishing = true;
	for (const struct named *d = n->all; d && !waits; d = d->next)
		waits = d->places.count != 0;
	return !waits;
}

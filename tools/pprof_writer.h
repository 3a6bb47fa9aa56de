/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_writer.h - writing a gzipped profile.proto, a field at a time.
 *
 * The first failure is kept in err, and nothing is written any more: callers look at the end.
 */
#ifndef PROFILER_PPROF_WRITER_H
#define PROFILER_PPROF_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "pprof.pb-c.h"
#include "tools/idmap.h"
#include "tools/names.h"
#include "tools/profile.h"
#include "tools/segments.h"

/* Field numbers of Profile that are written one entry at a time. */
enum pprof_field {
	PPROF_SAMPLE = 2,
	PPROF_MAPPING = 3,
	PPROF_LOCATION = 4,
	PPROF_FUNCTION = 5,
	PPROF_STRING = 6,
};

/* What the samples that were written have of a segment. */
struct segment_use {
	uint64_t weight; /* of stacks that come through it */
	uint64_t seen;	 /* last row that was counted in weight, 0 = none */
};

/* What labels there are, pprof_labels.h. */
#define PPROF_LABELS 9

struct pprof_writer {
	const struct profile *profile;
	const struct names *names;
	struct strtab strings; /* its ids are indexes in string_table */
	/* of those that every sample wants, 0: not looked up yet */
	uint32_t *string_of;			/* by string of the profile */
	int64_t label_key[PPROF_LABELS];	/* names of labels */
	int64_t event_label[READER_MAX_EVENTS]; /* names of events */
	struct segments segments;
	struct segment_use *use; /* by segment */
	bool *is_used;		 /* by location id: is in a stack that was written */
	struct idmap functions;	 /* of source_function */
	gzFile out;
	uint8_t *buffer;
	size_t buffer_bytes;
	int err;
};

/** pprof_release() - free what it owns, but for its file */
void pprof_release(struct pprof_writer *w);

/** pprof_fail() - keep a failure, the first one */
void pprof_fail(struct pprof_writer *w, int err);

/** pprof_string() - the index of a string in the profile's string_table */
int64_t pprof_string(struct pprof_writer *w, const char *text);

/** pprof_profile_string() - the same of a string of our profile */
int64_t pprof_profile_string(struct pprof_writer *w, uint32_t id);

/** pprof_write_bytes() - bytes as they are */
void pprof_write_bytes(struct pprof_writer *w, const void *data, size_t bytes);

/** pprof_write_tag() - the tag and the length of a field of Profile, whose bytes come next */
void pprof_write_tag(struct pprof_writer *w, enum pprof_field field, size_t bytes);

/** pprof_pack() - a message into the buffer, made larger where needed; its size, 0 on failure */
size_t pprof_pack(struct pprof_writer *w, const ProtobufCMessage *message);

/** pprof_write_field() - a field of Profile that is a message */
void pprof_write_field(struct pprof_writer *w, enum pprof_field field,
		       const ProtobufCMessage *message);

/** pprof_write_sample() - the same of a sample, of which there are most */
void pprof_write_sample(struct pprof_writer *w, const Perftools__Profiles__Sample *sample);

/* Mappings, locations and functions, pprof_code.c. */

/** pprof_find_code() - put all locations into mappings, before all that follow; 0 or -ENOMEM */
int pprof_find_code(struct pprof_writer *w) __attribute__((warn_unused_result));

/** pprof_release_code() - free what that took, also after its failure */
void pprof_release_code(struct pprof_writer *w);

/**
 * pprof_weigh_segments() - note what a row's stack needs, and its weight in each of its mappings
 * @w: the writer
 * @row_id: the row
 * @weight: of its samples
 * @location: its stack
 * @count: how deep that is
 */
void pprof_weigh_segments(struct pprof_writer *w, uint32_t row_id, uint64_t weight,
			  const uint64_t *location, size_t count);

/** pprof_write_mappings() - the heaviest program first, so weigh them before */
void pprof_write_mappings(struct pprof_writer *w);

/** pprof_write_locations() - those that are needed, with lines, which find the functions */
void pprof_write_locations(struct pprof_writer *w);

/** pprof_write_functions() - those that the locations have; after them */
void pprof_write_functions(struct pprof_writer *w);

#endif /* PROFILER_PPROF_WRITER_H */

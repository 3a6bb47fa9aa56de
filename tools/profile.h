/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - a stream added up: what every tool starts from.
 *
 * Keeps only what is distinct in the whole stream, whatever the epochs: strings, mappings,
 * frames, call tree nodes, processes and threads, names of code, and one row with a count and a
 * weight for each combination of them that samples had. Memory follows the number of distinct
 * stacks, not that of samples. Sum of the rows' counts == samples, per event and in all: nothing
 * that the stream gave is left out.
 *
 * A row whose samples carry counts of a group has the sums of them, too. An event that takes no
 * samples itself has as weight what was counted of it, and as count how many samples say so.
 *
 * All ids are of the profile, start at 1 and follow the order of the stream; 0 means none.
 * Not thread-safe.
 */
#ifndef PROFILER_PROFILE_H
#define PROFILER_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/reader.h"
#include "tools/groups.h"
#include "tools/filter.h"
#include "tools/idmap.h"
#include "tools/stretches.h"
#include "tools/sums.h"

/* In place of an event: all of them together. */
#define PROFILE_ALL_EVENTS UINT32_MAX

/* Whose samples are kept apart. */
enum profile_by {
	PROFILE_BY_NOBODY,  /* row.who is 0 */
	PROFILE_BY_PROCESS, /* row.who is a process, 0 = unknown */
	PROFILE_BY_THREAD,  /* row.who is a thread, 0 = unknown */
};

/* Frames that stand for what is not known of a stack. Their ids are these numbers. */
enum profile_pseudo {
	PSEUDO_TRUNCATED = 1, /* callers are missing: the stack was too deep to be taken whole */
	PSEUDO_STACK_LOST,    /* there was a stack, the recorder had no room for it */
	PSEUDO_UNREADABLE,    /* there was a user stack, it could not be read */
	PSEUDO_NO_STACK,      /* the sample came without any stack */
	PSEUDO_DAMAGED,	      /* the definition was lost with a damaged part of the stream */
	PSEUDO_END,
};

/*
 * What names in the stream are of: the same for all mappings of it. One's own memory is that of a
 * process, which is told by its pid and start.
 */
struct profile_file {
	uint64_t start_ns;
	uint32_t pid;
	uint32_t generation;
	uint32_t path;	   /* string: as in the stream, any bytes */
	uint32_t build_id; /* string of raw bytes */
	uint32_t kind;	   /* PROFILER__MAPPING__KIND__* */
	uint32_t reserved; /* 0 */
};

struct profile_mapping {
	uint64_t file_offset;
	uint64_t size;
	uint32_t file;	    /* a profile_file */
	uint32_t is_orphan; /* what tells whose it is was lost: nothing names it */
	/* up to here the key */
	uint32_t kind;	     /* of the file */
	uint32_t path;	     /* of the file */
	uint32_t build_id;   /* of the file */
	uint32_t name;	     /* string: path fit for showing, "[...]" where there is no file */
	uint32_t short_name; /* string: the same without directories */
	uint32_t reserved;   /* 0 */
};

struct profile_frame {
	uint64_t offset;   /* meaning by the mapping's kind */
	uint32_t mapping;  /* 0 for a pseudo frame and where the mapping's definition was lost */
	uint32_t function; /* string, 0 for user code and where it is not known */
};

struct profile_node {
	uint32_t parent;
	uint32_t frame;
	/* up to here the key */
	uint32_t first_child; /* most have one only */
	uint32_t last_child;  /* that was looked up */
};

struct profile_process {
	uint64_t start_ns;
	uint32_t pid;
	uint32_t comm;	    /* string */
	uint32_t cgroup;    /* string, 0 when unknown */
	uint32_t inner_pid; /* 0 when it has no other one */
	/* up to here the key */
	uint32_t container; /* string: id, 0 when in none or unknown */
	uint32_t reserved;
};

struct profile_thread {
	uint32_t tid;
	uint32_t process;  /* 0 when unknown */
	uint32_t comm;	   /* string */
	uint32_t reserved; /* 0 */
};

struct profile_row {
	uint32_t who;	 /* by enum profile_by */
	uint32_t user;	 /* node of the leaf */
	uint32_t kernel; /* node of the leaf */
	uint32_t cpu;	 /* 0 unless asked for */
	uint32_t event;	 /* index in the header's events */
	uint32_t flags;	 /* PROFILER__SAMPLE_FLAG__* */
	/* up to here the key */
	uint64_t count;
	uint64_t weight;
	uint32_t sums; /* in profile.sums, 0 = no counts */
	uint32_t reserved;
};

struct profile_total {
	uint64_t count;
	uint64_t weight;
};

struct profile;

/* Told of every sample that is wanted, in the order of the stream; an error ends the reading. */
struct profile_listener {
	int (*sample)(void *ctx, const struct reader_sample *sample, uint32_t row);
	void (*begin)(void *ctx, const struct profile *p); /* told before the first; may be NULL */
	/* told before a sample what it carries of its group, by place; may be NULL */
	void (*counts)(void *ctx, const uint64_t *count, uint32_t counters);
	void *ctx;
};

struct profile {
	struct strtab strings; /* all but paths, build ids and stretches' names: valid UTF-8, no
				  control characters */
	struct idmap files;
	struct idmap mappings;
	struct idmap frames;
	struct idmap nodes;
	struct idmap processes;
	struct idmap threads;
	struct idmap rows;
	struct stretches stretches; /* of files; names are strings as in the stream */
	struct groups groups;
	struct sums sums; /* of rows; those that share counts with others have rows of their own */
	struct profile_total event[READER_MAX_EVENTS];
	struct profile_total all;	  /* of the events that take samples */
	uint64_t last_ns;		  /* time of the latest sample, CLOCK_BOOTTIME */
	uint64_t left_out;		  /* samples that a filter did not want */
	const struct filter *filter;	  /* to be set before profile_read(); NULL: all samples */
	struct profile_listener listener; /* likewise */
	enum profile_by by;
	bool by_cpu;
	struct reader *reader;
	struct memo *memo;	    /* of the epoch that is being read */
	Profiler__Header no_header; /* an empty one */
};

/**
 * profile_open() - an empty profile
 * @ret: the profile
 * @by: whose samples to keep apart
 * @by_cpu: keep CPUs apart
 *
 * Return: 0 or -ENOMEM.
 */
int profile_open(struct profile **ret, enum profile_by by, bool by_cpu)
	__attribute__((warn_unused_result));

/** profile_free() - free a profile; NULL is fine */
void profile_free(struct profile *p);

/* Told now and then how far long work has come. */
struct progress {
	void (*step)(void *ctx, uint64_t done, uint64_t whole); /* whole: 0 = not known */
	void *ctx;
};

/**
 * profile_read() - add up a whole stream; once for a profile
 * @p: an empty profile
 * @fd: file, pipe or socket, read to its end; stays the caller's
 * @progress: told the bytes read; NULL: nobody is
 *
 * Damage is no error, see profile_damage().
 *
 * Return: 0, -ENODATA when there was no whole packet at all, or what reader_next() gave:
 * -EBADMSG not a profiler stream, -EPROTONOSUPPORT written by a newer profiler, -ENOMEM, -errno
 * of read().
 */
int profile_read(struct profile *p, int fd, const struct progress *progress)
	__attribute__((warn_unused_result));

/**
 * profile_begin() - add up a stream bit by bit, in place of profile_read()
 * @p: an empty profile
 * @fd: file, pipe or socket; stays the caller's, must outlive the reading
 *
 * Names that come meanwhile are found once stretches_sort() was called; what is of all events
 * together is not told. Return: 0 or -errno.
 */
int profile_begin(struct profile *p, int fd) __attribute__((warn_unused_result));

/** profile_next() - add one more packet; 1, 0 at the end, or what reader_next() gave */
int profile_next(struct profile *p) __attribute__((warn_unused_result));

/** profile_header() - what was recorded; never NULL, an empty one where the stream had none */
const Profiler__Header *profile_header(const struct profile *p);

/** profile_ledger() - the latest ledger, NULL where the stream had none */
const Profiler__Ledger *profile_ledger(const struct profile *p);

/** profile_damage() - what was lost in reading, or NULL when nothing was */
const struct reader_damage *profile_damage(const struct profile *p);

/** profile_leader() - the event whose samples are of an event: itself, or the one that leads it */
uint32_t profile_leader(const struct profile *p, uint32_t event);

/**
 * profile_row_total() - what a row has of an event, or with PROFILE_ALL_EVENTS of the one whose
 * samples it is of; all 0 where that is another one
 */
struct profile_total profile_row_total(const struct profile *p, const struct profile_row *row,
				       uint32_t event);

/** profile_duration_ns() - from the start of sampling to the last that is known of it */
uint64_t profile_duration_ns(const struct profile *p);

/** profile_realtime_ns() - a CLOCK_BOOTTIME time since 1970-01-01 UTC, 0 when not known */
uint64_t profile_realtime_ns(const struct profile *p, uint64_t boottime_ns);

/* Room for profile_event_name(). */
#define EVENT_NAME_MAX 128

/**
 * profile_event_name() - an event as the user would type it: "cycles:u"
 * @p: the profile
 * @event: index in the header's events
 * @ret: the name, fit for showing
 *
 * Return: @ret.
 */
const char *profile_event_name(const struct profile *p, uint32_t event, char ret[EVENT_NAME_MAX]);

/**
 * profile_value_name() - what formats that are read by others call the values of an event: "cpu" is
 * what readers know time on a CPU by, all other events keep their name
 */
const char *profile_value_name(const struct profile *p, uint32_t event, char ret[EVENT_NAME_MAX]);

/** profile_value_unit() - the unit of these values: "nanoseconds" or "count" */
const char *profile_value_unit(const struct profile *p, uint32_t event);

/** profile_period() - what an event counts between two samples; where that moves, on average */
uint64_t profile_period(const struct profile *p, uint32_t event);

/** profile_text() - a string of the profile, "" for 0 */
const char *profile_text(const struct profile *p, uint32_t string);

/**
 * profile_get_string() - intern a string that people may see
 * @p: the profile
 * @text: any bytes; what is no valid UTF-8 becomes U+FFFD, a control character '?'
 * @bytes: how many
 * @ret_id: the string
 *
 * Return: 0 or -ENOMEM.
 */
int profile_get_string(struct profile *p, const char *text, size_t bytes, uint32_t *ret_id)
	__attribute__((warn_unused_result));

/** profile_process() - process of a row's who, NULL when unknown or not kept apart */
const struct profile_process *profile_process(const struct profile *p, uint32_t who);

/** profile_stretch() - what the stream says of a place of user code, NULL when it says nothing */
const struct stretch *profile_stretch(const struct profile *p, uint32_t mapping, uint64_t offset);

/** profile_thread() - thread of a row's who, NULL when unknown or not kept apart */
const struct profile_thread *profile_thread(const struct profile *p, uint32_t who);

/* Most frames that profile_stack() gives: two stacks, cut here, and what stands for the rest. */
#define PROFILE_DEPTH_MAX 2048
#define PROFILE_STACK_MAX ((size_t)2 * (PROFILE_DEPTH_MAX + 2))

/*
 * A frame as it stands in a stack: its id, and whether its address is where a call will return
 * to (so that the code that runs is at the address before) or the sampled instruction itself.
 */
static inline uint32_t frame_ref(uint32_t frame, bool is_return)
{
	return frame << 1 | is_return;
}

static inline uint32_t frame_ref_frame(uint32_t ref)
{
	return ref >> 1;
}

static inline bool frame_ref_is_return(uint32_t ref)
{
	return ref & 1;
}

/**
 * profile_stack() - the stack of a row, leaf first: kernel frames, then user frames
 * @p: the profile
 * @row: one of its rows
 * @ret: frame refs, at least PROFILE_STACK_MAX of them
 *
 * What is missing from a stack is shown by a pseudo frame in its place.
 *
 * Return: how many, at least 1.
 */
size_t profile_stack(const struct profile *p, const struct profile_row *row, uint32_t *ret);

#endif /* PROFILER_PROFILE_H */

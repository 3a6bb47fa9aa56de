/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h - the definitions of the current epoch: what the ids in samples mean.
 *
 * Tools get a filled `const struct tables *` from reader_tables() (reader.h) and only look
 * things up. An id that is 0, out of range, or whose definition was lost with a damaged packet
 * gives NULL: unknown. It never gives the entry of another id. All pointers stay valid until
 * the next call of reader_next().
 *
 * Ids mean nothing once the epoch ends: a tool that caches by id clears its cache when
 * tables_epoch() changes.
 *
 * A stack, leaf first:
 *
 *	const struct table_node *node;
 *
 *	for (uint32_t id = sample.user_stack; (node = tables_node(t, id)); id = node->parent) {
 *		const struct table_frame *frame = tables_frame(t, node->frame);
 *		...  frame may be NULL (lost), and so may tables_mapping(t, frame->mapping)
 *	}
 *	if (id)	the outer part of the stack was lost with a damaged packet
 *
 * The walk always ends: a parent's id is smaller than its child's.
 */
#ifndef PROFILER_TABLES_H
#define PROFILER_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "stream.pb-c.h"

/*
 * Most ids per table in one epoch. An epoch lasts seconds: 16 M nodes are more than 1,000 CPUs
 * at 10 kHz can add to a call tree meanwhile. The other tables grow far more slowly.
 */
#define TABLES_MAX_NODES   (1u << 24)
#define TABLES_MAX_FRAMES  (1u << 22)
#define TABLES_MAX_STRINGS (1u << 22)
#define TABLES_MAX_NAMES   (1u << 22)
#define TABLES_MAX_OTHERS  (1u << 20) /* mappings, processes, threads */

/* Most bytes of strings and build ids in one epoch. */
#define TABLES_MAX_TEXT (1u << 28)

/* Longest build id: the longest hash that linkers use is of 32 bytes; --build-id=0x... may be
 * longer. */
#define TABLES_MAX_BUILD_ID 64

struct table_mapping {
	uint32_t id;
	uint32_t kind;		 /* PROFILER__MAPPING__KIND__*; one we do not know is possible */
	uint32_t path;		 /* string id */
	uint32_t build_id_bytes; /* 0 when unknown */
	const uint8_t *build_id;
	uint64_t file_offset;
	uint64_t size;
	uint32_t process;    /* process id, 0 unless it is one's own memory */
	uint32_t generation; /* grows when other code may have come there */
};

struct table_process {
	uint32_t id;
	uint32_t pid;
	uint32_t parent_pid; /* 0 when unknown */
	uint32_t comm;	     /* string id */
	uint64_t start_ns;   /* CLOCK_BOOTTIME, 0 when unknown or before the recording */
	uint32_t cgroup;     /* string id, 0 when unknown */
	uint32_t inner_pid;  /* in the innermost pid namespace, 0 when it has only the one */
};

struct table_thread {
	uint32_t id;
	uint32_t tid;
	uint32_t process; /* process id (of the table, not a pid) */
	uint32_t comm;	  /* string id */
};

struct table_frame {
	uint64_t offset;   /* meaning by the mapping's kind, see Mapping.Kind in stream.proto */
	uint32_t mapping;  /* mapping id, never 0 */
	uint32_t function; /* string id, 0 for user code (see table_name) and when not known */
};

struct table_node {
	uint32_t parent; /* node id of the caller, 0 for a root */
	uint32_t frame;	 /* frame id, never 0 */
};

/* What the code of a mapping's file from start up to start + size is. Says so of the whole stream.
 */
struct table_name {
	uint64_t start;	   /* an offset as in frames of the mapping */
	uint64_t size;	   /* never 0; the end does not wrap */
	uint32_t mapping;  /* mapping id, never 0 */
	uint32_t function; /* string id, 0 when there is no name */
	uint32_t unknown; /* PROFILER__NAMES__UNKNOWN__*: why not; one we do not know is possible */
	uint32_t reserved; /* 0 */
};

enum table {
	TABLE_STRINGS,
	TABLE_MAPPINGS,
	TABLE_PROCESSES,
	TABLE_THREADS,
	TABLE_FRAMES,
	TABLE_NODES,
	TABLE_NAMES, /* has no ids in the stream: numbered from 1 as they came in the epoch */
	TABLE_COUNT,
};

struct tables;

/**
 * tables_string() - a string of the current epoch
 * @t: the tables
 * @id: string id
 * @ret_bytes: its length without the final NUL, untouched on NULL; may be NULL itself
 *
 * Return: the string, NUL-terminated (it may hold any other byte: names are not always UTF-8),
 * or NULL when the id is not defined.
 */
const char *tables_string(const struct tables *t, uint32_t id, size_t *ret_bytes);

/** tables_mapping() - a mapping of the current epoch, or NULL when @id is not defined */
const struct table_mapping *tables_mapping(const struct tables *t, uint32_t id);

/** tables_process() - a process of the current epoch, or NULL when @id is not defined */
const struct table_process *tables_process(const struct tables *t, uint32_t id);

/** tables_thread() - a thread of the current epoch, or NULL when @id is not defined */
const struct table_thread *tables_thread(const struct tables *t, uint32_t id);

/** tables_frame() - a frame of the current epoch, or NULL when @id is not defined */
const struct table_frame *tables_frame(const struct tables *t, uint32_t id);

/** tables_node() - a call tree node of the current epoch, or NULL when @id is not defined */
const struct table_node *tables_node(const struct tables *t, uint32_t id);

/**
 * tables_name() - a name of the current epoch, or NULL when @number is not defined
 *
 * Names hold for the whole stream, for all mappings of the same content: a tool takes over those
 * that each packet brings, before the epoch ends.
 */
const struct table_name *tables_name(const struct tables *t, uint32_t number);

/**
 * tables_end() - one more than the highest id defined so far in a table, for arrays by id
 * @t: the tables
 * @table: which one
 *
 * Return: at least 1. Grows within an epoch, never shrinks.
 */
uint32_t tables_end(const struct tables *t, enum table table);

/** tables_epoch() - the epoch whose definitions these are; 0 before the first */
uint32_t tables_epoch(const struct tables *t);

/* The rest is for the reader, which is what fills the tables. */

/** tables_open() - empty tables; 0 or -ENOMEM */
int tables_open(struct tables **ret) __attribute__((warn_unused_result));

/** tables_free() - free tables; NULL is fine */
void tables_free(struct tables *t);

/**
 * tables_check() - may these definitions be applied?
 * @t: the tables, of the same epoch or an earlier one
 * @epoch: the epoch of the definitions
 * @definitions: what a packet holds
 *
 * Return: 0, or -EBADMSG: an id is 0, out of range or defined already, ids of one packet do not
 * ascend, columns differ in length, a parent is not older than its child, a name is of no code or
 * of more than there can be, an offset, a length or the whole is over a limit.
 */
int tables_check(const struct tables *t, uint32_t epoch, const Profiler__Definitions *definitions)
	__attribute__((warn_unused_result));

/**
 * tables_apply() - take definitions over that tables_check() has passed
 * @t: the tables
 * @epoch: the epoch of the definitions; another one than before clears the tables first
 * @definitions: what a packet holds, or NULL to only begin the epoch; everything is copied
 *
 * Return: 0 or -ENOMEM.
 */
int tables_apply(struct tables *t, uint32_t epoch, const Profiler__Definitions *definitions)
	__attribute__((warn_unused_result));

#endif /* PROFILER_TABLES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flame.h - what a flame graph shows: functions, their call tree, and rows of values in it.
 *
 * A row is what a thread had of an event with one stack: it belongs to the node where the stack
 * ends. Of an event that leads a group it has a value for each counter, by place. Nothing of the
 * profiles is left out: the sum of the rows' values is the total of each event.
 *
 * Two profiles, or two sets of them, can be held against each other: then each row has values of
 * both sides. They are those of one tree, where functions of the same name and mapping are one.
 *
 * Ids start at 1, parents before their children; 0 is none. Strings are valid UTF-8 without control
 * characters.
 */
#ifndef PROFILER_FLAME_H
#define PROFILER_FLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/metrics.h"
#include "tools/names.h"

enum flame_kind {
	FLAME_USER,
	FLAME_KERNEL,
	FLAME_JIT,
	FLAME_UNKNOWN, /* stands for what is not known of a stack */
	FLAME_KINDS,
};

enum flame_side {
	FLAME_NEW, /* also what there is, if nothing is compared */
	FLAME_BASE,
	FLAME_SIDES,
};

struct flame_function {
	uint32_t label; /* string */
	uint32_t where; /* string: short name of the mapping */
	uint32_t kind;	/* enum flame_kind */
	uint32_t reserved;
};

struct flame_node {
	uint32_t parent;
	uint32_t function; /* id, times 2, plus 1 where it is inlined into the parent */
};

struct flame_row {
	uint32_t node;
	uint32_t thread;    /* of the profile; 0: unknown, or two profiles */
	uint32_t event;	    /* of flame.event; takes samples */
	uint32_t is_shared; /* the counts are of several tasks: no ratios from them */
	/* up to here the key */
	uint64_t count[FLAME_SIDES]; /* samples */
	uint64_t first;		     /* of its values, in flame.value */
};

struct flame_event {
	uint32_t name;	   /* string */
	uint32_t unit;	   /* string: "nanoseconds" or "count" */
	uint32_t leader;   /* the event whose samples it is of, in most cases itself */
	uint32_t place;	   /* in the leader's group */
	uint32_t places;   /* of the group that it leads, at least 1; 0 for one that does not */
	double base_scale; /* the base is shown as that many times what it is; 1 unless set */
};

struct flame {
	struct strtab strings;
	struct idmap functions;
	struct idmap nodes;
	struct idmap rows;
	struct flame_event *event;
	uint32_t events;
	uint64_t *value[FLAME_SIDES]; /* value[FLAME_BASE]: NULL unless two are compared */
	size_t values;
	size_t room;
	bool is_diff;
	uint32_t *row_of; /* by row of the profile that was added last: the row here, 0 = none */
};

/** flame_init() - an empty one; @is_diff: two sides are to be compared */
void flame_init(struct flame *f, bool is_diff);

/** flame_release() - free what it owns */
void flame_release(struct flame *f);

/**
 * flame_add() - add all rows of a profile
 * @f: what there is so far
 * @n: the names of the profile; no longer needed afterwards
 * @side: on which side; FLAME_NEW unless f->is_diff
 *
 * The first profile says which events there are. Of later ones, those of the same name are added;
 * others are left out. May be called several times for a side: values are added up.
 *
 * Return: 0 or -ENOMEM.
 */
int flame_add(struct flame *f, const struct names *n, enum flame_side side)
	__attribute__((warn_unused_result));

/** flame_total() - the sum of all rows' values of an event on a side */
uint64_t flame_total(const struct flame *f, uint32_t event, enum flame_side side);

/** flame_value() - a row's value of an event, 0 where it is of another one */
uint64_t flame_value(const struct flame *f, const struct flame_row *row, uint32_t event,
		     enum flame_side side);

#endif /* PROFILER_FLAME_H */

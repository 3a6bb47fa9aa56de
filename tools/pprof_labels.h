/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_labels.h - what the samples of a profile.proto are told apart by, and splitting them by it.
 */
#ifndef PROFILER_PPROF_LABELS_H
#define PROFILER_PPROF_LABELS_H

#include "tools/pprof_writer.h"

enum label_bit {
	LABEL_PROCESS = 1 << 0,
	LABEL_PID = 1 << 1,
	LABEL_THREAD = 1 << 2,
	LABEL_TID = 1 << 3,
	LABEL_CPU = 1 << 4,
	LABEL_EVENT = 1 << 5,
	LABEL_CGROUP = 1 << 6,
	LABEL_CONTAINER = 1 << 7,
	LABEL_INNER_PID = 1 << 8,
};

/** pprof_find_label() - the label of a name, 0 where there is none */
uint32_t pprof_find_label(const char *name, size_t length);

/** pprof_label_name() - the name of a label */
const char *pprof_label_name(uint32_t bit);

/**
 * pprof_make_labels() - the labels of a row's samples
 * @w: gets their strings
 * @row: of its profile
 * @wanted: enum label_bit
 * @label: the result
 *
 * Return: how many.
 */
size_t pprof_make_labels(struct pprof_writer *w, const struct profile_row *row, uint32_t wanted,
			 Perftools__Profiles__Label label[PPROF_LABELS]);

/* What one file has of a profile. */
struct pprof_part {
	uint32_t labels;	/* of its samples: enum label_bit */
	uint32_t number;	/* of the part */
	const uint32_t *of_row; /* by row id: which part it is in; NULL: all are in this one */
	const char *label;	/* what all its samples have in common, NULL where there is one */
	const char *text;	/* the value of that */
};

/* A profile's rows by the value of a label. All zero is an empty one. */
struct pprof_split {
	const char *label;
	struct strtab values; /* their ids are the numbers of the parts */
	struct strtab files;  /* names, with the same ids */
	uint32_t *of_row;
};

/**
 * pprof_split_find() - the values of a label
 * @ret: an empty one; to be freed with pprof_split_release(), also after a failure
 * @p: read with what the label needs
 * @bit: the label
 *
 * Return: 0 or -ENOMEM.
 */
int pprof_split_find(struct pprof_split *ret, const struct profile *p, uint32_t bit)
	__attribute__((warn_unused_result));

/** pprof_split_part() - the part of a number, without labels */
struct pprof_part pprof_split_part(const struct pprof_split *s, uint32_t number);

/** pprof_split_file() - what to call its file: "pid-100", distinct and fit for any file system */
const char *pprof_split_file(const struct pprof_split *s, uint32_t number);

/** pprof_split_release() - free what it owns */
void pprof_split_release(struct pprof_split *s);

#endif /* PROFILER_PPROF_LABELS_H */

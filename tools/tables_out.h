/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables_out.h - writes definitions of an epoch again, under the same ids: those that are needed,
 * when they are.
 *
 * What a stream's reader has in its tables is the source, so packets of definitions do not have to
 * be kept until it is known whether anybody wants the epoch's samples. Names are of the whole
 * stream: of epochs without wanted samples they are written, each once, while frames, nodes and
 * threads are not.
 */
#ifndef PROFILER_TABLES_OUT_H
#define PROFILER_TABLES_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/tables.h"
#include "tools/idmap.h"

struct stream_out;
struct tables_work;

struct tables_out {
	uint32_t done[TABLE_COUNT]; /* ids below are written, or not wanted; 0: no epoch yet */
	struct idmap names;	    /* hashes of those written */
	struct tables_work *work;
};

/** tables_out_open() - nothing written yet; 0 or -ENOMEM */
int tables_out_open(struct tables_out *o) __attribute__((warn_unused_result));

/** tables_out_release() - free what it owns */
void tables_out_release(struct tables_out *o);

/** tables_out_begin() - another epoch begins in the output */
void tables_out_begin(struct tables_out *o);

/** tables_out_has_news() - are there names that were not written yet? 1, 0 or -ENOMEM */
int tables_out_has_news(struct tables_out *o, const struct tables *t)
	__attribute__((warn_unused_result));

/**
 * tables_out_write() - write all definitions that were not written yet
 * @o: what was
 * @t: tables of the epoch that the output is in
 * @out: the output
 * @for_samples: frames, nodes and threads, too
 *
 * Return: 0, -ENOMEM, or what stream_out_definitions() gives.
 */
int tables_out_write(struct tables_out *o, const struct tables *t, struct stream_out *out,
		     bool for_samples) __attribute__((warn_unused_result));

#endif /* PROFILER_TABLES_OUT_H */

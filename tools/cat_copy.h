/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat_copy.h - streams to one stream, packet by packet.
 *
 * Every epoch that is read becomes one epoch of the output with the same ids; so a stream passes
 * through, and memory does not follow its length. What was lost in reading is a gap in the output's
 * numbers too: whoever reads that is told of the same loss.
 */
#ifndef PROFILER_CAT_COPY_H
#define PROFILER_CAT_COPY_H

#include "tools/block_copy.h"
#include "tools/cli.h"
#include "tools/ledger_merge.h"
#include "tools/merge.h"
#include "tools/stream_out.h"
#include "tools/tables_out.h"

/* All zero but for the first five. */
struct cat_copy {
	const struct cli_program *program; /* in whose name is said what goes wrong; NULL: nobody */
	const char *event;		   /* only samples of it and its group; NULL: all */
	const char *kept;      /* for the header: which samples are wanted, ""; NULL: all */
	struct merge merge;    /* streams that were read up to their first headers */
	struct stream_out out; /* with a file to write to */

	struct ledger_merge ledger;
	struct tables_out tables;
	struct block_copy blocks;
	struct merge_input *in; /* that is being read */
	bool event_wanted[READER_MAX_EVENTS];
	uint32_t epoch;			    /* of it, that the output is in; 0: none */
	struct reader_damage told;	    /* of its damage, in the output already */
	char notice[2 * FILTER_TEXT_BYTES]; /* of what was left out; "" */
};

/** cat_copy_has_event() - does any of the streams have the event? */
bool cat_copy_has_event(struct cat_copy *c);

/**
 * cat_copy() - write the streams
 * @c: what to copy; the streams and the file stay the caller's
 *
 * Return: 0, 1 when a stream could not be read to its end and that was said, -E2BIG for more events
 * or CPUs than one stream can have, -EPIPE, -ENOMEM, -errno of writing.
 */
int cat_copy(struct cat_copy *c) __attribute__((warn_unused_result));

#endif /* PROFILER_CAT_COPY_H */

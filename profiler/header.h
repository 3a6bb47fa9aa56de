/* SPDX-License-Identifier: Apache-2.0 */
/* header.h - the stream's header, made of the plan, the options and the machine's facts. */
#ifndef PROFILER_HEADER_H
#define PROFILER_HEADER_H

#include "bpf/event.h"
#include "profiler/host.h"
#include "profiler/plan.h"
#include "stream.pb-c.h"

/** struct header - the message and all that it points to */
struct header {
	Profiler__Header message;
	Profiler__Event event[PLAN_EVENTS_MAX];
	Profiler__Event *event_list[PLAN_EVENTS_MAX];
	char *notice_list[PLAN_NOTICES_MAX];
	struct host host;
	char target[256];
	uint8_t run_id[16];
	char **command; /* the words of our own command line, copies */
	size_t n_command;
};

/**
 * header_fill() - everything but the times
 * @plan: must outlive the header
 *
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int header_fill(struct header *ret, struct plan *plan,
						    const struct options *options);

/** header_take_notices() - those that have come since: they are in the headers of epochs to come */
void header_take_notices(struct header *h, const struct plan *plan);

/** header_release() - frees what header_fill() allocated */
void header_release(struct header *h);

#endif /* PROFILER_HEADER_H */

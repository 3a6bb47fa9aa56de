/* SPDX-License-Identifier: Apache-2.0 */
/* sample_log.c - the samples of a profile one by one, see sample_log.h. */
#include "tools/sample_log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096

struct comparison {
	const struct profile *profile;
	enum log_order order;
};

static int add(struct sample_log *log, const struct logged_sample *sample)
{
	if (log->count == log->room) {
		size_t room = log->room ? log->room * 2 : FIRST_ROOM;
		struct logged_sample *larger =
			reallocarray(log->sample, room, sizeof(*log->sample));

		if (!larger)
			return -ENOMEM;
		log->sample = larger;
		log->room = room;
	}
	log->sample[log->count++] = *sample;
	return 0;
}

static void begin(void *ctx, const struct profile *p)
{
	struct sample_log *log = ctx;

	log->profile = p;
}

static void take_counts(void *ctx, const uint64_t *count, uint32_t counters)
{
	struct sample_log *log = ctx;

	memcpy(log->carried, count, counters * sizeof(*count));
	log->carries = counters;
}

static int take_sample(void *ctx, const struct reader_sample *s, uint32_t row)
{
	struct sample_log *log = ctx;
	const struct group *group = &log->profile->groups.of[s->event];
	struct logged_sample sample = { s->time_ns, s->weight, row, s->event };
	int err = add(log, &sample);

	for (uint32_t i = 1; !err && i < log->carries; i++) {
		sample.weight = log->carried[i];
		sample.event = group->event[i];
		if (sample.weight)
			err = add(log, &sample);
	}
	log->carries = 0;
	return err;
}

struct profile_listener sample_log_listener(struct sample_log *log)
{
	return (struct profile_listener){
		.sample = take_sample, .begin = begin, .counts = take_counts, .ctx = log
	};
}

static const struct profile_row *row_of(const struct profile *p, const struct logged_sample *s)
{
	return idmap_at(&p->rows, s->row);
}

#define ORDER(a, b)                                \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

/* By event or thread. */
static int compare_groups(const struct comparison *c, const struct logged_sample *a,
			  const struct logged_sample *b)
{
	if (c->order == LOG_BY_THREAD)
		ORDER(row_of(c->profile, a)->who, row_of(c->profile, b)->who);
	if (c->order != LOG_BY_TIME)
		ORDER(a->event, b->event);
	return 0;
}

/* To the last difference, so that the same stream gives the same order. */
static int compare(const void *a, const void *b, void *ctx)
{
	const struct logged_sample *x = a;
	const struct logged_sample *y = b;
	int order = compare_groups(ctx, x, y);

	if (order)
		return order;
	ORDER(x->time_ns, y->time_ns);
	ORDER(x->row, y->row);
	ORDER(x->event, y->event);
	ORDER(x->weight, y->weight);
	return 0;
}

void sample_log_sort(struct sample_log *log, enum log_order order, uint32_t event)
{
	struct comparison c = { log->profile, order };
	size_t kept = 0;

	for (size_t i = 0; i < log->count; i++) {
		const struct logged_sample *s = &log->sample[i];

		if (row_of(log->profile, s)->count &&
		    (event == PROFILE_ALL_EVENTS || event == s->event))
			log->sample[kept++] = *s;
	}
	log->count = kept;
	if (kept)
		qsort_r(log->sample, kept, sizeof(*log->sample), compare, &c);
}

size_t sample_log_end(const struct sample_log *log, enum log_order order, size_t first)
{
	const struct comparison c = { log->profile, order };
	size_t end = first;

	while (end < log->count && !compare_groups(&c, &log->sample[first], &log->sample[end]))
		end++;
	return end;
}

int sample_log_read(const struct cli_program *program, struct cli_input *input,
		    enum log_order order, const char *event, struct sample_log *ret,
		    struct names **ret_names)
{
	uint32_t only = PROFILE_ALL_EVENTS;
	struct profile *profile;
	struct names *names;
	int status;

	input->listener = sample_log_listener(ret);
	status = cli_read(program, input, PROFILE_BY_THREAD, true, &profile, &names);
	if (status)
		return status;
	if (event)
		status = cli_event(program, profile, event, &only);
	if (status) {
		names_free(names);
		profile_free(profile);
		return status;
	}
	sample_log_sort(ret, order, only);
	*ret_names = names;
	return 0;
}

void sample_log_release(struct sample_log *log)
{
	free(log->sample);
	log->sample = NULL;
	log->count = log->room = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - what the counts of a group say in ratios: instructions per cycle, misses per 1,000
 * instructions, and with a clock as leader what happened per second of CPU time.
 *
 * A ratio is one sum over another, of the same samples: those whose counts are all of one task.
 */
#ifndef PROFILER_METRICS_H
#define PROFILER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/profile.h"

/*
 * Of fewer samples no ratio is told. With n samples the error of a ratio is itself uncertain by
 * 1 / sqrt(2 n), and what its interval leaves out (the bias, the skew) is of the order of 1 / n: at
 * 30 that is an eighth and a thirtieth, below which an interval is no more than a decoration.
 */
#define METRIC_SAMPLES_MIN 30

#define METRICS_MAX	 (2 * READER_MAX_COUNTERS)
#define METRIC_TITLE_MAX 16

enum metric_kind {
	METRIC_IPC,
	METRIC_MISSES,
	METRIC_RATE,
};

/* counter / per * factor */
struct metric {
	enum metric_kind kind;
	uint32_t event;	  /* of the counter, index in the header's events */
	uint32_t counter; /* place in the group */
	uint32_t per;	  /* place in the group */
	double factor;
	char title[METRIC_TITLE_MAX]; /* short, for a column */
};

struct metrics {
	uint32_t count;
	struct metric of[METRICS_MAX];
};

struct metric_value {
	bool is_known; /* there are enough samples, and something to divide by */
	double value;
	double error; /* half of the 95 % interval, where the samples are independent */
};

/**
 * metrics_find() - what can be told of a group
 * @p: a profile that was read
 * @leader: the event that its samples are of
 * @ret: in the order that they are to be shown; none where the event leads no group
 */
void metrics_find(const struct profile *p, uint32_t leader, struct metrics *ret);

/** metric_value() - one metric from some sums; @id 0: of no sample */
struct metric_value metric_value(const struct metric *m, const struct sums *sums, uint32_t id);

/* Room for metric_name(). */
#define METRIC_NAME_MAX (EVENT_NAME_MAX + 32)

/** metric_name() - "ipc", "cache-misses_per_1000_instructions", "page-faults_per_second" */
const char *metric_name(const struct profile *p, const struct metric *m, char ret[METRIC_NAME_MAX]);

/** metric_words() - the same for people */
const char *metric_words(const struct profile *p, const struct metric *m,
			 char ret[METRIC_NAME_MAX]);

/* Room for metric_text(). */
#define METRIC_TEXT_MAX 16

/** metric_text() - a number in three digits: "0.012", "1.23", "456", "7.89k" */
const char *metric_text(double value, char ret[METRIC_TEXT_MAX]);

#endif /* PROFILER_METRICS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flame_time.h - when the samples of a profile were taken, for the timeline of a flame graph.
 *
 * Keeps each sample, up to FLAME_TIME_SAMPLES; of more, one of every 2, 4, 8 ... chosen by the
 * hash of its number, so that memory and page stay bounded and any part of the recording keeps its
 * share. Then values are a share of the truth, `every` times as large.
 *
 * Values that differ from sample to sample are kept in five binary digits, rounded up or down by
 * chance: sums of them are right on average.
 */
#ifndef PROFILER_FLAME_TIME_H
#define PROFILER_FLAME_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/profile.h"

/* What a page of 5 MB has room for, where samples have one value, and a million at least. */
#define FLAME_TIME_SAMPLES (1u << 20)

struct flame_sample {
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	uint32_t row;	  /* of the profile */
	uint32_t first;	  /* in the codes: how many follow, then one for each place in the group */
};

struct flame_time {
	struct flame_sample *sample;
	uint16_t *code; /* see flame_time_code() */
	uint32_t samples;
	uint32_t codes;
	uint32_t sample_room;
	uint32_t code_room;
	uint32_t every; /* one of so many samples is kept; 0 in an empty one means 1 */
	uint32_t reserved;
	uint64_t seen;
	uint32_t counts; /* of the sample that comes next */
	uint64_t count[READER_MAX_COUNTERS];
	uint64_t weight_low[READER_MAX_EVENTS]; /* of the samples seen; less 1, so that 0 is none */
	uint64_t weight_high[READER_MAX_EVENTS];
};

/** flame_time_listener() - what a profile has to tell; @t: all zero */
struct profile_listener flame_time_listener(struct flame_time *t);

/** flame_time_release() - free what it owns */
void flame_time_release(struct flame_time *t);

/** flame_time_period() - the weight that all samples of an event have, 0 where they differ */
uint64_t flame_time_period(const struct flame_time *t, uint32_t event);

/**
 * flame_time_code() - a value in five binary digits
 * @value: the value
 * @random: decides which of its two neighbours stands for it
 *
 * Return: the value below 32; else 16 * exponent + digits, where digits (16 to 31) << exponent is
 * the value.
 */
uint16_t flame_time_code(uint64_t value, uint64_t random);

#endif /* PROFILER_FLAME_TIME_H */

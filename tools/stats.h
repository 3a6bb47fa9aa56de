/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h - how sure is a difference of two profiles? Pure functions of numbers.
 *
 * Samples of a profile are not independent: a program does one thing for a while and then another,
 * so neighbours in time tend to be of the same function, and the variance that the binomial or the
 * Poisson law gives is too small. Here a run is cut into blocks of time, and what a block has of a
 * function beyond its share (of a ratio of two sums: Cochran, "Sampling Techniques", 3rd ed., 1977,
 * chapter 6) is a series whose variance over long times is what counts. That is estimated from its
 * projections on the slowest cosines, as recommended by Lazarus, Lewis, Stock and Watson, "HAR
 * Inference: Recommendations for Practice", J. Business & Economic Statistics 36, 2018: each
 * gives an estimate of its own, and the ratio of the change to its deviation is Student's t
 * with as many degrees of freedom. Simulations (tests/unit/test_stats.c) had fewer false
 * differences by it than by the means of 20 blocks, at the same power: in recordings of 3 s with
 * phases of 50 ms 5 % instead of 10 % at a level of 5 %.
 * The binomial law stays as the least variance there can be: blocks of a rare function may look
 * alike by chance.
 *
 * Where a side has several runs, a second test looks at how far these differ, and a difference
 * counts only as far as both tests say so.
 */
#ifndef PROFILER_STATS_H
#define PROFILER_STATS_H

#include <stddef.h>

/* Cosines: with two sides Student's t has 12 degrees of freedom, 11 % wider than with any number */
#define STATS_WAVES 6

/* One run, in blocks of time: the part in question of each, and the whole it is a part of. */
struct stats_run {
	const double *part;
	const double *whole;
	size_t blocks;
};

/* All runs of a side, of one row. */
struct stats_side {
	double part;
	double whole;
	double unit;	    /* of part, that one sample stands for */
	double all_samples; /* of the event, whatever row they are of */
	double within;	    /* variance of part / whole, from blocks of time */
	double within_df;   /* waves behind it */
	double squares;	    /* of the runs' part / whole around that of all, summed */
	double runs;
};

struct stats_difference {
	double base;   /* part / whole */
	double new;    /* likewise */
	double change; /* new - base */
	double error;  /* half of the interval around it */
	double p;      /* of a change as large or larger, if there is none in truth */
};

/**
 * stats_side() - what is known of one side
 * @run: its runs
 * @runs: how many, at least one
 * @unit: of part, that one sample stands for; more than 0
 * @all_samples: that the side has of the event
 * @ret: the side
 *
 * A block without a whole is none. Sums are of all runs: a longer one has more to say.
 */
void stats_side(const struct stats_run *run, size_t runs, double unit, double all_samples,
		struct stats_side *ret);

/**
 * stats_compare() - the difference of two sides
 * @base: one, whose whole is more than 0
 * @new: the other, likewise
 * @confidence: of the interval, as 0.95
 * @ret: the difference
 *
 * Welch's t test on the variances from blocks, with half a sample on each side as correction for
 * counts being whole numbers (Yates 1934); the variance is at least that of a binomial law with the
 * pooled share. With more than one run on a side also the pooled t test on the runs' own values: of
 * the two the larger p and the wider interval are given, so that the interval leaves 0 out exactly
 * where p is below 1 - @confidence.
 */
void stats_compare(const struct stats_side *base, const struct stats_side *new, double confidence,
		   struct stats_difference *ret);

/**
 * stats_t_two_sided() - probability that Student's t is as far from 0 as @t or farther
 *
 * By the continued fraction of the incomplete beta function, NIST DLMF 8.17.22; @df more than 0.
 */
double stats_t_two_sided(double t, double df);

/** stats_t_quantile() - the t for which stats_t_two_sided() is 1 - @confidence */
double stats_t_quantile(double confidence, double df);

/**
 * stats_adjust() - p-values of a family made such that those up to 0.05 hold 5 % false ones at most
 * @p: p-values, replaced by the adjusted ones (also called q)
 * @order: @count indexes, for the function's own use; in the end those of @p from small to large
 * @count: how many
 *
 * Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57, 1995.
 * If there is no true difference at all, the chance that any is claimed is 5 % at most. Holds for
 * rows that depend on each other positively (Benjamini and Yekutieli 2001), as self and total of a
 * function do.
 */
void stats_adjust(double *p, size_t *order, size_t count);

#endif /* PROFILER_STATS_H */

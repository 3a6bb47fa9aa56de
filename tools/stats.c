/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - how sure a difference is, see stats.h. */
#include "tools/stats.h"

#include <math.h>
#include <stdlib.h>

/* More steps than the fraction needs for any df that there can be. */
#define FRACTION_STEPS 500
#define FRACTION_TINY  1e-300
#define FRACTION_EXACT 1e-15

/* Halvings of an interval of doubles: then its ends are next to each other. */
#define BISECTIONS 200

static double log_gamma(double x)
{
	int sign;

	return lgamma_r(x, &sign);
}

static double not_zero(double x)
{
	return fabs(x) < FRACTION_TINY ? FRACTION_TINY : x;
}

/* The continued fraction of I_x(a, b), DLMF 8.17.22, by Lentz's method from its front. */
static double beta_fraction(double a, double b, double x)
{
	double c = 1;
	double d = 0;
	double f = 1;

	for (int i = 1; i < FRACTION_STEPS; i++) {
		double m = i / 2;
		double term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));

		if (i % 2)
			term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / not_zero(1 + term * d);
		c = not_zero(1 + term / c);
		f *= c * d;
		if (fabs(c * d - 1) < FRACTION_EXACT)
			break;
	}
	return 1 / f;
}

/* The regularised incomplete beta function I_x(a, b). */
static double incomplete_beta(double a, double b, double x)
{
	double front;

	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2)) /* where the fraction is quick */
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double stats_t_two_sided(double t, double df)
{
	if (isinf(t))
		return 0;
	return incomplete_beta(df / 2, 0.5, df / (df + t * t));
}

double stats_t_quantile(double confidence, double df)
{
	double low = 0;
	double high = 1;

	while (stats_t_two_sided(high, df) > 1 - confidence)
		high *= 2;
	for (int i = 0; i < BISECTIONS && low < high; i++) {
		double middle = low + (high - low) / 2;

		if (stats_t_two_sided(middle, df) > 1 - confidence)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/*
 * Adds a run's part of the variance of the sum of all parts, and its degrees of freedom: from the
 * slowest waves in what blocks have beyond their share. A wave of cosines takes nothing from a
 * constant, and each tells the variance of the sum as if it were a sum of independent blocks.
 */
static void add_blocks(const struct stats_run *run, double ratio, struct stats_side *side)
{
	size_t blocks = 0; /* up to the last that has anything */
	size_t waves;

	for (size_t i = 0; i < run->blocks; i++)
		if (run->whole[i] > 0)
			blocks = i + 1;
	waves = blocks > STATS_WAVES ? STATS_WAVES : blocks ? blocks - 1 : 0;
	for (size_t wave = 1; wave <= waves; wave++) {
		const double step = M_PI * (double)wave / (double)blocks;
		double sum = 0;

		for (size_t i = 0; i < blocks; i++)
			sum += (run->part[i] - ratio * run->whole[i]) *
			       cos(step * ((double)i + 0.5));
		side->within += 2 * sum * sum / (double)waves;
	}
	side->within_df += (double)waves;
}

static void sum_run(const struct stats_run *run, double *ret_part, double *ret_whole)
{
	*ret_part = *ret_whole = 0;
	for (size_t i = 0; i < run->blocks; i++) {
		*ret_part += run->part[i];
		*ret_whole += run->whole[i];
	}
}

void stats_side(const struct stats_run *run, size_t runs, double unit, double all_samples,
		struct stats_side *ret)
{
	double mean = 0;
	double part, whole;

	*ret = (struct stats_side){ .unit = unit, .all_samples = all_samples };
	for (size_t i = 0; i < runs; i++) {
		sum_run(&run[i], &part, &whole);
		if (whole <= 0)
			continue;
		add_blocks(&run[i], part / whole, ret);
		ret->part += part;
		ret->whole += whole;
		ret->runs++;
		mean += part / whole;
	}
	if (ret->whole <= 0)
		return;
	ret->within /= ret->whole * ret->whole;
	mean /= ret->runs;
	for (size_t i = 0; i < runs; i++) {
		sum_run(&run[i], &part, &whole);
		if (whole > 0)
			ret->squares += (part / whole - mean) * (part / whole - mean);
	}
}

/* The variance of a side's part / whole by a binomial law, the pooled ratio being the true one. */
static double binomial(const struct stats_side *s, double pooled)
{
	double samples = pooled * s->whole / s->unit;
	double share = s->all_samples > 0 ? samples / s->all_samples : 0;

	if (share >= 1)
		return 0;
	return samples * (1 - share) * (s->unit / s->whole) * (s->unit / s->whole);
}

/* Welch's approximation to the degrees of freedom of a sum of two estimated variances. */
static double welch(const struct stats_side *a, const struct stats_side *b)
{
	double below = 0;

	if (a->within_df > 0)
		below += a->within * a->within / a->within_df;
	if (b->within_df > 0)
		below += b->within * b->within / b->within_df;
	if (below <= 0)
		return fmax(a->within_df + b->within_df, 1);
	return (a->within + b->within) * (a->within + b->within) / below;
}

/* Makes a result no surer than a t test with these says. */
static void test(double variance, double df, double correction, double confidence,
		 struct stats_difference *d)
{
	double deviation = sqrt(variance);
	double beyond = fabs(d->change) - correction;

	d->error = fmax(d->error, correction + stats_t_quantile(confidence, df) * deviation);
	if (beyond <= 0)
		d->p = 1;
	else
		d->p = fmax(d->p, stats_t_two_sided(beyond / deviation, df));
}

void stats_compare(const struct stats_side *base, const struct stats_side *new, double confidence,
		   struct stats_difference *ret)
{
	const double pooled = (base->part + new->part) / (base->whole + new->whole);
	const double least = binomial(base, pooled) + binomial(new, pooled);
	const double runs_df = base->runs + new->runs - 2;
	double correction = (base->unit / base->whole + new->unit / new->whole) / 2;

	*ret = (struct stats_difference){ .base = base->part / base->whole,
					  .new = new->part / new->whole };
	ret->change = ret->new - ret->base;
	test(fmax(base->within + new->within, least), welch(base, new), correction, confidence,
	     ret);
	if (runs_df >= 1)
		test((base->squares + new->squares) / runs_df * (1 / base->runs + 1 / new->runs),
		     runs_df, correction, confidence, ret);
}

static int compare_p(const void *a, const void *b, void *ctx)
{
	const double *p = ctx;
	const size_t x = *(const size_t *)a;
	const size_t y = *(const size_t *)b;

	return p[x] != p[y] ? (p[x] < p[y] ? -1 : 1) : (x > y) - (x < y);
}

void stats_adjust(double *p, size_t *order, size_t count)
{
	double least = 1;

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_p, p);
	for (size_t rank = count; rank; rank--) {
		double *at = &p[order[rank - 1]];

		least = fmin(least, *at * (double)count / (double)rank);
		*at = least;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stats.c - tools/stats.c against textbook cases, and what its verdicts are worth: simulated
 * recordings of the same program, whose samples depend on each other as those of phases do.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/stats.h"

#define BLOCKS 40
#define HZ     1000
#define LEVEL  0.05

/* Tables of Student's t in any textbook: two-sided 5 % points. */
Test(stats, t_of_the_tables)
{
	static const double table[][2] = { { 1, 12.706 }, { 2, 4.303 },	 { 5, 2.571 },
					   { 10, 2.228 }, { 30, 2.042 }, { 120, 1.980 } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		double t = stats_t_quantile(0.95, table[i][0]);

		cr_assert(fabs(t - table[i][1]) < 0.0006, "df %g: %g", table[i][0], t);
		cr_assert(fabs(stats_t_two_sided(t, table[i][0]) - 0.05) < 1e-9);
	}
	/* with two degrees of freedom there is a closed form: 1 - t / sqrt(2 + t * t) */
	for (double t = 0; t < 50; t += 0.7)
		cr_assert(fabs(stats_t_two_sided(t, 2) - (1 - t / sqrt(2 + t * t))) < 1e-12);
	cr_assert(stats_t_two_sided(INFINITY, 3) == 0);
}

/* The example of Benjamini and Hochberg (1995), section 4.1: four of fifteen hold at 5 %. */
Test(stats, benjamini_hochberg_example)
{
	double p[] = { 0.0201, 0.0001, 0.3240, 0.0004, 0.0019, 0.0095, 0.0278, 0.0298,
		       0.0344, 0.0459, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000 };
	size_t order[15];
	size_t held = 0;

	stats_adjust(p, order, 15);
	for (size_t i = 0; i < 15; i++)
		held += p[i] <= LEVEL;
	cr_assert(held == 4);
	cr_assert(order[0] == 1 && order[3] == 5 && order[14] == 14);
	cr_assert(fabs(p[5] - 0.0095 * 15 / 4) < 1e-12);
	cr_assert(fabs(p[0] - 0.0201 * 15 / 5) < 1e-12);
	cr_assert(p[14] == 1);
}

/* Student's sleep data (1908), as two samples: t = 1.8608, 18 df, p = 0.07919. */
Test(stats, runs_are_compared_as_students_sleep)
{
	static const double hours[2][10] = {
		{ 0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0 },
		{ 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4 },
	};
	static const double one = 1;
	struct stats_difference d;
	struct stats_side side[2];
	struct stats_run run[10];

	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < 10; i++)
			run[i] = (struct stats_run){ &hours[s][i], &one, 1 };
		stats_side(run, 10, 1e-12, 1e12, &side[s]);
	}
	stats_compare(&side[0], &side[1], 0.95, &d);
	cr_assert(fabs(d.change - 1.58) < 1e-9, "%g", d.change);
	cr_assert(fabs(d.p - 0.07919) < 0.00001, "%g", d.p);
	cr_assert(fabs(d.error - (1.58 + 0.203874)) < 0.0001, "%g", d.error); /* R: t.test */
}

struct world {
	uint64_t random;
	double seconds;
	double share;
	double phase_s; /* mean length of a phase, exponential; 0: samples are independent */
};

struct recording {
	double part[BLOCKS];
	double whole[BLOCKS];
	double samples;
};

static double uniform(struct world *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (double)(w->random >> 11) / 9007199254740992.0;
}

static void record(struct world *w, double share, struct recording *ret)
{
	double block_s = 0.01;
	double next_s = 0;
	bool is_in = false;

	*ret = (struct recording){ 0 };
	while (w->seconds / block_s > BLOCKS)
		block_s *= 2;
	for (double t = uniform(w) / HZ; t < w->seconds; t += 1.0 / HZ) {
		size_t block = (size_t)(t / block_s);

		for (; t >= next_s; next_s += -w->phase_s * log(1 - uniform(w))) {
			is_in = uniform(w) < share;
			if (w->phase_s <= 0)
				break;
		}
		ret->whole[block]++;
		ret->part[block] += is_in;
		ret->samples++;
	}
}

static struct stats_difference compare(struct recording of[2], double confidence)
{
	struct stats_difference d;
	struct stats_side side[2];

	for (size_t i = 0; i < 2; i++) {
		struct stats_run run = { of[i].part, of[i].whole, BLOCKS };

		stats_side(&run, 1, 1, of[i].samples, &side[i]);
	}
	stats_compare(&side[0], &side[1], confidence, &d);
	return d;
}

/* How many of so many pairs are called different, in percent; the new side's share is given. */
static double called(struct world w, double new_share, size_t pairs, double *ret_covered)
{
	size_t different = 0;
	size_t covered = 0;

	for (size_t i = 0; i < pairs; i++) {
		struct recording of[2];
		struct stats_difference d;

		record(&w, w.share, &of[0]);
		record(&w, new_share, &of[1]);
		d = compare(of, 1 - LEVEL);
		different += d.p <= LEVEL;
		covered += fabs(d.change - (new_share - w.share)) <= d.error;
		cr_assert((d.p <= LEVEL) == (fabs(d.change) >= d.error), "p %g, %g +- %g", d.p,
			  d.change, d.error);
	}
	if (ret_covered)
		*ret_covered = 100 * (double)covered / (double)pairs;
	return 100 * (double)different / (double)pairs;
}

/* 4,000 pairs: the measured rate is within 0.7 points of the true one, 95 times in 100. */
#define PAIRS 4000

Test(stats, false_differences_are_one_in_twenty, .timeout = 60)
{
	static const double shares[] = { 0.45, 0.1, 0.01 };
	static const double phases_s[] = { 0, 0.05 };

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		for (size_t k = 0; k < sizeof(phases_s) / sizeof(phases_s[0]); k++) {
			struct world w = { 88172645463325252u + i, 10, shares[i], phases_s[k] };
			double rate = called(w, w.share, PAIRS, NULL);

			fprintf(stderr, "10 s, share %5.3f, phases of %2.0f ms: %.2f %%\n", w.share,
				1000 * w.phase_s, rate);
			cr_assert(rate <= 100 * LEVEL + 0.7, "%g", rate);
		}
	}
}

/* Without blocks of time, as independent samples, the same pairs are called different wrongly. */
Test(stats, independent_samples_would_be_wrong)
{
	struct world w = { 88172645463325252u, 10, 0.45, 0.05 };
	size_t different = 0;

	for (size_t i = 0; i < 500; i++) {
		struct recording of[2];
		double p[2], variance = 0;

		for (size_t k = 0; k < 2; k++) {
			double part = 0;

			record(&w, w.share, &of[k]);
			for (size_t b = 0; b < BLOCKS; b++)
				part += of[k].part[b];
			p[k] = part / of[k].samples;
			variance += p[k] * (1 - p[k]) / of[k].samples;
		}
		different += fabs(p[1] - p[0]) > 1.96 * sqrt(variance);
	}
	cr_assert(different > 250, "%zu of 500", different);
}

#define RUNS 3

/* Compares sides of several runs, whose true shares differ a little from run to run. */
static struct stats_difference compare_runs(struct world *w, double spread, size_t runs)
{
	struct recording of[2][RUNS];
	struct stats_run run[RUNS];
	struct stats_side side[2];
	struct stats_difference d;

	for (size_t s = 0; s < 2; s++) {
		double samples = 0;

		for (size_t i = 0; i < runs; i++) {
			double bend = uniform(w) + uniform(w) + uniform(w) - 1.5; /* about normal */

			record(w, w->share + 2 * spread * bend, &of[s][i]);
			run[i] = (struct stats_run){ of[s][i].part, of[s][i].whole, BLOCKS };
			samples += of[s][i].samples;
		}
		stats_side(run, runs, 1, samples, &side[s]);
	}
	stats_compare(&side[0], &side[1], 1 - LEVEL, &d);
	return d;
}

/* What differs from run to run is in the verdict where there are runs, and cannot be else. */
Test(stats, runs_that_differ_are_no_difference)
{
	struct world w = { 88172645463325252u, 2, 0.45, 0 };
	size_t of_runs = 0;
	size_t of_one = 0;

	for (size_t i = 0; i < PAIRS; i++) {
		of_runs += compare_runs(&w, 0.03, RUNS).p <= LEVEL;
		of_one += compare_runs(&w, 0.03, 1).p <= LEVEL;
	}
	fprintf(stderr, "shares of runs 3 points apart: %.1f %% of 3 runs a side, %.1f %% of one\n",
		100.0 * (double)of_runs / PAIRS, 100.0 * (double)of_one / PAIRS);
	cr_assert(of_runs <= PAIRS * (LEVEL + 0.007), "%zu", of_runs);
	cr_assert(of_one > PAIRS / 5, "%zu", of_one);
}

/* A function that takes 3 % longer, other things equal: its share of the whole grows to this. */
static double slower(double share, double by)
{
	return share * (1 + by) / (1 + share * by);
}

Test(stats, power_is_what_the_man_page_says, .timeout = 60)
{
	struct world minute = { 88172645463325252u, 60, 0.45, 0 };
	struct world ten_minutes = { 88172645463325252u, 600, 0.45, 0 };
	struct world points = { 88172645463325252u, 10, 0.45, 0 };
	double covered = 0;
	double a = called(minute, slower(0.45, 0.03), 500, &covered);
	double b = called(ten_minutes, slower(0.45, 0.03), 100, NULL);
	double c = called(points, 0.48, 1000, NULL);

	fprintf(stderr,
		"3 %% longer, share 45 %%: found in %.0f %% of 60 s, in %.0f %% of 600 s; "
		"3 points more: in %.0f %% of 10 s; intervals hold the truth in %.1f %%\n",
		a, b, c, covered);
	cr_assert(a > 50);
	cr_assert(b > 97);
	cr_assert(c > 90);
	cr_assert(covered > 94);
}

/* A side without a single sample of a function says something, too. */
Test(stats, none_against_many)
{
	struct recording of[2] = { 0 };
	struct stats_difference d;

	for (size_t i = 0; i < BLOCKS; i++)
		of[0].whole[i] = of[1].whole[i] = 100;
	of[0].samples = of[1].samples = 100 * BLOCKS;
	d = compare(of, 0.95);
	cr_assert(d.p == 1 && d.change == 0);
	for (size_t i = 0; i < 20; i++)
		of[1].part[2 * i] = 1;
	d = compare(of, 0.95);
	cr_assert(d.p < 0.01, "%g", d.p);
	for (size_t i = 0; i < 20; i++) /* all at once is one event, not twenty */
		of[1].part[2 * i] = i == 10 ? 20 : 0;
	d = compare(of, 0.95);
	cr_assert(d.p > 0.05, "%g", d.p);
}

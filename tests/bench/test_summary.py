# SPDX-License-Identifier: Apache-2.0
"""test_summary.py - medians, intervals, ratios: against cases whose answer is known."""
import math
import random

import summary
from toolbox import check, equal, test

TRIALS = 2000


def row(values, process=None):
    made = {"values": values}
    return dict(made, extra={"process": process}) if process else made


@test
def an_interval_has_the_median_in_95_of_100(_env):
    """Of a very skewed distribution too. Too few by chance: less than once in 10,000 (4 sigma)."""
    rng = random.Random(7)
    for n in (6, 9, 20, 51):
        inside = 0
        for _ in range(TRIALS):
            low, high = summary.interval([rng.lognormvariate(0, 2) for _ in range(n)])
            inside += low <= 1 <= high
        least = TRIALS * 0.95 - 4 * math.sqrt(TRIALS * 0.95 * 0.05)
        check(inside >= least, f"n = {n}: {inside} of {TRIALS} intervals hold the median")


@test
def an_interval_is_no_wider_than_it_has_to_be(_env):
    equal(summary.interval(list(range(1, 21))), (6, 15), "ranks of 20 values")  # the textbook's
    equal(summary.interval([3, 1, 2]), (1, 3), "of three values")
    equal(summary.interval([5]), (5, 5), "of one")


@test
def medians_and_quartiles(_env):
    equal(summary.median([3, 1, 2]), 2, "median of three")
    equal(summary.median([4, 1, 3, 2]), 2.5, "median of four")
    equal(summary.quartiles([1, 2, 3, 4, 5]), (2, 4), "quartiles")


@test
def processes_count_not_their_rounds(_env):
    """Ten rounds of one process say no more of another one than one does."""
    values = [float(i // 10) for i in range(50)]
    equal(summary.interval(values), (1, 3), "50 values")
    equal(summary.estimate(row(values, [i // 10 for i in range(50)])), (2, 0, 4), "5 processes")
    equal(summary.estimate(row([1.0] * 9 + [5.0], [0] * 10))[1:], (1.0, 1.0), "one process")


@test
def ratios_are_of_the_same_round(_env):
    """The machine was up to ten times slower now and then; the ratio is 2 all the same."""
    rng = random.Random(3)
    slow = [rng.uniform(1, 10) for _ in range(30)]
    middle, low, high = summary.ratio(row([2 * s for s in slow]), row(slow))
    check(abs(middle - 2) < 1e-9 and high - low < 1e-9, f"{middle} ({low}..{high})")


@test
def unlike_numbers_of_rounds_make_wide_ratios(_env):
    equal(summary.ratio(row([2.0, 3.0, 4.0]), row([1.0, 2.0])), (2, 1, 4), "3 / 1.5, 2 / 2, 4 / 1")


@test
def chances_of_t(_env):
    """Critical values of the tables, of odd and even degrees of freedom."""
    for t, freedom, chance in ((12.706, 1, 0.05), (4.303, 2, 0.05), (3.182, 3, 0.05),
                               (2.228, 10, 0.05), (2.131, 15, 0.05), (3.169, 10, 0.01),
                               (-2.947, 15, 0.01)):
        got = summary.student(t, freedom)
        check(abs(got - chance) < 2e-4, f"t {t}, {freedom} degrees: {got}, not {chance}")
    check(summary.student(0, 7) > 0.999, "t = 0 says nothing")


@test
def three_digits(_env):
    for value, text in ((0, "0"), (0.4231, "0.423"), (12.34, "12.3"), (123456.7, "123,000"), (11093.0, "11,093"),
                        (-1.5, "-1.50"), (0.0001234, "0.000123")):
        equal(summary.digits(value), text, f"{value}")

# SPDX-License-Identifier: Apache-2.0
"""scaling_fit.py - how a cost grows with a size: the exponent of a power law, and its interval.

A cost that is c * n^e is a straight line of slope e in the logarithms of both. The slope is the
median of those between all pairs of points (Theil and Sen), which up to 29 % of wild points do not
move, and the interval is that of the pairs' ranks (Sen 1968: Kendall's S is about normal, with the
variance below, which allows for several points at one size). Nothing is taken to be normally
distributed but that rank. Three points are the least; with few points the interval is wide, and
a verdict says only what the whole interval says.

A fixed cost beside one that grows makes the slope smaller: memory of 15 MB and 10 KB a process
is "sublinear" until the processes are most of it. So beside the verdict stand the slope between the
two largest sizes alone, which has no interval, and the growth from the smallest to the largest.
"""
import collections
import math

Z95 = 1.959964
ENOUGH = 3       # points
NEGLIGIBLE = 0.1 # an exponent up to which a cost counts as constant: 1.26 times for a size of 10
LINEAR = 1.1     # and up to which as linear

Fit = collections.namedtuple("Fit", "exponent low high last growth verdict")


def pair_slopes(points):
    """Slopes between points of different x, in order."""
    return sorted((y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points)
                  for x2, y2 in points[i + 1:] if x1 != x2)


def middle(ordered):
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def kendall_deviation(xs):
    """Standard deviation of Kendall's S of points without a trend, several at one x allowed."""
    n, ties = len(xs), collections.Counter(xs).values()
    return math.sqrt((n * (n - 1) * (2 * n + 5) -
                      sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18)


def theil_sen(points):
    """(slope, low, high) through points (x, y); None where there are too few."""
    slopes = pair_slopes(points)
    if len(points) < ENOUGH or not slopes:
        return None
    reach = Z95 * kendall_deviation([x for x, _ in points])
    low = max(0, math.floor((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return middle(slopes), slopes[low], slopes[high]


def line(points):
    """(slope, what y is at x = 0) of a straight line; None where there are too few points."""
    found = theil_sen(points)
    if not found:
        return None
    return found[0], middle(sorted(y - found[0] * x for x, y in points))


def verdict(low, high):
    """What the whole interval says."""
    if high < -NEGLIGIBLE:
        return "falls"
    if high <= NEGLIGIBLE:
        return "constant" if low >= -NEGLIGIBLE else "does not grow"
    if low <= NEGLIGIBLE:
        return "unclear"
    if low > LINEAR:
        return "superlinear"
    return "linear" if high >= 1 / LINEAR else "sublinear"


def power(series):
    """The Fit of {size: [cost, ...]}; None where that cannot be: a cost of 0, or too few."""
    points = [(math.log(size), value) for size, values in series.items() for value in values]
    if any(value <= 0 for _, value in points):
        return None
    found = theil_sen([(x, math.log(value)) for x, value in points])
    if not found:
        return None
    medians = {size: middle(sorted(values)) for size, values in series.items()}
    *_, before, last = sorted(series)
    slope = math.log(medians[last] / medians[before]) / math.log(last / before)
    return Fit(*found, slope, medians[last] / medians[min(series)], verdict(found[1], found[2]))

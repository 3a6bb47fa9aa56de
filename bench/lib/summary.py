# SPDX-License-Identifier: Apache-2.0
"""summary.py - what a list of values says: median, spread, intervals, ratios.

Nothing here takes values to be normally distributed: times are not. An interval of a median is one
of order statistics, whatever the distribution; of fewer than six values it is their range, which
holds the median with probability 1 - 2^(1 - n), less than the 95 % of the others.

Values of one process are more alike than those of several (the addresses differ), so a row that
says of which process each value is (extra: "process") is first reduced to a median a process.
"""
import math

CONFIDENCE = 0.95


def median(values):
    ordered, n = sorted(values), len(values)
    return ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def quartiles(values):
    """The medians of the lower and the upper half, the middle one in both."""
    ordered, half = sorted(values), (len(values) + 1) // 2
    return median(ordered[:half]), median(ordered[-half:])


def interval(values, confidence=CONFIDENCE):
    """(low, high) of the median."""
    ordered, n = sorted(values), len(values)
    below, rank = 0.0, 0  # the chance that so few values lie below the median
    while rank < n // 2:
        below += math.comb(n, rank) / 2 ** n
        if 2 * below > 1 - confidence:
            break
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[n - rank]


def by_process(values, row):
    """Medians of the processes of a row, or the values if they are independent already."""
    labels = row.get("extra", {}).get("process")
    if not isinstance(labels, list) or len(labels) != len(values):
        return list(values)
    parts = {}
    for value, label in zip(values, labels):
        parts.setdefault(label, []).append(value)
    if len(parts) == 1:  # one process: its rounds are all there is
        return list(values)
    return [median(part) for part in parts.values()]


def estimate(row):
    """(median, low, high) of a row."""
    return (median(row["values"]), *interval(by_process(row["values"], row)))


def ratio(ours, theirs):
    """(median, low, high) of the ratio of two rows that were measured in the same rounds. With
    unlike numbers of rounds the ends are those of both intervals at their worst."""
    pairs = list(zip(ours["values"], theirs["values"]))
    ratios = [a / b for a, b in pairs if b]
    if len(ours["values"]) != len(theirs["values"]) or len(ratios) < len(pairs):
        (middle, low, high), (base, least, most) = estimate(ours), estimate(theirs)
        if not base or least <= 0:
            return math.nan, math.nan, math.nan
        return middle / base, low / most, high / least
    return (median(ratios), *interval(by_process(ratios, ours)))


def difference(ours, theirs):
    """(median, low, high) of the difference of two rows, likewise."""
    if len(ours["values"]) != len(theirs["values"]):
        (middle, low, high), (base, least, most) = estimate(ours), estimate(theirs)
        return middle - base, low - most, high - least
    differences = [a - b for a, b in zip(ours["values"], theirs["values"])]
    return (median(differences), *interval(by_process(differences, ours)))


def student(t, freedom):
    """The chance of a t so far from 0 on either side; freedom is a whole number (finite sums)."""
    angle = math.atan(abs(t) / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    if freedom % 2 == 0:
        term = inside = 1.0
        for k in range(1, freedom // 2):
            term *= square * (2 * k - 1) / (2 * k)
            inside += term
        return max(0.0, 1 - math.sin(angle) * inside)
    term = inside = math.cos(angle) if freedom > 1 else 0.0
    for k in range(1, (freedom - 1) // 2):
        term *= square * 2 * k / (2 * k + 1)
        inside += term
    return max(0.0, 1 - 2 / math.pi * (angle + math.sin(angle) * inside))


def digits(value):
    """Three significant digits, or a whole number, as people write them."""
    if value is None or math.isnan(value):
        return "?"
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    places = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(0, places)}f}" if abs(value) < 1e9 else f"{value:.3g}"

# SPDX-License-Identifier: Apache-2.0
"""changes.py - which rows of ours differ between two runs by more than the runs' own noise.

Each row of role "ours" that both runs have is judged by the rule of its measure:

  exact       instructions, allocations, verified, and bytes that were counted once: the same code
              gives the same figure. A change counts beyond a small share of it and a floor (a
              tenth of an instruction), and beyond the range of the values themselves.
  relative    times, bytes, memory: logarithms are compared, so a change is a ratio. Times of a
              group with peers or limits are taken as ratio to these, round by round: what slows
              the whole machine between two runs cancels out.
  difference  what may be 0 or below, as slowdowns and shares in percent: as they are.

A noisy row counts as changed if all of this holds:
  1. the medians differ by more than the least that anyone cares about (5 % for times with peers
     beside them, 25 % without: they move with the machine; see RULES)
  2. and by more than the peers of its group seem to have changed against each other. They are the
     same code in both runs, so whatever they changed by is noise that no run sees in itself
  3. Student's t of the medians of the processes says so, after Holm's correction for the number of
     rows, at 1 %. The variance of so few processes is itself poorly known, so each row's is mixed
     with the median of all rows' as if that were worth PRIOR more values (a row whose processes
     happen to agree is not believed to be without noise).
With fewer than two values a side a noisy row is not judged; the summary counts those.
"""
import collections
import math

import results
import summary

ALPHA = 0.01
PRIOR = 4
WITHOUT_PEERS = 0.25
Rule = collections.namedtuple("Rule", "kind least floor", defaults=(0.001,))
RULES = {
    "instructions": Rule("exact", 0.005, 0.1), "verified": Rule("exact", 0.01),
    "allocations": Rule("exact", 0), "bytes": Rule("relative", 0.02),
    "memory": Rule("relative", 0.1), "slowdown": Rule("difference", 1.0),
    "slowdown-cpu": Rule("difference", 1.0), "blind": Rule("difference", 0.5),
    "whole": Rule("difference", 0.5), "complete": Rule("difference", 0.5),
    "lost": Rule("difference", 1), "unaccounted": Rule("difference", 1),
    "dropped": Rule("difference", 1),
}
NOISY = Rule("relative", WITHOUT_PEERS)
BESIDE_PEERS = {measure: Rule("relative", 0.05) for measure in ("time", "cpu", "cpu-all", "bpf")}

# change: as a share (exact, relative) or in the row's unit (difference); noise: the least that
# would have counted; verdict: worse, better, changed (where neither is good), same, unjudged.
Change = collections.namedtuple("Change", "key unit base new change noise share verdict exact")


class Trial:
    """A noisy row on its way to a verdict: its values a side, and the least that counts."""

    def __init__(self, key, rows, sides, least, share):
        self.key, self.rows, self.sides, self.least, self.share = key, rows, sides, least, share
        self.change = summary.median(sides[1]) - summary.median(sides[0])
        self.freedom = sum(map(len, sides)) - 2
        squares = sum((v - mean(side)) ** 2 for side in sides for v in side)
        self.variance = squares / self.freedom

    def test(self, usual):
        """The chance of such a difference by noise alone; and the change's standard error."""
        freedom = self.freedom + PRIOR
        variance = (self.freedom * self.variance + PRIOR * usual) / freedom
        self.error = math.sqrt(variance * sum(1 / len(side) for side in self.sides))
        difference = mean(self.sides[1]) - mean(self.sides[0])
        if difference * self.change <= 0:
            return 1.0
        return summary.student(difference / self.error, freedom) if self.error else 0.0


def mean(values):
    return sum(values) / len(values)


def logs(values):
    return [math.log(v) for v in values]


def positive(row):
    return min(row["values"]) > 0


def relative(row, peers):
    """Logarithms of the row's values beside those of its peers, a median a process."""
    values = logs(row["values"])
    for peer in peers:
        values = [v - p / len(peers) for v, p in zip(values, logs(peer["values"]))]
    return summary.by_process(values, row)


def pairs_of(base, new):
    """{key: (row of base, row of new)} of the rows that both results have."""
    names = {results.name_of(base["suite"], row): row for row in base["rows"]}
    return {key: (names[key], row) for row in new["rows"]
            if (key := results.name_of(new["suite"], row)) in names
            and names[key]["unit"] == row["unit"]}


def peers_of(pair, pairs):
    """The pairs that this one may be held against: not ours, of its group, in the same rounds."""
    row = pair[0]
    return [other for other in pairs.values() if other is not pair and other[0]["role"] != "ours"
            and (other[0]["group"], other[0]["measure"]) == (row["group"], row["measure"])
            and all(positive(side) and len(side["values"]) == len(mine["values"])
                    for side, mine in zip(other, pair))]


def beside(pair, peers):
    """Both sides of a pair, each relative to its peers."""
    return [relative(row, [peer[i] for peer in peers]) for i, row in enumerate(pair)]


def drift(pairs):
    """{(group, measure): the most by which its peers changed against each other}, and under None
    what is usual of that: for groups that have one peer alone."""
    seen = {}
    for pair in pairs.values():
        row = pair[0]
        peers = peers_of(pair, pairs)
        if row["role"] != "ours" and row["measure"] in BESIDE_PEERS and peers and \
                all(map(positive, pair)):
            base, new = beside(pair, peers)
            where = row["group"], row["measure"]
            seen[where] = max(seen.get(where, 0.0),
                              abs(summary.median(new) - summary.median(base)))
    seen[None] = summary.median(list(seen.values())) if seen else 0.0
    return seen


def trial(key, pair, pairs, moved):
    """A Trial, or None where there are too few values."""
    measure = pair[0]["measure"]
    if RULES.get(measure, NOISY).kind == "difference" or not all(map(positive, pair)):
        least, share = RULES.get(measure, Rule("difference", 1)).least, False
        sides = [summary.by_process(row["values"], row) for row in pair]
    else:
        peers = peers_of(pair, pairs) if measure in BESIDE_PEERS else []
        rule = BESIDE_PEERS[measure] if peers else RULES.get(measure, NOISY)
        least, share = math.log1p(rule.least), True
        if peers:
            least = max(least, moved.get((pair[0]["group"], measure), moved[None]))
        sides = beside(pair, peers)
    return None if min(map(len, sides)) < 2 else Trial(key, pair, sides, least, share)


def verdict(row, change):
    if not row["better"]:
        return "changed"
    return "worse" if (change > 0) == (row["better"] == "less") else "better"


def judged(key, pair, change, noise, share, changed):
    base, new = (summary.median(row["values"]) for row in pair)
    return Change(key, pair[1]["unit"], base, new, change, noise, share,
                  verdict(pair[1], change) if changed else "same", False)


def exact(key, pair):
    base, new = (summary.median(row["values"]) for row in pair)
    rule = RULES[pair[0]["measure"]]
    noise = rule.least * abs(base) + rule.floor + \
        sum(max(row["values"]) - min(row["values"]) for row in pair)
    size = abs(base) or 1
    return judged(key, pair, (new - base) / size, noise / size, bool(base), abs(new - base) > noise)._replace(exact=True)


def is_exact(pair):
    """Whether the figure is the same for the same code; a size is if it was taken only once."""
    measure = pair[0]["measure"]
    return RULES.get(measure, NOISY).kind == "exact" or \
        measure == "bytes" and all(len(row["values"]) == 1 for row in pair)


def decide(trials):
    """The Changes of all Trials: usual noise, t, Holm."""
    found = []
    for t in trials:
        usual = summary.median([o.variance for o in trials if o.share == t.share])
        t.chance = t.test(usual)
    allowed = True
    for i, t in enumerate(sorted(trials, key=lambda t: t.chance)):
        allowed &= t.chance * (len(trials) - i) <= ALPHA
        noise = max(t.least, 4 * t.error)
        change, seen = (math.expm1(t.change), math.expm1(noise)) if t.share else (t.change, noise)
        found.append(judged(t.key, t.rows, change, seen, t.share,
                            allowed and abs(t.change) > t.least))
    return found


def find(base, new):
    """All Changes between two {suite: result}, and {key: "missing" or "added"} of rows of ours that
    only one has, in suites that both have."""
    found, trials, alone = [], [], {}
    for suite in base.keys() & new.keys():
        pairs = pairs_of(base[suite], new[suite])
        moved = drift(pairs)
        for result, word in ((base[suite], "missing"), (new[suite], "added")):
            alone.update({key: word for row in result["rows"] if row["role"] == "ours"
                          and (key := results.name_of(suite, row)) not in pairs})
        for key, pair in pairs.items():
            if pair[0]["role"] != "ours":
                continue
            if is_exact(pair):
                found.append(exact(key, pair))
                continue
            made = trial(key, pair, pairs, moved)
            if made:
                trials.append(made)
            else:
                found.append(judged(key, pair, 0, 0, True, False)._replace(verdict="unjudged"))
    return sorted(found + decide(trials)), alone

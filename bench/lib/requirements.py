# SPDX-License-Identifier: Apache-2.0
"""requirements.py - what was promised, and whether the rows of a run keep it.

TABLE is the one place where a promise meets the names of rows (suite/group/name/measure). How a
figure comes from rows:

  worst(PATTERN...)        the largest (smallest for >=) median of all rows that match, as fnmatch
  ratio(OURS, THEIRS)      of two rows of the same rounds; OURS may be a pattern whose group is
                           then put for {group} in THEIRS, and the worst counts
  difference(OURS, THEIRS) likewise
  fastest_peer(OURS)       ratio to the peer of the row's group with the smallest median

A verdict is "pass", "FAIL", "unclear" or "not measured". It goes by the median; only a promise that
something cannot be told from a figure (kind "within") goes by the interval: it passes if the
interval ends below the figure, fails if it begins above, and is unclear if the figure lies inside.
"""
import collections
import fnmatch
import math

import results
import summary

Promise = collections.namedtuple("Promise", "key text unit op target figure")
# value, low, high may be None; detail says of what the figure is, or why there is none.
Answer = collections.namedtuple("Answer", "promise value low high detail verdict")
Figure = collections.namedtuple("Figure", "value low high detail")

FULL = {"stacks", "resolve", "page"}  # suites of make bench-full alone


class Missing(Exception):
    """The message says what has to run first."""


class Rows:
    """All rows of a run by name, with the reasons of suites that have none."""

    def __init__(self, found, failed):
        self.failed = failed
        self.suites = found.keys()
        self.rows = {results.name_of(suite, row): row
                     for suite, result in found.items() for row in result["rows"]}

    def matching(self, *patterns):
        found = [(key, row) for key, row in self.rows.items()
                 if any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)]
        if not found:
            raise Missing(self.why(patterns[0]))
        return found

    def why(self, pattern):
        suite = pattern.split("/")[0]
        if suite in self.failed:
            return self.failed[suite]
        if suite not in self.suites:
            return f"suite {suite} was not run" + (" (make bench-full)" if suite in FULL else "")
        return f"no row {pattern}"

    def group_of(self, key):
        suite, group, _, measure = key.split("/")
        return [(k, row) for k, row in self.rows.items()
                if k.startswith(f"{suite}/{group}/") and k.endswith(f"/{measure}")]


def short(key):
    """suite/group/name/measure without what everybody knows: the group."""
    return key.split("/")[1]


def extreme(figures, op):
    return (min if op[0] == ">" else max)(figures, key=lambda figure: figure.value)


def worst(*patterns):
    def figure(rows, op):
        found = rows.matching(*patterns)
        return extreme([Figure(*summary.estimate(row), short(key) if len(found) > 1 else "")
                        for key, row in found], op)
    return figure


def beside(compare, ours, theirs):
    def figure(rows, op):
        found = []
        for key, row in rows.matching(ours):
            for peer_key, peer in rows.matching(theirs.format(group=short(key))):
                name = peer_key.split("/")[2]
                own = f"{short(key)}, " if "*" in ours else ""
                found.append(Figure(*compare(row, peer), f"{own}{name} "
                                    f"{summary.digits(summary.median(peer['values']))}"))
        return extreme(found, op)
    return figure


def ratio(ours, theirs):
    return beside(summary.ratio, ours, theirs)


def difference(ours, theirs):
    return beside(summary.difference, ours, theirs)


def fastest_peer(ours):
    def figure(rows, _op):
        ((key, row),) = rows.matching(ours)
        peers = [(k, peer) for k, peer in rows.group_of(key) if peer["role"] == "peer"]
        if not peers:
            raise Missing("no peer of it is installed (make deps-bench)")
        name, best = min(peers, key=lambda item: summary.median(item[1]["values"]))
        return Figure(*summary.ratio(row, best), f"{name.split('/')[2]} "
                      f"{summary.digits(summary.median(best['values']))}")
    return figure


TABLE = (
    Promise("push", "hand-off of an event", "ns", "<=", 3, worst("micro/push/profiler/time")),
    Promise("push-peer", "  by the fastest peer's time", "x", "<=", 1,
            fastest_peer("micro/push/profiler/time")),
    Promise("pushpop-peer", "  put and taken, by the same", "x", "<=", 1,
            fastest_peer("micro/pushpop/profiler/time")),
    Promise("push2-peer", "  between two CPUs, by the same", "x", "<=", 1,
            fastest_peer("micro/push2/profiler/time")),
    Promise("parse", "parse in place, by a plain scan", "x", "<=", 1.2,
            ratio("micro/parse/profiler/time", "micro/parse/scan/time")),
    Promise("allocations", "allocations per event", "", "<=", 0,
            worst(*(f"micro/{group}/profiler*/allocations"
                    for group in ("push*", "parse*", "consume*")))),
    Promise("consume", "consume a BPF ring, by libbpf's", "x", "<=", 0.5,
            ratio("micro/consume/profiler/time", "micro/consume/libbpf/time")),
    Promise("lost", "samples dropped at 10 kHz", "", "<=", 0,
            worst("overhead/*@10000/profiler*/lost")),
    Promise("blind", "samples blind at 10 kHz", "%", "<=", 1,
            worst("overhead/*@10000/profiler*/blind")),
    Promise("unaccounted", "samples unaccounted for", "", "<=", 0,
            worst("overhead/*/profiler*/unaccounted")),
    Promise("memory", "peak memory at 10 kHz", "MB", "<", 20,
            worst("overhead/*@10000/profiler*/memory")),
    Promise("share", "recorder's CPU at 1 kHz, of one CPU", "%", "<", 5,
            worst("overhead/*@1000/profiler/cpu-share")),
    Promise("cpu-fp", "CPU per sample, by perf record -g", "x", "<=", 0.2,
            ratio("overhead/cpu@10000/profiler/cpu", "overhead/{group}/perf-fp/cpu")),
    Promise("cpu-dwarf", "CPU per sample, by perf dwarf", "x", "<=", 0.1,
            ratio("overhead/cpu@1000/profiler/cpu", "overhead/{group}/perf-dwarf/cpu")),
    Promise("slow-1k", "slowdown at 1 kHz", "%", "within", 1,
            worst("overhead/*@1000/profiler/slowdown")),
    Promise("slow-1k-cpu", "  in CPU time", "%", "within", 1,
            worst("overhead/*@1000/profiler/slowdown-cpu")),
    Promise("slow-1k-own", "  beyond the interrupts alone", "%", "within", 1,
            difference("overhead/*@1000/profiler/slowdown-cpu",
                       "overhead/{group}/interrupts/slowdown-cpu")),
    Promise("slow-10k", "slowdown at 10 kHz", "%", "<", 5,
            worst("overhead/*@10000/profiler/slowdown")),
    Promise("slow-10k-cpu", "  in CPU time", "%", "<", 5,
            worst("overhead/*@10000/profiler/slowdown-cpu")),
    Promise("slow-10k-own", "  beyond the interrupts alone", "%", "<", 5,
            difference("overhead/*@10000/profiler/slowdown-cpu",
                       "overhead/{group}/interrupts/slowdown-cpu")),
    Promise("bpf", "BPF program, by bpftrace's", "x", "<=", 0.5,
            ratio("overhead/cpu@10000/profiler/bpf", "overhead/{group}/bpftrace/bpf")),
    Promise("bytes", "stream per sample at 10 kHz", "B", "<=", 8,
            worst("overhead/*@10000/profiler*/bytes")),
    Promise("stacks", "user stacks whole, Debian programs", "%", ">=", 99,
            worst("stacks/mix/profiler/complete")),
    Promise("verified", "instructions verified, at most", "", "<=", 100000,
            worst("fixed/*/profiler/verified")),
    Promise("tools", "10 M samples: seconds of a tool", "s", "<", 3,
            worst("tools/*/profiler/seconds")),
    Promise("tools-memory", "10 M samples: memory of a tool", "MB", "<", 200,
            worst("tools/*/profiler/memory")),
    Promise("tools-perf", "fold, times as fast as perf script", "x", ">=", 10,
            ratio("tools/fold-peer/perf-script/seconds", "tools/fold-peer/profiler/seconds")),
    Promise("resolve", "addresses, by addr2line's speed", "x", ">=", 20,
            ratio("resolve/address/addr2line/time", "resolve/address/profiler/time")),
    Promise("click", "flame graph page: a click", "ms", "<", 100, worst("page/click/profiler/time")),
    Promise("page", "flame graph page: size", "MB", "<", 5, worst("page/file/profiler/size")),
)


def keeps(promise, figure):
    if promise.op == "within":
        if figure.high <= promise.target:
            return "pass"
        return "FAIL" if figure.low > promise.target else "unclear"
    value, target = figure.value, promise.target
    met = {"<": value < target, "<=": value <= target, ">=": value >= target}[promise.op]
    return "pass" if met else "FAIL"


def answers(found, failed):
    """An Answer for each promise: found is {suite: result}, failed {suite: why there is none}."""
    rows, made = Rows(found, failed), []
    for promise in TABLE:
        try:
            figure = promise.figure(rows, promise.op)
            if math.isnan(figure.value):
                raise Missing("the other figure is 0")
            made.append(Answer(promise, *figure, keeps(promise, figure)))
        except Missing as why:
            made.append(Answer(promise, None, None, None, str(why), "not measured"))
    return made


def target(promise):
    op = "<=" if promise.op == "within" else promise.op
    unit = f" {promise.unit}" if promise.unit and promise.unit != "x" else ""
    return f"{op} {promise.target:,}{unit}"


def measured(answer):
    """The figure with its interval: "0.43 (0.42..0.45)"."""
    if answer.value is None:
        return "-"
    text = summary.digits(answer.value)
    if answer.low == answer.high:
        return text
    places = len(text.partition(".")[2])
    return f"{text} ({answer.low:,.{places}f}..{answer.high:,.{places}f})"


def totals(made):
    count = collections.Counter(answer.verdict for answer in made)
    return ", ".join(f"{count[word]} {said}" for word, said in (
        ("pass", "passed"), ("FAIL", "failed"), ("unclear", "unclear"),
        ("not measured", "not measured")) if count[word])

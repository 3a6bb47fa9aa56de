#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""overhead.py - what a profiler costs the machine it measures: profiler, perf record, bpftrace.

A fixed amount of work that keeps all CPUs busy is done bare, then while a recorder samples the
whole machine, then bare again, and so on through all recorders and rates in random order, several
rounds. The limit is "interrupts": the clock overflows and nobody takes a sample. Needs root, perf
and bpftrace (make deps-bench); what is missing is left out and said.

    bench/overhead.py [--build DIR] [--json FILE] [--svg FILE] [--full] [--work LIST]
                      [--recorders LIST] [--hz LIST] [--rounds N] [--peer-rounds N] [--ms N]

By default cpu and syscalls at 1000 and 10000 Hz, six rounds of profiler and of the interrupts alone,
and two of the others, about four minutes. --full: all work (see bench/lib/fixed_work.py), all recorders, also 100 Hz, six
rounds of all, about an hour; for a machine that is otherwise idle.

What is measured (names of the rows in --json; suite overhead, group WORK@HZ)
  slowdown      wall-clock time of the work with the recorder by the mean of the bare ones just
                before and after, in percent: interrupts, cold caches, and the CPU that the recorder
                takes for itself
  slowdown-cpu  CPU time of the work and the recorder together by that of the work alone, in the
                same stretches: the same cost, hardly disturbed by what else runs. Interrupts are
                in it unless the kernel keeps their time apart (CONFIG_IRQ_TIME_ACCOUNTING); waiting
                is not
  cpu           CPU time of the recorder and its children by samples, from when it has started
                and the work has run for a moment, to its very end
  cpu-all       the same with its start; start: what starting took
  cpu-share     CPU time of the recorder while the work ran, in percent of one CPU
  bpf           time of the BPF program by runs, from the kernel's statistics, in a stretch of
                work of its own, because they cost time too
  memory        the most that it held, see bench/lib/recorders.py; memory-cgroup: the most that
                the kernel charged it with, which leaves out perf's buffers
  bytes         size of the file by samples
  lost          samples that the recorder says it lost. perf does not count all that it misses
  blind         profiler's: of the expected samples, those for which its program did not run
  unaccounted   profiler's: expected, but neither written nor lost nor blind
  whole         the work's user stacks that reach their beginning, by the rule of
                bench/outermost.py, of the first few thousand of one round
"""
import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "lib"), os.path.join(HERE, "../tests/live")]

import fixed_work  # noqa: E402
import hostfacts  # noqa: E402
import overhead_plot  # noqa: E402
import overhead_table  # noqa: E402
import perfdata  # noqa: E402
import recorders  # noqa: E402
import stacks_whole  # noqa: E402
import suite  # noqa: E402
import summary  # noqa: E402

RATE_LIMIT = "/proc/sys/kernel/perf_event_max_sample_rate"
QUICK = {"work": ["cpu", "syscalls"], "hz": [1000, 10000], "rounds": 6, "peer_rounds": 2,
         "recorders": ["profiler", "perf-fp", "perf-dwarf", "bpftrace", "interrupts"], "ms": 500}
FULL = {"work": list(fixed_work.NAMES), "hz": [100, 1000, 10000], "rounds": 6,
        "peer_rounds": 6, "recorders": list(recorders.RECORDERS), "ms": 1000}
WARM_MS, STATS_MS = 200, 200
MOST_STEAL = 2  # percent of a stretch of work; above it is done again, once
PRECISION = 0.5  # percent: what a slowdown should be known to
TRIES = 3  # of a recorder that fails, as perf 6.1 does now and then

# Measures of the rows: unit, and which way is better.
MEASURES = {
    "slowdown": ("%", "less"), "slowdown-cpu": ("%", "less"), "cpu": ("us/sample", "less"),
    "cpu-all": ("us/sample", "less"), "start": ("ms", "less"), "cpu-share": ("%", "less"),
    "bpf": ("ns/sample", "less"), "memory": ("MB", "less"), "memory-cgroup": ("MB", "less"),
    "bytes": ("B/sample", "less"), "lost": ("samples", "less"), "blind": ("%", "less"),
    "unaccounted": ("samples", "less"), "whole": ("%", "more"),
}


class Bench:
    """A run of the suite: its options, what it found, what a reader has to know of it."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.found = {}  # {(work, hz): {recorder: [figures of a round]}}
        self.notes, self.again = [], 0

    def note(self, line):
        if line not in self.notes:
            self.notes.append(line)

    def conditions(self, number):
        """(hz, recorder) of a round, in the order in which they come."""
        found = [(hz, name) for hz in self.args.hz for name in self.args.recorders
                 if recorders.RECORDERS[name].role != "peer" or number < self.args.peer_rounds]
        random.shuffle(found)
        return found

    def measure(self, name):
        """All rounds of one kind of work."""
        with fixed_work.started(name, self.folder, self.args.build) as work:
            work.play(WARM_MS)
            for number in range(self.args.rounds):
                bare = self.stretch(work)
                for hz, recorder in self.conditions(number):
                    progress(f"round {number + 1} of {self.args.rounds}: {name} at {hz} Hz under "
                             f"{recorder}")
                    bare = self.pair(work, name, hz, recorder, bare)

    def pair(self, work, name, hz, recorder, before):
        """One recording between two bare stretches; the second of them."""
        found = self.found.setdefault((name, hz), {}).setdefault(recorder, [])
        for _ in range(2):
            try:
                figures, under = self.record(work, hz, recorder, judged=not found)
            except recorders.Failed as error:
                self.note(f"{recorder} at {hz} Hz: {error}")
                return before
            after = self.stretch(work)
            disturbed = max(s.steal for s in (before, under, after)) > MOST_STEAL
            if not disturbed:
                break
            self.again += 1
            before = after
        found.append({**figures, **slowdowns(before, under, after)})
        return after

    def stretch(self, work, ms=None):
        return Stretch(work, ms or self.args.ms)

    def record(self, work, hz, name, judged):
        for last in range(TRIES):
            try:
                return self.record_once(work, hz, name, judged)
            except (recorders.Failed, perfdata.Malformed) as error:
                if last == TRIES - 1:
                    raise recorders.Failed(f"failed {TRIES} times: {error}") from error
        return None

    def record_once(self, work, hz, name, judged):
        recorder = recorders.RECORDERS[name]
        with recorders.Recording(recorder, hz, self.args.build, self.folder) as recording:
            recording.settle()
            start = recording.cpu_s()
            work.play(WARM_MS)
            recording.look()
            begun, warm = time.monotonic(), recording.cpu_s()
            under = self.stretch(work)
            under.recorder_s = recording.cpu_s() - warm
            with recorders.bpf_stats():
                work.play(STATS_MS)
                programs = recording.programs()
            recording.look()
            last_s = time.monotonic() - begun
            total = recording.stop()
        if recorder.role == "limit":  # it records nothing, so what it takes itself says nothing
            return {}, under
        counts = recording.read(last_s)
        made = figures_of(counts, programs, start, total - warm, total)
        made.update({"cpu-share": 100 * under.recorder_s / under.passed_s,
                     "memory": recording.peak_kb / 1e3})
        if recording.peak_charged_kb is not None:
            made["memory-cgroup"] = recording.peak_charged_kb / 1e3
        if judged:
            made["whole"] = stacks_whole.share(recording, counts, work.target)
        return made, under


class Stretch:
    """Work that was done; the time it took, or a request of it; the time that passed; what the
    hypervisor took meanwhile, in percent."""

    def __init__(self, work, ms):
        watch, begin = hostfacts.Watch(), time.monotonic()
        self.wall_s, self.cpu_s = work.play(ms)
        self.passed_s, self.steal = time.monotonic() - begin, watch.steal_percent()
        self.recorder_s = 0.0


def slowdowns(before, under, after):
    """In percent; of the CPU time only where the work knows its own."""
    made = {"slowdown": 100 * (2 * under.wall_s / (before.wall_s + after.wall_s) - 1)}
    if under.cpu_s is not None:
        made["slowdown-cpu"] = 100 * (2 * (under.cpu_s + under.recorder_s)
                                      / (before.cpu_s + after.cpu_s) - 1)
    return made


def figures_of(counts, programs, start_s, late_s, total_s):
    """What one recording says of its recorder; a measure that it does not know is not there."""
    made = {"start": start_s * 1e3, "cpu-all": total_s / counts["samples"] * 1e6}
    if counts["late"]:
        made["cpu"] = late_s / counts["late"] * 1e6
    if counts["bytes"] is not None:
        made["bytes"] = counts["bytes"] / counts["samples"]
    for key in ("lost", "unaccounted"):
        if counts.get(key) is not None:
            made[key] = counts[key]
    if counts.get("expected"):
        made["blind"] = 100 * counts["blind"] / counts["expected"]
    runs = sum(p.runs for p in programs)
    if runs:
        made["bpf"] = sum(p.ns for p in programs) / runs
    return made


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def write_rows(bench, result):
    """In the order of the options; found is in the order of chance."""
    args = bench.args
    for work, hz, name in itertools.product(args.work, args.hz, args.recorders):
        rounds = bench.found.get((work, hz), {}).get(name, [])
        recorder = recorders.RECORDERS[name]
        for measure, (unit, better) in MEASURES.items():
            values = [r[measure] for r in rounds if r.get(measure) is not None]
            if values:
                result.row(f"{work}@{hz}", name, recorder.role, measure, unit, better, values,
                           recorder.about)


def unsure(rows):
    """A line on slowdowns of ours that may be off by more than half a percent, or None."""
    wide = 0
    for row in rows:
        if row["measure"] == "slowdown" and row["role"] == "ours":
            _, low, high = summary.estimate(row)
            wide += high - low > 2 * PRECISION
    return f"{wide} slowdowns of profiler are not known to {PRECISION} %: --rounds, or a machine " \
        "that does nothing else" if wide else None


def drop_missing(bench):
    """Takes from the options what this machine cannot do, and says so."""
    args = bench.args
    for name in list(args.work):
        if fixed_work.missing(name):
            bench.note(f"{name} is left out: {' and '.join(fixed_work.missing(name))} missing; "
                       "make deps-bench installs it")
            args.work.remove(name)
    for name in list(args.recorders):
        command = recorders.missing(recorders.RECORDERS[name], args.build)
        if command:
            bench.note(f"{name} is left out: {command} is missing; make deps-bench installs it")
            args.recorders.remove(name)
    with open(RATE_LIMIT) as f:
        limit = int(f.read())
    for hz in [hz for hz in args.hz if hz > limit]:
        bench.note(f"{hz} Hz is left out: kernel.perf_event_max_sample_rate is {limit}; raise it "
                   "with sysctl")
        args.hz.remove(hz)


def listed(known, kind=str):
    def parse(text):
        words = [kind(word) for word in text.split(",")]
        for word in words:
            if known and word not in known:
                raise argparse.ArgumentTypeError(f"no '{word}', there are: {', '.join(known)}")
        return words
    return parse


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", help="write the result here")
    parser.add_argument("--svg", help="write the plot here; BUILD/overhead.svg by default")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=listed(fixed_work.NAMES))
    parser.add_argument("--recorders", type=listed(recorders.RECORDERS))
    parser.add_argument("--hz", type=listed((), int))
    for name in ("--rounds", "--peer-rounds", "--ms"):
        parser.add_argument(name, type=int)
    args = parser.parse_args()
    for key, value in (FULL if args.full else QUICK).items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    args.svg = args.svg or os.path.join(args.build, "overhead.svg")
    return args


def main():
    args = options()
    if os.geteuid() != 0:
        fail("system-wide recording needs root")
    if recorders.missing(recorders.RECORDERS["profiler"], args.build):
        fail(f"{args.build}/bin/profiler is missing; make build makes it")
    recorders.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers are ended, files go
    with suite.Suite("overhead", args.build, args.json) as result, \
            tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        bench = Bench(args, folder)
        drop_missing(bench)
        for name in args.work:
            try:
                bench.measure(name)
            except fixed_work.Failed as error:
                bench.note(f"{name}: {error}")
        progress("")
        write_rows(bench, result)
        if bench.again:
            bench.note(f"{bench.again} pairs were measured again: the hypervisor took more than "
                       f"{MOST_STEAL} % of a stretch")
        bench.notes += filter(None, [unsure(result.rows)])
        for line in bench.notes:
            result.note(line)
        if not result.rows:
            fail("; ".join(bench.notes) or "nothing to measure")
    overhead_table.show(result.rows, result.notes)
    with open(args.svg, "w", encoding="utf-8") as f:
        f.write(overhead_plot.svg(result.rows))
    print(f"plot: {args.svg}")


def fail(message):
    print(f"overhead: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()

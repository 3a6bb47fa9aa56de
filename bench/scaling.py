#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scaling.py - what a recording costs as the machine grows: threads, processes, stacks, rate, CPUs.

    bench/scaling.py [--build DIR] [--json FILE] [--full] [--vm] [--only SERIES[,SERIES]]
                     [--cpus N] [--hz N]

Each series is recordings under loads that differ in one size (bench/workloads/crowd, all CPUs
busy): the number of threads, of processes, of distinct stacks, of frames of a stack, and the rate.
`rounds` is the recorder's drain thread over more CPUs than there are here, its rings in plain
memory (bench/scaling_rounds.c). `cpus`, with --vm, is guests of more CPUs (bench/scaling_guest.py).
Needs root.

    cpu      us a sample, recorder and jail, in steady state: without start and end
    drain    ns a sample of the drain thread alone, which is the one that does not divide
    bpf      ns a run of the sampling program (kernel.bpf_stats_enabled, which adds some itself)
    start    ms of CPU time of recorder and jail until all of the load was seen once
    memory   MB of recorder and jail, counted as bench/lib/recorders.py does
    bytes    of the stream by sample, start and definitions included
    whole    % of user stacks that reach the outermost frame; those of a process's first samples,
             before it is known, are in it
    dropped  samples, in all of the recording

After each series is what its costs do as the size grows: the exponent of a power law with its 95 %
interval, the same between the two largest sizes, and how many times more the largest costs than the
smallest (bench/scaling_fit.py); "GROWS" where a cost does that should not. At the end is what is
full first on a machine of --cpus CPUs at --hz, on paper (bench/scaling_model.py). --full has more
sizes and three rounds of each; without it all takes about 90 s. Exit status 2: cannot measure.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib"), HERE]

import recorders  # noqa: E402
import scaling_fit  # noqa: E402
import scaling_guest  # noqa: E402
import scaling_model  # noqa: E402
import scaling_point  # noqa: E402
import suite  # noqa: E402
import summary  # noqa: E402
from scaling_point import CannotMeasure  # noqa: E402

HZ = 2000        # where the rate is not what differs
GUEST_HZ = 100
LOAD_S = 600     # it is ended before
SLICE_S = 0.0005 # of a turn of bench/workloads/crowd
WINDOWS, WINDOW_S = 3, 0.7
FULL_ROUNDS = 3
ROUNDS = 5       # of scaling_rounds
ROUND_SAMPLES = 1000  # of a ring: 10 kHz
ALONE = 90       # % of the samples that the load should have
WRITE_BYTES, WRITES = 64 << 10, 1024

# What a size is passed as; sizes of the default and of --full; and what of it may grow with the
# size, for that is what there is more of.
Series = collections.namedtuple("Series", "name what option quick full may_grow")
MEMBERS = ("threads", "processes")  # as many as the size says take turns
SERIES = (
    Series("threads", "threads that take turns", "--threads", (2, 100, 2000),
           (2, 20, 200, 2000, 10000), ("start", "memory", "bytes")),
    Series("processes", "processes that take turns", "--processes", (2, 100, 2000),
           (2, 20, 200, 1000, 5000), ("start", "memory", "bytes")),
    Series("stacks", "distinct stacks", "--stacks", (10, 1000, 100000),
           (10, 100, 1000, 10000, 100000), ("memory", "bytes")),
    Series("frames", "calls on each stack", "--frames", (10, 60, 300), (10, 30, 100, 200, 400),
           ("bpf", "memory", "bytes")),
    Series("hz", "samples a second of each CPU", None, (100, 500, 2000, 10000),
           (100, 200, 500, 1000, 2000, 5000, 10000), ("memory",)),
)
ROUND_CPUS = {False: (2, 16, 64, 256), True: (2, 4, 8, 16, 32, 64, 128, 256, 512)}
GUEST_CPUS = (2, 4, 8, 16)

Measure = collections.namedtuple("Measure", "name unit")
MEASURES = (Measure("cpu", "us/sample"), Measure("drain", "ns/sample"), Measure("bpf", "ns/run"),
            Measure("start", "ms"), Measure("memory", "MB"), Measure("bytes", "B/sample"),
            Measure("whole", "%"), Measure("dropped", "samples"))
GUEST_MEASURES = (Measure("memory", "MB"), Measure("files", "files"), Measure("bytes", "B/sample"),
                  Measure("dropped", "samples"))
ROUND_MEASURES = (Measure("ns_per_sample", "ns/sample"), Measure("ns_per_empty_round", "ns/round"),
                  Measure("ns_per_record", "ns/record"),
                  Measure("writer_ns_per_sample", "ns/sample"), Measure("dropped", "samples"))


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Found:
    """{series: {size: {measure: [values]}}}, and what of it is written."""

    def __init__(self):
        self.by = collections.OrderedDict()

    def add(self, series, size, figures):
        to = self.by.setdefault(series, {}).setdefault(size, {})
        for key, values in figures.items():
            to.setdefault(key, []).extend(values)

    def column(self, series, measure):
        return {size: row[measure] for size, row in self.by.get(series, {}).items()
                if measure in row}


# Measuring

def one_point(args, series, size, folder):
    argv = [os.path.join(args.build, "workloads/crowd"), "-d", str(LOAD_S)]
    if series.option:
        argv += [series.option, str(size)]
    load = scaling_point.Load(argv)
    members = size if series.name in MEMBERS else 0
    try:
        return scaling_point.record(args.build, HZ if series.option else size,
                                    os.path.join(folder, "scaling.prof"),
                                    1.3 * SLICE_S * members / os.cpu_count(), WINDOWS, WINDOW_S)
    finally:
        load.end()


def measure_series(args, found, wanted, folder):
    for turn in range(FULL_ROUNDS if args.full else 1):
        for series in wanted:
            for size in series.full if args.full else series.quick:
                progress(f"scaling: round {turn + 1}, {size} {series.what}")
                found.add(series.name, size, one_point(args, series, size, folder))


def measure_rounds(args, found, folder):
    for cpus in ROUND_CPUS[args.full]:
        progress(f"scaling: rounds over {cpus} CPUs")
        run = subprocess.run([os.path.join(args.build, "bench/scaling_rounds"), str(cpus),
                              str(ROUND_SAMPLES), str(ROUNDS), os.path.join(folder, "rounds")],
                             capture_output=True, text=True)
        if run.returncode:
            raise CannotMeasure(run.stderr.strip() or "scaling_rounds failed")
        figures = json.loads(run.stdout)
        found.add("rounds", cpus, {m.name: figures[m.name] if isinstance(figures[m.name], list)
                                   else [figures[m.name]] for m in ROUND_MEASURES})


def measure_guests(args, found, result):
    try:
        for cpus in GUEST_CPUS:
            progress(f"scaling: a guest of {cpus} CPUs")
            found.add("cpus", cpus, scaling_guest.outside(args.build, cpus, GUEST_HZ))
    except CannotMeasure as error:
        result.note(f"cpus: {error}")
        progress("")
        print(f"scaling: {error}", file=sys.stderr)


def output_bandwidth(folder):
    """Bytes a second that a file here takes, in blocks as the writer's."""
    block = bytes(WRITE_BYTES)
    with open(os.path.join(folder, "output"), "wb", buffering=0) as f:
        begin = time.monotonic()
        for _ in range(WRITES):
            f.write(block)
        return WRITE_BYTES * WRITES / (time.monotonic() - begin)


def median_of(column):
    return {size: summary.median(values) for size, values in column.items()}


def line_of(column):
    return scaling_fit.line([(size, v) for size, values in column.items() for v in values])


def constants(found, output):
    """Of the paper model; None where a series that it needs was left out."""
    rates, rounds = found.by.get("hz", {}), found.by.get("rounds", {})
    if not rates or not rounds:
        return None
    points = [point for row in rates.values() for point in zip(row["samples_s"],
                                                               row["drain_ns_s"])]
    drain, idle = scaling_fit.line(points)
    visit, _ = line_of(found.column("rounds", "ns_per_empty_round"))
    memory = line_of(found.column("cpus", "memory")) if "cpus" in found.by else None
    fastest = rates[max(rates)]
    return scaling_model.Constants(
        drain=drain, idle=max(0.0, idle), visit=visit,
        writer=median_of(found.column("rounds", "writer_ns_per_sample")),
        record=median_of(found.column("rounds", "ns_per_record")),
        bpf=summary.median(fastest["bpf"]), bytes=summary.median(fastest["bytes"]), output=output,
        base_bytes=memory[1] * 1e6 if memory else None,
        each_bytes=memory[0] * 1e6 if memory else None,
        cpus=os.cpu_count(), rounds=median_of(found.column("rounds", "ns_per_sample")))


# Telling

def grows(series, measure, fit):
    """That which should not."""
    return fit.low > scaling_fit.NEGLIGIBLE and measure not in series.may_grow


def cell(value):
    text = summary.digits(value)
    return text if len(text) <= 8 else f"{value:.2g}"


def tell_company(found, result):
    """Whether the machine did other work meanwhile, for that is in all figures too."""
    shares = [v for s in SERIES for row in found.by.get(s.name, {}).values()
              for v in row["load"]]
    if shares and min(shares) < ALONE:
        share = f"the load had only {min(shares):.0f} to {max(shares):.0f} % of the samples"
        print(f"NOT ALONE: {share};\nthe cost of other work is in all figures")
        result.note(f"not alone: {share}; the cost of other work is in all figures")


def print_table(title, sizes, measures, column):
    print(f"\n{title}")
    print(f"{'':8}" + "".join(f"{m.name:>9}" for m in measures))
    print(f"{'':8}" + "".join(f"{m.unit.split('/')[0]:>9}" for m in measures))
    for size in sizes:
        cells = (cell(summary.median(column(m.name)[size])) for m in measures)
        print(f"{size:>8}" + "".join(f"{text:>9}" for text in cells))


def tell_fits(found, result, series, measures):
    """A line for each cost, and its row."""
    for m in measures:
        fit = scaling_fit.power(found.column(series.name, m.name))
        if not fit:
            continue
        flag = "  GROWS" if grows(series, m.name, fit) else ""
        print(f"  {m.name:8} n^{fit.exponent:5.2f} ({fit.low:5.2f} to {fit.high:5.2f})  "
              f"last n^{fit.last:5.2f}  x {fit.growth:.2f}  {fit.verdict}{flag}")
        result.row(series.name, "exponent", "ours", m.name, "", "", [fit.exponent],
                   f"of {series.what}", may_grow=m.name in series.may_grow,
                   **dict(zip(fit._fields[1:], fit[1:])))


def tell_series(found, result, series, measures):
    sizes = sorted(found.by[series.name])
    print_table(f"{series.name}: {series.what}", sizes, measures,
                lambda name: found.column(series.name, name))
    for size in sizes:
        for m in measures:
            result.row(series.name, str(size), "ours", m.name, m.unit,
                       "more" if m.name == "whole" else "less",
                       found.by[series.name][size][m.name])
    tell_fits(found, result, series, measures)


def tell_rounds(found, result):
    short = [Measure(new, old.unit) for old, new in
             zip(ROUND_MEASURES, ("sample", "empty", "record", "writer", "dropped"))]
    series = Series("rounds", "rings that one drain thread reads, in plain memory", None, (), (),
                    ("empty",))
    renamed = Found()
    for cpus, row in found.by["rounds"].items():
        renamed.add("rounds", cpus, {new.name: row[old.name] for old, new in
                                     zip(ROUND_MEASURES, short)})
    tell_series(renamed, result, series, short)


def tell_constants(c):
    rows = (("drain", c.drain, "ns/sample", "slope of the drain thread's CPU time over rates"),
            ("idle", c.idle / 1e6, "ms/s", "the same with no samples"),
            ("visit", c.visit, "ns", "of one more ring in a round: rounds"),
            ("bpf", c.bpf, "ns/run", "at the highest rate"),
            ("bytes", c.bytes, "B/sample", "at the highest rate"),
            ("output", c.output / 1e6, "MB/s", "64 KB writes to a file here"))
    print("\nconstants of the model, as measured in this run")
    for name, value, unit, source in rows:
        print(f"  {name:8} {summary.digits(value):>8} {unit:10} {source}")
    if c.each_bytes is None:
        print("  memory of a CPU: not measured; --vm boots guests of more CPUs for it")
    else:
        print(f"  each     {c.each_bytes / 1e3:8.0f} KB/CPU     guests of {GUEST_CPUS[0]} to "
              f"{GUEST_CPUS[-1]} CPUs, {GUEST_HZ} Hz")


def tell_model(c, result, cpus, hz):
    tell_constants(c)
    print(f"\non paper: {cpus} busy CPUs at {hz:,} Hz, {cpus * hz / 1e6:.2f} million samples/s")
    print(f"  {'':20} {'used':>20} {'part':>8}   full at")
    for line in scaling_model.table(c, cpus, hz):
        full = f"{line.full_at:,} CPUs" if line.full_at else "no number of CPUs"
        print(f"  {line.resource:20} {summary.digits(line.used):>9} {line.unit:10} "
              f"{100 * line.part:6.1f} %   {full}")
        result.row("model", f"{cpus}@{hz}", "ours", line.resource.replace(" ", "-"), "part",
                   "less", [line.part], f"full at {full}")
    megabytes = scaling_model.memory_mb(c, cpus, hz)
    if megabytes is not None:
        print(f"  {'memory':20} {megabytes:9.0f} MB")
        result.row("model", f"{cpus}@{hz}", "ours", "memory", "MB", "less", [megabytes])
    print(f"  beside that the drain thread has time for "
          f"{scaling_model.records_left(c, cpus, hz):,.0f} forks, names and mappings a second")
    known = c._replace(drain=scaling_model.between(c.rounds, c.cpus))
    print("one drain thread is busy all of the time at (in brackets: if it knew all stacks)")
    for n in (16, 64, 256, 1024):
        rate, most = (scaling_model.largest_hz(x, n) for x in (c, known))
        print(f"  {n:6} CPUs {rate:12,.0f} Hz {n * rate / 1e6:8.2f} million samples/s"
              f"   ({most:,.0f} Hz)")
        result.row("model", f"{n}", "ours", "largest-hz", "Hz", "more", [rate], known=most)


def tell(args, found, result, output):
    print(f"{HZ} Hz where the rate is not what differs; {os.cpu_count()} CPUs, all busy; medians")
    tell_company(found, result)
    for series in SERIES:
        if series.name in found.by:
            tell_series(found, result, series, MEASURES)
    if "rounds" in found.by:
        tell_rounds(found, result)
    if "cpus" in found.by:
        guests = Series("cpus", f"CPUs of an emulated guest, {GUEST_HZ} Hz: no times", None, (),
                        (), ("memory", "files"))
        tell_series(found, result, guests, GUEST_MEASURES)
    c = constants(found, output)
    if c:
        tell_model(c, result, args.cpus, args.hz)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", metavar="FILE", help="where the result goes")
    parser.add_argument("--full", action="store_true", help="more sizes, three rounds")
    parser.add_argument("--vm", action="store_true", help="guests of more CPUs, too")
    parser.add_argument("--only", metavar="SERIES", help="just these, with commas between")
    parser.add_argument("--cpus", type=int, default=256, help="of the machine on paper")
    parser.add_argument("--hz", type=int, default=10000, help="and its rate")
    args = parser.parse_args()
    known = [s.name for s in SERIES] + ["rounds"]
    args.only = args.only.split(",") if args.only else known
    for name in args.only:
        if name not in known:
            parser.error(f"no series '{name}'; there are {', '.join(known)}")
    return args


def need(args):
    if os.geteuid() != 0:
        raise CannotMeasure("recording the whole machine needs root")
    for name in ("bin/profiler", "workloads/crowd", "bench/scaling_rounds"):
        if not os.access(os.path.join(args.build, name), os.X_OK):
            raise CannotMeasure(f"{args.build}/{name} is missing; make build makes it")


def measure(args, found, result):
    """What a file takes here, too: bytes a second."""
    wanted = [s for s in SERIES if s.name in args.only]
    with tempfile.TemporaryDirectory(prefix="profiler-scaling-") as folder:
        with recorders.bpf_stats():
            measure_series(args, found, wanted, folder)
        if "rounds" in args.only:
            measure_rounds(args, found, folder)
        if args.vm:
            measure_guests(args, found, result)
        progress("")
        return output_bandwidth(folder)


def main():
    args = arguments()
    found = Found()
    try:
        need(args)
        with suite.Suite("scaling", args.build, args.json) as result:
            output = measure(args, found, result)
            tell(args, found, result, output)
    except CannotMeasure as error:
        progress("")
        print(f"scaling: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

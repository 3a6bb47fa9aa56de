#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""micro.py - pieces of the pipeline beside their peers and limits: time, instructions, memory.

Runs the program `micro` (micro.c), which it builds, as several processes, because how fast code is
also depends on where it happens to lie in memory. In each process the benches of a group take turns
in every round. Instructions are counted by valgrind (callgrind) within run(), as the difference
between a run of N operations and one of 2 N: the same every time, for the same program. Benches with two threads
are not counted so: how long one waits for the other is chance.

    bench/micro/micro.py [--build DIR] [--json FILE] [--group NAME]... [--processes N] [--rounds N]
                         [--ms N] [--no-instructions]

Exit status 1 when a bench came to a wrong result or allocated what it had promised not to, 2 when
nothing could be measured.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
import suite
import summary

COUNTED_NS = 300e3  # of work in the shorter of the two runs that are counted


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--json")
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--ms", type=float, default=3)
    parser.add_argument("--no-instructions", action="store_true")
    return parser.parse_args()


def cannot(why):
    print(f"micro.py: {why}", file=sys.stderr)
    sys.exit(2)


def program(build):
    made = subprocess.run(["cmake", "--build", build, "--target", "micro"], capture_output=True,
                          text=True)
    path = os.path.join(build, "bench", "micro", "micro")
    if made.returncode or not os.path.exists(path):
        cannot(f"cannot build 'micro' in {build}: {(made.stdout + made.stderr)[-300:].strip()}")
    return path


def say(what):
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def run(micro, args):
    """What each process found: a list of lists of benches, in the same order."""
    command = [micro, "--json", "--rounds", str(args.rounds), "--ms", str(args.ms)]
    for group in args.group:
        command += ["--group", group]
    found = []
    for i in range(args.processes):
        say(f"micro: process {i + 1} of {args.processes}")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            found.append(json.loads(done.stdout))
        except ValueError:
            cannot(done.stderr.strip() or f"micro ended with status {done.returncode}")
        if not found[-1]["benches"]:
            cannot(done.stderr.strip())
    say("")
    return found


def collected(micro, name, ops):
    """(operations, instructions) of a run under callgrind; None when it does not run there."""
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           "--collect-atstart=no", "--toggle-collect=counted_run*", micro,
                           "--once", name, str(ops)], capture_output=True, text=True)
    count = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not count:
        return None
    return int(done.stdout), int(count.group(1))


def instructions(micro, bench):
    """Per operation, or None."""
    name = f"{bench['group']}/{bench['name']}"
    ops = max(1, int(COUNTED_NS / max(summary.median(bench["ns"]), 1e-3)))
    first = collected(micro, name, ops)
    while first:
        second = collected(micro, name, ops * 2)
        if not second:
            return None
        if second[0] > first[0]:
            return (second[1] - first[1]) / (second[0] - first[0])
        ops *= 2  # both were the same number of whole rounds
    return None


def together(found, index):
    """The bench of that index over all processes: the first one's, with lists of them all."""
    parts = [process["benches"][index] for process in found]
    bench = dict(parts[0])
    for part in parts:
        for key in ("failed", "skipped"):
            if key in part:
                return part
    for key in ("ns", "cycles"):
        if key in bench:
            bench[key] = [value for part in parts for value in part[key]]
    bench["process"] = [i for i, part in enumerate(parts) for _ in range(len(part["ns"]))] \
        if "ns" in bench else []
    bench["allocations"] = max(part["allocations"] for part in parts)
    bench["figures"] = [dict(figure, values=[value for part in parts
                                             for value in part["figures"][i]["values"]])
                        for i, figure in enumerate(bench["figures"])]
    bench["disturbed"] = sum(part["disturbed"] for part in parts)
    return bench


def put(result, bench):
    """The rows of one bench."""
    fields = (bench["group"], bench["name"], bench["role"])
    for figure in bench["figures"]:
        result.row(*fields, figure["name"], figure["unit"], "less", figure["values"],
                   bench["about"])
    if "op" not in bench:
        return
    per = "/" + bench["op"]
    result.row(*fields, "time", "ns" + per, "less", bench["ns"], bench["about"],
               process=bench["process"], disturbed=bench["disturbed"])
    if "cycles" in bench:
        result.row(*fields, "cycles", "cycles" + per, "less", bench["cycles"],
                   process=bench["process"])
    if bench.get("counted") is not None:
        result.row(*fields, "instructions", "instructions" + per, "less", bench["counted"])
    result.row(*fields, "allocations", "allocations" + per, "less", bench["allocations"],
               promised=bench["promised"])
    if bench["bytes"]:
        result.row(*fields, "bytes", "bytes" + per, "", bench["bytes"])


def show_time(bench, ours):
    row = {"values": bench["ns"], "extra": {"process": bench["process"]}}
    median, low, high = summary.estimate(row)
    counted = bench.get("counted")
    times = f"{median / ours:7.2f}" if ours else " " * 7
    print(f"  {bench['name']:18} {median:9.3f} {low:8.3f} {high:8.3f}"
          f" {'' if counted is None else format(counted, '.1f'):>8}"
          f" {bench['bytes']:7.1f} {bench['allocations']:6.2f} {times}")


def show(group, benches):
    """A table of one group; 80 columns."""
    ours = [bench for bench in benches if bench["name"] == "profiler" and "ns" in bench]
    base = summary.median(ours[0]["ns"]) if ours else 0
    ops = {bench["op"] for bench in benches if "op" in bench}
    if ops:
        print(f"{group + ', per ' + ops.pop():20} {'ns':>9} {'from':>8} {'to':>8} {'instr':>8}"
              f" {'bytes':>7} {'allocs':>6} {'x ours':>7}")
    else:
        print(group)
    for bench in benches:
        why = bench.get("failed") or bench.get("skipped")
        if why:
            print(f"  {bench['name']:20} {'FAILED' if 'failed' in bench else 'left out'}: {why}")
            continue
        if "ns" in bench:
            show_time(bench, base)
        else:
            print(f"  {bench['name']}: {bench['about']}")
        if bench["figures"]:
            print("    " + ", ".join(f"{f['name']} {summary.median(f['values']):.0f} {f['unit']}"
                                     for f in bench["figures"]).replace(" ns,", ","))


def main():
    args = arguments()
    micro = program(args.build)
    counting = not args.no_instructions and shutil.which("valgrind")
    failed = False
    with suite.Suite("micro", args.build, args.json) as result:
        found = run(micro, args)
        if not found[0]["counters"]:
            result.note("cycles: this machine lends no hardware counters")
        if not counting:
            result.note("instructions: not counted" + ("" if args.no_instructions else
                                                       " (valgrind is not installed)"))
        result.note("frequency by timed additions, MHz: "
                    + ", ".join(f"{p['mhz_before']:.0f}" for p in found))
        groups = {}
        for index in range(len(found[0]["benches"])):
            bench = together(found, index)
            groups.setdefault(bench["group"], []).append(bench)
            why = bench.get("failed") or bench.get("skipped")
            if why:
                failed |= "failed" in bench
                result.note(f"{bench['group']}/{bench['name']}: {why}")
                continue
            if counting and "ns" in bench and bench["threads"] == 1:
                say(f"micro: counting instructions of {bench['group']}/{bench['name']}")
                bench["counted"] = instructions(micro, bench)
            put(result, bench)
        say("")
        for group, benches in groups.items():
            show(group, benches)
        for note in result.notes:
            print(note)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

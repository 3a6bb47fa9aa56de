#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools.py - how long the tools take for a large stream, and how much memory.

    bench/tools.py [--build DIR] [--samples N] [--stacks N] [--peer-samples N] [--runs N]
                   [--json FILE]

A stream of 10 million samples and 100,000 stacks (bench/make_big.c) goes through profiler-report,
profiler-folded and profiler-pprof; each has to take less than 3 s and 200 MB (the best of some
runs, for the machine may have other things to do). Then fewer of the same samples are written as
a stream and as a perf.data: profiler-folded has to be 10 times faster than `perf script` and a
fold of what that prints, in awk, and both have to find the same stacks as often.

Exit status 1 when something is slower or larger, 2 when it cannot be measured.
"""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import suite  # noqa: E402

FUNCTIONS = 1000
SECONDS = 3
MEGABYTES = 200
FASTER = 10
# What perf prints of a sample, in one line; leaf first.
FOLD = r"""
/^[^ \t]/ { comm = $1; next }
/^[ \t]/ { stack = ";" $NF stack; next }
{ if (stack != "") count[comm stack]++; stack = "" }
END { if (stack != "") count[comm stack]++; for (s in count) print s, count[s] }
"""


def make_library(folder):
    """A library of so many functions, 64 bytes each; its path and the offset of the first."""
    source, path = os.path.join(folder, "big.s"), os.path.join(folder, "libbig.so")
    with open(source, "w", encoding="ascii") as out:
        out.write(".section .text\n")
        for i in range(FUNCTIONS):
            name = f"function_{i}"
            out.write(f".p2align 6\n.globl {name}\n.type {name}, @function\n{name}:\n"
                      f".skip 64\n.size {name}, 64\n")
    subprocess.run(["gcc", "-shared", "-nostdlib", "-Wl,--build-id=none", "-o", path, source],
                   check=True)
    sections = subprocess.run(["readelf", "-SW", path], check=True, capture_output=True,
                              text=True).stdout
    offset = re.search(r" \.text +PROGBITS +[0-9a-f]+ ([0-9a-f]+)", sections).group(1)
    return path, "0x" + offset


def timed(command, out, stdin=None):
    """(seconds, seconds of CPU time, MB); what it prints goes to a file."""
    with open(out, "wb") as to, open(os.devnull, "wb") as nothing:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=stdin, stdout=to, stderr=nothing)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
    if status:
        sys.exit(f"tools: {' '.join(command)} failed: {status}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def best(command, out, runs, result, group):
    """The fastest of some runs, all of which are rows of the result."""
    found = [timed(command, out) for _ in range(runs)]
    seconds, cpu, megabytes = zip(*found)
    result.row(group, "profiler", "ours", "seconds", "s", "less", seconds)
    result.row(group, "profiler", "ours", "cpu", "s", "less", cpu)
    result.row(group, "profiler", "ours", "memory", "MB", "less", megabytes)
    return min(found)


def make(args, folder, kind, samples, library, name):
    path = os.path.join(folder, name)
    seconds, _, _ = timed([os.path.join(args.build, "bench/make_big"), kind, str(samples),
                           str(args.stacks), *library], path)
    print(f"{name}: {samples:,} samples, {os.path.getsize(path) / 1e6:,.0f} MB, "
          f"made in {seconds:.1f} s", flush=True)
    return path


def measure_tools(args, folder, library, result):
    stream = make(args, folder, "stream", args.samples, library, "big.prof")
    good = True
    print(f"\n{'':20} {'seconds':>9} {'CPU time':>9} {'MB':>6}   want < {SECONDS} s, "
          f"< {MEGABYTES} MB")
    for tool in ("report", "folded", "pprof"):
        out = os.path.join(folder, "out." + tool)
        seconds, cpu, megabytes = best([os.path.join(args.build, f"bin/profiler-{tool}"), stream],
                                       out, args.runs, result, tool)
        fits = seconds < SECONDS and megabytes < MEGABYTES
        good &= fits
        print(f"profiler-{tool:11} {seconds:9.2f} {cpu:9.2f} {megabytes:6.0f}   "
              f"{'' if fits else 'TOO MUCH'}", flush=True)
    os.unlink(stream)
    return good


def read_folded(path):
    counts = collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            stack, _, count = line.rpartition(" ")
            counts[stack] += int(count)
    return counts


def compare_perf(args, folder, library, result):
    if not shutil.which("perf"):
        result.note("perf is not installed (make deps-bench): not compared")
        print("\n" + result.notes[-1])
        return True
    print()
    stream = make(args, folder, "stream", args.peer_samples, library, "peer.prof")
    data = make(args, folder, "perf", args.peer_samples, library, "peer.data")
    ours, theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
    seconds, _, megabytes = best([os.path.join(args.build, "bin/profiler-folded"), stream], ours,
                                 args.runs, result, "fold-peer")
    pipe = f"perf script -i {data} -F comm,ip,sym | awk '{FOLD}'"
    peer, peer_cpu, peer_megabytes = timed(["sh", "-c", pipe], theirs)
    result.row("fold-peer", "perf-script", "peer", "seconds", "s", "less", peer, "perf script | awk")
    result.row("fold-peer", "perf-script", "peer", "cpu", "s", "less", peer_cpu)
    result.row("fold-peer", "perf-script", "peer", "memory", "MB", "less", peer_megabytes)
    same = read_folded(ours) == read_folded(theirs)
    print(f"\n{'':20} {'seconds':>9} {'MB':>6}   want {FASTER} times faster, the same stacks")
    print(f"profiler-folded      {seconds:9.2f} {megabytes:6.0f}")
    print(f"perf script | awk    {peer:9.2f} {peer_megabytes:6.0f}   {peer / seconds:.0f} times; "
          f"{'the same stacks' if same else 'OTHER STACKS'}")
    return same and peer >= FASTER * seconds


def main():
    parser = argparse.ArgumentParser(description="how long the tools take for a large stream")
    parser.add_argument("--build", default="build")
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--stacks", type=int, default=100_000)
    parser.add_argument("--peer-samples", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", help="write the result here")
    args = parser.parse_args()
    if not os.access(os.path.join(args.build, "bench/make_big"), os.X_OK):
        print(f"tools: {args.build}/bench/make_big is missing; build first (make build)",
              file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="profiler-tools-") as folder, \
            suite.Suite("tools", args.build, args.json) as result:
        library = make_library(folder)
        good = measure_tools(args, folder, library, result)
        good &= compare_perf(args, folder, library, result)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

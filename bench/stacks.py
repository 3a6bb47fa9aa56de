#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stacks.py - how whole user stacks of Debian's programs are, and what they cost; perf beside.

Each program of bench/debian_mix.py works, and three recorders sample the whole machine one after
the other, at the same rate, for the same time:

    profiler       as it comes
    perf -g        perf record -g: follows frame pointers
    perf dwarf     perf record --call-graph dwarf: copies 8 KB of stack with each sample

    bench/stacks.py [--build DIR] [--programs LIST] [--recorders LIST] [--seconds N] [--hz N]
                    [--json FILE] [--ends N]

A table with a line for each program and recorder, and the targets at the end; exit status 1 when
one is missed. `depth` has stacks of exactly 20 frames and is not in the mix. Needs root and
make deps-bench.

When is a stack complete?
  When its outermost frame is in code of which the file's own call frame information says that it
  has no return address (DW_CFA_undefined), which is so in _start, clone and clone3, and in nothing
  that is called; or is the entry point of the dynamic linker. Not by names, for these functions
  have none in a stripped C library. The rule is the same for all recorders, and for node, whose
  generated code lies between such functions and others. bench/outermost.py has it in full.

What is measured
  stacks     user stacks of the program's processes: all their samples but those that have no user
             stack, in exec and exit
  complete   the part of them that is, in percent
  frames     their median number of user frames
  lost       samples of the whole recording that the recorder says it lost: profiler's dropped and
             blind ones, perf's LOST records. Also profiler's samples without a stack for want of
             room in the ring. perf does not count what it is not told of
  B/sample   size of the file by all samples of the recording
  CPU        user and system time of the recorder, its start and end and its child processes
             included, by all samples. What perf puts off until perf script is not in it
  BPF        the kernel's own statistics of the sampling program (kernel.bpf_stats_enabled)
  MB         the largest of the recorder's and its children's memory together, counted as
             bench/lib/recorders.py does
"""
import argparse
import collections
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "lib"), os.path.join(HERE, "../tests/live")]

import debian_mix  # noqa: E402
import outermost  # noqa: E402
import recorders  # noqa: E402
import stream  # noqa: E402
import suite  # noqa: E402

SCRIPT_LIMIT_S = 300
KERNEL = 1 << 63
FILES = outermost.Files()

Frame = collections.namedtuple("Frame", "kind path offset")
Sample = collections.namedtuple("Sample", "pid process user kernel")


# Recording

def record(argv, seconds, log):
    """Runs a recorder. CPU s and peak KB of it and its children, its BPF programs."""
    begin, looked = time.monotonic(), False
    peak, seen, pids, cpu = 0, [], set(), 0.0
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=log)
    while True:
        pid, child.returncode, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        kin = recorders.family(child.pid)
        pids.update(kin[1:])
        peak = max(peak, recorders.memory(*kin))
        if not looked and time.monotonic() - begin > 0.8 * seconds:
            seen = recorders.programs(kin)
            looked = True
        time.sleep(0.1)
    cpu += usage.ru_utime + usage.ru_stime
    for pid in pids:  # those it did not wait for are ours now
        with contextlib.suppress(ChildProcessError):
            _, _, usage = os.wait4(pid, 0)
            cpu += usage.ru_utime + usage.ru_stime
    return cpu, peak, seen


def figures(cpu, peak, seen, path, samples, lost):
    runs = sum(p.runs for p in seen)
    return {"all_samples": len(samples), "lost": lost, "kb": peak,
            "bytes": os.path.getsize(path) / max(1, len(samples)),
            "cpu_us": cpu / max(1, len(samples)) * 1e6,
            "bpf_ns": sum(p.ns for p in seen) / runs if runs else None}


def by_profiler(args, work):
    path = os.path.join(work, "x.prof")
    argv = [os.path.join(args.build, "bin/profiler"), "-a", "-e", "cpu-clock", "--hz",
            str(args.hz), "-d", str(args.seconds), "-o", path]
    with recorders.bpf_stats(), open(os.path.join(work, "log"), "w") as log:
        cost = record(argv, args.seconds, log)
    s = stream.read(path)
    samples = [Sample(x.pid, x.process, [Frame(f.kind, f.path, f.offset) for f in x.user],
                      [f.function for f in x.kernel]) for x in s.samples]
    lost = s.final.dropped() + max(0, s.final.sum("blind")) if s.final else 0
    lost += sum(bool(x.flags & stream.USER_LOST) for x in s.samples)
    return figures(*cost, path, samples, lost), samples


def perf(args, work, how):
    """perf 6.1 aborts now and then, over BPF programs that came and went: then again."""
    path, log = os.path.join(work, "perf.data"), os.path.join(work, "log")
    argv = ["perf", "record", "--no-bpf-event", "-a", *how, "-F", str(args.hz), "-e", "cpu-clock",
            "-o", path, "--", "sleep", str(args.seconds)]
    for _ in range(3):
        with open(log, "w") as f:
            cost = record(argv, args.seconds, f)
        with open(log) as f:
            text = f.read()
        if re.search(r"\(\d+ samples\)", text) and "assertion" not in text:
            samples, lost = perf_samples(path)
            return figures(*cost, path, samples, lost), samples
    sys.exit(f"stacks: perf record failed three times:\n{text}")


def by_frame_pointers(args, work):
    return perf(args, work, ["-g"])


def by_dwarf(args, work):
    return perf(args, work, ["--call-graph", "dwarf"])


RECORDERS = {"profiler": by_profiler, "perf -g": by_frame_pointers, "perf dwarf": by_dwarf}


# Reading perf script

def perf_samples(path):
    """What perf script makes of a file, and how many samples were lost."""
    argv = ["perf", "script", "-i", path, "--no-inline", "--show-task-events",
            "--show-lost-events", "-F", "comm,pid,tid,time,ip,sym,dso"]
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        subprocess.run(argv, stdout=out, stderr=subprocess.DEVNULL, timeout=SCRIPT_LIMIT_S)
        out.seek(0)
        return parse_script(out)


def parse_script(lines):
    samples, names, lost = [], {}, 0
    for line in lines:
        if line[0] in "\t " and line.strip():
            if samples:
                add_frame(samples[-1], line)
            continue
        head = re.match(r"(.*?)\s+(-?\d+)/(-?\d+)\s+\d+\.\d+:\s*(.*)", line)
        if not head:
            continue
        comm, pid, tid, rest = head[1].strip(), int(head[2]), int(head[3]), head[4]
        if not rest:
            process = comm if pid == tid else names.get(pid, comm)
            samples.append(Sample(pid, process, [], []))
        elif rest.startswith("PERF_RECORD_COMM"):
            name = re.match(r"PERF_RECORD_COMM[^:]*: (.*):(\d+)/(\d+)", rest)
            if name and name[2] == name[3]:
                names[int(name[2])] = name[1]
        elif rest.startswith("PERF_RECORD_FORK"):
            fork = re.match(r"PERF_RECORD_FORK\((\d+):\d+\):\((\d+):\d+\)", rest)
            if fork and fork[1] != fork[2]:
                names[int(fork[1])] = names.get(int(fork[2]), "")
        elif rest.startswith("PERF_RECORD_LOST"):
            lost += int(re.search(r"lost (\d+)", rest)[1])
    return samples, lost


def add_frame(sample, line):
    """perf prints offsets in the file for addresses in files."""
    ip, rest = line.split(None, 1) if " " in line.strip() else (line.strip(), "")
    name, _, dso = rest.rstrip().rpartition(" (")
    ip, dso = int(ip, 16), dso.rstrip(")").removesuffix(" (deleted)")
    if ip >= KERNEL:
        sample.kernel.append(name)
    elif dso.startswith("/") and not dso.startswith(("//anon", "/tmp/perf-", "/memfd:")):
        sample.user.append(Frame("FILE", dso, ip))
    else:
        sample.user.append(Frame("VDSO" if dso == "[vdso]" else "ANON", dso, ip))


# Judging

def complete(sample):
    first = sample.user[-1]
    return first.kind == "FILE" and FILES.begins_at(first.path, first.offset)


def end_of(sample):
    """Where a stack that is not complete ends, in words."""
    if not sample.user:
        return "no user frame" + (f", in {sample.kernel[0]}" if sample.kernel else "")
    first = sample.user[-1]
    if first.kind != "FILE":
        return f"{first.path or first.kind} after {len(sample.user)} frames" \
            if first.kind == "VDSO" else f"{first.kind.lower()} code"
    return f"{os.path.basename(first.path)} {FILES.name(first.path, first.offset)}"


def judge(samples, target):
    mine = [s for s in samples if target.has(s.pid, s.process)
            and not any(outermost.NO_STACK.search(f) for f in s.kernel)]
    whole = [s for s in mine if s.user and complete(s)]
    ends = collections.Counter(end_of(s) for s in mine if not s.user or not complete(s))
    return {"stacks": len(mine), "complete": len(whole),
            "frames": statistics.median([len(s.user) for s in mine] or [0]),
            "ends": ends.most_common(20)}


# The table

HEAD = ("program", "recorder", "stacks", "complete", "frames", "lost", "B/sample", "CPU us",
        "BPF ns", "MB")
LINE = "{:9} {:10} {:>7} {:>9} {:>6} {:>7} {:>9} {:>8} {:>7} {:>6}"


def share(row):
    return 100 * row["complete"] / row["stacks"] if row["stacks"] else float("nan")


def show(name, recorder, row):
    bpf = f"{row['bpf_ns']:.0f}" if row["bpf_ns"] else ""
    print(LINE.format(name, recorder, row["stacks"], f"{share(row):.2f} %", f"{row['frames']:.0f}",
                      row["lost"], f"{row['bytes']:.1f}", f"{row['cpu_us']:.1f}", bpf,
                      f"{row['kb'] / 1e3:.1f}"), flush=True)


def total(rows, recorder):
    """All programs of the mix together; depth is none of them."""
    mine = [r[recorder] for name, r in rows.items() if name != "depth" and recorder in r]
    if not mine:
        return None
    count = sum(r["all_samples"] for r in mine)
    row = {k: sum(r[k] for r in mine) for k in ("stacks", "complete", "lost")}
    row.update({k: sum(r[k] * r["all_samples"] for r in mine) / max(1, count)
                for k in ("bytes", "cpu_us")})
    bpf = [r["bpf_ns"] for r in mine if r["bpf_ns"]]
    return {**row, "frames": statistics.median(r["frames"] for r in mine),
            "kb": max(r["kb"] for r in mine), "bpf_ns": statistics.mean(bpf) if bpf else None}


def targets(rows, args):
    """[(what, value, target, met)]: those that can be said of what was recorded."""
    ours, dwarf = total(rows, "profiler"), total(rows, "perf dwarf")
    found = []
    if ours:
        found.append(("user stacks complete, mix, %", share(ours), ">= 99", share(ours) >= 99))
        found.append(("peak memory, mix, MB", ours["kb"] / 1e3, "< 20", ours["kb"] < 20e3))
    if ours and dwarf:
        cpu, size = ours["cpu_us"] / dwarf["cpu_us"], ours["bytes"] / dwarf["bytes"]
        found.append((f"CPU a sample by perf dwarf's, at {args.hz} Hz", cpu, "<= 0.1", cpu <= 0.1))
        found.append(("bytes a sample by perf dwarf's", size, "<= 0.005", size <= 0.005))
    deep = rows.get("depth", {}).get("profiler")
    if deep and deep["bpf_ns"]:
        us = deep["bpf_ns"] / 1e3
        found.append((f"BPF program at {deep['frames']:.0f} frames, us a sample", us, "<= 2",
                      us <= 2 and deep["frames"] == 20))
    return found


def add_rows(result, group, recorder, row):
    """A line of the table as rows of the result."""
    name, role = (recorder, "ours") if recorder == "profiler" else \
        (recorder.replace(" -g", "-fp").replace(" ", "-"), "peer")
    for measure, unit, better, value in (
            ("complete", "%", "more", share(row)), ("frames", "", "", row["frames"]),
            ("lost", "samples", "less", row["lost"]), ("bytes", "B/sample", "less", row["bytes"]),
            ("cpu", "us/sample", "less", row["cpu_us"]), ("bpf", "ns/sample", "less", row["bpf_ns"]),
            ("memory", "MB", "less", row["kb"] / 1e3)):
        if value is not None and value == value:
            result.row(group, name, role, measure, unit, better, value)


def report(rows, args, result):
    for recorder in args.recorders:
        row = total(rows, recorder)
        if row:
            show("the mix", recorder, row)
            add_rows(result, "mix", recorder, row)
    found = targets(rows, args)
    print()
    for what, value, target, met in found:
        print(f"{what:48} {value:>10.4g}   {target:>8} {'ok' if met else 'MISSED'}")
    if args.ends and "profiler" in args.recorders:
        print("\nwhere profiler's other stacks end:")
        for name, row in rows.items():
            for end, count in row["profiler"]["ends"][:args.ends]:
                print(f"{name:9} {count:>7}  {end}"[:100])
    return all(met for *_, met in found)


def listed(known):
    def parse(text):
        names = text.split(",")
        for n in names:
            if n not in known:
                raise argparse.ArgumentTypeError(f"no '{n}', there are: {', '.join(known)}")
        return names
    return parse


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--programs", type=listed(debian_mix.PROGRAMS),
                        default=list(debian_mix.PROGRAMS))
    parser.add_argument("--recorders", type=listed(RECORDERS), default=list(RECORDERS))
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--hz", type=int, default=1000)
    parser.add_argument("--ends", type=int, default=3, metavar="N",
                        help="for each program, the N most common ends of incomplete stacks")
    parser.add_argument("--json", help="write the result here")
    return parser.parse_args()


def measure(args, result):
    """Prints the table; whether the targets are met."""
    rows = collections.defaultdict(dict)
    with tempfile.TemporaryDirectory(prefix="stacks-") as work:
        for name in args.programs:
            with debian_mix.started(name, work, args.build) as target:
                time.sleep(0.5)
                for recorder in args.recorders:
                    row, samples = RECORDERS[recorder](args, work)
                    row.update(judge(samples, target))
                    rows[name][recorder] = row
                    show(name, recorder, row)
                    add_rows(result, name, recorder, row)
    return report(rows, args, result)


def main():
    args = options()
    if os.geteuid() != 0:
        sys.exit("stacks: system-wide recording needs root")
    for tool in ("perf", "bpftool", "protoc"):
        if not shutil.which(tool):
            sys.exit(f"stacks: {tool} is missing; make deps-bench installs it")
    for name in args.programs:
        if debian_mix.missing(name):
            sys.exit(f"stacks: {name} needs {' and '.join(debian_mix.missing(name))}; "
                     "make deps-bench installs it")
    recorders.adopt_orphans()
    print(f"{args.seconds:g} s each, {args.hz} Hz, {os.cpu_count()} CPUs")
    print(LINE.format(*HEAD))
    with suite.Suite("stacks", args.build, args.json) as result:
        good = measure(args, result)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

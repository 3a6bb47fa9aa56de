#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py - what recording costs: profiler beside perf record and bpftrace.

All CPUs are kept busy by bench/workloads/spin; then each recorder samples the whole machine for
the same time, one after the other, several rounds in turn. Prints a table with the ratios and
whether the targets are met. Needs root, perf and bpftrace (make deps-bench).

    bench/compare.py [--build DIR] [--seconds N] [--hz N] [--rounds N] [--json FILE]

What is measured
  CPU        user + system time of the recorder, start and end included, from wait4()
  memory     the largest of: PSS of the recorder, and pages of perf buffers that PSS leaves out,
             and memlock of its BPF maps that are not mapped (mapped ones are in PSS)
  BPF        the kernel's own statistics of the sampling program (kernel.bpf_stats_enabled)
  stream     bytes of the file per sample, definitions included
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MAPPED_TYPES = {27}  # BPF_MAP_TYPE_RINGBUF: we map it whole
ARRAY_MMAPABLE = 1 << 10


def bpf_stats(on):
    with open("/proc/sys/kernel/bpf_stats_enabled", "w") as f:
        f.write("1" if on else "0")


def programs():
    """(id, name, runs, ns) of all perf_event programs."""
    out = subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, text=True).stdout
    return [(p["id"], p.get("name", ""), p.get("run_cnt", 0), p.get("run_time_ns", 0))
            for p in json.loads(out or "[]") if p["type"] == "perf_event"]


def memory(pid):
    """KB as the table counts it, 0 when the process has gone."""
    try:
        with open(f"/proc/{pid}/smaps") as f:
            text = f.read()
    except OSError:
        return 0
    pss = sum(int(x) for x in re.findall(r"^Pss:\s+(\d+)", text, re.M))
    perf = 0
    for block in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text):
        if "anon_inode:[perf_event]" in block.split("\n")[0]:
            size = int(re.search(r"^Size:\s+(\d+)", block, re.M).group(1))
            perf += size - int(re.search(r"^Pss:\s+(\d+)", block, re.M).group(1))
    maps = 0
    try:
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                info = f.read()
            memlock = re.search(r"^memlock:\s+(\d+)", info, re.M)
            kind = re.search(r"^map_type:\s+(\d+)", info, re.M)
            flags = re.search(r"^map_flags:\s+(\w+)", info, re.M)
            if not memlock or not kind or int(kind.group(1)) in MAPPED_TYPES:
                continue
            if flags and int(flags.group(1), 16) & ARRAY_MMAPABLE:
                continue
            maps += int(memlock.group(1)) // 1024
    except OSError:
        pass
    return pss + perf + maps


def run(argv, seconds=None, stderr=None):
    """Runs a recorder; SIGINT after seconds if given. CPU s, peak KB, programs seen."""
    before = {p[0] for p in programs()}
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=stderr)
    peak, seen, begin, stopped = 0, {}, time.monotonic(), False
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, memory(child.pid))
        for p in programs():
            if p[0] not in before:
                seen[p[0]] = p
        if seconds and not stopped and time.monotonic() - begin > seconds:
            child.send_signal(signal.SIGINT)
            stopped = True
        time.sleep(1)  # each look starts a program, which the recorders then see too
    child.returncode = status
    return usage.ru_utime + usage.ru_stime, peak, list(seen.values())


def bpf_ns(seen):
    runs, ns = sum(p[2] for p in seen), sum(p[3] for p in seen)
    return ns / runs if runs else float("nan")


def profiler_round(args, work):
    out = os.path.join(work, "profiler.prof")
    cpu, peak, seen = run([os.path.join(args.build, "bin/profiler"), "-q", "-a", "--call-graph", "fp", "-e", "cpu-clock",
                           "--hz", str(args.hz), "-d", str(args.seconds), "-o", out])
    text = subprocess.run([os.path.join(args.build, "bin/profiler-report"), "--json", out],
                          capture_output=True, text=True, check=True).stdout
    report = json.loads(text)
    samples, ledger = report["samples"], report["ledger"]
    return {"samples": samples, "cpu_us": cpu / samples * 1e6, "kb": peak,
            "bytes": os.path.getsize(out) / samples, "bpf_ns": bpf_ns(seen), "ledger": ledger}


def perf_round(args, work):
    """perf 6.1 sometimes aborts at its end, over BPF programs and build ids that came and went: it
    is tried again then, for a fair figure has to have it whole."""
    out, log = os.path.join(work, "perf.data"), os.path.join(work, "perf.log")
    for _ in range(3):
        with open(log, "w") as f:
            cpu, peak, _ = run(["perf", "record", "--no-bpf-event", "-F", str(args.hz), "-a", "-g",
                                "-e", "cpu-clock", "-o", out, "--", "sleep", str(args.seconds)],
                               stderr=f)
        with open(log) as f:
            text = f.read()
        found = re.search(r"\((\d+) samples\)", text)
        if found and "assertion" not in text and "***" not in text:
            samples = int(found.group(1))
            return {"samples": samples, "cpu_us": cpu / samples * 1e6, "kb": peak,
                    "bytes": os.path.getsize(out) / samples}
    sys.exit(f"compare: perf record failed three times:\n{text}")


def bpftrace_round(args, _work):
    program = "profile:hz:%d { @[ustack, kstack] = count(); }" % args.hz
    _, _, seen = run(["bpftrace", "-e", program], args.seconds + 3, subprocess.DEVNULL)
    return {"bpf_ns": bpf_ns(seen)}


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def spread(rounds, key):
    values = [r[key] for r in rounds]
    return f"{min(values):.3g}..{max(values):.3g}"


def total(rounds, *keys):
    return sum(int(r["ledger"].get(k, 0)) for r in rounds for k in keys)


def table(args, ours, perf, trace):
    dropped = total(ours, "ring_full", "ring_busy", "handoff", "output")
    expected = total(ours, "expected")
    blind = 100 * total(ours, "blind") / expected if expected else float("nan")
    rows = [
        ("dropped after entry, samples", dropped, None, None, 0, dropped == 0),
        ("blind, % of expected", blind, None, None, "<= 1", blind <= 1),
        ("unaccounted, samples", total(ours, "unaccounted"), None, None, 0,
         total(ours, "unaccounted") == 0),
    ]
    cpu = median(ours, "cpu_us") / median(perf, "cpu_us")
    rows.append(("recorder CPU, us a sample", median(ours, "cpu_us"), median(perf, "cpu_us"), cpu,
                 "<= 0.2", cpu <= 0.2))
    rows.append(("stream, bytes a sample", median(ours, "bytes"), median(perf, "bytes"),
                 median(ours, "bytes") / median(perf, "bytes"), "<= 8 B",
                 median(ours, "bytes") <= 8))
    rows.append(("peak memory, MB", median(ours, "kb") / 1e3, median(perf, "kb") / 1e3,
                 median(ours, "kb") / median(perf, "kb"), "< 20 MB", median(ours, "kb") < 20e3))
    if trace:
        bpf = median(ours, "bpf_ns") / median(trace, "bpf_ns")
        rows.append(("BPF program, ns a sample (bpftrace)", median(ours, "bpf_ns"),
                     median(trace, "bpf_ns"), bpf, "<= 0.5", bpf <= 0.5))
    print(f"{args.rounds} rounds of {args.seconds} s, {args.hz} Hz, {os.cpu_count()} CPUs busy, "
          f"{int(median(ours, 'samples'))} samples a round (perf {int(median(perf, 'samples'))})")
    print(f"{'':36} {'profiler':>10} {'peer':>10} {'ratio':>7} {'target':>8}")
    for name, a, b, ratio, target, ok in rows:
        b = "" if b is None else f"{b:.4g}"
        ratio = "" if ratio is None else f"{ratio:.3f}"
        print(f"{name:36} {a:>10.4g} {b:>10} {ratio:>7} {target:>8} {'ok' if ok else 'MISSED'}")
    print(f"spread: CPU {spread(ours, 'cpu_us')} / {spread(perf, 'cpu_us')} us, "
          f"stream {spread(ours, 'bytes')} B, memory {spread(ours, 'kb')} KB")
    return all(r[5] for r in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--hz", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the raw figures here")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("compare: system-wide recording needs root")
    for tool in ("perf", "bpftool"):
        if not shutil.which(tool):
            sys.exit(f"compare: {tool} is missing; make deps-bench installs it")
    with_bpftrace = shutil.which("bpftrace") is not None
    spin = subprocess.Popen([os.path.join(args.build, "workloads/spin"), "-d",
                             str((args.seconds + 10) * 3 * args.rounds)],
                            stdout=subprocess.DEVNULL)
    rounds = {"profiler": [], "perf": [], "bpftrace": []}
    bpf_stats(True)
    try:
        with tempfile.TemporaryDirectory() as work:
            for _ in range(args.rounds):
                rounds["profiler"].append(profiler_round(args, work))
                rounds["perf"].append(perf_round(args, work))
                if with_bpftrace:
                    rounds["bpftrace"].append(bpftrace_round(args, work))
    finally:
        bpf_stats(False)
        spin.kill()
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rounds, f, indent=1)
    sys.exit(0 if table(args, rounds["profiler"], rounds["perf"], rounds["bpftrace"]) else 1)


if __name__ == "__main__":
    main()

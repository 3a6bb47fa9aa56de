# SPDX-License-Identifier: Apache-2.0
"""scaling_point.py - one recording under one load, its cost split into start and steady state.

The recorder samples the whole machine while a load runs. At first it loads programs, looks at all
processes, and at each process, file and stack when it is sampled for the first time. When the
load has gone round once that is over, and some windows of time follow. What is measured in each
is divided by the samples that were taken in it (runs of the sampling program, as the kernel counts
them). So a figure a sample has nothing of the start in it, and is the same however long a recording
is; and the start is the CPU time before, less what so much time costs in the windows.

CPU time of all is that of the recorder's and the jail's processes; that of the drain thread, which
is the recorder's main one, the kernel's run time of it (/proc/PID/task/TID/schedstat).
"""
import collections
import contextlib
import json
import os
import signal
import subprocess
import time

import recorders

LOAD = "crowd"  # the name that its samples have
SETTLE_S = 0.7  # beside the time that the load takes to go round: answers of the jail have come
LIMIT_S = 60    # of the start, and of the end; an emulated machine takes its time


class CannotMeasure(Exception):
    """What is missing, and what helps."""


Look = collections.namedtuple("Look", "time all drain runs bpf")  # s, ns, ns, -, ns


def drain_ns(pid):
    with open(f"/proc/{pid}/task/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0])


class Watch:
    """A recorder, looked at now and then. A process of it that has ended keeps its CPU time."""

    def __init__(self, pid):
        self.pid, self.ns = pid, {}

    def look(self):
        for pid in recorders.family(self.pid):
            self.ns[pid] = max(self.ns.get(pid, 0), recorders.cpu_seconds(pid) * 1e9)
        programs = recorders.programs([self.pid])
        return Look(time.monotonic(), sum(self.ns.values()), drain_ns(self.pid),
                    sum(p.runs for p in programs), sum(p.ns for p in programs))


class Load:
    """A program that says "ready" and then works until it is ended, its processes with it."""

    def __init__(self, argv):
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        if self.child.stdout.readline() != b"ready\n":
            self.end()
            raise CannotMeasure(f"'{' '.join(argv)}' did not start; a limit of processes or "
                                "threads may be in the way (ulimit -u)")

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.stdout.close()
        self.child.wait()


def wait_for_packets(child, path):
    limit = time.monotonic() + LIMIT_S
    while not os.path.exists(path) or not os.path.getsize(path):
        if child.poll() is not None or time.monotonic() > limit:
            raise CannotMeasure("the recorder did not start; run it alone to see why")
        time.sleep(0.01)


def windows(watch, count, seconds):
    looks = [watch.look()]
    for _ in range(count):
        time.sleep(seconds)
        looks.append(watch.look())
    return looks


def per_sample(before, after):
    """What one window says."""
    samples, spent = after.runs - before.runs, after.time - before.time
    if samples <= 0 or spent <= 0:
        raise CannotMeasure("no samples were taken; is another profiler in the way?")
    return {"cpu": (after.all - before.all) / samples / 1e3,
            "drain": (after.drain - before.drain) / samples,
            "bpf": (after.bpf - before.bpf) / samples,
            "samples_s": samples / spent,
            "drain_ns_s": (after.drain - before.drain) / spent}


def report(build, path, *words):
    text = subprocess.run([os.path.join(build, "bin/profiler-report"), "--json", *words, path],
                          capture_output=True, text=True, check=True).stdout
    return json.loads(text)


def stream_figures(build, path):
    """What the stream says: bytes a sample, dropped, whole and load, as record() returns them."""
    told = report(build, path)
    ends = [(row["end"], row["samples"]) for row in told["ledger"].get("stacks", [])]
    stacks = sum(n for _, n in ends)
    whole = sum(n for end, n in ends if end == "whole")
    samples = max(1, told["samples"])
    return {"bytes": [os.path.getsize(path) / samples], "dropped": [told["ledger"]["dropped"]],
            "whole": [100 * whole / max(1, stacks)],
            "load": [100 * report(build, path, "--comm", LOAD)["samples"] / samples]}


def start_ms(first, last):
    """CPU time until the first look at the windows, less what so much time costs in them."""
    steady = (last.all - first.all) / (last.time - first.time)
    return max(0.0, first.all - steady * first.time) / 1e6


def record(build, hz, path, round_s, count, seconds):
    """
    A recording at a rate under a load that takes round_s to go round, then of so many windows of
    so many seconds. Returns lists of one value a window: cpu (us a sample), drain (ns a sample),
    bpf (ns a run), samples_s, drain_ns_s; and of the whole: start (ms of CPU time), memory (MB,
    with the jail's), files (open), bytes (a sample), whole (% of user stacks), dropped, load (%
    of the samples that are the load's).
    """
    child = subprocess.Popen([os.path.join(build, "bin/profiler"), "-q", "-a", "-e", "cpu-clock",
                              "--hz", str(hz), "-o", path], stdin=subprocess.DEVNULL)
    watch = Watch(child.pid)
    try:
        wait_for_packets(child, path)
        began = time.monotonic()
        watch.look()
        time.sleep(SETTLE_S + round_s)
        looks = windows(watch, count, seconds)
        megabytes = recorders.memory(*recorders.family(child.pid)) / 1e3
        files = len(os.listdir(f"/proc/{child.pid}/fd"))
        child.send_signal(signal.SIGINT)
        child.wait(timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMeasure(f"the recorder did not go on: {error}") from error
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    looks = [look._replace(time=look.time - began) for look in looks]
    rows = [per_sample(*pair) for pair in zip(looks, looks[1:])]
    found = {key: [row[key] for row in rows] for key in rows[0]}
    found.update(start=[start_ms(looks[0], looks[-1])], memory=[megabytes], files=[files],
                 **stream_figures(build, path))
    os.unlink(path)
    return found

# SPDX-License-Identifier: Apache-2.0
"""scaling_point.py - one recording under one load, its cost split into start and steady state.

The recorder samples the whole machine while a load runs. What it cost until it was settled is its
start; then come some windows of time, and what is measured in each is divided by the samples that
were taken in it (runs of the sampling program, as the kernel counts them). So a figure a sample
has nothing of the start in it, and is the same however long a recording is.

CPU time of all is that of the recorder's and the jail's processes; that of the drain thread, which
is the recorder's main one, the kernel's run time of it (/proc/PID/task/TID/schedstat).
"""
import contextlib
import json
import os
import signal
import subprocess
import time

import recorders

SETTLE_S = 0.7  # after the first packet: tables and names of the load have come by then
LIMIT_S = 20    # of the start, and of the end


class CannotMeasure(Exception):
    """What is missing, and what helps."""


def drain_ns(pid):
    with open(f"/proc/{pid}/task/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0])


class Look:
    """A recorder at one moment; ns."""

    def __init__(self, pid):
        programs = recorders.programs([pid])
        self.time = time.monotonic()
        self.drain = drain_ns(pid)
        self.all = sum(recorders.cpu_seconds(p) for p in recorders.family(pid)) * 1e9
        self.runs, self.bpf = sum(p.runs for p in programs), sum(p.ns for p in programs)


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


def windows(pid, count, seconds):
    looks = [Look(pid)]
    for _ in range(count):
        time.sleep(seconds)
        looks.append(Look(pid))
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


def ledger(build, path):
    """(samples written, samples dropped after they were taken) of a stream."""
    text = subprocess.run([os.path.join(build, "bin/profiler-report"), "--json", path],
                          capture_output=True, text=True, check=True).stdout
    report = json.loads(text)
    return report["samples"], report["ledger"]["dropped"]


def record(build, hz, path, count, seconds):
    """
    A recording at a rate, of so many windows of so many seconds. Returns lists of one value a
    window: cpu (us a sample), drain (ns a sample), bpf (ns a run), samples_s, drain_ns_s; and of
    the whole: start (ms of CPU time until the first packet, a quarter of a second after the first
    sample), memory (MB, with the jail's), files (open), bytes (a sample), dropped.
    """
    child = subprocess.Popen([os.path.join(build, "bin/profiler"), "-q", "-a", "-e", "cpu-clock",
                              "--hz", str(hz), "-o", path], stdin=subprocess.DEVNULL)
    try:
        wait_for_packets(child, path)
        start = Look(child.pid).all / 1e6
        time.sleep(SETTLE_S)
        looks = windows(child.pid, count, seconds)
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
    rows = [per_sample(*pair) for pair in zip(looks, looks[1:])]
    found = {key: [row[key] for row in rows] for key in rows[0]}
    written, lost = ledger(build, path)
    found.update(start=[start], memory=[megabytes], files=[files], dropped=[lost],
                 bytes=[os.path.getsize(path) / max(1, written)])
    os.unlink(path)
    return found

# SPDX-License-Identifier: Apache-2.0
"""Received against expected, at three rates with all CPUs busy; the ledger against the kernel."""
import os
import time

import stream
from harness import Skip, Witness, check, checked, equal, test

BPF_STATS = "/proc/sys/kernel/bpf_stats_enabled"
MAX_RATE = "/proc/sys/kernel/perf_event_max_sample_rate"


class setting:
    """A sysctl has another value meanwhile."""

    def __init__(self, path, value):
        self.path, self.value = path, value
        with open(path) as f:
            self.before = f.read()

    def write(self, text):
        with open(self.path, "w") as f:
            f.write(text)

    def __enter__(self):
        self.write(self.value)

    def __exit__(self, *_):
        self.write(self.before)


def check_blind(row, hz, missing=0, restarts=0):
    """
    blind <= 1 % of expected, and not less than none, but for what the measurement of expected
    leaves open: a period at each end, and at each restart of the timer; the time that /proc/stat
    says was stolen, or what a witness without BPF misses if that is more; and where the CPU was
    idle or robbed at all, a tick of that clock at each end.
    """
    tick = 1e9 / os.sysconf("SC_CLK_TCK")
    ticks = 2 * ((row["idle_ns"] > 0) + (row["steal_ns"] > 0))
    open_ended = 2 + restarts + ticks * tick * hz / 1e9
    taken = max(row["steal_ns"] * hz / 1e9, missing)
    most = 0.01 * row["expected"] + taken + open_ended
    check(-open_ended <= row["blind"] <= most,
          f"blind {row['blind']}, not {-open_ended:.0f} to {most:.0f} ({missing} missed by the "
          f"witness): {row}")


def rate(env, hz, seconds):
    env.busy(seconds + 10)
    witness = Witness(hz, seconds + 5, range(os.cpu_count()))
    with setting(BPF_STATS, "1"):
        result, s = env.recorded("-a", "-e", "cpu-clock", "--hz", str(hz), "-d", str(seconds))
    missing = witness.missing(s.samples[0].time_ns, s.final.time_ns)
    final = s.final
    equal(final.dropped(), 0, f"dropped at {hz} Hz")
    equal(final.sum("stack_lost"), 0, "stacks lost")
    equal(len(final.rows), os.cpu_count(), "rows of the ledger")
    for row in final.rows:
        check_blind(row, hz, missing[row["cpu"]])
        equal(row["throttled"], 0, "throttled")
        check(abs(row["enabled_ns"] / 1e9 - seconds) < 0.5, f"enabled for another time: {row}")
        check(row["expected"] <= row["enabled_ns"] * hz / 1e9 + 1, f"more than the rate: {row}")
    equal(final.runs, [final.sum("entries")], "the kernel's count of the program's runs")
    report = env.report(result.path)
    equal(report["samples"], final.sum("written"), "samples that profiler-report reads")
    equal(report["ledger"]["written"], final.sum("written"), "written by profiler-report")
    equal(sum(f["self"] for f in report["functions"]), report["samples"], "sum of all selves")
    equal({x.weight for x in s.samples}, {10**9 // hz}, "weights")
    if os.environ.get("LIVE_VERBOSE"):
        print("      blind", [r["blind"] for r in final.rows], "missed by the witness", missing)
    return s


@test
def at_100_hz(env):
    rate(env, 100, 3)


@test
def at_1000_hz(env):
    rate(env, 1000, 2)


@test
def at_10000_hz(env):
    s = rate(env, 10000, 3)
    mid_run = [x for x in s.ledgers if not x.final]
    check(len(mid_run) >= 2, f"{len(mid_run)} ledgers in 3 s, one a second is promised")
    for row in mid_run[-1].rows:
        check(row["entries"] > 0 and row["written"] > 0, f"an empty ledger: {row}")
    for x in s.samples[:1000]:
        check(not x.flags & stream.IDLE, "an idle sample without --idle")


@test
def throttled(env):
    """What the kernel's limit takes away is in the ledger as that, and not as blind."""
    env.busy(15)
    path = env.path("x.prof")
    recorder = env.recorder("-a", "-e", "cpu-clock", "--hz", "5000", "-d", "2.6", "-o", path)
    env.running(recorder)
    try:
        with setting(MAX_RATE, "2000"):
            time.sleep(1.3)
    except OSError as error:
        raise Skip(f"cannot set {MAX_RATE}: {error}") from error
    equal(env.finish(recorder).code, 0, "exit code")
    s = checked(path)
    for row in s.final.rows:
        check(row["throttled"] > 0.1 * row["expected"], f"hardly throttled: {row}")
        times = [x.time_ns for x in s.samples if x.cpu == row["cpu"]]
        gaps = sum(b - a > 2e9 / 5000 for a, b in zip(times, times[1:]))
        check_blind(row, 5000, restarts=gaps)
    check(any(x["max_sample_rate"] == 2000 for x in s.ledgers), "no ledger has the lower limit")

# SPDX-License-Identifier: Apache-2.0
"""Groups of counters, with software events that every machine has: nothing counted is lost or
counted twice, it is as much as others count, and it goes to the code that did it."""
import json
import os
import shutil
import subprocess
import sys

import stream
from harness import SW, Skip, check, equal, perf_count, perf_counter, test

GROUP = "{cpu-clock,page-faults,context-switches}"
PAGE_FAULTS, CONTEXT_SWITCHES = 2, 3  # PERF_COUNT_SW_*


def told(s):
    """By CPU and event, what the samples of a stream carry."""
    sums = {}
    for sample in s.samples:
        for event, count in (sample.counts or {}).items():
            sums[sample.cpu, event] = sums.get((sample.cpu, event), 0) + count
    return sums


@test
def counted_once(env):
    """What a group counted is in samples, or in the ledger as what nobody wanted, or younger than
    the last sample; on each CPU, and the sums are exact."""
    env.busy(10)
    _, s = env.recorded("-e", GROUP, "--hz", "500", "--", env.workload("phases"), "--turns", "20")
    equal(list(s.groups.items()), [(0, [0, 1, 2])], "groups")
    sums = told(s)
    check(sums, "no sample has counts")
    for row in s.final.rows:
        what = f"CPU {row['cpu']}, event {row['event']}"
        equal(row["counted"], sums.get((row["cpu"], row["event"]), 0), f"counted on {what}")
        left = row["count"] - row["counted"] - row["uncounted"]
        check(left >= 0, f"{what}: more counted than there was: {row}")
        if row["event"] == 0:
            # cpu-clock itself: a sample each 2 ms on a busy CPU, and some blind ones.
            check(left < 50e6, f"{what}: {left} ns after the last sample")
    equal(s.final.sum("counts_lost"), 0, "samples without counts")


@test
def as_the_kernel_counts(env):
    """A group's counts lie between what counters counted that were opened later and closed before,
    and those that were opened before and closed later."""
    def counters():
        return {(cpu, event): perf_counter(SW, config, cpu=cpu)
                for cpu in range(os.cpu_count())
                for event, config in ((1, PAGE_FAULTS), (2, CONTEXT_SWITCHES))}

    def read(fds):
        return {key: perf_count(fd) for key, fd in fds.items()}

    around = counters()
    child = env.recorder("-a", "-e", GROUP, "-d", "3", "-o", env.path("x.prof"))
    env.running(child)
    within = counters()
    subprocess.run([env.workload("phases"), "--turns", "20"], check=True,
                   stdout=subprocess.DEVNULL)
    less = read(within)
    result = env.finish(child)
    more = read(around)
    for fd in (*around.values(), *within.values()):
        os.close(fd)
    equal(result.code, 0, "exit code")
    s = stream.read(env.path("x.prof"))
    stream.check(s)
    for row in s.final.rows:
        key = row["cpu"], row["event"]
        if row["event"]:
            check(less[key] <= row["count"] <= more[key],
                  f"CPU and event {key}: {row['count']}, not {less[key]} to {more[key]}")


@test
def as_perf_stat_counts(env):
    """The page faults of a program are those that perf stat counts in another run of it, and those
    that the program itself knows of."""
    if not shutil.which("perf"):
        raise Skip("perf is not installed")
    program = [env.workload("faults"), "--pages", "50000"]
    run = subprocess.run(["perf", "stat", "-x,", "-e", "page-faults:u", *program],
                         capture_output=True, text=True)
    lines = [line.split(",") for line in run.stderr.splitlines() if ",page-faults" in line]
    if run.returncode or not lines or not lines[0][0].isdigit():
        raise Skip(f"perf stat does not work here: {run.stderr.strip()[:80]}")
    by_perf = int(lines[0][0])
    _, s = env.recorded("-e", "{page-faults,context-switches}", "-c", "1", "--", *program)
    ours = sum(x.counts[0] for x in s.samples if x.counts and x.process == "faults")
    check(ours >= 50000, f"{ours} page faults, not 50,000 and those of the start")
    # The start has some more or fewer: where the kernel maps ahead depends on its caches.
    check(abs(ours - by_perf) <= 0.02 * by_perf, f"{ours} page faults, perf stat counts {by_perf}")


TURN_NS = 20_000_000  # of the workload `phases`


@test
def go_to_who_counted(env):
    """Two functions by turns of 20 ms, one with all of the page faults: a sample's counts are of the
    2 ms before it, or of longer where samples are missing, so a tenth or more may be at the wrong
    one where they change."""
    result, s = env.recorded("-e", GROUP, "--hz", "1000", "--", env.workload("phases"),
                             "--turns", "30")
    truth = json.loads(result.stdout)["faults"]
    equal(truth["spin_quietly"], 0, "page faults of the quiet function")

    def within(function):
        def is_within(sample):
            names = (s.name(frame) for frame in sample.user)
            return any(name and name.function == function for name in names)
        return is_within

    noisy, quiet = (s.counts(0, within(f)) for f in ("touch_pages", "spin_quietly"))
    check(noisy.samples > 50 and quiet.samples > 50,
          f"{noisy.samples} and {quiet.samples} samples of one task alone: the machine is too busy")
    rate = noisy[1] / noisy[0], quiet[1] / quiet[0]
    length_ns = (noisy[0] + quiet[0]) / (noisy.samples + quiet.samples)
    check(rate[1] < max(0.1, length_ns / TURN_NS) * rate[0],
          f"page faults per ns: {rate[0]:.2g} and {rate[1]:.2g}, {length_ns:.3g} ns a sample")
    check(noisy[1] + quiet[1] <= truth["touch_pages"] + 500,
          f"{noisy[1]} and {quiet[1]} page faults of this task alone, of {truth['touch_pages']} and "
          "those of the start")


@test
def of_several_tasks_are_marked(env):
    """Two programs take turns on one CPU: where others ran since the sample before, the counts say
    so, and where none did they do not."""
    cpu = max(os.sched_getaffinity(0))
    # A thread for each CPU of the machine, and one more so that there are two.
    pinned = ["taskset", "-c", str(cpu), env.workload("spin"), "-d"]
    env.spawn([*pinned, "6"])
    _, s = env.recorded("-C", str(cpu), "-a", "-e", GROUP, "--hz", "1000", "--", *pinned, "2")
    group = sorted((x for x in s.samples if x.counts), key=lambda x: x.time_ns)
    switched = [x for x in group if x.counts[2]]
    check(len(switched) > 100, f"{len(switched)} samples after a switch, of {len(group)}")
    for before, after in zip(group, group[1:]):
        shared = bool(after.flags & stream.SHARED)
        check(shared or before.tid == after.tid,
              f"counts of threads {before.tid} and {after.tid} are not marked")
        check(not shared or after.counts[2], "counts are marked as of several without a switch")


@test
def a_sleeper_shares_with_nobody(env):
    """A program that sleeps all the time, on a CPU where little else runs: its counts are its own,
    though the CPU switched to the idle task and back."""
    cpu = max(os.sched_getaffinity(0))
    code = ("import time\nend = time.monotonic() + 2\n"
            "while time.monotonic() < end:\n"
            "    time.sleep(0.0005)\n    sum(range(20000))\n")
    _, s = env.recorded("-e", GROUP, "--hz", "1000", "--", "taskset", "-c", str(cpu),
                        sys.executable, "-c", code)
    row = next(row for row in s.final.rows if row["cpu"] == cpu and row["event"] == 0)
    if row["idle_ns"] < 0.3 * row["running_ns"]:
        raise Skip("other programs keep the CPU busy while this one sleeps")
    group = [x for x in s.samples if x.counts and x.cpu == cpu]
    switched = [x for x in group if x.counts[2]]
    check(len(switched) > 50, f"{len(switched)} samples after a sleep, of {len(group)}")
    alone = [x for x in switched if not x.flags & stream.SHARED]
    check(len(alone) > len(switched) / 4,
          f"only {len(alone)} of {len(switched)} samples after a sleep have counts of one task")

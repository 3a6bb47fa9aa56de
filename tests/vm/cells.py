# SPDX-License-Identifier: Apache-2.0
"""cells.py - what `check` finds out about a machine, one function for each cell of its row.

A cell's function gets the Env of the live tests and returns (text, detail): a word or figure for
the table, and a line that says what it means. It raises Skip with the cause where this machine
cannot give a result, and Failure where the result is wrong; a cause in the table is one word,
before a colon. Programs and rules are those of the live tests: both mean the same by "right".
"""
import collections
import os
import platform
import re
import signal
import subprocess

import fixed
import opens
import stream
import test_rates
import test_stacks
from harness import Failure, Skip, Witness, check, check_share, checked, equal, last_json

CELLS = []

HZ = 997
VERIFIED_LIMIT = 1_000_000   # the kernel's
TRIES = 20
PROGRAMS_LOADED = 3          # of profiler -- command: sample, follow, and more

# Stacks: the first second of a program is its start, in which its tables are compiled. That takes
# milliseconds; but an emulated machine (env.emulated) is slow, and stops when its host has other
# work. There stacks that say they came before the tables are counted apart, whenever they came.
START_NS = 1_000_000_000
RUNS_S = (1.8, 6)    # the second for when most was late in the first
LATE = {"table not loaded yet", "snapshot not walked"}
if platform.machine() == "x86_64":  # only there has every frame of `frames` a rule
    LATE.add("longer than the snapshot")
LATE_AT_MOST = 0.7
STACK_PROGRAMS = ("plain", "plain_o3_strip", "frames", "signals", "throws", "sorts", "calls", "plt")
RIGHT = 0.98
# Gaps that are known, on arm64, where a frame's registers may lie anywhere in it: one of 1.5 MB is
# beyond what a rule can say (a third of `frames`), and glibc's own unwind information of the lazy
# resolver of symbols is wrong by two words (part of `plt`).
RIGHT_OF = {**test_stacks.RIGHT_OF,
            **({"frames": 0.55, "plt": 0.80} if platform.machine() == "aarch64" else {})}


def cell(function):
    CELLS.append((function.__name__.replace("_", "-"), function))
    return function


def percent(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "none"


# Loading

def program_ids(pid):
    """BPF programs of a process, whose files come and go meanwhile."""
    for _ in range(TRIES):
        try:
            return fixed.program_ids(pid)
        except FileNotFoundError:
            pass
    raise Failure("the recorder opens and closes files all the time")


def verified_by_log(env, path):
    """
    From the verifier's log, for kernels that do not keep the number: verifier_stats.so asks for it
    with each program that is loaded, and writes "NAME INSTRUCTIONS" lines.
    """
    shim = os.path.join(env.build, "tests", "verifier_stats.so")
    if not os.path.exists(shim):
        return {}
    env.recorded("-e", "cpu-clock", "--", "true", name="log.prof",
                 env={**os.environ, "LD_PRELOAD": shim, "VERIFIER_STATS": path})
    with open(path) as f:
        return {name: int(count) for name, count in (line.split() for line in f)}


@cell
def loads(env):
    """The BPF programs load and attach; how many instructions the verifier went through."""
    child = env.recorder("-q", "-e", "cpu-clock", "-o", "/dev/null", "--", "sh", "-c",
                         "echo; exec sleep 20", stdout=subprocess.PIPE)
    if not child.stdout.readline():  # the command runs only once all is loaded and attached
        raise Failure(f"cannot record: {env.finish(child).stderr.strip()}")
    found = {name: verified for name, _, verified in
             (fixed.program(number) for number in program_ids(child.pid))}
    check(len(found) >= PROGRAMS_LOADED, f"only {sorted(found)} are loaded")
    child.terminate()
    env.finish(child)
    if not all(found.values()):
        found.update(verified_by_log(env, env.path("verified")))
    most = max(found.values())
    detail = "verified instructions: " + ", ".join(f"{n} {v or 'unknown'}"
                                                   for n, v in sorted(found.items()))
    check(most < VERIFIED_LIMIT, detail)
    return f"{most / 1000:.0f} k" if most else "yes", detail


# Samples and the ledger

def rate(env, hz, seconds):
    """Samples of a busy machine, against a witness without BPF and the ledger."""
    cpus = range(os.cpu_count())
    env.busy(seconds + 20)
    witness = Witness(hz, seconds + 10, cpus)
    _, s = env.recorded("-a", "-e", "cpu-clock", "--hz", str(hz), "-d", str(seconds))
    missing = witness.missing(s.samples[0].time_ns, s.final.time_ns)
    for row in s.final.rows:
        check_blind(row, hz, missing[row["cpu"]])
    equal({x.weight for x in s.samples}, {10**9 // hz}, "weights")
    return s.final, sum(missing.values())


def check_blind(row, hz, missing):
    """
    As the live test, but for an emulated machine whose host is busy: it takes hundreds of overflows
    from the witness and from the recorder, each other ones, so that these numbers differ by chance.
    """
    test_rates.check_blind(row, hz, missing + 6 * missing ** 0.5)


@cell
def samples(env):
    """As many samples as there were periods, at 99 and 999 Hz on busy CPUs."""
    got = there = 0
    parts = []
    for hz, seconds in ((99, 3), (999, 3)):
        final, missing = rate(env, hz, seconds)
        taken, expected = final.sum("entries"), final.sum("expected")
        got, there = got + taken, there + expected - missing
        parts.append(f"{taken} of {expected} at {hz} Hz, a witness without BPF missed {missing}")
    return percent(min(got, there), there), "; ".join(parts)


@cell
def ledger(env):
    """Nothing unaccounted for, against the kernel's count of runs and what two readers decode."""
    with test_rates.setting(test_rates.BPF_STATS, "1"):
        result, s = env.recorded("-a", "-e", "cpu-clock", "-e", "page-faults", "--hz", str(HZ),
                                 "--", env.workload("mix"), "-d", "1.5")
    equal(sum(s.final.runs), s.final.sum("entries"), "the kernel's count of the program's runs")
    equal(len(s.samples), s.final.sum("written"), "samples that protoc decodes")
    report = env.report(result.path)
    equal(report["ledger"]["written"], s.final.sum("written"), "written by profiler-report")
    return "exact", f"{s.final.sum('entries')} runs, {s.final.sum('written')} samples written"


# Stacks and names

def recorded_stacks(env, name, seconds=RUNS_S[0]):
    argv = [os.path.join(env.build, "stacks", name), "-d", str(seconds),
            *test_stacks.PROGRAMS[name].options]
    _, s = env.recorded("-e", "cpu-clock", "--hz", str(HZ), "--", *argv)
    of_program = [x for x in s.samples if x.process == name[:15]]
    begin = min((x.time_ns for x in of_program), default=0)
    return s, [x for x in of_program if x.time_ns > begin + START_NS]


def is_late(sample, reasons):
    return bool(sample.user) and sample.user[-1].kind == "MISSING" and \
        sample.user[-1].path in reasons


def kept_stacks(env, name, late):
    """Samples of a program with their stacks: all that are not of its start, or came in time."""
    for seconds in RUNS_S:
        _, kept = recorded_stacks(env, name, seconds)
        kept = [x for x in kept if test_stacks.has_stack(x, env)]
        in_time = [x for x in kept if not is_late(x, late)] if env.emulated else kept
        if len(in_time) >= max(50, (1 - LATE_AT_MOST) * len(kept)):
            return in_time
    raise Failure(f"{name}: of {len(kept)} stacks {len(in_time)} are not from before the tables")


def count_right(env, name, late=frozenset(LATE)):
    """(right, all, the most frequent of the others) of the stacks of a program."""
    truth = test_stacks.Truth(env, name)
    kept = kept_stacks(env, name, late)
    bad = [x for x in kept if not x.user or not test_stacks.begins(x.user[-1])
           or not truth.known(truth.words(x))]
    worst = collections.Counter(test_stacks.show(truth, x) for x in bad).most_common(2)
    return len(kept) - len(bad), len(kept), worst


@cell
def stacks(env):
    """Of programs with known call chains and no frame pointers, the share exactly right."""
    right = total = 0
    parts, failed = [], False
    for name in STACK_PROGRAMS:
        good, count, worst = count_right(env, name)
        right, total = right + good, total + count
        wrong_of = (1 - RIGHT_OF.get(name, RIGHT)) * count
        enough = count - good <= wrong_of + 3 * wrong_of ** 0.5  # by chance, of few samples
        failed |= not enough
        parts.append(f"{name} {percent(good, count)}" + ("" if enough else f" {worst}"))
    check(not failed, f"{percent(right, total)} right: " + "; ".join(parts))
    return percent(right, total), ", ".join(parts)


@cell
def names(env):
    """Of frames in a program with symbols and in the kernel, the share rightly named."""
    s, kept = recorded_stacks(env, "calls")
    folder = os.path.join(env.build, "stacks") + "/"
    wrong, total = collections.Counter(), 0
    for frame in (f for x in kept for f in x.user if f.path.startswith(folder)):
        truth = test_stacks.FILES.name(frame.path, frame.offset)
        said = s.name(frame)
        if not truth.startswith("["):
            total += 1
            wrong[truth, said.function if said else None] += not said or said.function != truth
    wrong = +wrong
    right = total - sum(wrong.values())
    check(total > 300 and right >= RIGHT * total,
          f"{right} of {total} names right: {wrong.most_common(4)}")
    kernel = [f for x in s.samples for f in x.kernel]
    unnamed = sum(not f.function for f in kernel)
    check(len(kernel) > 300 and unnamed <= (1 - RIGHT) * len(kernel),
          f"{unnamed} of {len(kernel)} kernel frames have no name")
    return percent(right, total), f"{right} of {total}; {len(kernel) - unnamed} of the kernel"


@cell
def children(env):
    """
    A command that forks: as many samples in its children as a recorder of the whole machine has.
    The workload's own truth is not asked: an emulated machine stops for as long as it takes to
    flush its TLBs, which ends of processes do, and no timer sees that time.
    """
    path = env.path("all.prof")
    everything = env.recorder("-a", "-e", "cpu-clock", "--hz", str(HZ), "-o", path)
    env.running(everything)
    _, s = env.recorded("-e", "cpu-clock", "--hz", str(HZ), "--", env.workload("forker"),
                        "--children", "600")
    everything.send_signal(signal.SIGINT)
    check(env.finish(everything).code == 0, "the other recorder failed")
    ours, theirs = in_children(s.samples), in_children(checked(path).samples)
    check_share(ours, ours + theirs, 0.5, "samples in children, in one of two recordings")
    return f"{ours}/{theirs}", f"{ours} samples in children, {theirs} in one of everything"


def in_children(samples):
    mine = [x.pid for x in samples if x.process == "forker"]
    check(mine, "no samples of the command")
    return len(mine) - collections.Counter(mine).most_common(1)[0][1]


# Events

def need_pmu():
    error = opens.opens("cycles")
    if error:
        raise Skip(f"{opens.errno_name(error)}: cycles do not open: {os.strerror(error)}")


def counted(env, event, period):
    """Samples of a hardware event with a fixed period against the event's own count."""
    _, s = env.recorded("-e", event, "-c", str(period), "--strict", "--", env.workload("spin"),
                        "-d", "2")
    final = s.final
    for row in final.rows:
        check(row["expected"] == 0 or row["entries"] > 0, f"no overflows of {event}: {row}")
    mine = [x for x in s.samples if x.process == "spin"]
    check(len(mine) >= 100, f"only {len(mine)} samples of {event}")
    leaves = sum(bool(x.user) and x.user[0].path.endswith("/spin") for x in mine)
    check(leaves >= 0.5 * len(mine),
          f"{leaves} of {len(mine)} samples of {event} are in the program")
    return f"{event}: {final.sum('written')} written of {final.sum('expected')} expected"


@cell
def hardware(env):
    """cycles and instructions overflow and are sampled, where there is a PMU."""
    need_pmu()
    parts = [counted(env, "cycles", 2_000_000)]
    error = opens.opens("instructions")
    if error:
        return "cycles", f"{parts[0]}; instructions: {os.strerror(error)}"
    parts.append(counted(env, "instructions", 2_000_000))
    return "yes", "; ".join(parts)


def group(env, events, *command):
    result = env.record("-e", "{" + ",".join(events) + "}", "--hz", str(HZ), "--strict", "--",
                        *command)
    if result.code == 2 or "cannot open event '{" in result.stderr:
        raise Skip(f"none: {result.stderr.strip().splitlines()[0]}")
    check(result.code == 0, f"exit code {result.code}: {result.stderr}")
    s = checked(result.path)
    check(s.groups, "no group in the stream")
    (leader, members), = s.groups.items()
    equal([s.events[e] for e in members], list(events), "events of the group")
    return last_json(result.stdout), s, leader


@cell
def groups(env):
    """Samples of a group carry what each of its events counted."""
    # what the samples carry is held against the ledger by checked(); this against the workload
    truth, s, leader = group(env, ("cpu-clock", "page-faults", "context-switches"),
                             env.workload("faults"), "--pages", "150000")
    faults = s.events.index("page-faults")
    sums = s.counts(leader)
    carried = sums[faults] + s.counts(leader, flags=stream.COUNTED | stream.SHARED)[faults]
    counted_faults = s.final.sum("count", faults)
    check(counted_faults >= truth["measured"],
          f"{counted_faults} page faults counted, {truth['measured']} of the program alone")
    # what came after the last sample is in none; on an emulated machine that may be much
    check(0.8 * truth["measured"] <= carried <= counted_faults,
          f"samples carry {carried} page faults of {counted_faults}, {truth['measured']} of the "
          "program alone")
    detail = f"samples carry {carried} of {counted_faults} page faults"
    if opens.opens("cycles") or opens.opens("instructions"):
        return "software", detail
    _, s, leader = group(env, ("cycles", "instructions"), env.workload("spin"), "-d", "1")
    sums = s.counts(leader)
    cycles, instructions = (sums[s.events.index(e)] for e in ("cycles", "instructions"))
    check(cycles and instructions, f"{cycles} cycles, {instructions} instructions in samples")
    return "yes", f"{detail}; {instructions / cycles:.3f} instructions a cycle"


LISTED_AT_MOST = 8  # of events that only libpfm4 or sysfs know: opened by the recorder, one by one


@cell
def list_events(env):
    """What is listed as openable opens, and what is listed as missing does not."""
    run = subprocess.run([env.bin("profiler"), "--list-events"], capture_output=True, text=True,
                         timeout=60)
    check(run.returncode == 0, f"exit code {run.returncode}: {run.stderr}")
    shown, missing = opens.listed(run.stdout)
    check("cpu-clock" in shown, f"cpu-clock is not listed: {run.stdout[:200]}")
    for name in shown & opens.KNOWN.keys():
        error = opens.opens(name)
        check(not error, f"{name} is listed and does not open: {os.strerror(error)}")
    for name in missing & opens.KNOWN.keys():
        check(opens.opens(name), f"{name} opens and is listed as missing")
    unknown = sorted(n for n in shown - opens.KNOWN.keys() if re.fullmatch(r"[\w.:-]+", n))
    step = max(1, len(unknown) // LISTED_AT_MOST)
    for name in unknown[::step]:
        result = env.record("-e", name, "--strict", "-d", "0.1", "-C", "0")
        check(result.code == 0, f"{name} is listed and does not open: {result.stderr}")
    return f"{len(shown)}", f"{len(shown)} listed, {len(missing)} missing"

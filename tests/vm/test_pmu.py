# SPDX-License-Identifier: Apache-2.0
"""Hardware counters against a machine of which every count is known.

For an arm64 guest with QEMU's -icount shift=4: an instruction takes 2^4 ns of the guest's time and
cycles tick once a nanosecond, so whatever runs has 1/16 instructions a cycle, exactly, and how many
instructions a call of a function is can be read from its disassembly. Overflows of instructions are
seen late, with the next tick; so periods are not below a million of them.
"""
import collections
import json
import os
import re
import subprocess

import stream
from harness import check, checked, equal, last_json, test

CYCLES_PER_INSTRUCTION = 16
CYCLES_PERIOD, INSTRUCTIONS_PERIOD = 16_000_000, 1_000_000
SECONDS = "3"
TO_THE_PERCENT = 0.01
STEPS = ("step_short", "step_long")


def paced(env, *args):
    return [os.path.join(env.build, "tests/paced"), *args]


def near(got, wanted, what, share=TO_THE_PERCENT):
    check(abs(got - wanted) <= share * wanted,
          f"{what}: {got:.6g}, not {wanted:.6g} within {100 * share:g} %")


def leaf(s, sample):
    """The function that a sample of user code hit, as the stream names it."""
    name = s.name(sample.user[0]) if sample.user and not sample.kernel else None
    return name.function if name else None


# Counting and sampling

def every_period(env, event, period):
    """The weights of all samples are what the event counted, but for a period on each CPU."""
    _, s = env.recorded("-e", event, "-c", str(period), "--", *paced(env, "user", SECONDS))
    for row in s.final.rows:
        check(row["count"] > 20 * period, f"hardly anything was counted: {row}")
        # what is left is younger than the last overflow; the ledger has its idle part apart
        left = row["count"] - row["entries_weight"]
        check(-period <= left <= period, f"{event}: {left} counts without a sample: {row}")
    weights = collections.Counter(x.weight for x in s.samples)
    equal(set(weights), {period}, f"weights of {event}")
    equal(s.final.sum("blind"), 0, f"blind samples of {event}")
    mine = [x for x in s.samples if x.process == "paced"]
    check(len(mine) >= 0.9 * float(SECONDS) * 1e9 / CYCLES_PERIOD,
          f"only {len(mine)} samples of the program")
    return s, mine


@test
def cycles_every_period(env):
    every_period(env, "cycles", CYCLES_PERIOD)


@test
def instructions_every_period(env):
    """And they are where the instructions are: the long step has three times the short one's."""
    s, mine = every_period(env, "instructions", INSTRUCTIONS_PERIOD)
    hits = collections.Counter(leaf(s, x) for x in mine)
    check(hits["step_long"] > 100, f"only {hits['step_long']} samples in step_long(): {hits}")
    near(hits["step_long"] / (hits["step_long"] + hits["step_short"]), 0.75, "share of step_long()",
         0.06)


# What a call is

def disassembled(env, function):
    """(instructions outside of the loop, in the loop) of a function with one loop."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}",
                           *paced(env)], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^ +([0-9a-f]+):\t(\S+)(.*)$", text, re.M)
    lines = [(int(at, 16), name, operands) for at, name, operands in lines]
    end = next(i for i, (_, name, _) in enumerate(lines) if name == "ret")
    for i, (at, name, operands) in enumerate(lines[:end]):
        target = re.search(r"\b([0-9a-f]+) <", operands)
        if target and int(target[1], 16) <= at and name.startswith(("b.", "cb", "tb")):
            loop = sum(int(target[1], 16) <= a <= at for a, _, _ in lines[:end])
            return end + 1 - loop, loop
    check(False, f"no loop in {function}: {text}")


@test
def instructions_of_a_call(env):
    """What the samples carry for a function is calls x instructions of its disassembly."""
    calls = 10000
    result, s = env.recorded("-e", "{cycles,instructions}:u", "-c", str(CYCLES_PERIOD), "--",
                             *paced(env, "calls", str(calls)))
    truth = last_json(result.stdout)
    outside, loop = disassembled(env, "step_short")
    a_call = outside + loop * truth["loops"]["step_short"]
    # with the counts that other tasks have a part of: in user mode that is next to nothing here
    both = [s.counts(0, lambda x: leaf(s, x) == "step_short", flags)
            for flags in (stream.COUNTED, stream.COUNTED | stream.SHARED)]
    check(both[0].samples > 100, f"only {both[0].samples} samples in step_short()")
    near(sum(x[1] for x in both) / truth["calls"], a_call, "instructions of a call of step_short()")
    near(both[0][0] / both[0][1], CYCLES_PER_INSTRUCTION, "cycles of an instruction")


# Where it overflows

@test
def user_and_kernel(env):
    """Overflows are seen in user mode and in the kernel; :u and :k have one and not the other."""
    for what, mine, other in (("user", 0, stream.IN_KERNEL), ("kernel", stream.IN_KERNEL, 0)):
        _, s = env.recorded("-e", "cycles", "-c", "4000000", "--", *paced(env, what, "2"))
        samples = [x for x in s.samples if x.process == "paced"]
        share = sum(x.flags & stream.IN_KERNEL == mine for x in samples) / len(samples)
        check(len(samples) > 200 and share > (0.9 if what == "user" else 0.5),
              f"{what}: {share:.3f} of {len(samples)} samples are there")
        if what == "kernel":
            check(all(f.function for x in samples for f in x.kernel), "kernel frames without names")
    for modifier, wanted in (("u", 0), ("k", stream.IN_KERNEL)):
        _, s = env.recorded("-e", f"cycles:{modifier}", "-c", "4000000", "--",
                            *paced(env, "kernel", "2"))
        check(len(s.samples) > 50, f"only {len(s.samples)} samples of cycles:{modifier}")
        equal({x.flags & stream.IN_KERNEL for x in s.samples}, {wanted}, f"flags of :{modifier}")


# Instructions per cycle

@test
def ipc_by_function(env):
    """Each function's counts are of 1/16 instructions a cycle, to the percent."""
    _, s = env.recorded("-e", "{cycles,instructions}", "--hz", "1000", "--",
                        *paced(env, "user", SECONDS))
    for function in STEPS:
        sums = s.counts(0, lambda x, f=function: leaf(s, x) == f)
        check(sums.samples > 100, f"only {sums.samples} samples in {function}()")
        near(sums[0] / sums[1], CYCLES_PER_INSTRUCTION, f"cycles of an instruction of {function}()")


@test
def the_command(env):
    """profiler --hz 1000 --hw-events -d 5 -- PROGRAM | profiler-report shows the truth."""
    path = env.path("x.prof")
    program = " ".join(paced(env, "user", "20"))
    command = f"{env.bin('profiler')} --hz 1000 --hw-events -d 5 -- {program} | tee {path} | " \
              f"{env.bin('profiler-report')} -n 6"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=55)
    equal(run.returncode, 0, f"exit code ({run.stderr})")
    print("".join(f"      {line}\n" for line in run.stdout.splitlines()), end="")
    s = checked(path)
    events = [s.events[e] for e in s.groups.get(0, [])]
    equal(events[:2], ["cycles", "instructions"], "the group's first events")
    header = next((x for x in run.stdout.splitlines() if " IPC" in x), None)
    check(header, f"no column IPC in: {run.stdout}")
    for function in STEPS:
        line = next((x for x in run.stdout.splitlines() if x.endswith(" " + function)), None)
        check(line, f"no line for {function} in: {run.stdout}")
        end = header.index(" IPC") + len(" IPC")
        near(float(line[:end].split()[-1]), 1 / CYCLES_PER_INSTRUCTION, f"IPC of {function}", 0.05)
    functions = {f["name"]: f for f in json.loads(env.tool("report", "--json", path))["functions"]}
    for function in STEPS:
        found = functions[function]
        near(found["self_counts"]["cycles"] / found["self_counts"]["instructions"],
             CYCLES_PER_INSTRUCTION, f"cycles of an instruction of {function} by profiler-report")
    shares = [functions[f]["self"] for f in STEPS]
    near(shares[1] / sum(shares), 0.75, "share of step_long()", 0.06)

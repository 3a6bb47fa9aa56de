# SPDX-License-Identifier: Apache-2.0
"""Profiles against the truth of the workloads."""
import collections
import re
import signal
import subprocess

import stream
from harness import (check, check_share, checked, design_effect, equal, last_json, self_samples,
                     test)


@test
def shares(env):
    """Three functions with 60, 30 and 10 % of the time, below main and outer."""
    result, _ = env.recorded("--hz", "1000", "--", env.workload("shares"), "-d", "2")
    truth = last_json(result.stdout)["shares"]
    hits = dict(zip(truth, self_samples(env.report(result.path), *truth)))
    for name, share in truth.items():
        check_share(hits[name], sum(hits.values()), share, name)
    stacks = [(frames, n) for _, frames, n in env.folded(result.path) if frames[-1] in truth]
    for frames, _ in stacks:
        equal(frames[frames.index("main"):-1], ["main", "outer"], "the callers")
    equal(sum(n for _, n in stacks), sum(hits.values()), "samples in the folded stacks")


@test
def threads(env):
    """Threads with 10, 20, 30 and 40 %, each with its name and a function of its own."""
    result, s = env.recorded("--hz", "1000", "--", env.workload("threads"), "--threads", "4",
                             "--linear", "1", "-d", "2")
    truth = last_json(result.stdout)["threads"]
    hits = {name: sum(x.thread == name for x in s.samples) for name in truth}
    functions = dict(zip(truth, self_samples(env.report(result.path),
                                             *(t["function"] for t in truth.values()))))
    stacks = env.folded(result.path)
    for name, t in truth.items():
        check_share(hits[name], sum(hits.values()), t["share"], name)
        check_share(functions[name], sum(functions.values()), t["share"], t["function"])
        owners = {thread for thread, frames, _ in stacks if t["function"] in frames}
        equal(owners, {name}, f"threads in {t['function']}")
    equal(len({x.tid for x in s.samples if x.thread in truth}), 4, "thread ids")


def recursion(env, depth):
    result, s = env.recorded("--hz", "1000", "--", env.workload("recurse"), "--depth", depth,
                             "-d", "0.5")
    in_bottom = [f for _, f, n in env.folded(result.path) for _ in range(n) if f[-1] == "bottom"]
    check(len(in_bottom) > 100, f"only {len(in_bottom)} samples in bottom()")
    return s, in_bottom


def without_frame(env, s, function):
    """Samples in a function's first or last instructions, where it has no frame of its own."""
    symbols = subprocess.run(["nm", "-S", env.workload("recurse")], capture_output=True, check=True)
    start, size = re.search(rf"^(\w+) (\w+) t {function}$", symbols.stdout.decode(), re.M).groups()
    start, size = int(start, 16), int(size, 16)
    leaves = [x.user[0].offset - start for x in s.samples if x.user]
    return sum(0 <= at < 8 or size - 4 <= at < size for at in leaves)


@test
def recursion_whole(env):
    """Up to 512 frames a stack is whole and has its root in main."""
    s, stacks = recursion(env, "100")
    # The caller of a function without a frame is not in the chain of frame pointers.
    short = [f for f in stacks if f.count("recurse") == 99]
    check(len(short) <= without_frame(env, s, "bottom"), f"{len(short)} stacks lack a frame")
    for frames in stacks:
        check(frames.count("recurse") in (99, 100), f"{frames.count('recurse')} of 100 frames")
        check("main" in frames[:frames.index("recurse")], f"no main in {frames[:5]}")
    check(not any(x.flags & stream.USER_TRUNCATED for x in s.samples), "flagged as truncated")
    equal(s.final.sum("user_truncated"), 0, "user_truncated in the ledger")


@test
def recursion_truncated(env):
    """A deeper one keeps its 512 innermost frames and says so."""
    s, stacks = recursion(env, "600")
    for frames in stacks:
        equal(frames, ["[truncated]"] + ["recurse"] * 511 + ["bottom"], "a stack of 512 frames")
    deep = [x for x in s.samples if len(x.user) == 512]
    check(len(deep) >= len(stacks), f"{len(deep)} stacks of 512 frames for {len(stacks)}")
    for x in s.samples:
        equal(bool(x.flags & stream.USER_TRUNCATED), len(x.user) == 512, "the flag")
    equal(sum(n for (_, end), n in s.final.stacks.items() if end == "MAX_FRAMES"), len(deep),
          "stacks of too many frames in the ledger")


@test
def system_calls(env):
    """Samples in the kernel have kernel stacks with names, and the user stack that led there."""
    result, s = env.recorded("--hz", "1000", "--", env.workload("syscalls"), "-d", "1")
    truth = last_json(result.stdout)["calls"]
    inside = [x for x in s.samples if x.flags & stream.IN_KERNEL]
    check(len(inside) > len(s.samples) / 4, f"{len(inside)} of {len(s.samples)} in the kernel")
    for x in s.samples:
        equal(bool(x.kernel), bool(x.flags & stream.IN_KERNEL), "a kernel stack by the flag")
        check(all(f.function for f in x.kernel), f"a kernel frame without a name: {x.kernel}")
        check(all(f.kind in ("KERNEL", "MODULE", "BPF") for f in x.kernel), f"{x.kernel}")
    callers = {}
    for _, frames, n in env.folded(result.path):
        kernel = [f for f in frames if f.endswith("_[k]")]
        caller = next((f for f in frames if f in truth), None)
        if kernel and caller:
            callers.setdefault(caller, []).extend(kernel)
    equal(set(callers), set(truth), "functions with kernel frames below them")
    for caller, name in (("read_zero", "read"), ("ask_parent", "getppid"), ("echo_pipe", "pipe")):
        check(any(name in f for f in callers[caller]),
              f"no '{name}' in the kernel frames below {caller}: {set(callers[caller])}")


def parent_of(samples):
    """The parent lives longest; its pid need not be the smallest."""
    return collections.Counter(x.pid for x in samples).most_common(1)[0][0]


def short_children(env, hz):
    """
    Half the CPU time in 2,000 children of half a millisecond shows as half. With a real-time
    priority: where it competes for a CPU the scheduler's tick says when it runs, and samples at
    1 kHz are in step with that tick.
    """
    result, s = env.recorded("--hz", hz, "--", "chrt", "--fifo", "1", env.workload("forker"))
    s.samples = [x for x in s.samples if x.process == "forker"]  # chrt before
    truth = last_json(result.stdout)
    parent = parent_of(s.samples)
    first = min(x.time_ns for x in s.samples if x.pid != parent)
    # What the workload does before its first child is not in its truth.
    samples = sorted(x for x in s.samples if x.time_ns > first - 1e9 / int(hz))
    hits = [x.pid != parent for x in samples]
    share = truth["children_share"]
    check_share(sum(hits), len(hits), share, "samples in children", design_effect(hits, share))
    check(len({x.pid for x in samples}) > 50, "children with samples")
    functions = self_samples(env.report(result.path), "parent_work", "child_work")
    in_work = [x.pid != parent for x in samples if not x.kernel]
    check_share(functions[1], sum(functions), 0.5, "child_work", design_effect(in_work, 0.5))


@test
def forker_99_hz(env):
    short_children(env, "99")


@test
def forker_1000_hz(env):
    short_children(env, "1000")


@test
def children_to_the_end(env):
    """A filter for processes takes a child until it is gone, as a recorder without one sees it."""
    path = env.path("all.prof")
    recorder = env.recorder("-a", "--hz", "10000", "-o", path)
    env.running(recorder)
    _, filtered = env.recorded("--hz", "10000", "--", env.workload("forker"), "--children", "500")
    recorder.send_signal(signal.SIGINT)
    equal(env.finish(recorder).code, 0, "exit code")
    unfiltered = [x for x in checked(path).samples if x.process == "forker"]
    equal(parent_of(filtered.samples), parent_of(unfiltered), "the parent")
    parent = parent_of(unfiltered)
    children = collections.Counter(x.pid for x in unfiltered)
    missed = {pid for pid, n in children.items() if n >= 3} - {x.pid for x in filtered.samples}
    check(not missed, f"{len(missed)} of {len(children)} processes are missing")
    for what, count in (
            ("children", lambda x: x.pid != parent),
            ("the end of children", lambda x: x.pid != parent and
             any("do_exit" in f.function for f in x.kernel))):
        ours, all_of_them = (sum(map(count, s)) for s in (filtered.samples, unfiltered))
        check_share(ours, ours + all_of_them, 0.5, f"{what}, in one of two recordings")

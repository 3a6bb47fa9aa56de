# SPDX-License-Identifier: Apache-2.0
"""What is profiled: each way to choose it takes all of it and nothing else."""
import os
import signal
import subprocess

import stream
from harness import Skip, check, checked, equal, test


def pids(s):
    return {x.pid for x in s.samples}


def waiting(env, script):
    """A shell that does what the script says once go() is called."""
    child = env.spawn(["sh", "-c", "read go; " + script], stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE)
    env.wait(lambda: comm(child.pid) == "sh", "the shell")
    return child


def go(child):
    child.stdin.write(b"go\n")
    child.stdin.flush()


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return ""


def check_only(s, allowed):
    """Nothing else was written, and it was there to be filtered."""
    others = {(x.pid, x.process) for x in s.samples if x.pid not in allowed}
    check(not others, f"samples of others: {others}")


def cgroup2():
    with open("/proc/mounts") as f:
        for line in f:
            _, where, kind, *_ = line.split()
            if kind == "cgroup2":
                return where
    raise Skip("no cgroup2 file system is mounted")


@test
def command(env):
    """A command is profiled from its first instruction on, with its children."""
    env.busy(10)
    result, s = env.recorded("--hz", "10000", "--", "ls", "-lR", "/usr/include")
    env.held("command", result)
    check(s.samples, "no samples of ls")
    equal(len(pids(s)), 1, "processes")
    equal({x.process for x in s.samples}, {"ls"}, "names, also of the moments before its exec")
    check(s.final.sum("filtered_target") > 0, "the others are not in the ledger")
    equal(s.final.stopped_by, "command", "what ended the run")


@test
def pid(env):
    """-p takes threads and children that begin later, and ends with the process."""
    env.busy(20)
    target = waiting(env, f"exec {env.workload('mix')} -d 1.5")
    path = env.path("x.prof")
    recorder = env.recorder("--hz", "1000", "-p", str(target.pid), "-o", path)
    env.running(recorder)
    go(target)
    result = env.finish(recorder)
    env.held("pid", result)
    s = checked(path)
    equal(s.final.stopped_by, "target", "what ended the run")
    of_target = {x.thread for x in s.samples if x.pid == target.pid}
    check({"http-0", "http-1", "logger"} <= of_target, f"threads: {of_target}")
    children = {x.pid for x in s.samples} - {target.pid}
    check(len(children) > 3, f"only {len(children)} children have samples")
    strangers = {x.process for x in s.samples} - {"mix", "cron", "sh"}
    check(not strangers, f"samples of others: {strangers}")


@test
def pid_gone(env):
    gone = env.spawn(["true"])
    gone.wait()
    env.held("pid-gone", env.record("-p", str(gone.pid)))


@test
def tid(env):
    """-t takes one thread and not its siblings."""
    target = env.spawn([env.workload("mix"), "-d", "4"])

    def tids():
        tasks = os.listdir(f"/proc/{target.pid}/task")
        return {comm(f"{target.pid}/task/{t}"): int(t) for t in tasks}
    env.wait(lambda: "http-1" in tids(), "the threads")
    chosen = tids()["http-1"]
    result, s = env.recorded("--hz", "1000", "-t", str(chosen), "-d", "1")
    env.held("tid", result)
    check(len(s.samples) > 50, f"only {len(s.samples)} samples")
    equal({(x.pid, x.tid, x.thread) for x in s.samples}, {(target.pid, chosen, "http-1")},
          "process, thread and name")


@test
def cpu(env):
    env.busy(10)
    result, s = env.recorded("-C", "0", "--hz", "1000", "-d", "0.7")
    env.held("cpu", result)
    check(len(s.samples) > 50, f"only {len(s.samples)} samples")
    equal({x.cpu for x in s.samples}, {0}, "CPUs with samples")
    equal([r["cpu"] for r in s.final.rows], [0], "CPUs in the ledger")


@test
def cpu_offline(env):
    env.held("cpu-offline", env.record("-C", "1023", "-d", "1"))


@test
def cgroup(env):
    """-G takes a cgroup and those below it."""
    group = os.path.join(cgroup2(), f"profiler-test-{os.getpid()}")
    inner = os.path.join(group, "inner")
    targets = [waiting(env, f"exec {env.workload('shares')} -d 1.5") for _ in range(2)]
    os.makedirs(inner)
    try:
        for target, where in zip(targets, (group, inner)):
            with open(os.path.join(where, "cgroup.procs"), "w") as f:
                f.write(str(target.pid))
        env.busy(20)
        path = env.path("x.prof")
        recorder = env.recorder("-G", group, "--hz", "1000", "-d", "1", "-o", path)
        env.running(recorder)
        for target in targets:
            go(target)
        result = env.finish(recorder)
        env.held("cgroup", result)
        s = checked(path)
        for target in targets:
            check(sum(x.pid == target.pid for x in s.samples) > 50, f"{target.pid} is missing")
        check_only(s, {t.pid for t in targets})
        check(s.final.sum("filtered_target") > 100, "the others are not in the ledger")
    finally:
        for target in targets:
            target.kill()
            target.wait()
        for where in (inner, group):
            env.wait(lambda: not open(os.path.join(where, "cgroup.procs")).read(), "the cgroup")
            os.rmdir(where)


@test
def cgroup_missing(env):
    env.held("cgroup-missing", env.record("-G", env.path("none"), "-d", "1"))


@test
def page_faults(env):
    result, s = env.recorded("-e", "page-faults", "-c", "1", "--", env.workload("faults"),
                             "--pages", "500")
    env.held("page-faults", result)
    check(len(s.samples) >= 500, f"{len(s.samples)} samples for 500 faults and those of its start")
    equal(s.events, ["page-faults"], "events")


@test
def two_events(env):
    result, s = env.recorded("-e", "cpu-clock", "-e", "context-switches", "--hz", "500", "--",
                             env.workload("mix"), "-d", "1")
    env.held("two-events", result)
    equal(s.events, ["cpu-clock", "context-switches"], "events")
    for event in (0, 1):
        check(sum(x.event == event for x in s.samples) > 10, f"no samples of event {event}")
    equal({(r["cpu"], r["event"]) for r in s.final.rows},
          {(c, e) for c in range(os.cpu_count()) for e in (0, 1)}, "rows of the ledger")


def by_mode(env, modifier):
    result, s = env.recorded("-e", "cpu-clock:" + modifier, "--hz", "2000", "--",
                             env.workload("syscalls"), "-d", "0.5")
    check(len(s.samples) > 30, f"only {len(s.samples)} samples")
    check(s.final.sum("filtered_mode") > 30, "the other mode is not in the ledger")
    return result, s, {bool(x.flags & stream.IN_KERNEL) for x in s.samples}


@test
def user_only(env):
    result, s, in_kernel = by_mode(env, "u")
    env.held("user-only", result)
    equal(in_kernel, {False}, "in the kernel")
    check(not any(x.kernel for x in s.samples), "kernel stacks with :u")


@test
def kernel_only(env):
    result, s, in_kernel = by_mode(env, "k")
    env.held("kernel-only", result)
    equal(in_kernel, {True}, "in the kernel")
    check(all(x.kernel for x in s.samples), "samples without kernel stacks")


@test
def idle(env):
    """Idle samples are counted, and written only with --idle; two recorders see the same CPUs."""
    path = env.path("x.prof")
    recorder = env.recorder("--idle", "--hz", "1000", "-d", "1", "-o", path)
    _, without = env.recorded("--hz", "1000", "-d", "1", name="y.prof")
    env.held("idle", env.finish(recorder))
    with_idle = checked(path)
    flagged = sum(bool(x.flags & stream.IDLE) for x in with_idle.samples)
    equal(flagged, sum(x.tid == 0 for x in with_idle.samples), "flagged, against the idle task's")
    equal(with_idle.final.sum("idle"), 0, "idle and not written, with --idle")
    check(not any(x.flags & stream.IDLE or x.tid == 0 for x in without.samples),
          "idle samples without --idle")
    names = {(x.process, x.thread) for x in with_idle.samples if x.tid == 0}
    check(names <= {("swapper", "swapper")}, f"names of the idle task: {names}")
    check(flagged or without.final.sum("idle") < 100,
          f"no idle samples, but another recorder counted {without.final.sum('idle')}")


@test
def all_with_command(env):
    """-a with a command: the whole machine while it runs."""
    spin = env.busy(10)
    result, s = env.recorded("-a", "--hz", "1000", "--", "sleep", "0.5")
    env.held("all-with-command", result)
    equal(s.final.stopped_by, "command", "what ended the run")
    check(sum(x.pid == spin.pid for x in s.samples) > 50, "the rest of the machine is missing")


@test
def no_call_graph(env):
    result, s = env.recorded("--call-graph", "none", "--hz", "1000", "--", env.workload("shares"),
                             "-d", "0.3")
    env.held("no-call-graph", result)
    equal({len(x.user) + len(x.kernel) for x in s.samples}, {1}, "frames of a stack")


@test
def beside_another(env):
    """
    A second recorder takes nothing away: the kernel writes what it tells both of them, symbols of
    BPF programs among it, in other sizes then.
    """
    path = env.path("x.prof")
    recorder = env.recorder("-a", "--hz", "4000", "-o", path)
    env.running(recorder)
    for _ in range(6):
        env.recorded("-d", "0.05", "--", "true", name="y.prof")
    forker = env.spawn([env.workload("forker"), "--children", "300"])
    forker.wait()
    recorder.send_signal(signal.SIGINT)
    equal(env.finish(recorder).code, 0, "exit code")
    s = checked(path)
    named = {x.pid for x in s.samples if x.process == "forker"}
    check(len(named) > 200, f"{len(named)} of 301 processes called forker have samples")
    unknown = {x.pid for x in s.samples if x.process == "?"}
    check(not unknown, f"{len(unknown)} processes without a name")

# SPDX-License-Identifier: Apache-2.0
"""Who ran it: the cgroup of every sample's process, and its pid in a namespace of its own."""
import contextlib
import os

from harness import Skip, check, checked, equal, test
from test_targets import cgroup2

CONTAINER = "0123456789abcdef" * 4


@contextlib.contextmanager
def cgroup(env, name):
    """A cgroup below the root: its path as /proc/PID/cgroup has it, and its cgroup.procs."""
    where = os.path.join(cgroup2(), name)
    try:
        os.mkdir(where)
    except OSError as error:
        raise Skip(f"no cgroup can be made: {error}") from error
    procs = os.path.join(where, "cgroup.procs")
    try:
        yield "/" + name, procs
    finally:
        env.clean_up()
        env.wait(lambda: not open(procs).read(), "the cgroup to be empty")
        os.rmdir(where)


def cgroups(samples):
    return {x.cgroup for x in samples}


@test
def moved_before_exec(env):
    """A launcher works, moves itself and becomes the program: each has its own place."""
    with cgroup(env, f"profiler-who-{os.getpid()}") as (path, procs):
        script = (f"while (( SECONDS < 2 )); do :; done; echo $$ > {procs}; "
                  f"exec {env.workload('shares')} -d 2.5")  # of CPU time, the shell's included
        _, s = env.recorded("--hz", "1000", "--", "bash", "-c", script)
        before = [x for x in s.samples if x.process == "bash"]
        after = [x for x in s.samples if x.process == "shares"]
        check(len(before) > 50 and len(after) > 50, f"{len(before)}, {len(after)} samples")
        equal(cgroups(after), {path}, "cgroups of the program")
        check(path not in cgroups(before), f"{path} before the move")
        check("" not in cgroups(s.samples), "samples without a cgroup")
        equal({x.inner_pid for x in s.samples}, {0}, "pids of their own")


@test
def short_lived(env):
    """Children that have gone before anybody can ask are where their parent was."""
    with cgroup(env, f"profiler-who-{os.getpid()}") as (path, procs):
        script = f"echo $$ > {procs}; exec {env.workload('forker')} --children 800"
        _, s = env.recorded("--hz", "2000", "--", "sh", "-c", script)
        children = {x.pid for x in s.samples if x.process == "forker"}
        check(len(children) > 400, f"only {len(children)} processes have samples")
        equal(cgroups(x for x in s.samples if x.process == "forker"), {path}, "cgroups")


@test
def container(env):
    """A container as far as the kernel knows such a thing: namespaces, and a cgroup of a known form."""
    with cgroup(env, f"docker-{CONTAINER}.scope") as (path, procs):
        inside = env.spawn(["sh", "-c", f"echo $$ > {procs}; exec unshare --fork --pid "
                            f"--kill-child --mount-proc {env.workload('shares')} -d 10"])
        env.wait(lambda: len(open(procs).read().split()) == 2, "the container")
        outside = env.spawn([env.workload("shares"), "-d", "10"])
        result, s = env.recorded("--hz", "1000", "-d", "1")
        inner = [x for x in s.samples if x.cgroup == path and x.process == "shares"]
        other = [x for x in s.samples if x.pid == outside.pid]
        check(len(inner) > 50 and len(other) > 50, f"{len(inner)}, {len(other)} samples")
        equal({x.inner_pid for x in inner}, {1}, "the pid inside")
        check(not {x.pid for x in inner} & {1, inside.pid}, "the pid outside is the machine's")
        check(path not in cgroups(other), "the other is not in there")
        equal({x.inner_pid for x in other}, {0}, "the pid inside of what is outside")
        by = env.tool("report", "--by", "container", result.path)
        check(CONTAINER[:12] in by, f"not by container: {by}")


@test
def whole_machine(env):
    """Everything is somewhere, kernel threads in the root if nobody has put them elsewhere."""
    env.busy(10)
    _, s = env.recorded("--hz", "4000", "-d", "1")
    lost = {(x.pid, x.process) for x in s.samples if x.pid and x.process != "?" and not x.cgroup}
    check(not lost, f"processes without a cgroup: {lost}")

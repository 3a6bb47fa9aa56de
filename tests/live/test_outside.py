# SPDX-License-Identifier: Apache-2.0
"""The pprof file as `go tool pprof` reads it, and names only from files that are the same."""
import os
import re
import shutil
import subprocess

from harness import Skip, check, check_share, equal, test


def pprof(env, path, *args):
    if not shutil.which("go"):
        raise Skip("go is not installed (make deps-test)")
    run = subprocess.run(["go", "tool", "pprof", "-symbolize=none", *args, path], timeout=30,
                         capture_output=True, env=dict(os.environ, HOME=env.work))
    check(run.returncode == 0, f"go tool pprof {' '.join(args)}: {run.stderr.decode()}")
    return run.stdout.decode()


def flat(env, path):
    """Samples by function at the leaf, as -top counts them."""
    text = pprof(env, path, "-top", "-sample_index=samples", "-nodefraction=0", "-nodecount=99999")
    counts = {}
    for line in text.splitlines():
        match = re.match(r"\s*(\d+)\s+[\d.]+%\s+[\d.]+%\s+(\d+)\s+[\d.]+%\s+(.*)", line)
        if match:
            name = match.group(3).removesuffix(" (inline)")
            counts[name] = counts.get(name, 0) + int(match.group(1))
    return counts


def build_id(path):
    text = subprocess.run(["readelf", "-n", path], capture_output=True, check=True).stdout.decode()
    return re.search(r"Build ID: ([0-9a-f]+)", text).group(1)


def pipeline(env):
    """The pipeline of the README, with two workloads below it."""
    shares = env.spawn([env.workload("shares"), "-d", "20"])
    calls = env.spawn([env.workload("syscalls"), "-d", "20"])
    path = env.path("cpu.pb.gz")
    recorder = env.recorder("--hz", "1000", "--hw-events", "-d", "2", stdout=subprocess.PIPE)
    with open(path, "wb") as f:
        to_pprof = env.spawn([env.bin("profiler-pprof")], stdin=recorder.stdout, stdout=f,
                             stderr=subprocess.PIPE)
    recorder.stdout.close()
    recorder.stdout = None
    result = env.finish(recorder)
    equal(result.code, 0, f"exit code of the recorder ({result.stderr})")
    equal(env.finish(to_pprof).code, 0, "exit code of profiler-pprof")
    for child in (shares, calls):
        child.kill()
        child.wait()
    return path, result


@test
def go_tool_pprof(env):
    path, result = pipeline(env)
    counts = flat(env, path)
    truth = {"hot": 0.6, "warm": 0.3, "cool": 0.1}
    hits = {name: counts.get(name, 0) for name in truth}
    for name, share in truth.items():
        check_share(hits[name], sum(hits.values()), share, f"{name} in -top")
    written = int(re.search(r"(\d+) samples in", result.stderr).group(1))
    equal(sum(counts.values()), written, "samples in -top, against the closing line")

    traces = pprof(env, path, "-traces", "-sample_index=samples")
    blocks = [[line.split()[-1] for line in block.splitlines()
               if line.strip() and ":  " not in line] for block in traces.split("-" * 11 + "+")]
    check(any("ask_parent" in b and any("getppid" in x for x in b) and b[-1] != "ask_parent"
              for b in blocks), "no kernel function getppid below ask_parent in -traces")
    check(any("outer" in b and b[b.index("outer") + 1:][:1] == ["main"] for b in blocks),
          "no outer below main in -traces")

    raw = pprof(env, path, "-raw")
    for name in ("shares", "syscalls"):
        check(re.search(rf"/{name} {build_id(env.workload(name))} ", raw),
              f"no mapping of {name} with its build id in -raw")
    check("[kernel.kallsyms]" in raw, "no mapping of the kernel in -raw")
    tags = pprof(env, path, "-tags")
    for tag in ("process", "thread", "pid", "tid", "cpu", "event"):
        check(re.search(rf"^ *{tag}: Total", tags, re.M), f"no label {tag} in -tags")


def replaced(env, replace):
    """Records a copy of a workload without names, then puts something else in its place."""
    program, path = env.path("program"), env.path("x.prof")
    shutil.copy(env.workload("shares"), program)
    env.recorded("--hz", "1000", "--no-names", "--", program, "-d", "0.3")
    check("hot" in {f["name"] for f in env.report(path)["functions"]}, "no names before")
    replace(program)
    functions = env.report(path)["functions"]
    mine = [f for f in functions if f["mapping"].startswith(program)]
    check(sum(f["self"] for f in mine) > 100, f"the program's samples are missing: {functions}")
    strange = {f["name"] for f in mine} - {"[unknown]"}
    check(not strange, f"names from a file that is another one now: {strange}")
    with open(env.path("cpu.pb.gz"), "wb") as f:
        subprocess.run([env.bin("profiler-pprof"), path], stdout=f, check=True,
                       stderr=subprocess.DEVNULL, timeout=20)
    names = set(flat(env, env.path("cpu.pb.gz")))
    wrong = names & {"hot", "warm", "cool", "outer", "read_zero", "ask_parent", "echo_pipe"}
    check(not wrong, f"names in pprof from a file that is another one now: {wrong}")


@test
def replaced_file(env):
    """Another program under the old name gives no names."""
    def replace(program):
        shutil.copy(env.workload("syscalls"), program + ".new")
        os.rename(program + ".new", program)
    replaced(env, replace)


@test
def removed_file(env):
    replaced(env, os.unlink)


@test
def names_outlive_the_file(env):
    """What was named while it was recorded needs no file to be read."""
    program = env.path("program")
    shutil.copy(env.workload("shares"), program)
    env.recorded("--hz", "1000", "--", program, "-d", "0.3")
    before = env.folded(env.path("x.prof"))
    shutil.copy(env.workload("syscalls"), program + ".new")
    os.rename(program + ".new", program)
    check(any("hot" in frames for _, frames, _ in before), "no names while the file is there")
    equal(env.folded(env.path("x.prof")), before, "the stacks with another file in its place")

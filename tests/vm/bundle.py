# SPDX-License-Identifier: Apache-2.0
"""bundle.py - what `check` and the other tests need on another machine, as a folder.

It has the places of the tree, so that what runs from it finds its neighbours as it does here: the
tests' scripts, and build/ with programs, workloads and programs with known stacks.
"""
import os
import shutil
import subprocess

import guestdisk
from guestdisk import TREE, LabError

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
SCRIPTS = ("tests/README.md", "tests/live", "tests/vm", "bench/outermost.py", "bench/fixed.py",
           "bench/lib", "proto/stream.proto")
PROGRAMS = ("bin", "workloads", "stacks")
NEEDED = ("bin/profiler", "bin/profiler-jail", "bin/profiler-report", "workloads/shares",
          "stacks/plain")
# Where they are built, the newest counts, and by what.
BUILDS = {"amd64": (("build/dev", "build"), "tests/run build"),
          "arm64": (("build/arm64",), "make arm64")}
COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
# What is built here, for it is of use to these tests alone: file in tests/vm, name, and flags.
EXTRAS = (("verifier_stats.c", "tests/verifier_stats.so", ["-shared", "-fPIC", "-ldl"]),
          ("paced.c", "tests/paced", ["-fno-pie", "-no-pie"]))
# The same program, its return addresses signed: for arm64's pointer authentication.
SIGNED = (("../live/stacks/plain.c", "stacks/plain_signed"),)


def lacks(folder):
    """What is not there yet of the programs of a build."""
    return [n for n in NEEDED if not os.path.exists(os.path.join(folder, n))]


def build_folder(arch, builds):
    """Where the programs for an architecture were built, and with them the tests'."""
    usual, how = BUILDS[arch]
    folders = [builds[arch]] if builds.get(arch) else [os.path.join(TREE, f) for f in usual]
    whole = [f for f in folders if not lacks(f)]
    if not whole:
        raise LabError(f"{folders[0]}/{lacks(folders[0])[0]} is missing; {how} builds it")
    return max(whole, key=lambda f: os.path.getmtime(os.path.join(f, "bin/profiler")))


def compile_extras(arch, out):
    compiler = COMPILERS[arch]
    if not shutil.which(compiler):
        raise LabError(f"{compiler} is missing: install gcc-{compiler[:-4].replace('_', '-')}")
    flags = ["-O2", "-g0", "-D_GNU_SOURCE", f"-I{TREE}"]
    jobs = [(source, name, more) for source, name, more in EXTRAS]
    if arch == "arm64":
        jobs += [(source, name, ["-fomit-frame-pointer", "-mbranch-protection=pac-ret", "-pthread"])
                 for source, name in SIGNED]
    sysroot = os.path.join(TREE, "build/sysroot-arm64")
    if arch == "arm64" and os.path.isdir(sysroot):
        flags.append(f"--sysroot={sysroot}")
    for source, name, more in jobs:
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        run = subprocess.run([compiler, *flags, os.path.join(guestdisk.HERE, source), "-o", path,
                              *more], capture_output=True, text=True)
        if run.returncode:
            raise LabError(f"cannot compile {source}: {run.stderr.strip()}")


def make(folder, arch, builds):
    """Fills a folder for an architecture; builds has other build folders, by architecture."""
    build = build_folder(arch, builds)
    for name in SCRIPTS:
        source, to = os.path.join(TREE, name), os.path.join(folder, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, to, ignore=shutil.ignore_patterns("*.c", "stacks", "fakehw",
                                                                      "__pycache__"))
        else:
            shutil.copy(source, to)
    for name in PROGRAMS:
        shutil.copytree(os.path.join(build, name), os.path.join(folder, "build", name),
                        symlinks=True)
    compile_extras(arch, os.path.join(folder, "build"))
    return folder

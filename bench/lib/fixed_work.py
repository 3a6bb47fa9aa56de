# SPDX-License-Identifier: Apache-2.0
"""fixed_work.py - work of a fixed amount that keeps all CPUs busy: what recorders are put beside.

with started(name, folder, build) as work: work.play(ms) does an amount of work that took about so
many milliseconds when it started, and returns Took(wall_s, cpu_s): the wall-clock time, and the
work's own CPU time where it can be told from that of its load generator (else None). The same ms
is the same amount each time, so times can be compared; work.has(pid, process) says whose samples
are the work's. missing(name) lists the commands that a kind of work needs and are not there.

    cpu, memory, syscalls, threads   bench/workloads/rounds.c, which explains them
    nginx      static files, small ones; seconds a request under wrk
    redis      redis-benchmark's mix of short commands over a unix socket
    compile    gcc -O2 of generated C files, as many at a time as there are CPUs
"""
import collections
import contextlib
import math
import os
import re
import resource
import shutil
import subprocess
import time

import debian_mix

ROUNDS = ("cpu", "memory", "syscalls", "threads")
SERVERS = ("nginx", "redis", "compile")
NAMES = ROUNDS + SERVERS
NEEDS = {"nginx": ["nginx", "wrk"], "redis": ["redis-benchmark", "redis-check-rdb"],
         "compile": ["gcc", "xargs"]}
FUNCTIONS_IN_A_FILE = 60
REDIS_COMMANDS = "set,get,incr,lpush,sadd,hset,zadd"

Took = collections.namedtuple("Took", "wall_s cpu_s")


class Failed(Exception):
    """The work could not be done; the message says why."""


class Rounds:
    """A program that does rounds of work when it is told to."""

    def __init__(self, stack, folder, build, name):
        program = os.path.join(build, "workloads/rounds")
        if not os.access(program, os.X_OK):
            raise Failed(f"{program} is missing; make build makes it")
        self.child = debian_mix.spawn(stack, [program, name], folder, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        self.target = debian_mix.Target(self.child.pid, [])
        self.answer()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise Failed(f"rounds ended with status {self.child.wait()}")
        return line.split()

    def play(self, ms):
        self.child.stdin.write(b"%.3f\n" % ms)
        self.child.stdin.flush()
        return Took(*(int(ns) / 1e9 for ns in self.answer()[:2]))


class Nginx:
    """wrk works for a time, not for a number of requests: the time of a request is what is told."""

    def __init__(self, stack, folder, _build):
        self.folder = folder
        port = debian_mix.nginx_server(stack, folder)
        self.target = debian_mix.Target(None, ["nginx"])
        self.url = f"http://127.0.0.1:{port}/small.txt"

    def play(self, ms):
        seconds = max(1, round(ms / 1000))
        text = command(["wrk", "-t1", "-c16", f"-d{seconds}s", self.url], self.folder)
        found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", text)
        if not found or not int(found[1]):
            raise Failed("wrk: no request was answered")
        passed = float(found[2]) / (1000 if found[3] == "ms" else 1)
        return Took(passed / int(found[1]), None)


class Redis:
    def __init__(self, stack, folder, _build):
        self.folder, self.per_ms = folder, 0
        self.unix = debian_mix.redis_server(stack, folder)
        self.target = debian_mix.Target(None, ["redis-server"])
        begin = time.monotonic()
        self.requests(20000)
        self.per_ms = 20000 / (time.monotonic() - begin) / 1000

    def requests(self, count):
        command(["redis-benchmark", "-s", self.unix, "-q", "-P", 8, "-n", count, "-t",
                 REDIS_COMMANDS], self.folder)

    def play(self, ms):
        begin = time.monotonic()
        self.requests(max(100, round(self.per_ms * ms)))
        return Took(time.monotonic() - begin, None)


class Compile:
    def __init__(self, _stack, folder, _build):
        self.folder, self.ms_each = folder, 0
        debian_mix.written(folder, "part.c", debian_mix.c_source(FUNCTIONS_IN_A_FILE))
        self.target = debian_mix.Target(None, ["gcc", "cc1", "as"])
        self.files(1)  # the compiler comes from the disk
        few = os.cpu_count()
        self.ms_each = 1000 * self.files(few).wall_s / few

    def files(self, count):
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command(["xargs", "-P", os.cpu_count(), "-I", "{}", "gcc", "-O2", "-c", "part.c", "-o",
                 "{}.o"], self.folder, "".join(f"{i}\n" for i in range(count)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Took(time.monotonic() - begin, after.ru_utime - before.ru_utime
                    + after.ru_stime - before.ru_stime)

    def play(self, ms):
        return self.files(max(1, math.ceil(ms / self.ms_each)))


def command(argv, folder, stdin=""):
    done = subprocess.run([str(a) for a in argv], cwd=folder, input=stdin, text=True,
                          capture_output=True)
    if done.returncode:
        raise Failed(f"{argv[0]}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def missing(name):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [c for c in NEEDS.get(name, []) if not shutil.which(c, path=path)]


@contextlib.contextmanager
def started(name, folder, build):
    place = os.path.join(folder, name)
    os.mkdir(place)
    with contextlib.ExitStack() as stack:
        if name in ROUNDS:
            yield Rounds(stack, place, os.path.abspath(build), name)
        else:
            kinds = {"nginx": Nginx, "redis": Redis, "compile": Compile}
            yield kinds[name](stack, place, build)

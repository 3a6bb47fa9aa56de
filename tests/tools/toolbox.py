# SPDX-License-Identifier: Apache-2.0
"""toolbox.py - what the tests of the tools share: running them, streams, results.

A test is a function of a test_*.py beside this file with @test, which gets an Env; what it does
not like it says with check() or equal(), and skip() ends it where something is missing. Each
script also runs alone, for it ends with

    if __name__ == "__main__":
        sys.exit(toolbox.main())
"""
import collections
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

LIMIT_S = 60 # of one test; long ones say test(limit_s=...)
TESTS = []
WORKERS = 2
AT_END = []


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


def skip(reason):
    raise Skip(reason)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not installed")


def test(function=None, *, limit_s=LIMIT_S, alone=False):
    """@test, or @test(limit_s=..., alone=True): alone is one that other load could make fail"""
    if function is None:
        return lambda f: test(f, limit_s=limit_s, alone=alone)
    script = os.path.basename(function.__code__.co_filename)
    part = re.sub(r"^test_|\.py$", "", script)
    TESTS.append((f"{part}/{function.__name__.replace('_', '-')}", function, limit_s, alone))
    return function


def at_end(function):
    """Calls it when a process that runs tests is through with them."""
    AT_END.append(function)


class Env:
    """A build, and a folder that goes with the test."""

    def __init__(self, build, temp):
        self.build = os.path.abspath(build)
        self.bin = os.path.join(self.build, "bin")
        self.temp = temp
        self.environ = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", PPROF_TMPDIR=temp)
        for name in ("COLUMNS", "NO_COLOR", "DEBUGINFOD_URLS"):
            self.environ.pop(name, None)
        self.environ["PATH"] = f"{self.bin}:{os.environ['PATH']}"

    def path(self, name):
        return os.path.join(self.temp, name)

    def run(self, *command, status=0, stdin=None, text=True, **options):
        """Runs a command in the test's folder; its CompletedProcess. status None: any."""
        done = subprocess.run([str(word) for word in command], input=stdin, text=text,
                              cwd=self.temp, env=self.environ, capture_output=True,
                              stdin=subprocess.DEVNULL if stdin is None else None, **options)
        check(status is None or done.returncode == status,
              f"{' '.join(map(str, command))}: exit status {done.returncode}, not {status}: "
              f"{done.stderr[-2000:]}")
        return done

    def tool(self, name, *words, **options):
        """Runs profiler-NAME; what it prints."""
        return self.run(os.path.join(self.bin, f"profiler-{name}"), *words, **options).stdout

    def json(self, name, *words, **options):
        """The same with --json, parsed."""
        return json.loads(self.tool(name, "--json", *words, **options))

    def made(self, kind, *sizes):
        """A stream of known content: the path of one that make_stream writes."""
        path = self.path("-".join(map(str, ["made", kind, *sizes])) + ".prof")
        if not os.path.exists(path):
            maker = os.path.join(self.build, "tests/make_stream")
            with open(path, "wb") as out:
                subprocess.run([maker, kind, *map(str, sizes)], stdout=out, check=True)
        return path

    def record(self, *words, to="recorded.prof", command=("mix", "-d", "1")):
        """A stream that the recorder takes of a workload; skips where it cannot."""
        if os.geteuid() != 0:
            skip("recording needs root")
        program = os.path.join(self.build, "workloads", command[0])
        self.run(os.path.join(self.bin, "profiler"), "-q", *words, "-o", to, "--", program,
                 *command[1:], timeout=30)
        return self.path(to)


def _alarm(_signal, _frame):
    raise Failure("not done in time")


def _run_one(name, function, limit_s, build):
    start = time.monotonic()
    outcome, told = "ok", ""
    with tempfile.TemporaryDirectory(prefix="profiler-tools-") as temp:
        signal.alarm(limit_s)
        try:
            function(Env(build, temp))
        except Skip as reason:
            outcome, told = "skip", str(reason)
        except Failure as failure:
            outcome, told = "FAIL", str(failure)
        except Exception: # the test's own mistake
            outcome, told = "FAIL", traceback.format_exc()
        finally:
            signal.alarm(0)
    if outcome == "ok":
        print(f"ok    {name:44} {time.monotonic() - start:5.2f} s", flush=True)
    else:
        print(f"{outcome:5} {name}: " + told.rstrip().replace("\n", "\n    | "), flush=True)
    return outcome


def _run_tests(tests, build):
    """Runs them one after another; {outcome: how many}."""
    outcomes = collections.Counter()
    signal.signal(signal.SIGALRM, _alarm)
    for name, function, limit_s, _ in tests:
        outcomes[_run_one(name, function, limit_s, build)] += 1
    while AT_END:
        AT_END.pop()()
    return outcomes


def _worker(build, tasks, results):
    """Takes scripts, whose tests are TESTS[first:end], until there are no more."""
    outcomes = collections.Counter(FAIL=1) # unless it comes to its end
    try:
        while (task := tasks.get()) is not None:
            outcomes += _run_tests([TESTS[i] for i in task], build)
        outcomes["FAIL"] -= 1
    finally:
        results.put(dict(outcomes))


def _run_together(scripts, build):
    """Scripts at the same time, some at once: they share a processor, but no test another's folder."""
    tasks, results = multiprocessing.Queue(), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=_worker, args=(build, tasks, results))
               for _ in range(WORKERS)]
    for script in [*scripts, *[None] * WORKERS]:
        tasks.put(script)
    for worker in workers:
        worker.start()
    outcomes = collections.Counter()
    for worker in workers:
        outcomes += collections.Counter(results.get())
    for worker in workers:
        worker.join()
    return outcomes


def run_all(build, pattern=""):
    """Runs the tests whose name contains pattern; the exit code of the script."""
    scripts = collections.defaultdict(list)
    alone = []
    for number, (name, _, _, is_alone) in enumerate(TESTS):
        if pattern in name:
            (alone if is_alone else scripts[name.split("/")[0]]).append(number)
    outcomes = _run_together(sorted(scripts.values(), key=len, reverse=True), build)
    outcomes += _run_tests([TESTS[i] for i in alone], build)
    print(f"{outcomes['ok']} passed, {outcomes['FAIL']} failed, {outcomes['skip']} skipped")
    return 1 if outcomes["FAIL"] or not outcomes else 0


def main():
    """The command line of a script: BUILD [PART]."""
    if len(sys.argv) not in (2, 3) or not os.path.isdir(sys.argv[1]):
        print(f"usage: {sys.argv[0]} BUILD [PART]", file=sys.stderr)
        return 2
    return run_all(*sys.argv[1:])

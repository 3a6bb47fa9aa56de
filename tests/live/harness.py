# SPDX-License-Identifier: Apache-2.0
"""harness.py - what the live tests share: running things, the promises, sampling error, results.

Sampling error. A profile of n samples with a share p of them in a function is held against the
workload's own measurement of p. Were the samples independent, their number would be binomial;
the test fails when so unlikely a number (two-sided, computed exactly) has a chance below that of
5 sigma, 5.7e-7. A timer samples more evenly than chance does, so that this errs on the safe side
as long as the samples do not repeat a pattern of the workload's. Where they may (forker, whose
rounds are about as long as the sampling period), neighbours are correlated, and the design effect
is taken from the samples themselves: they are cut in their order into 30 blocks, and with s^2 the
variance of the blocks' shares and m the samples of a block,

    deff = max(1, F * s^2 / (p * (1 - p) / m)),    n_eff = n / deff

where F = 2.1 makes up for s^2 being an estimate itself: chi-square with 29 degrees of freedom
lies below 29 / 2.1 in one of a hundred tests, and these would need a deviation of 3.4 sigma too.
"""
import collections
import ctypes
import fnmatch
import json
import math
import mmap
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

import stream

CHANCE = 5.7e-7  # of 5 sigma, both sides
LIMIT_S = 60     # of one test
HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


# Statistics

def _log_binomial(k, n, p):
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            + k * math.log(p) + (n - k) * math.log1p(-p))


def binomial_chance(k, n, p):
    """Chance of a number as far out as k on its side, times two."""
    side = range(k, n + 1) if k > n * p else range(0, k + 1)
    return min(1.0, 2 * math.fsum(math.exp(_log_binomial(i, n, p)) for i in side))


def design_effect(hits, share, blocks=30):
    """How many correlated samples are worth one independent one; hits in order of time."""
    size = len(hits) // blocks
    if size < 2:
        return 1.0
    shares = [sum(hits[i * size:(i + 1) * size]) / size for i in range(blocks)]
    mean = sum(shares) / blocks
    variance = sum((x - mean) ** 2 for x in shares) / (blocks - 1)
    return max(1.0, 2.1 * variance / (share * (1 - share) / size))


def check_share(hits, count, truth, what, effect=1.0):
    """Holds hits of count samples against a true share."""
    check(count >= 30, f"{what}: only {count} samples")
    n, k = round(count / effect), round(hits / effect)
    chance = binomial_chance(min(k, n), n, truth)
    error = math.sqrt(truth * (1 - truth) / n)
    if os.environ.get("LIVE_VERBOSE"):
        print(f"      {what}: {hits}/{count} = {hits / count:.4f}, truth {truth:.4f}, "
              f"{(hits / count - truth) / error:+.1f} sigma, design effect {effect:.2f}")
    check(chance > CHANCE,
          f"{what}: {hits} of {count} samples are {hits / count:.4f}, truth {truth:.4f}, "
          f"{(hits / count - truth) / error:+.1f} sigma of {error:.4f} (design effect "
          f"{effect:.2f})")


# Running things

Result = collections.namedtuple("Result", "code stdout stderr path seconds")


def last_json(text):
    """The truth that a workload prints, wherever its line went."""
    lines = [x for x in text.splitlines() if x.startswith("{") and x.endswith("}")]
    check(lines, f"no truth from the workload in: {text[-300:]!r}")
    return json.loads(lines[-1])


class Env:
    """One test's world: the programs, a folder of its own, and the processes it started."""

    def __init__(self, build, work):
        self.build = os.path.abspath(build)
        self.work = work
        self.started = []
        self.promises = Promises()

    def bin(self, name):
        return os.path.join(self.build, "bin", name)

    def workload(self, name):
        return os.path.join(self.build, "workloads", name)

    def path(self, name):
        return os.path.join(self.work, name)

    def spawn(self, argv, **options):
        """Starts something that does not outlive the test."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        child = subprocess.Popen([str(a) for a in argv], **options)
        self.started.append(child)
        return child

    def busy(self, seconds):
        """Keeps all CPUs busy."""
        return self.spawn([self.workload("spin"), "-d", seconds])

    def recorder(self, *args, **options):
        """Starts the recorder; its messages are in the child's stderr."""
        options.setdefault("stderr", subprocess.PIPE)
        return self.spawn([self.bin("profiler"), *args], **options)

    def finish(self, child, timeout=30):
        """Waits for a recorder; the whole of what it said."""
        begin = time.monotonic()
        out, err = child.communicate(timeout=timeout)
        return Result(child.returncode, out, (err or b"").decode("utf-8", "replace"), None,
                      time.monotonic() - begin)

    def record(self, *args, name="x.prof", **options):
        """A whole recording into a file."""
        path = self.path(name)
        options.setdefault("stdout", subprocess.PIPE)
        child = self.recorder("-o", path, *args, **options)
        result = self.finish(child)
        return result._replace(path=path, stdout=(result.stdout or b"").decode())

    def recorded(self, *args, **options):
        """One that has to succeed, and whose stream has to be right."""
        result = self.record(*args, **options)
        check(result.code == 0, f"exit code {result.code}: {result.stderr}")
        return result, checked(result.path)

    def running(self, child):
        """Waits until a recorder samples: its loop waits in epoll_wait(), and nothing before."""
        self.wait(lambda: child.poll() is not None or in_epoll_wait(child.pid),
                  "the recorder to start")

    @staticmethod
    def wait(condition, what, timeout=30.0):
        end = time.monotonic() + timeout
        while not condition():
            check(time.monotonic() < end, f"waited {timeout} s for {what}")
            time.sleep(0.01)

    def tool(self, name, *args, code=0):
        run = subprocess.run([self.bin("profiler-" + name), *args], capture_output=True,
                             timeout=30)
        check(run.returncode == code,
              f"profiler-{name} {' '.join(args)}: exit code {run.returncode}: {run.stderr}")
        return run.stdout.decode("utf-8", "replace")

    def report(self, path, *args):
        return json.loads(self.tool("report", "--json", *args, path))

    def folded(self, path, *args):
        """[(thread name, frames from the root, samples)]"""
        stacks = []
        for line in self.tool("folded", *args, path).splitlines():
            names, count = line.rsplit(" ", 1)
            thread, *frames = names.split(";")
            stacks.append((thread, frames, int(count)))
        return stacks

    def held(self, name, result):
        """Holds the exit code and the messages of a run against the table in tests/README.md."""
        self.promises.hold(name, result)

    def clean_up(self):
        for child in self.started:
            if child.poll() is None:
                for number in (signal.SIGCONT, signal.SIGKILL):
                    child.send_signal(number)
                child.wait()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe:
                    pipe.close()


def checked(path):
    s = stream.read(path)
    stream.check(s)
    return s


EPOLL_WAIT = {"x86_64": {232, 281, 441}, "aarch64": {22, 441}} # epoll_wait, _pwait, _pwait2


def in_epoll_wait(pid):
    """Whether a process sleeps in epoll_wait(): before 5.16 its wchan does not tell."""
    try:
        with open(f"/proc/{pid}/syscall") as f:
            number = f.read().split()[0]
    except OSError:
        return False
    return number.isdigit() and int(number) in EPOLL_WAIT.get(platform.machine(), ())


def self_samples(report, *names):
    """Samples with each of these functions at the leaf."""
    counts = collections.Counter()
    for f in report["functions"]:
        counts[f["name"]] += f["self"]
    return [counts[n] for n in names]


# Counters of the kernel, without the recorder

SW, HW = 1, 0
SW_CPU_CLOCK, SW_PAGE_FAULTS, HW_CYCLES = 0, 2, 0


SAMPLE_TIME, USE_CLOCKID = 1 << 2, 1 << 25


def perf_counter(kind, config, pid=-1, cpu=-1, period=0):
    """A file descriptor that counts an event; a negative errno when it does not open."""
    number = {"x86_64": 298, "aarch64": 241}.get(platform.machine())
    if number is None:
        raise Skip(f"perf_event_open is not known for {platform.machine()}")
    # Hardware counters refuse a clock of one's own.
    flags, clock = (0, 0) if kind == HW else (USE_CLOCKID, time.CLOCK_BOOTTIME)
    attr = struct.pack("=IIQQQQQ44xi16x", kind, 112, config, period, SAMPLE_TIME, 0, flags, clock)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(ctypes.c_long(number), ctypes.c_char_p(attr), ctypes.c_int(pid),
                      ctypes.c_int(cpu), ctypes.c_int(-1), ctypes.c_ulong(8))
    return fd if fd >= 0 else -ctypes.get_errno()


def perf_count(fd):
    return struct.unpack("=Q", os.read(fd, 8))[0]


def has_pmu():
    fd = perf_counter(HW, HW_CYCLES, cpu=0)
    if fd >= 0:
        os.close(fd)
    return fd >= 0


class Witness:
    """
    Takes the overflows of cpu-clock on each CPU without any BPF program: what is missing there
    was taken by the machine (a hypervisor that does not say so, interrupts kept off), and is no
    fault of a recorder's.
    """

    RECORD = "=IHHQ"  # perf_event_header and time
    SAMPLE = 9        # PERF_RECORD_SAMPLE

    def __init__(self, hz, seconds, cpus):
        data = mmap.PAGESIZE
        while data < 16 * hz * seconds:
            data *= 2
        self.hz, self.counters = hz, {}
        for cpu in cpus:
            fd = perf_counter(SW, SW_CPU_CLOCK, cpu=cpu, period=10**9 // hz)
            check(fd >= 0, f"cannot sample cpu-clock: {os.strerror(-fd)}")
            self.counters[cpu] = (fd, mmap.mmap(fd, mmap.PAGESIZE + data))

    def missing(self, begin_ns, end_ns):
        """By CPU, the overflows that did not come between two times; ends the counting."""
        missing = {}
        for cpu, (fd, buffer) in self.counters.items():
            (head,) = struct.unpack_from("=Q", buffer, 1024)  # data_head
            data = buffer[mmap.PAGESIZE:mmap.PAGESIZE + head]
            came = sum(kind == self.SAMPLE and begin_ns < time_ns <= end_ns
                       for kind, _, _, time_ns in struct.iter_unpack(self.RECORD, data))
            missing[cpu] = max(0, (end_ns - begin_ns) * self.hz // 10**9 - came)
            buffer.close()
            os.close(fd)
        return missing


# The promises: the table in tests/README.md

class Promises:
    """The rows of the table, by the name in their first column."""

    README, TITLE = os.path.join(HERE, "../README.md"), "What the program promises"
    used = set()

    def __init__(self):
        self.rows = {}
        for line in self._section():
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 5 and re.fullmatch(r"(?!row$)[a-z][a-z0-9-]*", cells[0]):
                self.rows[cells[0]] = cells[1:]

    def _section(self):
        with open(self.README) as f:
            sections = re.split(r"^## ", f.read(), flags=re.M)
        return next((s for s in sections if s.startswith(self.TITLE)), "").splitlines()

    def hold(self, name, result):
        check(name in self.rows, f"tests/README.md promises nothing about '{name}'")
        Promises.used.add(name)
        _, code, message, _ = self.rows[name]
        wanted = {-int(getattr(signal, code))} if code.startswith("SIG") else {int(code)}
        check(result.code in wanted, f"exit code {result.code}, promised {code}: {result.stderr}")
        check("Sanitizer" not in result.stderr, result.stderr)
        for text in re.findall(r"`([^`]+)`", message):
            pattern = text.replace("[", "[[]").replace("...", "*")
            check(any(fnmatch.fnmatchcase(line, pattern)
                      for line in re.split(r"[\r\n]+", result.stderr)),
                  f"promised message `{text}` is not in: {result.stderr!r}")
        if "one line" in message:
            equal(len(result.stderr.splitlines()), 1, "lines on stderr")
        if "nothing" == message:
            equal(result.stderr, "", "stderr")


# The tests and their results

TESTS = []


def test(function):
    module = function.__module__.replace("test_", "").replace("__main__", "long")
    TESTS.append((f"{module}/{function.__name__.replace('_', '-')}", function))
    return function


def _alarm(_signal, _frame):
    raise Failure(f"not done after {LIMIT_S} s")


def _run_one(name, function, build):
    begin, work = time.monotonic(), tempfile.mkdtemp(prefix="profiler-live-")
    env, outcome, reason = Env(build, work), "ok", ""
    signal.alarm(LIMIT_S)
    try:
        function(env)
    except Skip as skip:
        outcome, reason = "skip", str(skip)
    except (Failure, stream.Broken, subprocess.TimeoutExpired) as failure:
        line = traceback.extract_tb(failure.__traceback__)[1]
        where = f" [{os.path.basename(line.filename)}:{line.lineno}]"
        outcome, reason = "FAIL", str(failure) + where
    except Exception:  # a bug of the test is a failure too
        outcome, reason = "FAIL", traceback.format_exc()
    finally:
        signal.alarm(0)
        env.clean_up()
        shutil.rmtree(work, ignore_errors=True)
    if outcome == "ok":
        print(f"ok    {name:44} {time.monotonic() - begin:6.2f} s", flush=True)
    else:
        print(f"{outcome}  {name}: {reason}", flush=True)
    return outcome


def run_all(build, pattern=""):
    """Runs the tests whose name contains pattern; the exit code of the script."""
    outcomes = collections.Counter()
    signal.signal(signal.SIGALRM, _alarm)
    for name, function in TESTS:
        if pattern in name:
            outcomes[_run_one(name, function, build)] += 1
    print(f"{outcomes['ok']} passed, {outcomes['FAIL']} failed, {outcomes['skip']} skipped")
    return 1 if outcomes["FAIL"] or not outcomes["ok"] else 0


def need_root(program, build):
    if os.geteuid() != 0:
        print(f"{program}: sampling other processes needs root")
        sys.exit(77)
    for name in ("bin/profiler", "bin/profiler-report", "workloads/spin"):
        if not os.access(os.path.join(build, name), os.X_OK):
            sys.exit(f"{program}: {build}/{name} is missing; build first (make build)")
    if not shutil.which("protoc"):
        sys.exit(f"{program}: protoc is missing; make deps installs it")

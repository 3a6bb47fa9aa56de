# SPDX-License-Identifier: Apache-2.0
"""recorders.py - starts profiler and its peers, and measures what they cost. All need root.

    with Recording(RECORDERS["perf-fp"], hz, build, folder) as recording:
        recording.settle()          # it has started, and does nothing but wait
        ...                         # work
        cost = recording.stop()     # a dict, see Recording.stop()

What is measured
  CPU        user + system time of the recorder and of all its children, from the CPU clocks of
             the processes while they run and from wait4() when they have gone
  memory     of all of them together: PSS, but for what they map of their own output; all of the
             perf buffers, of which PSS leaves out a part; memlock of their BPF maps that are not
             mapped (mapped ones are in PSS). The largest of what is seen ten times a second, but
             for the moments when work is timed. And, where there are memory cgroups, what the
             kernel charges them with, bench/lib/memory_group.py
  BPF        the kernel's own statistics of the sampling programs, while with bpf_stats() asks
             for them
  samples    what the recording has: profiler-report, the records of perf.data, bpftrace's counts
"""
import collections
import contextlib
import ctypes
import json
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import memory_group
import perfdata

HERE = os.path.dirname(os.path.abspath(__file__))
BPF_CALL = {"x86_64": 321, "aarch64": 280}
BPF_ENABLE_STATS, BPF_STATS_RUN_TIME = 32, 0
PERF_EVENT_PROGRAM = 7  # BPF_PROG_TYPE_PERF_EVENT
MAPPED_TYPES = {27}  # BPF_MAP_TYPE_RINGBUF: we map it whole
ARRAY_MMAPABLE = 1 << 10
PR_SET_CHILD_SUBREAPER = 36
CPUCLOCK_SCHED = 2
LOOK_S = 0.1
QUIET_SHARE = 0.05  # of one CPU: with less, three looks in a row, a recorder has started
SETTLE_LIMIT_S = 8
END_LIMIT_S = 60

Program = collections.namedtuple("Program", "number runs ns")


class Failed(Exception):
    """A recorder did not record; the message says why."""


# What the kernel says of processes

def adopt_orphans():
    """What a recorder leaves running is ours to wait for then, and its time is counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def family(pid):
    """A process and all that it started."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                for child in f.read().split():
                    found += family(int(child))
    return found


def cpu_seconds(pid):
    """Of all its threads, those that ended too; 0 when it has gone."""
    try:
        return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def waiting(pid):
    """Do all its threads sleep? One that wants a CPU and gets none uses no CPU time either."""
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat") as f:
                if f.read().rpartition(")")[2].split()[0] in "RD":
                    return False
    return True


def descriptors(pids):
    """The fdinfo texts of processes."""
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fdinfo"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{fd}") as f:
                    yield f.read()


def number(text, key):
    found = re.search(rf"^{key}:\s+(\w+)", text, re.M)
    return int(found[1], 0) if found else None


def programs(pids):
    """The sampling programs that processes hold: [Program]."""
    found = {}
    for text in descriptors(pids):
        if number(text, "prog_type") == PERF_EVENT_PROGRAM:
            made = Program(*(number(text, k) or 0 for k in ("prog_id", "run_cnt", "run_time_ns")))
            found[made.number] = made
    return list(found.values())


def maps_kb(pids):
    """Memory of BPF maps that are not mapped; each once, whoever holds it."""
    found = {}
    for text in descriptors(pids):
        kind, flags = number(text, "map_type"), number(text, "map_flags") or 0
        if kind is not None and kind not in MAPPED_TYPES and not flags & ARRAY_MMAPABLE:
            found[number(text, "map_id")] = (number(text, "memlock") or 0) // 1024
    return sum(found.values())


def mapped_kb(pid, output):
    """PSS, but for what it maps of the file that it writes, which is page cache."""
    try:
        with open(f"/proc/{pid}/smaps") as f:
            text = f.read()
    except OSError:
        return 0
    total = 0
    for block in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text) if text else []:
        name = block.split("\n")[0].split(None, 5)[-1]
        if "anon_inode:[perf_event]" in name:
            total += number(block, "Size")
        elif name != output:
            total += number(block, "Pss") or 0
    return total


def memory(*pids, output=None):
    """KB of processes, as the top of this file counts it; 0 when they have gone."""
    return sum(mapped_kb(pid, output) for pid in pids) + maps_kb(pids)


@contextlib.contextmanager
def bpf_stats():
    """The kernel counts runs and nanoseconds of BPF programs (since 5.8), which costs a little."""
    libc = ctypes.CDLL(None, use_errno=True)
    attr = struct.pack("=I", BPF_STATS_RUN_TIME)
    fd = libc.syscall(ctypes.c_long(BPF_CALL[platform.machine()]), BPF_ENABLE_STATS, attr,
                      len(attr))
    if fd < 0:
        raise Failed(f"the kernel does not count BPF time: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        os.close(fd)


# The recorders: what to run, and what became of it. read() gives samples, late (those of the last
# seconds), begin (where these begin), lost, bytes; and what only one of them knows.

class Profiler:
    role, program, writes = "ours", "profiler", "stream"

    def __init__(self, about, *options):
        self.about, self.options = about, options

    def argv(self, hz, build, path):
        return [os.path.join(build, "bin/profiler"), "-q", "-a", "-e", "cpu-clock", *self.options,
                "--hz", str(hz), "-o", path]

    def read(self, build, path, _log, last_s):
        whole = self.report(build, path)
        begin = max(0.0, whole["duration_ns"] / 1e9 - last_s)
        late = self.report(build, path, "--time", f"{begin:.6f}s..")
        ledger = whole["ledger"]
        return {"samples": whole["samples"], "late": late["samples"], "begin": begin,
                "bytes": os.path.getsize(path), "lost": ledger["dropped"],
                **{k: ledger[k] for k in ("expected", "blind", "unaccounted")}}

    @staticmethod
    def report(build, path, *options):
        done = subprocess.run([os.path.join(build, "bin/profiler-report"), "--json", *options,
                               path], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"profiler-report: {done.stderr.strip()[-200:]}")
        return json.loads(done.stdout)


class Perf:
    role, program, writes = "peer", "perf", "perf.data"

    def __init__(self, about, *options):
        self.about, self.options = about, options

    def argv(self, hz, _build, path):
        # Without --no-bpf-event perf 6.1 aborts at its end now and then, over programs that went.
        return ["perf", "record", "--no-bpf-event", "-a", *self.options, "-e", "cpu-clock",
                "-F", str(hz), "-o", path]

    @staticmethod
    def read(_build, path, log, last_s):
        with open(log, errors="replace") as f:
            text = f.read()
        if "assertion" in text or "***" in text or not re.search(r"samples\)", text):
            raise Failed(f"perf record: {text.strip()[-200:]}")
        counts = perfdata.read(path, last_s)
        return {"samples": counts.samples, "late": counts.late, "begin": counts.begin_ns,
                "bytes": os.path.getsize(path), "lost": counts.lost}


class Bpftrace:
    """Counts in the kernel and prints at its end: no sample leaves it, there is nothing to lose but
    stacks for which its map has no room."""
    role, program, writes = "peer", "bpftrace", "text"
    about = "profile probe, @[ustack, kstack] = count()"

    @staticmethod
    def argv(hz, _build, path):
        return ["bpftrace", "-o", path, "-e",
                f"profile:hz:{hz} {{ @[ustack, kstack] = count(); }}"]

    @staticmethod
    def read(_build, path, log, _last_s):
        with open(path, errors="replace") as f:
            samples = sum(int(n) for n in re.findall(r"^.*\]: (\d+)$", f.read(), re.M))
        with open(log, errors="replace") as f:
            text = f.read()
        if not samples:
            raise Failed(f"bpftrace: {text.strip()[-200:] or 'no samples'}")
        return {"samples": samples, "late": None, "lost": None, "bytes": None}


class Interrupts:
    """The events alone: no samples, so there is nothing to read."""
    role, program = "limit", sys.executable
    about = "cpu-clock overflows, and nobody takes a sample"

    @staticmethod
    def argv(hz, _build, _path):
        return [sys.executable, os.path.join(HERE, "interrupts.py"), str(hz)]


RECORDERS = {
    "profiler": Profiler("as it comes"),
    "profiler-fp": Profiler("--call-graph fp", "--call-graph", "fp"),
    "perf-fp": Perf("perf record -g", "-g"),
    "perf-dwarf": Perf("perf record --call-graph dwarf", "--call-graph", "dwarf"),
    "bpftrace": Bpftrace(),
    "interrupts": Interrupts(),
}


def missing(recorder, build):
    """The command that a recorder needs and that is not there, or None."""
    program = recorder.program
    if recorder.role == "ours":
        path = os.path.join(build, "bin", program)
        return None if os.access(path, os.X_OK) else path
    return None if shutil.which(program) else program


class Recording:
    """One run of a recorder over the whole machine."""

    def __init__(self, recorder, hz, build, folder):
        self.recorder, self.hz, self.build = recorder, hz, build
        self.path, self.log = (os.path.join(folder, n) for n in ("recording", "recording.log"))
        self.argv = recorder.argv(hz, build, self.path)
        self.cpu, self.peak_kb, self.peak_charged_kb, self.ended = {}, 0, None, False
        self.group = memory_group.MemoryGroup()

    def __enter__(self):
        self.group.__enter__()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.DEVNULL, stderr=log,
                                          preexec_fn=self.group.enter)
        return self

    def __exit__(self, *_):
        if not self.ended:
            self.child.kill()
            self.child.wait()
        self.group.__exit__()

    def cpu_s(self):
        """So far, of all its processes."""
        for pid in family(self.child.pid):
            self.cpu[pid] = max(self.cpu.get(pid, 0.0), cpu_seconds(pid))
        return sum(self.cpu.values())

    def look(self):
        self.peak_kb = max(self.peak_kb, memory(*family(self.child.pid), output=self.path))
        charged_kb = self.group.used_kb()
        if charged_kb is not None:
            self.peak_charged_kb = max(self.peak_charged_kb or 0, charged_kb)

    def settle(self):
        """Waits until it is quiet; what starting took is the CPU time until then."""
        quiet, limit, before = 0, time.monotonic() + SETTLE_LIMIT_S, 0.0
        while quiet < 3 and time.monotonic() < limit:
            time.sleep(LOOK_S)
            self.must_run()
            now = self.cpu_s()
            still = now - before < QUIET_SHARE * LOOK_S and all(map(waiting, self.cpu))
            quiet, before = quiet + 1 if still else 0, now
            self.look()

    def must_run(self):
        """It is not waited for here: stop() wants to know what it used."""
        gone = os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if gone:
            with open(self.log, errors="replace") as f:
                text = " ".join(f.read().split())
            raise Failed(f"{self.recorder.program} ended at once: {text[-200:]}")

    def programs(self):
        return programs(family(self.child.pid))

    def stop(self):
        """CPU seconds in all, of the recorder and its children, until the last has gone."""
        self.must_run()
        self.child.send_signal(signal.SIGINT)
        limit, gone = time.monotonic() + END_LIMIT_S, 0
        while not gone:
            if time.monotonic() > limit:
                raise Failed(f"{self.recorder.program} did not end")
            self.cpu_s()
            self.look()
            time.sleep(LOOK_S / 2)
            gone, status, usage = os.wait4(self.child.pid, os.WNOHANG)
        self.ended, self.child.returncode = True, os.waitstatus_to_exitcode(status)
        total = usage.ru_utime + usage.ru_stime
        return total + sum(self.left(pid, limit) for pid in set(self.cpu) - {self.child.pid})

    @staticmethod
    def left(pid, limit):
        """CPU seconds of a child that the recorder did not wait for, and which is ours now."""
        with contextlib.suppress(ChildProcessError):
            gone, _, usage = os.wait4(pid, os.WNOHANG)
            while not gone and time.monotonic() < limit:
                time.sleep(LOOK_S / 2)
                gone, _, usage = os.wait4(pid, os.WNOHANG)
            if not gone:
                os.kill(pid, signal.SIGKILL)
                _, _, usage = os.wait4(pid, 0)
            return usage.ru_utime + usage.ru_stime
        return 0.0

    def read(self, last_s):
        """What was recorded, see above Profiler."""
        return self.recorder.read(self.build, self.path, self.log, last_s)

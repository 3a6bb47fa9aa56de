# SPDX-License-Identifier: Apache-2.0
"""Losses that the tests bring about themselves: the ledger has to show exactly them."""
import fcntl
import os
import signal
import subprocess
import threading
import time

import stream
from harness import (SW, SW_PAGE_FAULTS, check, checked, equal, last_json, perf_count,
                     perf_counter, self_samples, test)

PAGES = 100000      # many times what a ring holds
RING_BYTES = 1 << 20
EVENT_BYTES = 40    # in the ring
HANDOFF_BYTES = (1 << 20) + (64 << 10)  # with what the pipe holds
SAMPLE_BYTES = 4    # a sample of spin is a little more in the stream


def boottime_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def start_stopped(env, *argv):
    """A process that waits before it becomes the program."""
    def stop():
        os.kill(os.getpid(), signal.SIGSTOP)

    # Popen() returns after the exec only: it has to be another thread that waits for that.
    child = []
    thread = threading.Thread(target=lambda: child.append(
        env.spawn(argv, preexec_fn=stop, stdout=subprocess.PIPE)))
    before = set(children())
    thread.start()
    env.wait(lambda: any(state(p) == "T" for p in set(children()) - before), "a stopped child")
    pid = next(p for p in set(children()) - before if state(p) == "T")
    return pid, thread, child


def children():
    me, pids = os.getpid(), []
    for task in os.listdir(f"/proc/{me}/task"):
        with open(f"/proc/{me}/task/{task}/children") as f:
            pids += [int(p) for p in f.read().split()]
    return pids


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def faulting(env, stop_recorder):
    """
    The faults workload as a target from its first instruction; with stop_recorder nobody drains
    the rings meanwhile. The final ledger, the truth, and a count that the recorder has no part in.
    """
    pid, thread, child = start_stopped(env, env.workload("faults"), "--pages", str(PAGES))
    counter = perf_counter(SW, SW_PAGE_FAULTS, pid=pid)
    check(counter >= 0, f"cannot count page faults: {os.strerror(-counter)}")
    path = env.path("x.prof")
    recorder = env.recorder("-e", "page-faults", "-c", "1", "-p", pid, "-o", path)
    env.running(recorder)
    before = perf_count(counter)
    if stop_recorder:
        recorder.send_signal(signal.SIGSTOP)
        env.wait(lambda: state(recorder.pid) == "T", "the recorder to stop")
    os.kill(pid, signal.SIGCONT)
    thread.join(20)
    out, _ = child[0].communicate(timeout=20)
    equal(child[0].returncode, 0, "exit code of the workload")
    recorder.send_signal(signal.SIGCONT)
    result = env.finish(recorder)
    equal(result.code, 0, f"exit code ({result.stderr})")
    count = perf_count(counter) - before
    os.close(counter)
    s = checked(path)
    equal(s.final.stopped_by, "target", "what ended the run")
    return s, last_json(out.decode()), count, result


@test
def every_page_fault(env):
    """-c 1 without a loss: each fault is a sample, each of the workload's in touch_pages()."""
    s, truth, count, result = faulting(env, stop_recorder=False)
    equal(s.final.dropped(), 0, f"dropped ({result.stderr})")
    equal(len(s.samples), count, "samples, against the kernel's own counter of the process")
    equal(self_samples(env.report(env.path("x.prof")), "touch_pages"), [truth["measured"]],
          "samples in touch_pages(), against getrusage()")
    equal({x.weight for x in s.samples}, {1}, "weights")


@test
def injected_loss(env):
    """A recorder that is stopped loses exactly what the rings cannot hold, and says so."""
    s, truth, count, result = faulting(env, stop_recorder=True)
    final = s.final
    # The kernel runs no program on a CPU where a task is inside a bpf() call on a map, even if that
    # task was preempted there: a few faults, of other processes, when a recorder starts or ends.
    blind = final.sum("blind")
    check(0 <= blind <= 5, f"{blind} blind where every count is a sample: {final.rows}")
    taken = final.sum("entries") - final.sum("filtered_target") - final.sum("idle")
    equal(taken, count, "faults of the process by the ledger, against the kernel's counter")
    check(count >= truth["measured"], f"{count} faults counted, {truth['measured']} by getrusage()")
    expected = (final.sum("expected") - blind - final.sum("filtered_target") - final.sum("idle"))
    equal(final.dropped(), expected - final.sum("written"), "dropped")
    equal(final.dropped(), final.sum("ring_full"), "dropped, all for want of room")
    most = len(final.rows) * RING_BYTES // EVENT_BYTES
    check(count - most <= final.dropped() < count,
          f"dropped {final.dropped()} of {count}, the rings hold at most {most}")
    equal(len(s.samples), count - final.dropped(), "samples")
    check(f"{final.dropped()} samples lost: a ring was full" in result.stderr, result.stderr)


class Reader(threading.Thread):
    """Reads a pipe into a file, but only once it is let."""

    def __init__(self, pipe, path):
        super().__init__(daemon=True)
        self.pipe, self.path = pipe, path

    def run(self):
        with open(self.path, "wb") as f:
            while data := self.pipe.read1(65536):
                f.write(data)


@test
def stalled_reader(env):
    """A reader that does not read costs counted samples at the hand-off, and only meanwhile."""
    env.busy(60)
    recorder = env.recorder("-a", "--hz", "10000", "-e", "cpu-clock", "-e", "task-clock", "-e",
                            "cpu-clock:u", stdout=subprocess.PIPE)
    stalled = boottime_ns()
    env.running(recorder)
    time.sleep(HANDOFF_BYTES / (3 * 10000 * os.cpu_count() * SAMPLE_BYTES))
    reader = Reader(recorder.stdout, env.path("x.prof"))
    reader.start()
    resumed = boottime_ns()
    time.sleep(2.5)
    recorder.send_signal(signal.SIGINT)
    recorder.wait(20)
    reader.join(20)
    equal(recorder.returncode, 0, "exit code")
    s = checked(env.path("x.prof"))
    final = s.final
    check(final.sum("handoff") > 0, "nothing was dropped: the stall was too short for this test")
    equal(final.dropped(), final.sum("handoff"), "dropped, all at the hand-off")
    check(final["packets_dropped"] > 0, "no packets_dropped")
    after = [x for x in s.ledgers if x.time_ns >= resumed + 1e9]
    check(len(after) >= 2, f"{len(after)} ledgers after the recovery")
    equal(after[0].sum("handoff"), final.sum("handoff"), "dropped later than a second after")
    in_last_second = sum(1 for x in s.samples
                         if after[0].time_ns - 1e9 / 2 <= x.time_ns <= after[0].time_ns)
    check(in_last_second > 0, "no samples after the recovery")
    early = sum(1 for x in s.samples if stalled <= x.time_ns < resumed)
    check(early > 0, "what was kept during the stall is not in the stream")


@test
def slow_to_the_end(env):
    """How long the output takes at the end is no time in which samples were expected."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    room = os.write(write_end, bytes(4096))
    env.busy(1.2)
    recorder = env.recorder("-a", "--hz", "1000", "-d", "1", stdout=write_end)
    os.close(write_end)
    time.sleep(3.5)  # idle CPUs, and a recorder that waits for its reader
    equal(recorder.poll(), None, "exit code: this test needs it to wait")
    with open(read_end, "rb") as pipe:
        data = pipe.read()
    with open(env.path("x.prof"), "wb") as f:
        f.write(data[room:])
    equal(env.finish(recorder).code, 0, "exit code")
    for row in checked(f.name).final.rows:
        check(row["idle_ns"] <= row["running_ns"] + 20e6, f"idle while nothing was sampled: {row}")
        check(row["blind"] > -row["expected"] / 10 - 20, f"fewer expected than there were: {row}")


@test
def killed(env):
    """kill -9 at any time leaves a stream that can be read, and all but the last packets of it."""
    env.busy(30)
    for wait_s in (0.2, 0.37, 0.61, 1.13):
        path = env.path(f"{wait_s}.prof")
        recorder = env.recorder("-a", "--hz", "10000", "-o", path)
        env.running(recorder)
        time.sleep(wait_s)
        recorder.kill()
        recorder.wait()
        data = open(path, "rb").read()
        whole = whole_packets(data)
        with open(path, "wb") as f:
            f.write(data[:whole])
        s = stream.read(path)  # protoc reads whole packets only
        with open(path, "wb") as f:
            f.write(data)
        for ledger in s.ledgers:
            stream.check_ledger(ledger)
        if not s.samples:
            check(wait_s < 0.3, f"no samples after {wait_s} s")
            continue
        report = env.report(path)
        equal(report["samples"], len(s.samples), f"samples read after a kill at {wait_s} s")
        span = max(x.time_ns for x in s.samples) - min(x.time_ns for x in s.samples)
        check(span / 1e9 > wait_s - 0.5, f"{span / 1e9:.2f} s of samples after {wait_s} s")


def whole_packets(data):
    """Bytes of the whole packets at the start."""
    at = 0
    while at + 5 <= len(data):
        size = sum((data[at + 1 + i] & 0x7F) << 7 * i for i in range(4))
        if at + 5 + size > len(data):
            break
        at += 5 + size
    return at


@test
def cut_anywhere(env):
    """What is left of a file is read up to the last whole packet, wherever it was cut."""
    env.busy(10)
    result, s = env.recorded("-a", "--hz", "2000", "-d", "1.2")
    data = open(result.path, "rb").read()
    cuts = {0, 1, 4, 5, 14, 31, 32, len(data) - 1, len(data)}
    cuts |= {len(data) * i // 23 + i for i in range(1, 23)}
    ends, samples, at = [], [], 0
    for packet in s.packets:
        at += whole_packets(data[at:at + 5 + packet_size(data, at)])
        ends.append(at)
        samples.append(sum(b["count"][0] for b in packet.get("samples", [])))
        cuts |= {at} if len(ends) < 3 else set()
    equal(at, len(data), "bytes of all packets")
    cut_path = env.path("cut.prof")
    for cut in sorted(cuts):
        with open(cut_path, "wb") as f:
            f.write(data[:cut])
        if cut < ends[0]:
            env.tool("report", "--json", cut_path, code=1)
            continue
        report = env.report(cut_path)
        wanted = sum(n for n, end in zip(samples, ends) if end <= cut)
        equal(report["samples"], wanted, f"samples of the first {cut} of {len(data)} bytes")


def packet_size(data, at):
    return sum((data[at + 1 + i] & 0x7F) << 7 * i for i in range(4))

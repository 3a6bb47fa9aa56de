# SPDX-License-Identifier: Apache-2.0
"""What the program promises when something is odd: tests/README.md has the table."""
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import time

import harness
from harness import Skip, check, checked, equal, has_pmu, test


@test
def unknown_event(env):
    env.held("unknown-event", env.record("-e", "no-such-event", "-d", "1"))
    check(not os.path.exists(env.path("x.prof")), "a file was made")


def need_no_pmu():
    if has_pmu():
        raise Skip("this machine has hardware counters")


@test
def no_pmu(env):
    need_no_pmu()
    result, s = env.recorded("-e", "cycles", "-d", "0.3")
    env.held("no-pmu", result)
    equal(s.events, ["cpu-clock"], "events")
    equal(s.headers[0]["event"][0]["requested"], ["cycles"], "what it stands in for")
    check(any("cycles" in n for n in s.notices), f"no notice in the stream: {s.notices}")


@test
def no_pmu_strict(env):
    need_no_pmu()
    env.held("no-pmu-strict", env.record("-e", "cycles", "--strict", "-d", "1"))


@test
def hw_events(env):
    need_no_pmu()
    result, s = env.recorded("--hw-events", "-d", "0.3")
    env.held("hw-events", result)
    equal(s.events, ["cpu-clock"], "events")
    check(any("hardware" in n for n in s.notices), f"no notice in the stream: {s.notices}")


@test
def hw_events_strict(env):
    need_no_pmu()
    env.held("hw-events-strict", env.record("--hw-events", "--strict", "-d", "1"))


@test
def hw_events_real(env):
    if not has_pmu():
        raise Skip("no hardware counters here")
    result, s = env.recorded("--hw-events", "--hz", "1000", "--", env.workload("shares"), "-d", "1")
    for name in ("cycles", "instructions"):
        check(any(name in event for event in s.events), f"no {name} in {s.events}")
    leaders = [not event.get("leader") for event in s.headers[0]["event"]]
    equal([name for name, leads in zip(s.events, leaders) if leads],
          [name for name in s.events if "cycles" in name], "those that take samples")
    equal(s.notices, [], "notices")


@test
def group_no_pmu(env):
    need_no_pmu()
    result, s = env.recorded("-e", "{cycles,instructions}", "-d", "0.3")
    env.held("group-no-pmu", result)
    equal(s.events, ["cpu-clock"], "events")
    equal(s.headers[0]["event"][0]["requested"], ["cycles"], "what it stands in for")
    check(any("cycles" in n for n in s.notices), f"no notice in the stream: {s.notices}")
    env.held("group-no-pmu-strict",
             env.record("-e", "{cycles,instructions}", "--strict", "-d", "1"))


@test
def group_member_left_out(env):
    need_no_pmu()
    result, s = env.recorded("-e", "{cpu-clock,cycles,page-faults}", "-d", "0.3")
    env.held("group-member-left-out", result)
    equal(s.events, ["cpu-clock", "page-faults"], "events")
    check(any("cycles" in n for n in s.notices), f"no notice in the stream: {s.notices}")
    env.held("group-member-strict", env.record("-e", "{cpu-clock,cycles}", "--strict", "-d", "1"))


@test
def events_written_wrong(env):
    env.held("group-open", env.record("-e", "{cpu-clock,page-faults", "-d", "1"))
    check(not os.path.exists(env.path("x.prof")), "a file was made")
    many = ",".join(f"r{n}" for n in range(9))
    env.held("group-too-large", env.record("-e", "{" + many + "}", "-d", "1"))
    env.held("precise-clock", env.record("-e", "cpu-clock:pp", "-d", "1"))


@test
def precise_no_pmu(env):
    need_no_pmu()
    result, s = env.recorded("-e", "cycles:upp", "--", env.workload("syscalls"), "-d", "0.3")
    env.held("precise-no-pmu", result)
    equal(s.headers[0]["event"][0]["requested"], ["cycles:upp"], "what it stands in for")
    equal(s.headers[0]["event"][0]["modifier"], ["u"], "its mode")


def without_rights(env, *argv):
    """Root without its capabilities, but for reading and writing any file."""
    if not shutil.which("setpriv"):
        raise Skip("setpriv is missing")
    rights = "-all,+dac_override,+dac_read_search"
    child = env.spawn(["setpriv", f"--bounding-set={rights}", "--inh-caps=-all", *argv],
                      stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    return env.finish(child)


@test
def no_rights(env):
    result = without_rights(env, env.bin("profiler"), "-d", "1", "-o", env.path("x.prof"))
    env.held("no-rights", result)
    with_command = without_rights(env, env.bin("profiler"), "-o", env.path("x.prof"), "--", "touch",
                                  env.path("touched"))
    env.held("no-rights", with_command)
    check(not os.path.exists(env.path("touched")), "the command was run all the same")


def closed_pipe(env, read_bytes):
    recorder = env.recorder("-a", "--hz", "1000", stdout=subprocess.PIPE)
    if read_bytes:
        recorder.stdout.read(read_bytes)
    else:
        env.running(recorder)
    recorder.stdout.close()
    recorder.stdout = None
    begin = time.monotonic()
    result = env.finish(recorder)
    check(time.monotonic() - begin < 1.3, f"ended {time.monotonic() - begin:.2f} s later")
    env.held("closed-pipe", result)


@test
def closed_pipe_at_once(env):
    closed_pipe(env, 0)


@test
def closed_pipe_later(env):
    closed_pipe(env, 5000)


@test
def closed_pipe_from_the_start(env):
    """The reader has gone before the recorder starts."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    recorder = env.recorder("-a", "-d", "20", stdout=write_end)
    os.close(write_end)
    result = env.finish(recorder, timeout=5)
    env.held("closed-pipe", result)


def on_terminal(env, *args):
    """Runs with stdout and stderr on a terminal of its own; what was shown there."""
    ours, theirs = pty.openpty()
    child = env.recorder(*args, stdout=theirs, stderr=theirs, cwd=env.work)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # EIO: nobody has the other end any more
            break
        if not data:
            break
        shown += data
    os.close(ours)
    code = child.wait(20)
    check(all(c in b"\r\n\x1b" or 32 <= c < 127 for c in shown), f"binary on the terminal: {shown}")
    return harness.Result(code, None, shown.decode(), None, 0)


@test
def terminal(env):
    result = on_terminal(env, "-d", "1.3", "--hz", "1000")
    env.held("terminal", result)
    s = checked(env.path("profile.prof"))
    equal(s.final.stopped_by, "duration", "what ended the run")
    check("\r" in result.stderr and "1 s, " in result.stderr, "no progress line on a terminal")


@test
def terminal_forced(env):
    env.held("terminal-forced", on_terminal(env, "-o", "-", "-d", "1"))


class SmallDisk:
    def __init__(self, env, kilobytes):
        self.where = env.path("disk")
        os.mkdir(self.where)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", self.where],
                       check=True)

    def __enter__(self):
        return self.where

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.where], check=True)


@test
def full_disk(env):
    env.busy(20)
    with SmallDisk(env, 128) as disk:
        path = os.path.join(disk, "x.prof")
        recorder = env.recorder("-a", "--hz", "10000", "-d", "2.5", "-o", path)
        result = env.finish(recorder)
        env.held("full-disk", result)
        check("not accounted for" not in result.stderr, result.stderr)
        report = env.report(path)
        check(report["samples"] > 1000, f"{report['samples']} samples on the full disk")
        equal(report["damage"], None, "damage")


@test
def full_disk_for_a_while(env):
    """
    Once there is room again the stream goes on, and the gap is in the ledger. Both are said when
    they happen, once, though the writer tries many times meanwhile.
    """
    env.busy(30)
    with SmallDisk(env, 512) as disk, open(env.path("said"), "w+") as said:
        filler, path = os.path.join(disk, "filler"), os.path.join(disk, "x.prof")

        def lines(part):
            said.seek(0)
            return [line for line in said if part in line]
        with open(filler, "wb") as f:
            f.write(bytes(480 << 10))
        recorder = env.recorder("-a", "--hz", "1000", "-o", path, stderr=said)
        env.wait(lambda: os.path.exists(path) and os.path.getsize(path) > 28 << 10, "the disk")
        env.wait(lambda: lines("waiting for space"), "the message", timeout=1)
        time.sleep(1)
        for pages in range(119, 116, -1):  # less than waits already
            os.truncate(filler, pages << 12)
            time.sleep(0.3)
        equal(lines("space again"), [], "said before there was enough")
        os.unlink(filler)
        env.wait(lambda: lines("space again"), "the other message", timeout=1)
        time.sleep(1)
        recorder.send_signal(signal.SIGINT)
        code = recorder.wait(10)
        said.seek(0)
        env.held("full-disk-for-a-while", harness.Result(code, None, said.read(), path, 0))
        equal((len(lines("waiting for space")), len(lines("space again"))), (1, 1), "times said")
        s = checked(path)
        equal(s.final.dropped(), 0, "dropped, though the hand-off had room")


@test
def output_in_missing_folder(env):
    env.held("output-in-missing-folder",
             env.finish(env.recorder("-d", "1", "-o", env.path("none/x.prof"))))


@test
def command_not_found(env):
    result = env.record("--", "no-such-command")
    env.held("command-not-found", result)


@test
def command_status(env):
    result = env.record("--", "sh", "-c", "exit 7")
    env.held("command-status", result)
    s = checked(result.path)
    equal(s.final.stopped_by, "command", "what ended the run")


@test
def command_killed(env):
    result = env.record("--", "sh", "-c", "kill -TERM $$")
    env.held("command-killed", result)
    checked(result.path)


@test
def command_outlived(env):
    """-d ends first: SIGTERM to the command, exit code 0."""
    script = f"trap 'echo got it > {env.path('note')}; exit 3' TERM; while :; do sleep 0.05; done"
    result = env.record("-d", "0.5", "--", "sh", "-c", script)
    env.held("command-outlived", result)
    equal(checked(result.path).final.stopped_by, "duration", "what ended the run")
    check(os.path.exists(env.path("note")), "the command got no SIGTERM")


STUBBORN = "trap '' TERM; sleep 2; sleep 2"


def only_waits(env, recorder):
    """The recorder still runs, and no program of it that something else would run."""
    equal(recorder.poll(), None, "exit code: this test needs the command to go on")
    folder, left = f"/proc/{recorder.pid}/fd", []
    for fd in os.listdir(folder):
        with open(f"{folder}info/{fd}") as info:
            attached = re.findall(r"link_type:\s*(?:perf_event|raw_tracepoint|tracing)", info.read())
        left += attached + re.findall("perf_event", os.readlink(f"{folder}/{fd}"))
    equal(left, [], "attached while it waits")


@test
def command_stubborn(env):
    """The stream is finished when -d is over, whatever the command does with its SIGTERM."""
    path = env.path("x.prof")
    recorder = env.recorder("-d", "0.5", "-o", path, "--", "sh", "-c", STUBBORN)
    begin = time.monotonic()
    env.wait(lambda: os.path.exists(path) and b"duration" in open(path, "rb").read(),
             "the final ledger", timeout=1.5)
    equal(checked(path).final.stopped_by, "duration", "what ended the run")
    time.sleep(0.2)
    only_waits(env, recorder)
    result = env.finish(recorder)
    env.held("command-stubborn", result)
    check(time.monotonic() - begin > 3.5, "it did not wait for the command")


@test
def command_stubborn_with_a_pipe(env):
    """Who reads the stream need not wait for the command."""
    recorder = env.recorder("-d", "0.5", "--", "sh", "-c", STUBBORN, stdout=subprocess.PIPE)
    begin = time.monotonic()
    data = recorder.stdout.read()
    check(time.monotonic() - begin < 1.5, f"read for {time.monotonic() - begin:.1f} s")
    with open(env.path("x.prof"), "wb") as f:
        f.write(data)
    equal(checked(f.name).final.stopped_by, "duration", "what ended the run")
    time.sleep(0.2)
    only_waits(env, recorder)
    env.held("command-stubborn", env.finish(recorder))


@test
def command_stdout(env):
    """The stream has stdout, so the command's output goes to stderr; with -o it stays."""
    recorder = env.recorder("--hz", "1000", "--", "sh", "-c", "echo it says; echo it warns >&2",
                            stdout=subprocess.PIPE)
    result = env.finish(recorder)
    env.held("command-stdout", result)
    path = env.path("x.prof")
    with open(path, "wb") as f:
        f.write(result.stdout)
    checked(path)
    kept = env.record("--", "echo", "it says", name="y.prof")
    equal(kept.stdout, "it says\n", "the command's stdout with -o")


@test
def command_inherits_nothing(env):
    """The command has the signals, files and environment that it would have without us."""
    script = ("import os, signal; print(sorted(os.listdir('/proc/self/fd'))[:-1], "
              "signal.pthread_sigmask(0, []), signal.getsignal(signal.SIGPIPE) is not None, "
              "[l for l in open('/proc/self/status') if l.startswith(('SigIgn', 'SigBlk'))])")
    argv = ["python3", "-S", "-c", script]
    plain = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL).stdout.decode()
    equal(env.record("--", *argv).stdout, plain, "files and signals of the command")


def stopped_by_signal(env, number):
    env.busy(10)
    path = env.path("x.prof")
    recorder = env.recorder("-a", "--hz", "1000", "-o", path)
    env.running(recorder)
    time.sleep(0.4)
    sent = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    recorder.send_signal(number)
    begin = time.monotonic()
    result = env.finish(recorder)
    check(time.monotonic() - begin < 1, "it took a second to end")
    env.held(signal.Signals(number).name.lower(), result)
    s = checked(path)
    equal(s.final.stopped_by, "signal", "what ended the run")
    check(max(x.time_ns for x in s.samples) > sent - 0.1e9, "the last samples are missing")


@test
def sigint(env):
    stopped_by_signal(env, signal.SIGINT)


@test
def sigterm(env):
    stopped_by_signal(env, signal.SIGTERM)


@test
def second_sigint_with_a_stalled_reader(env):
    env.busy(10)
    recorder = env.recorder("-a", "--hz", "10000", stdout=subprocess.PIPE)
    env.running(recorder)
    time.sleep(1.2)  # more than a pipe holds
    twice(env, recorder)


@test
def second_sigint_with_a_stubborn_command(env):
    script = f"trap '' INT TERM; echo > {env.path('ready')}; sleep 3; sleep 0.1"
    recorder = env.recorder("-o", env.path("x.prof"), "--", "sh", "-c", script)
    env.wait(lambda: os.path.exists(env.path("ready")), "the command")
    twice(env, recorder)


def twice(env, recorder):
    recorder.send_signal(signal.SIGINT)
    time.sleep(0.3)
    equal(recorder.poll(), None, "exit code after one signal: this test needs it to wait")
    recorder.send_signal(signal.SIGINT)
    begin = time.monotonic()
    # Not env.finish(): what it started may still have its stderr.
    code = recorder.wait(5)
    check(time.monotonic() - begin < 0.5, "the second signal was not obeyed at once")
    env.held("second-sigint", harness.Result(code, None, "", None, 0))


@test
def rate_clamped(env):
    result, s = env.recorded("--hz", "1000000", "-C", "0", "-d", "0.2")
    env.held("rate-clamped", result)
    event = s.headers[0]["event"][0]
    equal(event["asked"], [1000000], "rate asked in the header")
    check(event["granted"][0] <= 100000, f"granted: {event['granted']}")
    check(s.notices, "no notice in the stream")


@test
def rate_clamped_strict(env):
    env.held("rate-clamped-strict", env.record("--hz", "1000000", "--strict", "-d", "0.2"))


@test
def tool(env):
    """A first word that names a tool is the tool."""
    path = env.recorded("-d", "0.2")[0].path
    run = env.finish(env.recorder("report", path, stdout=subprocess.PIPE))
    env.held("tool", run)
    itself = subprocess.run([env.bin("profiler-report"), path], capture_output=True)
    equal((run.stdout, run.stderr), (itself.stdout, itself.stderr.decode()), "what it prints")
    env.held("tool-with-options", env.record("-d", "1", "report", "x"))


@test
def command_named_as_tool(env):
    """`--` makes it a command."""
    folder = env.path("bin")
    os.mkdir(folder)
    with open(os.path.join(folder, "report"), "w") as f:
        f.write("#!/bin/sh\necho not a tool\n")
    os.chmod(f.name, 0o755)
    result = env.record("--", "report", env=dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}"))
    env.held("command-named-as-tool", result)
    equal(result.stdout, "not a tool\n", "the command's output")


@test
def usage(env):
    for args in (["--no-such-option"], ["-d", "soon"], ["-p", "1", "-a"], ["-p", "1", "--", "ls"],
                 ["--hz", "0"], ["-e"], ["--"], ["-o", "a", "-o", "b"]):
        result = env.finish(env.recorder(*args, stdout=subprocess.PIPE, cwd=env.work))
        env.held("usage", result)
        equal(result.stdout, b"", f"stdout of {args}")


@test
def help_text(env):
    result = env.finish(env.recorder("--help", stdout=subprocess.PIPE))
    env.held("help", result)
    lines = result.stdout.decode().splitlines()
    check(len(lines) > 20 and max(map(len, lines)) <= 80, "no help, or wider than 80 columns")


@test
def quiet(env):
    env.held("quiet", env.record("-q", "-d", "0.2"))


@test
def too_few_files(env):
    """A limit on open files is named, with its remedy."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    env.held("too-few-files", env.record("-d", "1", preexec_fn=limit))


@test
def table_is_held(env):
    """Every row of the table in tests/README.md has its test."""
    missing = set(env.promises.rows) - env.promises.used
    if len(env.promises.used) < len(env.promises.rows) / 2:
        raise Skip("only part of the tests was run")
    if not has_pmu():
        equal(missing, set(), "rows without a test")

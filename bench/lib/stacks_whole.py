# SPDX-License-Identifier: Apache-2.0
"""stacks_whole.py - how many of the user stacks of a recording reach their beginning.

share() looks at the first few thousand samples after a moment of a recording, by the rule of
bench/outermost.py, which is the same for all recorders; bench/stacks.py does it for whole
recordings of many programs.
"""
import itertools
import os
import subprocess

import stacks
import stream

SAMPLES = 3000


def share(recording, counts, target):
    """Percent of the target's user stacks; None where it has none, or where the recorder writes
    names only, as bpftrace: there are no addresses to judge them by."""
    writes = recording.recorder.writes
    if writes == "stream":
        span_s = SAMPLES / recording.hz / os.cpu_count()
        samples = of_stream(recording.build, recording.path, counts["begin"], span_s)
    elif writes == "perf.data":
        samples = of_perf(recording.path, counts["begin"])
    else:
        return None
    judged = stacks.judge(samples, target)
    return 100 * judged["complete"] / judged["stacks"] if judged["stacks"] else None


def of_stream(build, path, begin_s, span_s):
    """Samples of so many seconds of a stream, as protoc decodes it."""
    part = path + ".part"
    with open(part, "wb") as out:
        subprocess.run([os.path.join(build, "bin/profiler-cat"), "--time",
                        f"{begin_s:.6f}s..{begin_s + span_s:.6f}s", path], stdout=out, check=True)
    return [stacks.Sample(s.pid, s.process,
                          [stacks.Frame(f.kind, f.path, f.offset) for f in s.user],
                          [f.function for f in s.kernel]) for s in stream.read(part).samples]


def of_perf(path, begin_ns):
    """The first samples of a perf.data file from a time on; unwinding all of them takes long."""
    argv = ["perf", "script", "-i", path, "--no-inline", "--time",
            f"{begin_ns // 10**9}.{begin_ns % 10**9:09d},", "-F", "comm,pid,tid,time,ip,sym,dso"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, errors="replace") as child:
        try:
            return stacks.parse_script(first(child.stdout))[0]
        finally:
            child.kill()


def first(lines):
    """The lines of the first samples; an empty line ends each."""
    ends = 0
    for line in itertools.takewhile(lambda _: ends < SAMPLES, lines):
        yield line
        ends += line == "\n"

# SPDX-License-Identifier: Apache-2.0
"""test_overhead.py - bench/overhead.py: what it makes of what it sees, on made-up recorders.

The recorders are small scripts that use a known amount of CPU time or memory; nothing is timed.
"""
import argparse
import os
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import fixed_work
import overhead
import overhead_plot
import overhead_table
import perfdata
import recorders
import results
from toolbox import check, equal, need, skip, test

BURN_S = 0.3
# A recorder that is done when it is told so; sys.argv[1] is the file that it writes.
WAITS = "import signal, sys, time\nready = sys.argv[1]\n%s\n" \
        "open(ready, 'ab').write(b'x')\n" \
        "signal.sigwait([signal.SIGINT])\n"
BURNS = f"""
import os
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
def burn():
    while time.process_time() < {BURN_S}:
        pass
child = os.fork()
if not child:
    burn()
    os._exit(0)
burn()
%s
"""


class Script:
    """A recorder that is a piece of Python."""
    role, program, writes, about = "peer", "script", "text", "made up"

    def __init__(self, code):
        self.code = code

    def argv(self, _hz, _build, path):
        return [sys.executable, "-c", WAITS % self.code, path]


def recorded(env, code, during=lambda recording: None):
    """A recording by such a script, and the CPU seconds that it says it took."""
    recorders.adopt_orphans()
    with recorders.Recording(Script(code), 1000, env.build, env.temp) as recording:
        while not os.path.exists(recording.path):
            recording.must_run()
        recording.settle()
        during(recording)
        return recording, recording.stop()


def fails(kind, function, *words):
    """The message of an error that has to come."""
    try:
        function(*words)
    except kind as error:
        return str(error)
    check(False, f"{function.__name__}: no {kind.__name__}")
    return ""


# perf.data

def perf_file(env, records, sample_type=1 << 16 | 1 | 2 | 4, magic=b"PERFILE2"):
    """A file with one event of such samples; records are bytes."""
    attr = struct.pack("=IIQQQ", 1, 128, 0, 0, sample_type).ljust(128, b"\0") + bytes(16)
    data = b"".join(records)
    head = magic + struct.pack("=8Q", 104, 144, 104, 144, 104 + 144, len(data), 0, 0)
    path = env.path("perf.data")
    with open(path, "wb") as f:
        f.write(head.ljust(104, b"\0") + attr + data)
    return path


def record(kind, *numbers):
    body = struct.pack(f"={len(numbers)}Q", *numbers)
    return struct.pack("=IHH", kind, 0, 8 + len(body)) + body


def sample(time_ns, stack=()):
    return record(perfdata.SAMPLE, 7, 0x400000, 1 << 32 | 1, time_ns, *stack)


@test
def perf_data_is_counted(env):
    """Samples of all sizes, those since a time, and what is lost by each kind of record."""
    records = [sample(10**9 + i * 10**6, stack=range(i % 5)) for i in range(100)]
    records.insert(50, record(perfdata.LOST, 7, 12))
    records.append(record(perfdata.LOST_SAMPLES, 30))
    records.append(record(3, 1, 2, 3))  # a COMM, between them
    counts = perfdata.read(perf_file(env, records), 0.0095)
    equal(counts, perfdata.Counts(100, 10, 42, 10**9 + 99 * 10**6 - 9500000), "counts")


@test
def perf_data_that_is_none_is_refused(env):
    for made in (perf_file(env, [], magic=b"PERFFILE"), perf_file(env, [], sample_type=1 | 2)):
        fails(perfdata.Malformed, perfdata.read, made)
    path = perf_file(env, [sample(1), struct.pack("=IHH", perfdata.SAMPLE, 0, 0)])
    fails(perfdata.Malformed, perfdata.read, path)
    open(path, "wb").close()
    fails(perfdata.Malformed, perfdata.read, path)


# Recordings

@test
def cpu_of_children_counts(env):
    """Whether the recorder waits for its child or leaves it to others."""
    for waits in ("os.waitpid(child, 0)", "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)"):
        _, total = recorded(env, BURNS % waits)
        check(total >= 2 * BURN_S, f"{total} s in all with {waits}, though each burns {BURN_S}")


@test
def cpu_is_known_while_it_runs(env):
    """What starting took, before the end is known."""
    seen = []
    recorded(env, BURNS % "", lambda recording: seen.append(recording.cpu_s()))
    check(seen[0] >= BURN_S, f"{seen[0]} s")


@test
def memory_is_that_of_all_but_the_output(env):
    """A buffer counts, in a child too; a mapping of what is written does not."""
    size = 40_000_000
    code = f"""
import mmap, os
with open(sys.argv[1] + '.part', 'wb') as f:
    f.write(bytes({size}))
os.rename(sys.argv[1] + '.part', sys.argv[1])
f = open(sys.argv[1], 'rb')
mapped = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
%s
sum(mapped[i] for i in range(0, {size}, 4096))
"""
    plain, _ = recorded(env, code % "")
    held, _ = recorded(env, code % f"held = b'x' * {size}")
    check(plain.peak_kb < size / 1000, f"{plain.peak_kb} KB with the output mapped")
    more = held.peak_kb - plain.peak_kb
    check(0.95 * size / 1024 < more < 1.1 * size / 1024, f"{more} KB more with {size} bytes held")


@test
def what_the_kernel_charges_is_memory(env):
    """Of the recorder and its children, without the files that they write; none left behind."""
    size = 40_000_000
    code = f"""
import os
open(sys.argv[1] + '.part', 'wb').write(bytes({size}))
ends = os.pipe()
if not os.fork():
    os.close(ends[1])
    held = b'x' * %s
    os.rename(sys.argv[1] + '.part', sys.argv[1])
    os.read(ends[0], 1)  # until the parent has gone
    os._exit(0)
"""
    peaks = []
    for held in (1, size):
        recording, _ = recorded(env, code % held)
        if recording.peak_charged_kb is None:
            skip("no memory cgroup can be made here")
        peaks.append(recording.peak_charged_kb)
    check(peaks[0] < size / 1000, f"{peaks[0]} KB with a file of {size} bytes written")
    check(peaks[1] - peaks[0] > 0.8 * size / 1024, f"{peaks} KB without and with {size} bytes")


@test
def a_recorder_that_ends_is_told_with_its_words(env):
    with recorders.Recording(Script("sys.exit('no such event')"), 1000, env.build,
                             env.temp) as recording:
        message = fails(recorders.Failed, recording.settle)
    check("no such event" in message, message)


@test
def a_program_that_counts_is_found_in_fdinfo(_env):
    text = "prog_type:\t7\nprog_id:\t12\nrun_time_ns:\t500\nrun_cnt:\t5\nmap_flags:\t0x400\n"
    equal([recorders.number(text, k) for k in ("prog_type", "run_cnt", "map_flags", "map_id")],
          [7, 5, 1024, None], "numbers")


# Figures

class Stretch:
    def __init__(self, wall_s, cpu_s, recorder_s=0.0):
        self.wall_s, self.cpu_s, self.recorder_s = wall_s, cpu_s, recorder_s


@test
def a_machine_that_drifts_shows_no_slowdown(_env):
    made = overhead.slowdowns(Stretch(1.0, 2.0), Stretch(1.1, 2.2), Stretch(1.2, 2.4))
    check(all(abs(v) < 1e-9 for v in made.values()), made)


@test
def the_recorder_is_part_of_the_cost(_env):
    """2 % by the clock; by CPU time 1 % of the work's own and 1 % of the recorder's."""
    made = overhead.slowdowns(Stretch(1.0, 2.0), Stretch(1.02, 2.02, 0.02), Stretch(1.0, 2.0))
    equal({k: round(v, 6) for k, v in made.items()}, {"slowdown": 2.0, "slowdown-cpu": 2.0},
          "slowdowns")
    made = overhead.slowdowns(Stretch(1, None), Stretch(1, None), Stretch(1, None))
    equal(list(made), ["slowdown"], "measures of work that does not know its CPU time")


@test
def figures_are_those_of_the_right_samples(_env):
    """The start is in cpu-all and not in cpu; what is not known is not there."""
    counts = {"samples": 2000, "late": 1000, "lost": 3, "bytes": 16000, "expected": 4000,
              "blind": 20, "unaccounted": 0}
    programs = [recorders.Program(1, 10, 3000), recorders.Program(2, 30, 5000)]
    made = overhead.figures_of(counts, programs, 0.1, 0.004, 0.12)
    wanted = {"start": 100, "cpu-all": 60, "cpu": 4, "bytes": 8, "lost": 3, "unaccounted": 0,
              "blind": 0.5, "bpf": 200}
    equal({k: round(v, 6) for k, v in made.items()}, wanted, "figures")
    counts = {"samples": 2000, "late": None, "lost": None, "bytes": None}
    equal(sorted(overhead.figures_of(counts, [], 0.1, 0.004, 0.12)), ["cpu-all", "start"],
          "figures of a recorder that tells little")


# The plan, the table and the plot

def bench(env, **options):
    args = argparse.Namespace(build=env.build, **{**overhead.QUICK, **options})
    args.work, args.recorders, args.hz = list(args.work), list(args.recorders), list(args.hz)
    return overhead.Bench(args, env.temp)


@test
def peers_take_part_in_the_first_rounds(env):
    """So the i-th values of all are of one round. What is no peer is in all rounds."""
    plan = [sorted(bench(env, peer_rounds=2).conditions(number)) for number in range(4)]
    equal(plan[0], sorted((hz, r) for hz in overhead.QUICK["hz"]
                          for r in overhead.QUICK["recorders"]), "first round")
    equal(plan[1], plan[0], "second round")
    equal(plan[2], [(hz, r) for hz in overhead.QUICK["hz"] for r in ("interrupts", "profiler")],
          "third round: ours and the limit it is held against")


@test
def what_is_missing_is_left_out_and_said(env):
    made, path = bench(env, work=["cpu", "nginx"], hz=[1000, 10**9]), os.environ["PATH"]
    os.environ["PATH"] = env.temp
    try:
        overhead.drop_missing(made)
    finally:
        os.environ["PATH"] = path
    equal((made.args.hz, made.args.recorders), ([1000], ["profiler", "interrupts"]),
          "what is left")
    notes = "\n".join(made.notes)
    for words in ("perf-fp is left out: perf is missing", "make deps-bench", "1000000000 Hz"):
        check(words in notes, f"not said: {words}: {notes}")


def made_rows():
    rows = []
    for group in ("cpu@100", "syscalls@10000"):
        for name, recorder in recorders.RECORDERS.items():
            for measure, (unit, better) in overhead.MEASURES.items():
                if recorder.role == "ours" or measure == "slowdown" or \
                        recorder.role == "peer" and measure in ("cpu-share", "bpf"):
                    rows.append(results.row(group, name, recorder.role, measure, unit, better,
                                            [11234.5, 11034.25, 12000.75]))
    return rows


@test
def the_table_fits_a_terminal(env):
    done = env.run(sys.executable, "-c", "import sys; sys.path[:0] = sys.argv[1:]\n"
                   "import test_overhead as t\n"
                   "t.overhead_table.show(t.made_rows(), ['of many words ' * 9])", *sys.path)
    lines = done.stdout.split("\n")
    for line in lines:
        check(len(line) <= 80, f"{len(line)} columns: {line}")
    equal(sum("profiler-fp" in line for line in lines), 4, "lines of one recorder in two tables")
    check(done.stdout.isascii() and "\x1b" not in done.stdout, "not plain text")


@test
def the_plot_has_a_bar_for_each_recorder(_env):
    """Inside the drawing, as long as its interval."""
    tree = ElementTree.fromstring(overhead_plot.svg(made_rows()))
    space = {"s": "http://www.w3.org/2000/svg"}
    bars = tree.findall("s:g", space)
    equal(len(bars), 2 * len(recorders.RECORDERS), "bars")
    width, height = (float(tree.get(k)) for k in ("width", "height"))
    for found in bars:
        line, dot = found.find("s:line", space), found.find("s:circle", space)
        left, middle, right, y = (float(e.get(k)) for e, k in (
            (line, "x1"), (dot, "cx"), (line, "x2"), (dot, "cy")))
        check(0 < left < middle < right <= width and 0 < y < height,
              f"{found.find('s:title', space).text} at {left}, {middle}, {right}, {y}")


# The work

@test
def the_same_number_is_the_same_work(env):
    """And twice the number is twice the work, whatever else the machine does."""
    program = os.path.join(env.build, "workloads/rounds")
    for kind in fixed_work.ROUNDS:
        done = env.run(program, kind, stdin="20\n20\n40\n")
        answers = [[int(x) for x in line.split()] for line in done.stdout.split("\n")[1:4]]
        units = [a[2] for a in answers]
        equal(units[0], units[1], f"units of {kind}")
        check(abs(units[2] - 2 * units[0]) <= 1, f"{kind}: {units}")
        check(all(wall > 0 and cpu > 0 for wall, cpu, _ in answers), f"{kind}: {answers}")


@test
def work_refuses_what_is_no_amount(env):
    program = os.path.join(env.build, "workloads/rounds")
    for line in ("x\n", "-1\n", "nan\n", "1e9\n"):
        env.run(program, "cpu", stdin=line, status=2)
    env.run(program, "nothing", status=2)


@test
def a_compilation_is_the_same_each_time(env):
    need("gcc", "xargs")
    with fixed_work.started("compile", env.temp, env.build) as work:
        work.play(1)
        folder = os.path.join(env.temp, "compile")
        first = sorted(os.listdir(folder))
        took = work.play(1)
        equal(sorted(os.listdir(folder)), first, "files that were made")
        check(took.cpu_s > 0, "no CPU time of the compilers")


@test
def work_that_fails_says_why(env):
    message = fails(fixed_work.Failed, fixed_work.command,
                    ["sh", "-c", "echo no space >&2; exit 3"], env.temp)
    check("no space" in message and "3" in message, message)
    equal(subprocess.run([sys.executable, os.path.join(os.path.dirname(overhead.__file__),
                                                       "overhead.py"), "--work", "none"],
                         capture_output=True).returncode, 2, "exit status of a wrong option")

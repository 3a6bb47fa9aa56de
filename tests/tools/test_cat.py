#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_cat.py - profiler-cat: what goes in comes out, and what is wrong is found.

Streams that it writes are held against proto/stream.proto by a reader of its own (tests/live/
stream.py, on what protoc decodes), and against what the other tools say of both sides.
"""
import collections
import glob
import os
import random
import re
import subprocess
import sys

import toolbox
from toolbox import check, equal, need, test

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../live"))

import stream # noqa: E402

KINDS = ("demo", "names", "counts", "clock", "starved", "empty", "idle")
FILTERS = (("--comm", "server"), ("--cpu", "1-2"), ("--pid", "100"), ("--tid", "100,101"),
           ("--user",), ("--kernel",), ("--time", "50ms..120ms"), ("--time", "60ms.."),
           ("--cpu", "0", "--user"), ("--pid", "77777"))
PREFIX = 5


def packets(data):
    """The packets of a stream without damage."""
    found = []
    while data:
        length = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(data[1:PREFIX]))
        found.append(data[:PREFIX + length])
        data = data[PREFIX + length:]
    return found


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


def seal(packet):
    """With the checksum that its bytes have now."""
    return packet[:-4] + crc32c(packet[:-6]).to_bytes(4, "little")


def renumber(kept):
    """The same packets, as if there had never been others between them: (packet, its samples)."""
    out, samples = b"", 0
    for number, (packet, count) in enumerate(kept):
        out += seal(packet[:15] + number.to_bytes(8, "little") + packet[23:24] +
                    samples.to_bytes(8, "little") + packet[32:])
        samples += count
    return out


def on_host(env, path, name):
    """The same stream, from another host with a name of as many letters."""
    with open(path, "rb") as file:
        data = b"".join(seal(p.replace(b"testhost", name.encode())) for p in packets(file.read()))
    return write(env, f"{name}.prof", data)


def write(env, name, data):
    path = env.path(name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def cat(env, *words, to="out.prof", **options):
    env.tool("cat", *words, "-o", env.path(to), **options)
    return env.path(to)


def counts_of(env, path, *words):
    report = env.json("report", "-n", "100000", *words, path)
    return [report[key] for key in ("samples", "weight", "functions", "processes", "groups")]


def folded(env, *words):
    lines = env.tool("folded", *words).splitlines()
    return collections.Counter({x.rsplit(" ", 1)[0]: int(x.rsplit(" ", 1)[1]) for x in lines})


def good(env, path):
    """Keeps all rules, by our checker and by the one that shares no code with it."""
    env.tool("cat", "--check", path)
    s = stream.read(path)
    if s.final:
        stream.check(s)
    return s


@test
def what_goes_in_comes_out(env):
    for kind in KINDS:
        path = env.made(kind)
        out = cat(env, path, to=f"{kind}.out")
        equal(env.json("report", "--stats", out), env.json("report", "--stats", path), kind)
        equal(folded(env, out), folded(env, path), kind)
        before, after = good(env, path), good(env, out)
        equal(after.samples, before.samples, f"{kind}: samples as protoc decodes them")
        equal(dict(after.names), dict(before.names), f"{kind}: names")
        equal([x.message for x in after.ledgers], [x.message for x in before.ledgers], kind)
        equal([dict(h, event=0) for h in after.headers], [dict(h, event=0) for h in before.headers],
              f"{kind}: headers")
        with open(out, "rb") as file:
            again = env.run(f"{env.bin}/profiler-cat", stdin=file.read(), text=False).stdout
        with open(out, "rb") as file:
            equal(again, file.read(), f"{kind}: copied once more")


@test
def pprof_sees_the_same(env):
    need("go")
    for kind in "demo", "counts":
        raw = []
        for path in env.made(kind), cat(env, env.made(kind)):
            env.tool("pprof", "-o", env.path("x.pb.gz"), path)
            raw.append(env.run("go", "tool", "pprof", "-raw", env.path("x.pb.gz")).stdout)
        equal(raw[1], raw[0], kind)


@test
def filters_keep_what_they_say(env):
    """The stream of what is wanted has the samples that each tool finds with the same filter."""
    for kind in "demo", "names", "counts":
        path = env.made(kind)
        for words in FILTERS:
            out = cat(env, *words, path)
            equal(counts_of(env, out), counts_of(env, path, *words), f"{kind} {words}")
            s = good(env, out)
            check(s.final, f"{kind} {words}: no final ledger")
            total = sum(r["written"] + r["filtered_target"] for r in s.final.rows)
            whole = stream.read(path).final
            equal(total, sum(r["written"] + r["filtered_target"] for r in whole.rows),
                  f"{kind} {words}: written and filtered")
            equal(s.final.sum("counted") + s.final.sum("uncounted"),
                  whole.sum("counted") + whole.sum("uncounted"), f"{kind} {words}: counts")


@test
def a_function_is_kept_with_all_its_stacks(env):
    """What the other tools find with the same regex, is in the stream that has it only."""
    for kind in "demo", "names", "counts":
        path = env.made(kind)
        for regex in "main|fib", "handle", "^no such$":
            for words in ((), ("--user",), ("--time", "50ms..", "--cpu", "0,1")):
                words = ("--function", regex, *words)
                out = cat(env, *words, path)
                equal(counts_of(env, out), counts_of(env, path, *words), f"{kind} {words}")
                equal(folded(env, out), folded(env, *words, path), f"{kind} {words}: stacks")
                good(env, out)
    text = env.tool("cat", "--text", "--function", "fib", env.made("demo"))
    equal(sum(x.startswith("sample ") for x in text.splitlines()),
          env.json("report", "--function", "fib", env.made("demo"))["samples"], "in text")
    two = cat(env, "--function", "fib", env.made("demo"), env.made("counts"))
    equal(folded(env, two), folded(env, "--function", "fib", env.made("demo")), "of two streams")


@test
def one_event(env):
    out = cat(env, "-e", "context-switches", env.made("demo"))
    equal({s.event for s in good(env, out).samples}, {1}, "events")
    out = cat(env, "-e", "instructions", env.made("counts")) # and who carries them
    equal(counts_of(env, out, "-e", "instructions")[2],
          counts_of(env, env.made("counts"), "-e", "instructions")[2], "functions")
    good(env, out)
    run = env.run(f"{env.bin}/profiler-cat", "-e", "nothing", env.made("demo"), status=1)
    check("no event 'nothing'" in run.stderr, run.stderr)


@test
def a_slice_does_not_carry_the_rest(env):
    path = env.made("big", 100000, 400)
    out = cat(env, "--time", "50s..50200ms", path)
    equal(counts_of(env, out), counts_of(env, path, "--time", "50s..50200ms"), "slice")
    good(env, out)
    check(os.path.getsize(out) < os.path.getsize(path) / 20,
          f"{os.path.getsize(out)} of {os.path.getsize(path)} bytes")


def last_epoch(env, path):
    with open(path, "rb") as file:
        parts = packets(file.read())
    first = max(i for i, packet in enumerate(parts) if b"testhost" in packet) # its header
    return write(env, f"last-{os.path.basename(path)}", b"".join(parts[first:]))


@test
def an_epoch_of_a_part_has_its_names(env):
    """From an epoch on a part decodes to the stacks that the whole has from there on."""
    path = env.made("names")
    for first_ms in range(0, 540, 30):
        words = ("--time", f"{first_ms}ms..")
        ours = last_epoch(env, cat(env, *words, path))
        equal(folded(env, ours), folded(env, *words, last_epoch(env, path)), f"from {first_ms} ms")


@test
def merged_streams_add_up(env):
    paths = [env.made(kind) for kind in ("demo", "counts", "names", "demo")]
    out = cat(env, *paths)
    s = good(env, out)
    events = [{e["name"]: (e["samples"], e["weight"]) for e in env.json("report", p)["events"]}
              for p in (*paths, out)]
    for name, merged in events[-1].items():
        want = [e[name] for e in events[:-1] if name in e]
        equal(merged, tuple(map(sum, zip(*want))), f"samples and weight of {name}")
    for name in "cpu-clock", "instructions", "page-faults:u":
        want = sum((folded(env, "-e", name, p) for p, e in zip(paths, events) if name in e),
                   collections.Counter())
        equal(folded(env, "-e", name, out), want, name)
    each = [stream.read(p).final for p in paths]
    for key in "expected", "entries", "written", "idle", "counted":
        equal(s.final.sum(key), sum(x.sum(key) for x in each), key)
    equal(len({h["run_id"][0] for h in s.headers if "run_id" in h}), 1, "run ids")


@test
def losses_of_merged_streams_add_up(env):
    """What a ledger has beside its rows: of each stream, in the sum, and in the middle of it."""
    paths = [env.made(kind) for kind in ("counts", "demo", "counts")]
    each = [stream.read(p).final for p in paths]
    s = good(env, cat(env, *paths))
    for key in "sideband_lost", "stacks_unresolved", "unknown_process", "packets_dropped":
        check(each[0][key] > 0, f"no {key} in the streams")
        equal(s.final[key], sum(x[key] for x in each), key)
        equal([x[key] for x in s.ledgers], sorted(x[key] for x in s.ledgers), f"{key} goes down")


@test
def merging_in_steps(env):
    a, b, c = (env.made(kind) for kind in ("demo", "counts", "names"))
    at_once = cat(env, a, b, c)
    in_steps = cat(env, cat(env, a, b, to="ab.prof"), c, to="abc.prof")
    equal(folded(env, in_steps), folded(env, at_once), "stacks")
    good(env, in_steps)


@test
def same_events_are_one(env):
    s = good(env, cat(env, env.made("demo"), env.made("demo")))
    equal(s.events, stream.read(env.made("demo")).events, "the same twice")
    s = good(env, cat(env, env.made("demo"), env.made("counts")))
    equal(sorted(s.groups.values()), [[s.events.index("cycles"), s.events.index("instructions"),
                                       s.events.index("cache-misses"),
                                       s.events.index("branch-misses")]], "groups")


@test
def hosts_have_cpus_of_their_own(env):
    """Two hosts at the same time: their times stay, their CPUs lie behind one another."""
    here, there = env.made("demo"), on_host(env, env.made("demo"), "web7host")
    one = stream.read(here)
    s = good(env, cat(env, here, there))
    n = len(one.samples)
    equal([x._replace(cpu=x.cpu - 4) for x in s.samples[n:]], one.samples, "samples of the second")
    equal(s.samples[:n], one.samples, "samples of the first")
    equal(s.headers[0]["hostname"][0], "testhost, web7host", "host")
    check(any("web7host" in x and "CPUs from 4 on" in x for x in s.notices), s.notices)


@test
def runs_of_a_host_do_not_overlap(env):
    path = env.made("demo")
    run = env.run(f"{env.bin}/profiler-cat", path, path, "-o", env.path("two.prof"))
    check("begins before the end of another stream of its host" in run.stderr, run.stderr)
    s = good(env, env.path("two.prof"))
    n = len(s.samples) // 2
    check(max(x.time_ns for x in s.samples[:n]) <= min(x.time_ns for x in s.samples[n:]), "times")
    run = env.run(f"{env.bin}/profiler-cat", "--end-to-end", path, path, "-o", env.path("e.prof"))
    equal(run.stderr, "", "with --end-to-end")
    good(env, env.path("e.prof"))


def losses_of(env, path):
    """Packets and samples that are lost, be it because no header tells of their event."""
    told = env.run(f"{env.bin}/profiler-report", path).stderr
    packets = re.search(r"is damaged: (\d+) packets with (\d+) samples", told)
    strange = re.search(r"has (\d+) samples of unknown events", told)
    return int(packets[1]), int(packets[2]) + (int(strange[1]) if strange else 0)


@test
def damage_is_passed_on(env):
    """What is lost is lost on both sides alike, and told."""
    with open(env.made("counts"), "rb") as file:
        data = file.read()
    rng = random.Random(7)
    for number in range(12):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 2))):
            broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path = write(env, f"broken{number}.prof", bytes(broken))
        run = env.run(f"{env.bin}/profiler-cat", path, "-o", env.path("out.prof"), status=None)
        if run.returncode:
            check("no whole header" in run.stderr, run.stderr)
            continue
        check("is damaged" in run.stderr, run.stderr)
        equal(counts_of(env, env.path("out.prof")), counts_of(env, path), f"flip {number}")
        equal(losses_of(env, env.path("out.prof")), losses_of(env, path), "losses told next")
        env.tool("cat", "--check", path, status=1)
        env.tool("cat", "--check", env.path("out.prof"), status=1)


@test
def cut_anywhere(env):
    with open(env.made("demo"), "rb") as file:
        data = file.read()
    for cut in range(40, len(data), 331):
        path = write(env, "cut.prof", data[:cut])
        run = env.run(f"{env.bin}/profiler-cat", path, "-o", env.path("out.prof"), status=None)
        check(run.returncode in (0, 1), run.returncode)
        if run.returncode == 0:
            equal(counts_of(env, env.path("out.prof")), counts_of(env, path), f"cut at {cut}")
        env.tool("cat", "--check", path, status=1)
    path = write(env, "tail.prof", data[data.index(packets(data)[3]):])
    out = cat(env, path)
    equal(counts_of(env, out), counts_of(env, path), "without a beginning")


@test
def check_finds(env):
    with open(env.made("demo"), "rb") as file:
        data = file.read()
    parts = packets(data)
    firsts = [int.from_bytes(p[24:32], "little") for p in parts]
    total = len(stream.read(env.made("demo")).samples)
    sizes = [b - a for a, b in zip(firsts, firsts[1:] + [total])]
    whole = list(zip(parts, sizes))
    equal(renumber(whole), data, "numbered again")
    victim = next(i for i, size in enumerate(sizes) if size and i)
    cases = (
        ("cut", data[:-3], "a last packet that is cut"),
        ("unended", data[:-len(parts[-1])], "no final ledger"),
        ("gap", b"".join(parts[:victim] + parts[victim + 1:]), "packets are missing"),
        ("appended", data + data, "of another stream behind this one"),
        ("junk", data + b"hello", "bytes are no packet"),
        ("hidden", renumber(whole[:victim] + whole[victim + 1:]), "samples written, the stream"),
        ("goes on", renumber(whole + whole[-1:]), "follows the final ledger"),
        ("headless", renumber(whole[1:]), "begins without a header|no header tells of"),
    )
    for name, broken, want in cases:
        path = write(env, "wrong.prof", broken)
        said = env.tool("cat", "--check", path, status=1)
        check(any(x in said for x in want.split("|")), f"{name}: {said}")
        report = env.json("cat", "--check", path, status=1)
        check(not report["ok"] and any(x in y for x in want.split("|") for y in report["wrong"]),
              f"{name}: {report}")
    report = env.json("cat", "--check", env.made("demo"))
    equal((report["ok"], report["wrong"], report["samples"]), (True, [], total), "a good one")


@test
def text_has_every_sample(env):
    for kind in "demo", "counts", "names":
        text = env.tool("cat", "--text", env.made(kind))
        samples = stream.read(env.made(kind)).samples
        equal(sum(x.startswith("sample ") for x in text.splitlines()), len(samples), kind)
        check("\x1b" not in text, "a control character")
        text = env.tool("cat", "--text", "--kernel", env.made(kind))
        equal(sum(x.startswith("sample ") for x in text.splitlines()),
              sum(s.flags & stream.IN_KERNEL for s in samples), f"{kind} in the kernel")


@test
def memory_does_not_follow_length(env):
    most = []
    for samples in 20000, 400000:
        path = env.made("big", samples, 4000)
        with open(os.devnull, "wb") as null:
            process = subprocess.Popen([f"{env.bin}/profiler-cat", path], stdout=null)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        equal(status, 0, "exit status")
        most.append(usage.ru_maxrss)
    check(most[1] < most[0] + 2048, f"{most} KB")


@test
def a_real_recording(env):
    path = env.record("--hz", "500", "-e", "{cpu-clock,page-faults}", "-d", "3", command=("mix",))
    out = cat(env, path)
    equal(counts_of(env, out), counts_of(env, path), "counts")
    equal(good(env, out).samples, stream.read(path).samples, "samples")
    for words in ("--time", "1..2"), ("--kernel",), ("--comm", "mix"):
        part = cat(env, *words, path, to="part.prof")
        equal(counts_of(env, part), counts_of(env, path, *words), words)
        good(env, part)


@test
def nothing_breaks_it(env):
    """The inputs that the fuzzer of the reader keeps, as they are and without their first byte."""
    for path in sorted(glob.glob(os.path.join(HERE, "../fuzz/corpus/stream/*"))):
        with open(path, "rb") as file:
            data = file.read()
        for part in data, data[1:]:
            broken = write(env, "fuzz.prof", part)
            for words in ("--check",), ("--text",), ("--kernel", "-o", env.path("f.out")), \
                    (broken, "-o", env.path("f.out")):
                run = env.run(f"{env.bin}/profiler-cat", *words, broken, status=None, text=False)
                check(run.returncode in (0, 1) and b"anitizer" not in run.stderr and
                      b"runtime error" not in run.stderr,
                      f"{path} {words}: {run.returncode} {run.stderr[-1500:]}")


@test
def refusals(env):
    path = env.made("demo")
    for words, status, want in (
            (("--check", "--text", path), 2, "not both"),
            (("--json", path), 2, "--json goes with --check"),
            (("--check", "--user", path), 2, "whole streams"),
            (("--text", "-o", "x", path), 2, "-o is for streams"),
            (("--check", "--function", "x", path), 2, "whole streams"),
            (("--function", "x", "-"), 2, "name files, not stdin"),
            (("--function", "(", path), 1, "--function '('"),
            (("./absent",), 1, "cannot open './absent'"),
            (("/bin/sh",), 1, "not a profiler stream"),
            (("/dev/null",), 1, "empty, not a profiler stream"),
            ((path, "-o", "no/such"), 1, "cannot open 'no/such'"),
            ((path, "-o", "/dev/full"), 1, "No space left")):
        run = env.run(f"{env.bin}/profiler-cat", *words, status=status)
        check(want in run.stderr, f"{words}: {run.stderr}")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([f"{env.bin}/profiler-cat", path], stdout=writer, stderr=subprocess.PIPE,
                          check=False)
    os.close(writer)
    equal((done.returncode, done.stderr), (0, b""), "a reader that went away")


if __name__ == "__main__":
    sys.exit(toolbox.main())

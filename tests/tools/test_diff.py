#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_diff.py - profiler-diff: nothing gets lost, signs and sums are right, a planted regression
is found with its size, and the same program twice is no difference.

DIFF_PAIRS=100 in the environment makes the test of same programs a long one, of so many pairs.
"""
import math
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import browser  # noqa: E402
import toolbox  # noqa: E402
from toolbox import check, equal, need, skip, test  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIG = ("big", 20000, 400)
SMALL = ("big", 7000, 300)

FILTERS = [(), ("--comm", "server"), ("--pid", "200-300"), ("--cpu", "1-2"), ("--kernel",),
           ("--time", "50ms..250ms"), ("--function", "handle|do_"), ("--no-inlines",)]


def weights(rows, side):
    return sum(row[f"{side}_weight"] for row in rows)


def near(got, wanted, tolerance, what):
    check(abs(got - wanted) <= tolerance, f"{what}: {got}, not {wanted} +- {tolerance}")


@test
def every_sample_is_in_a_row(env):
    """Whatever the filter: functions by self, stacks and the folded lines hold the stream's weight."""
    demo = env.made("demo")
    for event in ("cpu-clock", "page-faults", "context-switches"):
        for words in FILTERS:
            # page faults are in one process, and not in its kernel: see make_stream
            report = env.json("report", "-e", event, *words, demo)
            wanted = next(e for e in report["events"] if e["name"].split(":")[0] == event)
            common = ("-e", event, *words)
            if not wanted["samples"]:
                env.run(f"{env.bin}/profiler-diff", *common, demo, demo, status=1)
                continue
            functions = env.json("diff", *common, demo, demo)
            stacks = env.json("diff", "--by", "stack", *common, demo, demo)
            folded = env.tool("diff", "--folded", *common, demo, demo).splitlines()
            for side in ("base", "new"):
                equal(weights(functions["self"], side), wanted["weight"], f"{common} self")
                equal(weights(stacks["stacks"], side), wanted["weight"], f"{common} stacks")
                equal(functions[side][0]["samples"], wanted["samples"], f"{common} samples")
            for column in (-2, -1):
                equal(sum(int(line.split()[column]) for line in folded), wanted["samples"],
                      f"{common} folded")
            for row in functions["self"] + functions["total"]:
                near(row["base"], 100 * row["base_weight"] / wanted["weight"], 1e-4,
                     f"{common} percent of {row['function']}")
            totals = {f["name"]: f["total_weight"] for f in report["functions"]}
            for row in functions["total"]: # of a function that calls itself, too
                if row["function"] in totals and row["function"][0] != "[":
                    equal(row["new_weight"], totals[row["function"]], f"{common} total")


@test
def a_stream_and_itself_do_not_differ(env):
    demo = env.made("demo")
    diff = env.json("diff", demo, demo)
    equal(diff["different"], 0, "different rows")
    check(all(row["change"] == 0 for row in diff["self"] + diff["total"]), "changes")
    text = env.tool("diff", "--fail-on", "self>0%", "--fail-on", "total>0%", demo, demo)
    check("no difference" in text, "not said in words")


@test
def sides_of_other_lengths_are_normalised(env):
    """Each by its own whole, by time and by work: what the new side has is scaled to the base."""
    base, new = env.made(*BIG), env.made(*SMALL)
    shares = env.json("diff", base, new)
    near(sum(row["new"] for row in shares["self"]), 100, 1e-3, "percent of the new side")
    duration = [shares[side][0]["duration_ns"] for side in ("base", "new")]
    weight = [shares[side][0]["weight"] for side in ("base", "new")]
    time = env.json("diff", "--per", "time", base, new)
    near(time["new_all"], 100 * weight[1] / weight[0] * duration[0] / duration[1], 1e-3, "by time")
    work = env.json("diff", "--per", "100:50", base, new)
    near(work["new_all"], 100 * weight[1] / weight[0] * 100 / 50, 1e-3, "by work")
    both = env.json("diff", "--per", "100:20,30", "--base", base, "--new", new, "--new", new)
    near(both["new_all"], 100 * 2 * weight[1] / weight[0] * 100 / 50, 1e-3, "by work of runs")
    for diff in (shares, time, work, both):
        near(sum(row["new"] for row in diff["self"]), diff["new_all"], 1e-3, "sum of the new")
    folded = env.tool("diff", "--per", "100:70", "--folded", base, new).splitlines()
    near(sum(int(line.split()[-1]) for line in folded),
         shares["new"][0]["samples"] * 100 / 70, 1, "folded")


def pprof_top(env, *words):
    """Function to its self, in the file's own unit, as go tool pprof reads it."""
    out = env.run("go", "tool", "pprof", "-symbolize=none", "-top", "-nodecount=1000000",
                  "-nodefraction=0", "-sample_index=samples", *words).stdout
    flat = {}
    for line in out.splitlines():
        found = re.match(r"\s*(-?\d+)\s+\S+%\s+\S+%\s+(-?\d+)\s+\S+%\s+(.*)$", line)
        if found:
            name = found[3].replace(" (inline)", "")
            flat[name] = flat.get(name, 0) + int(found[1])
    return flat


@test
def go_tool_pprof_agrees(env):
    """Its -diff_base on what profiler-pprof writes, against our rows and our pprof file."""
    need("go")
    base, new = env.made(*BIG), env.made(*SMALL)
    for name, stream in (("base", base), ("new", new)):
        with open(env.path(name + ".pb.gz"), "wb") as out:
            out.write(env.tool("pprof", stream, text=False))
    with open(env.path("diff.pb.gz"), "wb") as out:
        out.write(env.tool("diff", "--pprof", "--per", "1:1", base, new, text=False))
    theirs = pprof_top(env, "-diff_base", "base.pb.gz", "new.pb.gz")
    ours = pprof_top(env, "diff.pb.gz")
    rows = {}
    for row in env.json("diff", "--per", "1:1", base, new)["self"]:
        change = row["new_samples"] - row["base_samples"]
        rows[row["function"]] = rows.get(row["function"], 0) + change
    check(len(theirs) > 20, f"pprof has only {len(theirs)} functions")
    check(any(v < 0 for v in theirs.values()), "nothing became less")
    for name in set(theirs) | set(rows):
        equal(rows.get(name, 0), theirs.get(name, 0), f"{name}: our row against pprof")
        equal(ours.get(name, 0), theirs.get(name, 0), f"{name}: our file against pprof")
    # scaled as pprof -normalize does it: the new side to the base's sum
    with open(env.path("shares.pb.gz"), "wb") as out:
        out.write(env.tool("diff", "--pprof", base, new, text=False))
    scaled = pprof_top(env, "-diff_base", "base.pb.gz", "-normalize", "new.pb.gz")
    ours = pprof_top(env, "shares.pb.gz")
    for name in set(scaled) | set(ours):
        near(ours.get(name, 0), scaled.get(name, 0), 40, name) # both round each stack
    near(sum(ours.values()), 0, 1, "sum of a diff of shares")


@test
def what_cannot_be_compared_is_refused(env):
    diff = f"{env.bin}/profiler-diff"
    demo, empty, clock = env.made("demo"), env.made("empty"), env.made("counts")
    for status, words, pattern in [
            (2, (), "two recordings are wanted"), (2, (demo,), "two recordings are wanted"),
            (2, (demo, demo, demo), "two recordings, not"),
            (2, ("--per", "10", demo, demo), "--per wants"),
            (2, ("--per", "10:1,2", demo, demo), "--per wants"),
            (2, ("--fail-on", "self<1%", demo, demo), "--fail-on wants"),
            (2, ("--confidence", "5", demo, demo), "--confidence wants"),
            (2, ("--by", "line", demo, demo), "--by takes"),
            (1, (demo, empty), "has no samples of 'cpu-clock'"),
            (1, (demo, clock), "no event 'cpu-clock' in this stream"),
            (1, ("--per", "cycles", demo, demo), "no event 'cycles'"),
            (1, ("--comm", "nobody", demo, demo), "that are wanted"),
            (1, (demo, "/bin/sh"), "/bin/sh is not a profiler stream"),
            (1, (demo, "/nowhere"), "cannot open")]:
        done = env.run(diff, *words, status=status)
        check(re.search(pattern, done.stderr), f"{words}: {done.stderr}")
        equal(done.stdout, "", f"{words}: stdout")


@test
def html_shows_the_same_changes(env):
    """The page in a browser: its table against our rows."""
    if not browser.find():
        skip("chromium is not installed")
    base, new = env.made(*BIG), env.made(*SMALL)
    with open(env.path("diff.html"), "w", encoding="utf-8") as out:
        out.write(env.tool("diff", "--html", base, new))
    with browser.look() as b:
        b.open(env.path("diff.html"))
        equal(table_against_rows(b, env.json("diff", base, new)["self"]) > 20, True, "many rows")
        equal(b.errors, [], "exceptions")


def table_against_rows(b, rows):
    """Self, change, its interval and p of each function that is shown; how many these are."""
    rows = {row["function"]: row for row in rows}
    shown = b.run("Array.from(document.querySelectorAll('#table tbody tr'), (r) => "
                  "[r.lastChild.firstChild.data, "
                  "...[0, 2, 3, 4].map((i) => r.children[i].textContent)])")
    for name, own, change, error, p in shown:
        row = rows[name]
        near(float(own.split()[0]), row["new"], 0.01, f"{name}: new side")
        near(float(change.split()[0].strip("±").replace("\u2212", "-")), row["change"], 0.01,
             f"{name}: change")
        equal(error == "", row["p"] is None, f"{name}: has an interval")
        equal(p == "", row["p"] is None, f"{name}: has p")
        if p:
            near(float(error.split()[0]), row["error"], 0.006, f"{name}: interval")
            near(0 if p == "<.001" else float(p), row["p"], 0.001, f"{name}: p")
    return len(shown)


@test
def html_has_every_event(env):
    """A tab for each that both sides have, with what a comparison of it alone finds."""
    base = env.made("counts")
    new = env.path("part.prof")
    env.tool("cat", "--time", "0..150ms", "-o", new, base)
    events = [e["name"] for e in env.json("report", new)["events"] if e["weight"]]
    with open(env.path("diff.html"), "w", encoding="utf-8") as out:
        out.write(env.tool("diff", "--html", "-e", "instructions", base, new))
    with browser.look() as b:
        b.open(env.path("diff.html"))
        tabs = "Array.from(document.querySelectorAll('#tabs button'), (t) => t.textContent)"
        equal(sorted(b.run(tabs)), sorted(events), "tabs")
        equal(b.run(tabs)[0], "instructions", "the first tab")
        for i, event in enumerate(b.run(tabs)):
            b.run(f"document.querySelectorAll('#tabs button')[{i}].click()")
            rows = env.json("diff", "-e", event, base, new)["self"]
            check(table_against_rows(b, rows), f"no rows of {event}")
        equal(b.errors, [], "exceptions")


def build(env, name, percent):
    need("cc")
    env.run("cc", "-O2", "-g0", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer",
            f"-I{ROOT}", f"-DRENDER_PERCENT={percent}", "-o", name,
            f"{ROOT}/tests/tools/regress.c")


def record(env, program, number, *words, hz="2000"):
    if os.geteuid() != 0:
        skip("recording needs root")
    path = env.path(f"{os.path.basename(program)}.{number}.prof")
    env.run(f"{env.bin}/profiler", "-q", "--hz", hz, "-o", path, "--", program, *words,
            timeout=30)
    return path


RUNS = 3


def record_sides(env):
    """Of both builds, by turns: what changes on this machine meanwhile is on both sides."""
    base, new = [], []
    for i in range(RUNS):
        base.append(record(env, "./server-1.0", i, "16000", hz="8000"))
        new.append(record(env, "./server-1.1", i, "16000", hz="8000"))
    names = [word for side, paths in (("--base", base), ("--new", new))
             for path in paths for word in (side, path)]
    return base[0], new[0], names


@test(alone=True)
def a_regression_is_named_with_its_size(env):
    """render() takes 20 % more in the other build, whose program has another name, too."""
    build(env, "server-1.0", 100)
    build(env, "server-1.1", 120)
    for _ in range(3): # other load can hide it, as it may; it cannot change the size
        base, new, names = record_sides(env)
        pair = env.json("diff", "--user", base, new)
        runs = env.json("diff", "--user", *names)
        for diff in (pair, runs):
            render = next(r for r in diff["self"] if r["function"] == "render")
            near(render["change"], 100 * 36 / 106 - 30, render["error"] * 1.5, "render's change")
            equal([r["function"] for r in diff["total"] if abs(r["change"]) > 12], [],
                  "what is not known again")
        if pair["self"][0]["different"] and runs["self"][0]["different"]:
            break
    for diff in (pair, runs):
        equal(diff["self"][0]["function"], "render", "the first row")
        equal([r["function"] for r in diff["self"] if r["different"] and r["change"] > 0],
              ["render"], "what grew")
    work = env.json("diff", "--user", "--per", "16000:16000", *names)
    render = next(r for r in work["self"] if r["function"] == "render")
    near(render["change"], 6, max(render["error"] * 1.5, 1), "by work, of the base's whole")
    for status, condition in ((3, "self>2%"), (0, "self>9%"), (0, "lookup:self>0%"),
                              (0, "render:total>9%"), (3, "render:total>2%")):
        gate = env.run(f"{env.bin}/profiler-diff", "--user", "--fail-on", condition, *names,
                       status=status)
        equal("render grew by" in gate.stderr, status == 3, f"{condition}: {gate.stderr}")


def most(pairs, rate):
    """So many of the pairs are exceeded by chance once in 1,000 times."""
    beyond, at = 0.0, pairs
    while at:
        beyond += math.comb(pairs, at) * rate**at * (1 - rate) ** (pairs - at)
        if beyond > 0.001:
            return at
        at -= 1
    return 0


@test(limit_s=1200, alone=True)
def the_same_program_twice_is_no_difference(env):
    """19 of 20 pairs of recordings. Other load is a difference: it comes in one and not the other."""
    load, cpus = os.getloadavg()[0], os.cpu_count()
    if load > 2 * cpus:
        skip(f"the machine is too busy: a load of {load:.1f} on {cpus} CPUs")
    pairs = int(os.environ.get("DIFF_PAIRS", "6"))
    seconds = "0.5" if pairs < 50 else "1"
    different = []
    for i in range(pairs):
        workload = ("shares", "mix", "threads")[i % 3]
        program = f"{env.build}/workloads/{workload}"
        streams = [record(env, program, k, "-d", seconds) for k in range(2)]
        diff = env.json("diff", *streams)
        if diff["different"]:
            rows = [r["function"] for r in diff["self"] + diff["total"] if r["different"]]
            different.append(f"{workload}: {', '.join(rows[:4])}")
    if os.environ.get("DIFF_PAIRS"):
        print(f"      {len(different)} of {pairs} pairs differ", *different, sep="\n      ")
    check(len(different) <= most(pairs, 0.05), f"{len(different)} of {pairs}: {different}")


if __name__ == "__main__":
    sys.exit(toolbox.main())

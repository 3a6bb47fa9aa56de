# SPDX-License-Identifier: Apache-2.0
"""test_report.py - profiler-report: the tree, callers and callees, tables and filters agree.

The oracle for the tree is profiler-folded, whose lines are the stacks themselves.
"""
import collections
import os
import pty
import re
import subprocess
import sys

import toolbox
from toolbox import check, equal, test

STREAMS = (("demo",), ("names",), ("counts",), ("idle",), ("big", 4000, 500))
GROUPS = ("pid", "tid", "comm", "cgroup", "container", "cpu", "mapping", "source", "line", "stack")


def folded(env, stream, *words):
    """{stack from the root as a tuple: samples}, threads merged, without the mark of the kernel."""
    stacks = collections.Counter()
    for line in env.tool("folded", *words, stream).splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(re.sub(r"_\[k\]$", "", name) for name in stack.split(";")[1:])] += int(count)
    return stacks


def label(node):
    """A function as folded writes it."""
    if node["name"] != "[unknown]" or not node["mapping"]:
        return node["name"].replace(";", ":")
    short = node["mapping"].rsplit("/", 1)[-1]
    return short if short.startswith("[") else f"[{short}]"


def paths(tree):
    """{path from the root: (self, total)} of the tree's list."""
    found, path = collections.Counter(), []
    totals = collections.Counter()
    for node in tree:
        above = () if node["parent"] is None else path[node["parent"]]
        path.append(above + (label(node),))
        found[path[-1]] += node["self"]
        totals[path[-1]] += node["total"]
    return {p: (found[p], totals[p]) for p in totals}


def inclusive(stacks):
    """The same from stacks."""
    totals = collections.Counter()
    for stack, count in stacks.items():
        for depth in range(1, len(stack) + 1):
            totals[stack[:depth]] += count
    return {p: (stacks.get(p, 0), totals[p]) for p in totals}


@test
def the_tree_is_what_the_stacks_are(env):
    for kind in STREAMS:
        stream = env.made(*kind)
        stacks = folded(env, stream)
        got = paths(env.json("report", "--tree", "--min", "0", stream)["tree"])
        equal(got, inclusive(stacks), f"{kind}: the tree")
        inverted = collections.Counter({s[::-1]: n for s, n in stacks.items()})
        got = paths(env.json("report", "--inverted", "--min", "0", stream)["tree"])
        equal(got, inclusive(inverted), f"{kind}: the inverted tree")


def chains(stacks):
    """{(function, its caller, ...): samples whose stack has them so, anywhere}"""
    found = collections.Counter()
    for stack, count in stacks.items():
        up = stack[::-1]
        for chain in {up[i:k] for i in range(len(up)) for k in range(i + 1, len(up) + 1)}:
            found[chain] += count
    return found


@test
def the_inverted_tree_has_what_functions_called(env):
    for kind in STREAMS:
        stream = env.made(*kind)
        wanted = chains(folded(env, stream))
        report = env.json("report", "--inverted", "--min", "0", stream)
        got, path = collections.Counter(), []
        for node in report["tree"]:
            above = () if node["parent"] is None else path[node["parent"]]
            path.append(above + (label(node),))
            got[path[-1]] += node["inclusive"]
        once = {p for p, times in collections.Counter(path).items() if times == 1}
        equal({p: got[p] for p in once}, {p: wanted[p] for p in once}, f"{kind}: with what they call")
        for functions in [f for f in report["functions"] if f["self"]]:
            name = (label(functions),)
            if name in once:
                equal(got[name], functions["total"], f"{kind}: total of {name}")


@test
def what_the_tree_leaves_out_is_told(env):
    for kind in STREAMS:
        stream = env.made(*kind)
        for words in (["--min", "1"], ["--min", "30%"], ["--min", "0", "--depth", "2"],
                      ["--min", "5", "--by", "pid"], ["--min", "5", "--by", "tid"], ["--inverted"]):
            report = env.json("report", "--tree", *words, stream)
            tree = report["tree"]
            whole = sum(node["self_weight"] for node in tree) + report["tree_hidden_weight"]
            equal(whole, report["weight"], f"{kind} {words}: the whole")
            for node in tree:
                check(node["parent"] is None or
                      node["total"] <= tree[node["parent"]]["total"], f"{kind} {words}: {node}")
            text = env.tool("report", "--tree", *words, stream)
            equal("not shown: " in text, report["tree_hidden_weight"] > 0, f"{kind} {words}: told")


@test
def callers_and_callees_add_up(env):
    for kind in STREAMS:
        report = env.json("report", "--peek", ".", env.made(*kind))
        recursive = {name for stack in folded(env, env.made(*kind)) for name in stack
                     if stack.count(name) > 1}
        equal(len(report["peek"]), len(report["functions"]), f"{kind}: functions")
        for f in report["peek"]:
            itself = [n["weight"] for n in f["calls"] if n["name"] is None]
            equal(sum(itself), f["self_weight"], f"{kind} {f['name']}: itself")
            for n in f["callers"] + f["calls"]:
                check(n["weight"] <= f["total_weight"], f"{kind} {f['name']}: more than all: {n}")
            if label(f) in recursive: # counts below several callers
                continue
            for side in ("callers", "calls"):
                equal(sum(n["weight"] for n in f[side]), f["total_weight"],
                      f"{kind} {f['name']}: {side}")


@test
def callers_are_those_in_the_stacks(env):
    stream = env.made("demo")
    callers, calls = collections.Counter(), collections.Counter()
    for stack, count in folded(env, stream).items():
        for above in {a for a, f in zip((None,) + stack, stack) if f == "handle_request"}:
            callers[above] += count
        for below in {b for f, b in zip(stack, stack[1:] + (None,)) if f == "handle_request"}:
            calls[below] += count
    peek, = env.json("report", "--peek", "^handle_request$", stream)["peek"]
    equal({n["name"] and label(n): n["samples"] for n in peek["callers"]}, callers, "callers")
    equal({n["name"] and label(n): n["samples"] for n in peek["calls"]}, calls, "calls")
    text = env.tool("report", "--peek", "^handle_request$", stream)
    check(re.search(r"called by main\n.*called by start_thread\n.*  handle_request", text), text)
    check("no function's name has 'absent' in it" in env.tool("report", "--peek", "absent", stream),
          "nothing found is said")


@test
def every_table_has_every_sample(env):
    for kind in STREAMS:
        stream = env.made(*kind)
        samples = env.json("report", stream)["samples"]
        for by in GROUPS:
            report = env.json("report", "--by", by, stream)
            rows = report["processes" if by == "pid" else f"by_{'source' if by == 'line' else by}"]
            equal(sum(row["samples"] for row in rows), samples, f"{kind} --by {by}")


@test
def filters_divide_the_samples(env):
    for kind in STREAMS:
        stream = env.made(*kind)
        whole = env.json("report", stream)
        halves = [(["--user"], ["--kernel"]), (["--time", "..100ms"], ["--time", "100ms.."]),
                  (["--cpu", "0-1"], ["--cpu", "2-99"])]
        for parts in halves:
            reports = [env.json("report", *part, stream) for part in parts]
            for key in ("samples", "weight"):
                equal(sum(r[key] for r in reports), whole[key], f"{kind} {parts}: {key}")
            for report, part in zip(reports, parts):
                equal(report["samples"] + report["filter"]["left_out"], whole["samples"],
                      f"{kind} {part}: left out")
                tree = env.json("report", "--tree", "--min", "0", *part, stream)
                equal(sum(n["self"] for n in tree["tree"]), tree["samples"], f"{kind} {part}: tree")


@test
def a_functions_stacks_are_its_total(env):
    for kind in STREAMS:
        stream = env.made(*kind)
        functions = env.json("report", stream)["functions"]
        names = collections.Counter(f["name"] for f in functions)
        for f in functions[:12]:
            if names[f["name"]] > 1 or f["name"] == "[unknown]" or not f["mapping"]:
                continue
            exactly = "^" + re.sub(r"([^\w :,])", r"[\1]", f["name"]) + "$"
            report = env.json("report", "--function", exactly, stream)
            equal(report["samples"], f["total"], f"{kind} --function {exactly}")
            equal(report["weight"], f["total_weight"], f"{kind} --function {exactly}: weight")


@test
def the_head_is_right_under_a_filter(env):
    stream = env.made("counts")
    text = env.tool("report", "--function", "parse", stream)
    check("only stacks with 'parse': 60 of 275 samples\n" in text, text)
    check("60 of 60 samples carry counts" in text, text)
    check("the stream has" not in text and "% lost" not in text, text)
    check("ledger of the whole recording: 415 expected" in text, text)
    text = env.tool("report", "--user", "--comm", "sh", stream)
    check(re.search(r"^only comm sh, in user mode: \d+ of 275 samples$", text, re.M), text)
    equal(env.json("report", stream)["filter"], None, "no filter")
    asked = env.json("report", "--cpu", "1", "--function", "a", stream)["filter"]
    equal((asked["samples_of"], asked["function"]), ("CPU 1", "a"), "the filter in words")


@test
def what_does_not_go_together_is_refused(env):
    stream = env.made("demo")
    for words, why in ((["--tree", "--by", "cpu"], "--by cpu"), (["--tree", "--stats"], "one of"),
                       (["--tree", "--peek", "a"], "one of"), (["--min", "x"], "percentage"),
                       (["--min", "101"], "percentage"), (["--depth", "0"], "from 1 up"),
                       (["--peek", "a("], "a("), (["--by", "lines"], "not 'lines'")):
        done = env.run("profiler-report", *words, stream, status=2)
        check(why in done.stderr and not done.stdout, f"{words}: {done.stderr}")


def on_terminal(env, columns, *words):
    """What a tool prints to a terminal of so many columns, without colours."""
    ours, theirs = pty.openpty()
    environ = dict(env.environ, COLUMNS=str(columns), TERM="xterm")
    child = subprocess.Popen([os.path.join(env.bin, "profiler-report"), *words], stdout=theirs,
                             stderr=subprocess.DEVNULL, env=environ, cwd=env.temp)
    os.close(theirs)
    out = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError: # the other end is closed
            break
        if not part:
            break
        out += part
    os.close(ours)
    equal(child.wait(), 0, f"{words}: exit status")
    return re.sub(r"\x1b\[\d+m", "", out.decode()).replace("\r\n", "\n")


@test
def a_tree_fits_the_terminal(env):
    for kind in (*STREAMS, ("deep", 400)):
        for columns in (60, 120):
            for words in (["--tree"], ["--inverted"], ["--tree", "--min", "0"], ["--peek", "."]):
                text = on_terminal(env, columns, *words, env.made(*kind))
                table = text.split("\n\n", 1)[1].splitlines()
                check(len(table) > 1, f"{kind} {words}: {text}")
                for line in table:
                    check(len(line) <= columns, f"{kind} {words}: {len(line)} of {columns}: {line}")


@test
def a_recording_has_its_tree(env):
    stream = env.record("--hz", "500")
    tree = env.json("report", "--tree", "--function", "^handle_request$", stream)["tree"]
    share = {}
    for node in tree:
        above = tree[node["parent"]]["name"] if node["parent"] is not None else None
        if above == "handle_request":
            share[node["name"]] = node["total_weight"] / tree[0]["total_weight"]
    check({"compress_block", "hash_password"} <= set(share), f"below handle_request: {share}")
    check(share["compress_block"] > share["hash_password"], f"below handle_request: {share}")


if __name__ == "__main__":
    sys.exit(toolbox.main())

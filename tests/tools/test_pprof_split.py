# SPDX-License-Identifier: Apache-2.0
"""test_pprof_split.py - profiler-pprof --split: files that together are the profile, by label."""
import os
import re
import sys

import exports
import toolbox
from toolbox import check, equal, need, test

LABELS = ("process", "pid", "inner_pid", "thread", "tid", "cgroup", "container", "cpu", "event")


def raw(env, path):
    """Sums of the values, and the labels there are, as go tool pprof reads them."""
    text = env.run("go", "tool", "pprof", "-symbolize=none", "-raw", path).stdout
    types, body = text.split("Samples:\n", 1)[1].split("\n", 1)
    names = [word.split("/")[0] for word in types.split()]
    sums = [0] * len(names)
    for line in body.split("Locations\n", 1)[0].splitlines():
        if re.match(r"^ *[0-9][0-9 ]*:", line):
            for i, number in enumerate(line.split(":")[0].split()):
                sums[i] += int(number)
    return dict(zip(names, sums)), text


def split(env, stream, label, *words):
    folder = env.path(f"{os.path.basename(stream)}-by-{label}")
    env.tool("pprof", "--split", label, "-o", folder, *words, stream)
    return {name: os.path.join(folder, name) for name in os.listdir(folder)}


@test
def parts_add_up_to_the_whole(env):
    need("go")
    for kind in "demo", "names":
        stream = env.made(kind)
        env.tool("pprof", "-o", "whole.pb.gz", stream)
        whole, _ = raw(env, env.path("whole.pb.gz"))
        for label in LABELS if kind == "demo" else ("pid", "container", "inner_pid"):
            sums = {}
            for path in split(env, stream, label).values():
                for name, number in raw(env, path)[0].items():
                    exports.add_up(sums, name, number)
            equal(sums, {name: n for name, n in whole.items() if n}, f"{kind} by {label}")


@test
def a_part_has_one_value(env):
    need("go")
    parts = split(env, env.made("demo"), "pid")
    equal(set(parts), {"pid-0.pb.gz", "pid-100.pb.gz", "pid-200.pb.gz", "pid-300.pb.gz"}, "files")
    sums, text = raw(env, parts["pid-100.pb.gz"])
    equal(set(re.findall(r"\bpid:\[(\d+)\b", text)), {"100"}, "pids")
    check("only samples of pid 100" in text, "the comment that says so")
    equal(sums["cpu"], env.json("report", "--pid", "100", env.made("demo"))["events"][0]["weight"],
          "its weight")
    check("do_idle" not in text, "functions of other processes are in the file")


@test
def hostile_values_make_safe_names(env):
    parts = split(env, env.made("demo"), "thread")
    equal(set(parts), {"thread-java.pb.gz", "thread-s__31mh____.pb.gz", "thread-server.pb.gz",
                       "thread-sh.pb.gz", "thread-swapper_3.pb.gz", "thread-worker_1.pb.gz"},
          "files")


@test
def filters_come_before(env):
    parts = split(env, env.made("demo"), "process", "--comm", "sh,java")
    equal(set(parts), {"process-java.pb.gz", "process-sh.pb.gz"}, "files")


@test
def wrong_usage_is_told(env):
    for words, told in (["--split", "pid"], "-o DIR"), (["--split", "colour", "-o", "x"], "no label"):
        done = env.run(os.path.join(env.bin, "profiler-pprof"), *words, env.made("demo"), status=2)
        check(told in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(toolbox.main())

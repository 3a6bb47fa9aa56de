# SPDX-License-Identifier: Apache-2.0
"""test_firefox.py - profiler-firefox, read by the Firefox Profiler's own command-line client."""
import contextlib
import json
import os
import subprocess
import sys

import exports
import toolbox
from toolbox import check, equal, test

VERSION = "0.10.0"
TABLES = {"funcTable": "name", "frameTable": "func", "stackTable": "frame",
          "resourceTable": "name", "sources": "filename"}


def parse(env, stream, *words):
    return json.loads(env.tool("firefox", *words, stream))


def event_of(thread, first):
    """The event of a thread: told in the names of all but those of the first event."""
    name = thread["name"]
    return name[name.rindex("(") + 1:-1] if isinstance(thread["tid"], str) else first


@test
def weight_is_conserved_through_filters(env):
    for stream, words in exports.each(env, "demo", "counts", "names"):
        first = env.json("report", stream)["events"][0]["name"]
        sums = {}
        for thread in parse(env, stream, *words)["threads"]:
            samples = thread["samples"]
            for column in "stack", "time", "weight":
                equal(len(samples[column]), samples["length"], column)
            check(samples["time"] == sorted(samples["time"]), "order of time")
            scale = 1000000 if samples["weightType"] == "tracing-ms" else 1
            exports.add_up(sums, event_of(thread, first),
                           sum(round(weight * scale) for weight in samples["weight"]))
        equal(sums, exports.weights(env, stream, *words), f"{stream} {words}")


@test
def tables_are_whole(env):
    """Every index is in its table, prefixes come before what they lead to."""
    for kind in "demo", "names", "counts", "empty":
        shared = parse(env, env.made(kind))["shared"]
        for table, column in TABLES.items():
            equal({len(values) for values in shared[table].values() if isinstance(values, list)},
                  {len(shared[table][column])}, f"columns of {table}")
            equal(shared[table]["length"], len(shared[table][column]), f"length of {table}")
        stacks = shared["stackTable"]
        check(all(frame < shared["frameTable"]["length"] for frame in stacks["frame"]), "frames")
        check(all(prefix is None or prefix < at for at, prefix in enumerate(stacks["prefix"])),
              "prefixes")
        check(all(func < shared["funcTable"]["length"] for func in shared["frameTable"]["func"]),
              "functions")
        check(all(name < len(shared["stringArray"]) for name in shared["funcTable"]["name"]),
              "names")


@contextlib.contextmanager
def client(env, path):
    """profiler-cli with the profile at hand: a function that runs it, its JSON or text."""
    script = os.path.join(exports.package(env, "@firefox-devtools/profiler-cli", VERSION),
                          "dist/profiler-cli.js")
    environ = dict(env.environ, HOME=env.temp)

    def run(*words):
        return subprocess.run(["node", script, *words], env=environ, cwd=env.temp, text=True,
                              capture_output=True, timeout=30, stdin=subprocess.DEVNULL)

    loaded = run("load", path)
    for _ in range(9): # it gives its daemon half a second, which is short on a busy machine
        if loaded.returncode == 0:
            break
        run("stop", "--all")
        loaded = run("load", path)
    try:
        check(loaded.returncode == 0, f"it does not load: {loaded.stdout} {loaded.stderr}")
        yield lambda *words: json.loads(run(*words, "--json").stdout)
    finally:
        run("stop", "--all")


def functions(call, thread):
    answer = call("thread", "functions", "--thread", thread, "--limit", "0")
    return {f["name"]: (f["selfSamples"], f["totalSamples"]) for f in answer["functions"]}


@test
def its_own_client_shows_our_numbers(env):
    stream = env.made("demo")
    with open(env.path("profile.json"), "w", encoding="utf-8") as out:
        out.write(env.tool("firefox", stream))
    with client(env, "profile.json") as call:
        shown = functions(call, "t-0")
        faults = functions(call, "t-1")
    wanted = exports.functions(env, stream, "cpu-clock", "--tid", "100")
    equal(shown, {name: (own / 1e6, total / 1e6) for name, (own, total) in wanted.items()
                  if total}, "functions of the first thread")
    equal(faults, {"memset": (2400, 2400), "main": (0, 2400)}, "its page faults")


@test
def its_own_client_shows_inlined_functions(env):
    stream = exports.inlined(env)
    with open(env.path("profile.json"), "w", encoding="utf-8") as out:
        out.write(env.tool("firefox", stream))
    with client(env, "profile.json") as call:
        shown = functions(call, "t-0")
    wanted = exports.functions(env, stream, "cpu-clock")
    check({"digest", "mix", "mix_twice", "fold"} <= set(wanted), f"functions: {set(wanted)}")
    equal(shown, {name: (own / 1e6, total / 1e6) for name, (own, total) in wanted.items()
                  if total}, "functions")


@test
def its_own_client_reads_script_text(env):
    with open(env.path("profile.txt"), "w", encoding="utf-8") as out:
        out.write(env.tool("script", "-e", "cpu-clock", env.made("demo")))
    with client(env, "profile.txt") as call:
        shown = functions(call, "t-0")
    check({"parse", "handle_request", "main"} <= set(shown), f"functions: {set(shown)}")
    equal(shown["parse"][0], 120, "samples in parse")


if __name__ == "__main__":
    sys.exit(toolbox.main())

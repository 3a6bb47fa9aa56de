# SPDX-License-Identifier: Apache-2.0
"""exports.py - what the tests of the exporters share: the truth they are held against, and readers.

The truth is profiler-report --json of the same stream through the same filters, which tests/golden
holds against streams of known content. Readers from npm are fetched once for a build; where that
is not possible their tests are skipped.
"""
import os
import re
import subprocess

import toolbox

# Each is a way to look at less; each exporter has to keep the whole weight of what is left.
FILTERS = (
    (),
    ("--user",),
    ("--kernel",),
    ("--comm", "server"),
    ("--cpu", "0,2"),
    ("--time", "50ms..300ms"),
    ("--function", "main|fib"),
    ("--pid", "100", "--user", "--time", "..0.2"),
)


def weights(env, stream, *words):
    """The weight of each event that there is any of."""
    events = env.json("report", *words, stream)["events"]
    return {event["name"]: event["weight"] for event in events if event["weight"]}


def label(function):
    """What exporters call a function: of one without a name the file that it is in."""
    if function["name"] != "[unknown]" or not function["mapping"]:
        return function["name"]
    base = function["mapping"].rsplit("/", 1)[-1]
    return base if base.startswith("[") else f"[{base}]"


def functions(env, stream, event, *words):
    """Self and total weight of an event, by name: of all functions that have it, in several files."""
    sums = {}
    for f in env.json("report", "-e", event, *words, stream)["functions"]:
        own, total = sums.get(label(f), (0, 0))
        sums[label(f)] = own + f["self_weight"], total + f["total_weight"]
    return sums


def each(env, *kinds):
    """Streams of known content, through each filter."""
    for kind in kinds:
        for words in FILTERS:
            yield env.made(kind), words


def add_up(sums, key, value):
    """Zeros are left out: an event without a sample may have no place in a format."""
    if value:
        sums[key] = sums.get(key, 0) + value


def package(env, name, version):
    """The folder of an npm package; skips where it cannot be had."""
    toolbox.need("node", "npm")
    home = os.path.join(env.build, "npm", f"{name.replace('/', '-')}-{version}")
    folder = os.path.join(home, "node_modules", name)
    if not os.path.exists(os.path.join(home, "done")):
        os.makedirs(home, exist_ok=True)
        command = ["npm", "install", "--prefix", home, "--no-audit", "--no-fund",
                   "--ignore-scripts", "--loglevel=error", f"{name}@{version}"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=40)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            toolbox.skip(f"npm package {name} cannot be fetched: {type(error).__name__}")
        with open(os.path.join(home, "done"), "w", encoding="utf-8"):
            pass
    return folder


def inlined(env):
    """Samples all over digest() of the program inlined, into which others are inlined."""
    program = os.path.join(env.build, "tests", "inlined")
    if not os.path.exists(program):
        toolbox.skip("the program 'inlined' is not built")
    notes = env.run("readelf", "-n", program).stdout
    build_id = re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)
    symbols = env.run("nm", "-S", program).stdout
    start, size = (int(word, 16) for word in
                   re.search(r"^([0-9a-f]+) ([0-9a-f]+) [tT] digest$", symbols, re.M).groups())
    for line in env.run("readelf", "-lW", program).stdout.splitlines():
        match = re.match(r"\s+LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", line)
        if match:
            offset, address, length = (int(word, 16) for word in match.groups())
            if address <= start < address + length:
                start += offset - address
                break
    places = [f"{start + step:#x}" for step in range(0, size, 3)]
    path = env.path("inlined.prof")
    maker = os.path.join(env.build, "tests", "make_stream")
    with open(path, "wb") as out:
        out.write(env.run(maker, "elf", program, build_id, *places, text=False).stdout)
    return path

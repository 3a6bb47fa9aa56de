# SPDX-License-Identifier: Apache-2.0
"""test_otlp.py - profiler-otlp, decoded by protoc, and by one who knows field numbers only.

The second reader has the numbers of version 1.10.0 of the OpenTelemetry protocol written down here,
so that a slip in our own restatement of its messages is found.
"""
import os
import re
import subprocess
import sys

import exports
import toolbox
from toolbox import check, equal, need, test

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../proto")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at


def fields(data):
    """[(number, value)]: bytes for what has a length, else an integer."""
    found, at = [], 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            equal(kind, 2, "wire type")
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        found.append((tag >> 3, value))
    equal(at, len(data), "end of a message")
    return found


def all_of(data, number):
    return [value for n, value in fields(data) if n == number]


def one(data, number, default=0):
    return (all_of(data, number) or [default])[-1]


def packed(data, number):
    values = []
    for part in all_of(data, number):
        at = 0
        while at < len(part):
            value, at = varint(part, at)
            values.append(value)
    return values


class Request:
    """Profiles by name: [(stack as names leaf first, {attribute: value}, value)]."""

    def __init__(self, data):
        equal(sorted(n for n, _ in fields(data)), [1, 2], "fields of the request")
        tables = one(data, 2)
        self.mapping, self.location, self.function, self.link = (all_of(tables, n) for n in
                                                                 (1, 2, 3, 4))
        self.string = [text.decode() for text in all_of(tables, 5)]
        self.attribute, self.stack = all_of(tables, 6), all_of(tables, 7)
        for table in (self.mapping, self.location, self.function, self.link, self.attribute,
                      self.stack):
            equal(table[0], b"", "entry 0 of a table")
        equal(self.string[0], "", "string 0")
        equal(len(set(self.string)), len(self.string), "distinct strings")
        scope = one(one(data, 1), 2)
        self.resource = dict(self.pair(kv) for kv in all_of(one(one(data, 1), 1), 1))
        self.profiles = {}
        for profile in all_of(scope, 2):
            name = self.string[one(one(profile, 1), 1)]
            self.profiles[name] = [self.sample(s) for s in all_of(profile, 2)]

    @staticmethod
    def pair(data):
        return one(data, 1).decode(), one(one(data, 2), 1).decode()

    def sample(self, data):
        values = packed(data, 4)
        equal(len(values), 1, "values of a sample")
        names = []
        for index in packed(self.stack[one(data, 1)], 1):
            for line in all_of(self.location[index], 3):
                names.append(self.string[one(self.function[one(line, 1)], 1)])
        attributes = {}
        for index in packed(data, 2):
            value = one(self.attribute[index], 2)
            key = self.string[one(self.attribute[index], 1)]
            attributes[key] = one(value, 3) if all_of(value, 3) else one(value, 1, b"").decode()
        return tuple(names), attributes, values[0]


def read(env, stream, *words):
    return Request(env.run(os.path.join(env.bin, "profiler-otlp"), *words, stream,
                           text=False).stdout)


def other_names(env, stream):
    """What OTLP calls an event: time on a CPU is cpu."""
    events = env.json("report", stream)["events"]
    first = next((e["name"] for e in events if e["unit"] == "nanoseconds"), None)
    return lambda name: "cpu" if name == first else name


@test
def weight_is_conserved_through_filters(env):
    for stream, words in exports.each(env, "demo", "counts", "names"):
        sums = {}
        for name, samples in read(env, stream, *words).profiles.items():
            exports.add_up(sums, name, sum(value for _, _, value in samples))
        call = other_names(env, stream)
        wanted = {call(e): w for e, w in exports.weights(env, stream, *words).items()}
        equal(sums, wanted, f"{stream} {words}")


@test
def stacks_and_attributes(env):
    request = read(env, env.made("demo"))
    parse = [s for s in request.profiles["cpu"] if s[0][0] == "parse"]
    equal(parse, [(("parse", "handle_request", "main"),
                   {"process.pid": 100, "process.title": "server", "thread.id": 100,
                    "thread.name": "server"}, 120000000)], "samples in parse")
    equal(request.resource["host.name"], "testhost", "host.name")
    sums = {}
    for stack, _, value in request.profiles["cpu"]:
        exports.add_up(sums, stack[0], value)
    wanted = exports.functions(env, env.made("demo"), "cpu-clock")
    equal(sums, {name: own for name, (own, _) in wanted.items() if own}, "self weights")


@test
def containers_and_build_ids(env):
    request = read(env, env.made("names"))
    containers = {s[1].get("container.id", "")[:12] for s in request.profiles["cpu"]}
    check("4f1c9a7e2b3d" in containers, f"containers: {containers}")
    request = read(env, env.made("demo"))
    ids = [request.attribute[i] for m in request.mapping for i in packed(m, 5)]
    check(any(one(one(kv, 2), 1).startswith(b"abcd0102") for kv in ids), "no build id")


@test
def nothing_is_in_the_tables_that_no_sample_has(env):
    request = read(env, env.made("demo"), "--function", "compress")
    names = {request.string[one(f, 1)] for f in request.function}
    check("compress" in names and "fib" not in names, f"functions: {names}")
    used = {""} | names | set(request.profiles)
    used |= {request.string[one(f, n)] for f in request.function for n in (2, 3)}
    used |= {request.string[one(m, 4)] for m in request.mapping}
    used |= {request.string[one(a, 1)] for a in request.attribute}
    equal(set(request.string) - used, {"nanoseconds"}, "texts that are no more than a unit")


@test
def protoc_decodes_it(env):
    need("protoc")
    for kind in ("demo", "counts", "names", "empty", "nothing"):
        data = env.run(os.path.join(env.bin, "profiler-otlp"), env.made(kind), text=False).stdout
        done = subprocess.run(["protoc", "-I", PROTO, "--decode=otlp.ExportProfilesServiceRequest",
                               "otlp_profiles.proto"], input=data, capture_output=True,
                              check=True)
        text = done.stdout.decode()
        check(not re.search(r"^ *\d+[ :]", text, re.M), f"{kind}: fields that are not ours")
        equal(text.count("\n    profiles {"), len(Request(data).profiles), "profiles")


@test
def binary_stays_off_a_terminal(env):
    """And goes to the file that is named."""
    env.tool("otlp", "-o", "out.otlp", env.made("demo"))
    with open(env.path("out.otlp"), "rb") as file:
        check(Request(file.read()).profiles["cpu"], "no samples in the file")
    done = env.run("script", "-qec", f"{env.bin}/profiler-otlp {env.made('demo')}", "/dev/null",
                   status=2)
    check("binary data not written to a terminal" in done.stdout, done.stdout)


if __name__ == "__main__":
    sys.exit(toolbox.main())

# SPDX-License-Identifier: Apache-2.0
"""seen.py - what a profiler saw, in one form: ours as profiler-pprof has it, perf's as printed.

Read is what a user reads: names as they stand in the output. A frame without a name has None, and
in `why` what the output says instead. Addresses are those of the ELF file, of the kernel absolute;
with `in_file` they are offsets in the file, as perf has them. `exact` are not those that a call
returns to.
"""
import collections
import gzip
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../live")]

import stream  # noqa: E402

PROTO = os.path.join(HERE, "../../proto")
KERNEL = "[kernel.kallsyms]"

# `inlined`: into the next frame. line: (file, number), or None.
Frame = collections.namedtuple("Frame", "path build_id address name why line inlined exact in_file")
# Frames from the leaf on.
Sample = collections.namedtuple("Sample", "process pid cpu frames count")


def kernel_text():
    """The address that offsets in the kernel are relative to."""
    with open("/proc/kallsyms") as f:
        return next(int(line.split()[0], 16) for line in f if line.split()[2] == "_text")


def run(argv, **options):
    return subprocess.run(argv, check=True, capture_output=True, **options).stdout


class Pprof:
    """A profile.proto, decoded by protoc; why: {mapping: why names are missing}."""

    def __init__(self, data, why):
        self.why = why
        text = run(["protoc", "--decode=perftools.profiles.Profile", "-I", PROTO, "pprof.proto"],
                   input=data)
        self.root = stream._parse(text.decode("latin-1"))
        # The first string is "", which protoc shows as the others.
        self.strings = self.root["string_table"]
        self.text = kernel_text()
        self.mappings = {self.get(m, "id"): m for m in self.root["mapping"]}
        self.functions = {self.get(f, "id"): f for f in self.root["function"]}
        self.locations = {self.get(x, "id"): self.frames(x) for x in self.root["location"]}

    @staticmethod
    def get(message, key):
        return stream._get(message, key)

    def string(self, message, key):
        return str(self.strings[self.get(message, key)])

    def frames(self, location):
        mapping = self.mappings.get(self.get(location, "mapping_id"), {})
        path = self.string(mapping, "filename") if mapping else ""
        build_id = self.string(mapping, "build_id") if mapping else ""
        address = self.get(location, "address")
        if path == KERNEL:
            address += self.text
        frames, lines = [], location["line"]
        for i, line in enumerate(lines):
            function = self.functions[self.get(line, "function_id")]
            name = self.string(function, "name")
            unknown = name.startswith("[") and name.endswith("]")
            number = self.get(line, "line")
            where = (self.string(function, "filename"), number) if number else None
            frames.append(Frame(path, build_id, address, None if unknown else name,
                                self.why.get(path, name) if unknown else "", where,
                                i + 1 < len(lines), True, False))
        return frames

    def samples(self):
        for s in self.root["sample"]:
            labels = {}
            for x in s["label"]:
                text = self.get(x, "str")
                labels[self.string(x, "key")] = self.strings[text] if text else self.get(x, "num")
            frames = [f for i in s["location_id"] for f in self.locations[i]]
            yield Sample(str(labels.get("process", "")), labels.get("pid", 0),
                         labels.get("cpu", 0), frames, self.get(s, "value"))


def reasons(report):
    """{mapping: why its frames without a name have none, what most do first}"""
    all_of = {}
    for row in sorted(report["unknown"], key=lambda row: -row["total"]):
        all_of.setdefault(row["mapping"], []).append(row["reason"])
    return {mapping: " or ".join(reasons) for mapping, reasons in all_of.items()}


def of_ours(folder, path, *options):
    """What the tools in a folder say of a stream."""
    data = run([f"{folder}/profiler-pprof", *options, "-l", "process,pid,cpu", path])
    report = json.loads(run([f"{folder}/profiler-report", "--json", *options, path]))
    return Pprof(gzip.decompress(data), reasons(report))


PERF_HEAD = re.compile(r"^(\S.*?)\s+(\d+)/(\d+)\s+\[(\d+)\]")
PERF_VERSION = re.compile(r"@@?[A-Z][\w.]*$")  # as in clock_gettime@@GLIBC_2.17
PERF_FRAME = re.compile(r"^\s+([0-9a-f]+) (.*?) \(((?:/|\[|bpf_|inlined$|anon).*)\)$")


def perf_frame(line, is_leaf):
    address, name, path = PERF_FRAME.match(line).groups()
    name = PERF_VERSION.sub("", name)
    inlined = path == "inlined"
    if name == "[unknown]":
        return Frame(path, "", int(address, 16), None, name, None, inlined, is_leaf, True)
    return Frame(path, "", int(address, 16), name, "", None, inlined, is_leaf, True)


def of_perf(text):
    """The samples in what `perf script -F comm,pid,tid,cpu,ip,sym,dso` prints."""
    samples = []
    for line in text.splitlines():
        head = PERF_HEAD.match(line)
        if head:
            samples.append(Sample(head[1], int(head[2]), int(head[4]), [], 1))
        elif samples and PERF_FRAME.match(line):
            frames = samples[-1].frames
            frame = perf_frame(line, not frames)
            # perf says of an inlined frame only that it is one: it is of the next one's file.
            frames.append(frame)
            if not frame.inlined:
                for i in range(len(frames) - 2, -1, -1):
                    if not frames[i].inlined or frames[i].path != "inlined":
                        break
                    frames[i] = frames[i]._replace(path=frame.path)
    return samples

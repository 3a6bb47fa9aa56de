# SPDX-License-Identifier: Apache-2.0
"""test_script.py - profiler-script: perf-script text, whole and in order, for those that read it."""
import re
import sys

import exports
import toolbox
from toolbox import check, equal, test

HEAD = re.compile(r"^(\S.+?)\s+(\d+)/(\d+) \[(\d{3,})\] (\d+\.\d{6}): (\d+) (\S+):$")
FRAME = re.compile(r"^\t *([0-9a-f]+) (.+) \(([^()]*)\)$")


def parse(text):
    """(comm, pid, tid, cpu, time, weight, event, [(address, function, file)...]) of each sample."""
    for block in text.split("\n\n"):
        if not block.strip("\n"):
            continue
        head, *frames = block.strip("\n").split("\n")
        match = HEAD.match(head)
        check(match, f"not the head of a sample: {head!r}")
        comm, pid, tid, cpu, time, weight, event = match.groups()
        stack = [FRAME.match(line) for line in frames]
        check(stack and all(stack), f"frames: {frames!r}")
        yield (comm, int(pid), int(tid), int(cpu), float(time), int(weight), event,
               [frame.groups() for frame in stack])


@test
def weight_is_conserved_through_filters(env):
    for stream, words in exports.each(env, "demo", "counts", "names"):
        sums = {}
        for sample in parse(env.tool("script", *words, stream)):
            exports.add_up(sums, sample[6], sample[5])
        equal(sums, exports.weights(env, stream, *words), f"{stream} {words}")


@test
def samples_are_in_order_of_time(env):
    times = [sample[4] for sample in parse(env.tool("script", env.made("big", 5000, 200)))]
    equal(len(times), 5000, "samples")
    check(times == sorted(times), "a sample comes before an earlier one")


@test
def one_event_alone(env):
    samples = list(parse(env.tool("script", "-e", "page-faults:u", env.made("demo"))))
    equal({sample[6] for sample in samples}, {"page-faults:u"}, "events")
    equal(len(samples), 27, "samples")


@test
def leaf_functions_are_those_of_the_report(env):
    sums = {}
    for sample in parse(env.tool("script", env.made("demo"))):
        name = sample[7][0][1]
        if sample[6] == "cpu-clock" and name != "[unknown]":
            exports.add_up(sums, name, sample[5])
    wanted = {name: self for name, (self, _) in
              exports.functions(env, env.made("demo"), "cpu-clock").items()
              if self and not re.match(r"\[(libfoo\.so|vdso|anon)\]", name)}
    equal(sums, wanted, "self weights")


if __name__ == "__main__":
    sys.exit(toolbox.main())

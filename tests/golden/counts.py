#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""counts.py NAME... - are the counters of NAME.prof added up rightly, and the ratios right?

The stream is read without any code of ours (tests/live/stream.py), and each function's counts and
ratios are worked out again from its single samples: the sums, and the error of a ratio from how far
the samples lie from it. Every way that the tools show them has to say the same.
"""

import collections
import json
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../live"))
import stream  # noqa: E402

FEW = 30


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def scaled(sample):
    """What a sample has counted, or None where its group was never on the hardware."""
    if sample.enabled_ns == sample.running_ns:
        return sample.counts
    if not sample.running_ns:
        return None
    return {event: count * sample.enabled_ns // sample.running_ns
            for event, count in sample.counts.items()}


def functions(sample):
    """(name, path) from the leaf to the root."""
    return [(frame.function, frame.path) for frame in sample.kernel + sample.user]


def gather(s, leader, keep):
    """By function: the counts of its own samples, and of those it is in; those with these flags."""
    own, total = collections.defaultdict(list), collections.defaultdict(list)
    for sample in s.samples:
        if sample.event != leader or sample.counts is None or not keep(sample.flags):
            continue
        counts = scaled(sample)
        if counts is None:
            continue
        stack = functions(sample)
        own[stack[0]].append(counts)
        for function in set(stack):
            total[function].append(counts)
    return own, total


def ratio(samples, event, per, factor):
    """A ratio of sums and half of its 95 % interval, or two times None of too few samples."""
    below = sum(c[per] for c in samples)
    if len(samples) < FEW or not below:
        return None, None
    value = sum(c[event] for c in samples) / below
    rest = sum((c[event] - value * c[per]) ** 2 for c in samples)
    n = len(samples)
    return factor * value, factor * 1.96 * math.sqrt(rest * n / (n - 1)) / below


def metrics(s, leader):
    """Key in the JSON: event, what it is divided by, factor."""
    names = {s.events[event]: event for event in s.groups[leader]}
    titles = {event: s.events[event] + (":" + m if m else "") for event, m in
              ((e, s.headers[0]["event"][e].get("modifier", [""])[0]) for e in s.groups[leader])}
    found = {}
    if "instructions" in names and "cycles" in names:
        found["ipc"] = names["instructions"], names["cycles"], 1
        for name, event in names.items():
            if name.endswith("-misses"):
                found[f"{titles[event]}_per_1000_instructions"] = (event, names["instructions"],
                                                                   1000)
    if s.events[leader] == "cpu-clock":
        for name, event in names.items():
            if event != leader and name != "context-switches":
                found[f"{titles[event]}_per_second"] = event, leader, 1e9
    return found


def check_sums(s, leader, prefix, shown, samples):
    counts = shown[f"{prefix}counts"]
    assert counts["samples"] == len(samples), (shown, len(samples))
    for event in s.groups[leader]:
        name = [n for n in counts if n.split(":")[0] == s.events[event]][0]
        assert counts[name] == sum(c[event] for c in samples), (name, shown)
    found = metrics(s, leader)
    assert found or leader, "no metrics"
    for key, (event, per, factor) in found.items():
        value, error = ratio(samples, event, per, factor)
        for suffix, wanted in ("", value), ("_error", error):
            got = shown[prefix + key + suffix]
            if wanted is None:
                assert got is None, (key, shown)
            else:
                assert math.isclose(got, wanted, rel_tol=2e-5, abs_tol=1e-6), (key, got, wanted)


def check_report(name, s, leader):
    report = json.loads(run("profiler-report", "--json", name + ".prof"))
    own, total = gather(s, leader, lambda flags: not flags & stream.SHARED)
    checked = 0
    for function in report["functions"]:
        key = function["name"], function["mapping"]
        for part in function.get("events", [dict(function, event=s.events[leader])]):
            if part["event"] == s.events[leader]:
                check_sums(s, leader, "self_", part, own.get(key, []))
                check_sums(s, leader, "total_", part, total.get(key, []))
                checked += 1
    assert checked >= len(total), (checked, len(total))
    group = [g for g in report["groups"] if g["events"][0] == s.events[leader]][0]
    mine = [x for x in s.samples if x.event == leader]
    assert group["samples"] == len(mine)
    assert group["counted"] == sum(x.counts is not None for x in mine)
    assert group["shared"] == sum(bool(x.flags & stream.SHARED) for x in mine)
    assert group["counts_lost"] == s.final.sum("counts_lost", leader)
    check_sums(s, leader, "", group, [c for samples in own.values() for c in samples])


def check_member(name, s, leader, event):
    """A member shown alone: all its counts, shared ones too, in the report and folded."""
    own, total = gather(s, leader, lambda flags: True)
    everything = sum(c[event] for samples in own.values() for c in samples)
    shown = json.loads(run("profiler-report", "--json", "-e", s.events[event], name + ".prof"))
    assert shown["weight"] == everything, (s.events[event], shown["weight"], everything)
    for function in shown["functions"]:
        key = function["name"], function["mapping"]
        assert function["self_weight"] == sum(c[event] for c in own.get(key, [])), function
        assert function["total_weight"] == sum(c[event] for c in total.get(key, [])), function
    folded = run("profiler-folded", "-e", s.events[event], name + ".prof").splitlines()
    assert sum(int(line.rsplit(" ", 1)[1]) for line in folded) == everything


def main():
    for name in sys.argv[1:]:
        s = stream.read(name + ".prof")
        stream.check(s)
        assert s.groups, "no group"
        for leader, group in s.groups.items():
            check_report(name, s, leader)
            for event in group[1:]:
                check_member(name, s, leader, event)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""agree.py [--without-pprof] NAME... - do the tools agree on NAME.prof?

Samples and weights are counted four ways: by the functions' selves in the JSON, by the folded
lines, by pprof's own reader (NAME.raw, from `go tool pprof -raw`), and as the header says.
"""

import json
import re
import subprocess
import sys


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def folded(name, event, *more):
    lines = run("profiler-folded", "-e", event, *more, name + ".prof").splitlines()
    assert lines == sorted(lines, key=lambda line: line.rsplit(" ", 1)[0].split(";")), "order"
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines)


def check_json(name):
    report = json.loads(run("profiler-report", "--json", name + ".prof"))
    for key in "samples", "weight", "ledger", "functions":
        assert key in report, key
    for total, part in ("samples", "self"), ("weight", "self_weight"):
        assert report[total] == sum(f[part] for f in report["functions"]), total
    for total in "samples", "weight":
        assert report[total] == sum(p[total] for p in report["processes"]), total
        assert report[total] == sum(e[total] for e in report["events"] if "leader" not in e), total
    if not report["damage"] and report["ledger"] and report["ledger"]["rows"]:
        assert report["samples"] == report["ledger"]["written"]
    for function in report["functions"]:
        assert function["self"] <= function["total"] <= report["samples"], function
    return report


def check_folded(name, report):
    for event in report["events"]:
        if "leader" not in event:
            assert folded(name, event["name"]) == event["samples"], event
        assert folded(name, event["name"], "-w") == event["weight"], event


def check_event_views(name, report):
    """What --event shows is what the whole report says of that event."""
    for event in report["events"]:
        view = json.loads(run("profiler-report", "--json", "-e", event["name"], name + ".prof"))
        assert view["samples"] == event["samples"]
        assert view["weight"] == event["weight"]
        assert view["weight"] == sum(f["self_weight"] for f in view["functions"])
        if "leader" in event:
            continue  # counts.py looks at these
        parts = {}
        for function in report["functions"]:
            for part in function.get("events", [dict(function, event=report["events"][0]["name"])]):
                if part["event"] == event["name"]:
                    parts[function["name"], function["mapping"]] = part
        for function in view["functions"]:
            part = parts.pop((function["name"], function["mapping"]))
            for key in "self", "total", "self_weight", "total_weight":
                assert part[key] == function[key], (function, key)
        assert not parts, parts


def check_pprof(name, report):
    with open(name + ".raw", encoding="utf-8") as file:
        raw = file.read()
    head, body = raw.split("Samples:\n", 1)
    types, body = body.split("\n", 1)
    samples = body.split("Locations\n", 1)[0]
    assert len(types.split()) == 1 + len(report["events"])
    sums = [0] * len(types.split())
    for line in samples.splitlines():
        if re.match(r"^ *[0-9][0-9 ]*:", line):
            for i, value in enumerate(line.split(":")[0].split()):
                sums[i] += int(value)
    assert sums == [report["samples"]] + [e["weight"] for e in report["events"]], (sums, head)


def check_pprof_top(name, report):
    """Flat and cum of each name, in samples, against ours summed by name."""
    top = run("go", "tool", "pprof", "-symbolize=none", "-sample_index=samples", "-nodefraction=0",
              "-top", "-nodecount=1000000", name + ".pb.gz")
    ours = {}
    for f in report["functions"]:
        label = f["name"]
        if label == "[unknown]" and f["mapping"]:
            base = f["mapping"].rsplit("/", 1)[-1]
            label = base if base.startswith("[") else "[" + base + "]"
        assert label not in ours, label
        ours[label] = [f["self"], f["total"]]
    for line in top.split("flat%", 1)[1].splitlines()[1:]:
        flat, _, _, cum, _, label = line.split(None, 5)
        if label.endswith(" (inline)"):
            label = label[:-9]
        assert ours.pop(label) == [int(flat), int(cum)], line
    assert not [f for f in ours.values() if f[1]], ours


def main():
    names = sys.argv[1:]
    with_pprof = names[0] != "--without-pprof"
    for name in names if with_pprof else names[1:]:
        report = check_json(name)
        if with_pprof:
            check_pprof(name, report)
            check_pprof_top(name, report)
        else:
            check_folded(name, report)
            check_event_views(name, report)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""damage.py STREAM - the tools on a stream that is cut at many places, or has wrong bits.

A damaged stream is still read (exit status 0, one line on stderr), it never has more samples
than the whole, at no function either, and what is missing is told: samples + lost = what came
before the last packet that could be read.
"""

import json
import subprocess
import sys

TOOLS = (("profiler-report", "--json"), ("profiler-report",), ("profiler-folded",),
         ("profiler-pprof", "--labels", "none"))
MARK = bytes([0x89]) + b"SPRF\x0a\xf7\x1a"


def run(command, data):
    return subprocess.run(command, input=data, capture_output=True, check=False)


def first_packet(data):
    """Bytes of the first packet: what is shorter cannot be read at all."""
    return data.index(MARK, 20) - 6


def check_functions(report, whole):
    """What was lost may take a name away, it never gives one to other code."""
    totals = {(f["name"], f["mapping"]): f["total"] for f in whole["functions"]}
    for f in report["functions"]:
        if f["name"].startswith("["):
            continue
        if not f["mapping"]:  # lost, and the name is not
            assert f["total"] <= sum(t for key, t in totals.items() if key[0] == f["name"]), f
        else:
            assert f["total"] <= totals[f["name"], f["mapping"]], f


def check_cuts(whole, total):
    before = 0
    for length in list(range(1, len(whole), 53)) + [len(whole) - 1]:
        data = whole[:length]
        result = run(TOOLS[0], data)
        error = result.stderr.decode()
        if length < first_packet(whole):
            assert result.returncode == 1, (length, result)
            assert len(error.splitlines()) == 1 and "packet" in error, (length, error)
            continue
        assert result.returncode == 0, (length, result)
        samples = json.loads(result.stdout)["samples"]
        assert before <= samples <= total, (length, samples)
        before = samples
        if length % 4 == 0:
            for tool in TOOLS[1:]:
                assert run(tool, data).returncode == 0, (tool, length)
    assert before == total, "the last packet has only the ledger"


def check_flips(whole, undamaged):
    """Wrong bits cost one packet, and what only its header could explain; all of it is told."""
    for at in range(3, len(whole), 41):
        data = bytearray(whole)
        data[at] ^= 1 << (at % 8)
        result = run(TOOLS[at // 41 % len(TOOLS)], bytes(data))
        assert result.returncode == 0, (at, result)
        assert b"damaged" in result.stderr or b"ends within" in result.stderr, (at, result)
        report = json.loads(run(TOOLS[0], bytes(data)).stdout)
        damage = report["damage"]
        lost = damage["samples_lost"] + damage["samples_of_unknown_events"]
        assert report["samples"] + lost == undamaged["samples"], (at, report["samples"], damage)
        check_functions(report, undamaged)


def check_suffixes(whole, total):
    """From any place on: what is left of an epoch is of no use, the next one is."""
    second = whole.index(MARK, len(whole) // 2)
    result = run(TOOLS[0], whole[second - 6:])
    assert result.returncode == 0, result
    report = json.loads(result.stdout)
    assert 0 < report["samples"] < total
    damage = report["damage"]
    lost = damage["samples_lost"] + damage["samples_of_unknown_events"]
    assert report["samples"] + lost == total


def main():
    with open(sys.argv[1], "rb") as file:
        whole = file.read()
    report = json.loads(run(TOOLS[0], whole).stdout)
    total = report["samples"]
    check_cuts(whole, total)
    check_flips(whole, report)
    check_suffixes(whole, total)


main()

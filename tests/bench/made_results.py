# SPDX-License-Identifier: Apache-2.0
"""made_results.py - results of suites that never ran: rows of known truth, with known noise.

A time is truth x machine x process x round x own noise: what a round has is common to the rows of
a group, as on a machine that others use too; what a process has is each row's own.
"""
import json
import math
import random

import results

HOST = {"architecture": "x86_64", "cpu": "Some CPU", "cpus": 2, "caches": "L1d 32K",
        "memory_gb": 8, "kernel": "6.1.0", "virtualised": "yes", "governor": "none", "mhz": 2600,
        "load": 0.5, "steal_percent": 0.1}
BUILD = {"commit": "0123456789ab", "dirty": False, "type": "RelWithDebInfo", "compiler": "cc 12",
         "flags": "-O2"}
PEERS = (("scan", "limit", 0.9), ("memcpy", "limit", 0.7), ("other", "peer", 3.0))
PROCESSES, ROUNDS = 5, 9


def result(suite, rows, host=None, build=None, begun="2026-01-31T12:00:00Z"):
    return results.check({"schema": results.SCHEMA, "suite": suite, "host": dict(HOST, **host or {}),
                          "build": dict(BUILD, **build or {}), "begun": begun, "seconds": 1.0,
                          "notes": [], "rows": rows})


def time_group(rng, group, truth=1.0, machine=1.0, peers=PEERS, process=0.01):
    """The rows of a group: ours of that truth, and peers of theirs; process: what one differs by."""
    names = [("profiler", "ours", truth), *peers]
    values = {name: [] for name, _, _ in names}
    for _ in range(PROCESSES):
        layout = {name: math.exp(rng.gauss(0, process)) for name in values}
        for _ in range(ROUNDS):
            disturbed = 1 + rng.expovariate(5) * (rng.random() < 0.3)
            for name, _, true in names:
                values[name].append(true * machine * layout[name] * disturbed
                                    * rng.gauss(1, 0.02))
    labels = [i // ROUNDS for i in range(PROCESSES * ROUNDS)]
    return [results.row(group, name, role, "time", "ns/event", "less", values[name],
                        process=labels) for name, role, _ in names]


def micro(seed, slower=None, machine=1.0, groups=20, peers=PEERS, process=0.01, **fields):
    """A run of the suite micro; slower: {group: factor} of ours alone."""
    rng = random.Random(seed)
    rows = [row for i in range(groups)
            for row in time_group(rng, f"g{i}", (slower or {}).get(f"g{i}", 1.0), machine, peers,
                                   process)]
    return result("micro", rows, **fields)


def one_row(measure, values, unit="", better="less", suite="micro"):
    """A result of one row of ours, g/profiler/MEASURE."""
    return result(suite, [results.row("g", "profiler", "ours", measure, unit, better, values)])


def save(env, name, made):
    path = env.path(name)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(made, f)
    return path

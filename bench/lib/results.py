# SPDX-License-Identifier: Apache-2.0
"""results.py - contract: what a suite of benches found, as one JSON object.

    {"schema": 1,
     "suite": "micro",                  # micro, overhead, scale, tools, resolve, stacks, fixed
     "host": {...},                     # hostfacts.facts()
     "build": {...},                    # hostfacts.build(): commit, dirty, type, compiler
     "begun": "2026-01-31T12:00:00Z", "seconds": 12.3,
     "notes": ["..."],                  # what a reader has to know: what was left out and why
     "rows": [ROW, ...]}

    ROW = {"group": "parse",            # the work; rows of a group and measure are comparable
           "name": "profiler",          # who does it
           "role": "ours",              # ours, peer, or limit (the best the machine could do)
           "measure": "time",           # what was measured: time, instructions, cpu, slowdown ...
           "unit": "ns/event",
           "better": "less",            # less, more; "" where neither is
           "values": [0.43, 0.42],      # one per independent repetition, never empty
           "about": "in place",         # optional, one line
           "extra": {"p99": 12.0}}      # optional further figures of the same repetitions

Values of rows of one group and measure were taken in turns: the i-th of one belongs beside the
i-th of the others (the same round), which is what ratios are made of. A row is named
suite/group/name/measure everywhere: in the history, in comparisons, in requirements.
"""
import json

SCHEMA = 1
ROLES = ("ours", "peer", "limit")
BETTER = ("less", "more", "")


class Malformed(Exception):
    """A file that is not a result of a suite; the message says where and what was expected."""


def row(group, name, role, measure, unit, better, values, about="", **extra):
    """One row; values may be one number."""
    values = [float(v) for v in (values if isinstance(values, (list, tuple)) else [values])]
    made = {"group": group, "name": name, "role": role, "measure": measure, "unit": unit,
            "better": better, "values": values}
    if about:
        made["about"] = about
    if extra:
        made["extra"] = extra
    check_row(made, f"{group}/{name}/{measure}")
    return made


def check_row(made, where):
    for key in ("group", "name", "measure", "unit"):
        if not isinstance(made.get(key), str) or (key != "unit" and not made[key]):
            raise Malformed(f"{where}: '{key}' is not a text")
    if made.get("role") not in ROLES:
        raise Malformed(f"{where}: 'role' is not one of {', '.join(ROLES)}")
    if made.get("better") not in BETTER:
        raise Malformed(f"{where}: 'better' is neither less nor more")
    values = made.get("values")
    if not isinstance(values, list) or not values or \
            not all(isinstance(v, (int, float)) for v in values):
        raise Malformed(f"{where}: 'values' is not a list of numbers")


def check(result, where="result"):
    """The result itself; raises Malformed."""
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise Malformed(f"{where}: not a result of schema {SCHEMA}")
    if not isinstance(result.get("suite"), str) or not isinstance(result.get("rows"), list):
        raise Malformed(f"{where}: 'suite' or 'rows' is missing")
    for key in ("host", "build"):
        if not isinstance(result.get(key), dict):
            raise Malformed(f"{where}: '{key}' is missing")
    seen = set()
    for i, made in enumerate(result["rows"]):
        check_row(made, f"{where}: row {i}")
        key = name_of(result["suite"], made)
        if key in seen:
            raise Malformed(f"{where}: {key} is there twice")
        seen.add(key)
    return result


def name_of(suite, made):
    return f"{suite}/{made['group']}/{made['name']}/{made['measure']}"


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            return check(json.load(f), path)
    except (OSError, ValueError) as error:
        raise Malformed(f"{path}: {error}") from error


def save(result, path):
    check(result)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")

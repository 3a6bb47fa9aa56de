# SPDX-License-Identifier: Apache-2.0
"""overhead_table.py - what bench/overhead.py found, as a page of text.

Two tables, a line for each work, rate and recorder: how much longer the work took, with the 95 %
interval of the median (of fewer than six rounds: their range); and what the recorder itself takes.
"""
import textwrap

import summary

SLOWDOWN_HEAD = """\
what the work takes more, %      by the wall clock           by CPU time
                           median    95 % interval    median    95 % interval"""
COST_HEAD = """\
what the recorder takes      CPU     CPU    BPF  memory       B            whole
                              %       us     ns      MB  sample     lost       %"""


def by_condition(rows):
    """{group: {recorder: {measure: row}}}, in the order of the rows."""
    found = {}
    for row in rows:
        found.setdefault(row["group"], {}).setdefault(row["name"], {})[row["measure"]] = row
    return found


def percent(value):
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def slowdown(row):
    if not row:
        return ""
    middle, low, high = (percent(value) for value in summary.estimate(row))
    return f"{middle:>10} {f'{low} .. {high}':>16}"


def figure(row, pattern):
    """Empty where it was not measured."""
    return pattern.format(summary.median(row["values"])) if row else ""


def heading(group):
    work, hz = group.split("@")
    return f"{work} at {hz} Hz"


def show(rows, notes):
    found = by_condition(rows)
    print(SLOWDOWN_HEAD)
    for group, by in found.items():
        print(heading(group))
        for name, measures in by.items():
            rounds = len(measures["slowdown"]["values"])
            print(f"  {name:12} {f'x{rounds}':>6}{slowdown(measures['slowdown'])}"
                  f"{slowdown(measures.get('slowdown-cpu'))}")
    print()
    print(COST_HEAD)
    for group, by in found.items():
        print(heading(group))
        for name, measures in by.items():
            get = measures.get
            if "cpu-share" not in measures:
                continue
            print(f"  {name:12} {'':6}{figure(get('cpu-share'), '{:.2f}'):>10}"
                  f"{figure(get('cpu'), '{:.2f}'):>8}{figure(get('bpf'), '{:.0f}'):>7}"
                  f"{figure(get('memory'), '{:.1f}'):>8}{figure(get('bytes'), '{:.1f}'):>8}"
                  f"{figure(get('lost'), '{:.0f}'):>9}{figure(get('whole'), '{:.1f}'):>8}".rstrip())
    for line in notes:
        print(textwrap.fill(f"note: {line}", 80, subsequent_indent="      "))

# SPDX-License-Identifier: Apache-2.0
"""reports.py - a run as text for the terminal, as Markdown and as JSON.

requirement_lines() is the table that bench/run ends with, 80 columns wide; markdown() and
as_json() have the requirements and then all rows. The page is report_html.py's.
"""
import json

import requirements
import summary

HEAD = ("requirement", "measured", "target", "verdict")
LINE = "{:35} {:20} {:10} {}"


def requirement_lines(answers):
    lines, said = [LINE.format(*HEAD), "-" * 79], ""
    for a in answers:
        lines.append(LINE.format(a.promise.text, requirements.measured(a),
                                 requirements.target(a.promise), a.verdict).rstrip())
        if a.detail and not (a.value is None and a.detail == said):
            lines.append(f"      {a.detail}"[:79])
        said = a.detail  # a reason that holds for several stands below the first
    return lines + ["", requirements.totals(answers)]


def machine(host):
    """What kind of machine it is, in two parts."""
    kind = [f"Linux {host.get('kernel')}"]
    if host.get("virtualised") == "yes":
        kind.append("virtual")
    if host.get("mhz"):
        kind.append(f"{host['mhz']} MHz, governor {host.get('governor')}")
    return f"{host.get('cpus')} x {host.get('cpu')}, {host.get('architecture')}", ", ".join(kind)


def state(results):
    """What disturbed the run: the load before all suites, the worst steal during one."""
    load = results[0]["host"].get("load", 0)
    steal = max(r["host"].get("steal_percent", 0) for r in results)
    busy = " (others are at work: rough figures)" if load > results[0]["host"]["cpus"] / 2 else ""
    return f"load before: {load}{busy}, steal at most {steal} %"


def head_lines(results):
    return [*machine(results[0]["host"]), state(results), ""]


def build(made):
    return f"{made.get('commit', 'unknown')}{' and changes' if made.get('dirty') else ''}, " \
        f"{made.get('type') or 'no build type'}, {made.get('compiler') or 'unknown compiler'}"


def cell(text):
    return str(text).replace("|", "\\|")


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "-|" * len(head)] + \
        ["| " + " | ".join(map(cell, row)) + " |" for row in rows]


def row_cells(row):
    middle, low, high = summary.estimate(row)
    return (row["group"], row["name"], row["role"], row["measure"], summary.digits(middle),
            f"{summary.digits(low)}..{summary.digits(high)}", row["unit"], len(row["values"]))


def markdown(results, answers):
    """The whole report; results in the order in which the suites ran."""
    first = results[0]
    lines = ["# profiler: benches", "", "- machine: " + ", ".join(machine(first["host"])),
             f"- build: {build(first['build'])}", f"- begun: {first.get('begun')}",
             f"- {state(results)}", "", "## Requirements", "",
             *table((*HEAD, "beside"), [
                 (a.promise.text.strip(), requirements.measured(a),
                  requirements.target(a.promise), a.verdict, a.detail) for a in answers]),
             "", requirements.totals(answers)]
    for result in results:
        lines += ["", f"## {result['suite']}", "",
                  *table(("group", "name", "role", "measure", "median", "95 %", "unit", "n"),
                         map(row_cells, result["rows"]))]
        lines += [""] * bool(result.get("notes")) + [f"- {n}" for n in result.get("notes", [])]
    return "\n".join(lines) + "\n"


def as_json(results, answers):
    promised = [{"key": a.promise.key, "text": a.promise.text.strip(), "unit": a.promise.unit,
                 "op": a.promise.op, "target": a.promise.target, "value": a.value, "low": a.low,
                 "high": a.high, "detail": a.detail, "verdict": a.verdict} for a in answers]
    return json.dumps({"schema": 1, "requirements": promised, "results": results},
                      indent=1) + "\n"

# SPDX-License-Identifier: Apache-2.0
"""report_html.py - a run and its history as one page: no script, no network, light and dark.

Requirements first, each with how it went over the sessions of this machine; then a card for each
group of each suite: a table of who by what was measured, and a plot over the sessions.
"""
import html

import plots
import reports
import requirements
import summary

MARKS = {"pass": ("pass", "✓ pass"), "FAIL": ("fail", "✗ FAIL"), "unclear": ("none", "? unclear"),
         "not measured": ("none", "– not measured")}
STYLE = """
:root { color-scheme: light dark; --bg: #fbfbfa; --card: #fff; --ink: #1d1f23; --dim: #666b73;
  --line: #e1e2e5; --ours: #1f5fd0; --limit: #2e8b57; --pass: #1a7f43; --fail: #c02b2b;
  --p0: #c2591a; --p1: #8a4fbf; --p2: #0f8b8d; --p3: #b3317a; --p4: #7d6b00; --p5: #6b7078; }
@media (prefers-color-scheme: dark) { :root { --bg: #15171a; --card: #1e2125; --ink: #e6e7ea;
  --dim: #9aa0a9; --line: #33373d; --ours: #74a7ff; --limit: #6fcf97; --pass: #63d08f;
  --fail: #ff8a80; --p0: #f2a065; --p1: #c79bf2; --p2: #62d0d2; --p3: #f08bc0; --p4: #d9c65a;
  --p5: #a5abb4; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 24px; background: var(--bg); color: var(--ink);
  font: 14px/1.45 system-ui, sans-serif; }
main { max-width: 1240px; margin: auto; }
h1 { font-size: 22px; margin: 0 0 6px; } h2 { font-size: 18px; margin: 32px 0 10px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 2px 0; } .dim, th, caption { color: var(--dim); font-weight: normal; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; min-width: 0; }
.cards { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 560px), 1fr)); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: 12px; padding: 2px 10px 4px 0; vertical-align: bottom; }
td { border-top: 1px solid var(--line); padding: 4px 10px 4px 0; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.who { white-space: nowrap; }
.pass { color: var(--pass); } .fail { color: var(--fail); font-weight: 600; } .none { color: var(--dim); }
.verdict { white-space: nowrap; }
.key { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 6px; }
.track { display: block; position: relative; height: 6px; min-width: 70px; margin-top: 3px; }
.track i, .track u { position: absolute; top: 0; height: 6px; border-radius: 2px; }
.track i { left: 0; opacity: .75; } .track u { background: var(--ink); top: 2px; height: 2px; }
svg { display: block; width: 100%; max-width: 520px; height: auto; margin-top: 8px; }
svg.spark { width: 120px; margin: 0; } svg text { fill: var(--dim); font-size: 11px; }
svg .grid { stroke: var(--line); } svg .target { stroke: var(--dim); stroke-dasharray: 3 3; }
polyline { fill: none; stroke: currentColor; stroke-width: 1.5; }
polyline.ours { stroke-width: 2.5; } circle { fill: currentColor; stroke: none; }
polygon.band { fill: currentColor; opacity: .13; }
summary { cursor: pointer; color: var(--dim); margin-top: 8px; }
.ours { color: var(--ours); } .limit { color: var(--limit); }
.peer0 { color: var(--p0); } .peer1 { color: var(--p1); } .peer2 { color: var(--p2); }
.peer3 { color: var(--p3); } .peer4 { color: var(--p4); } .peer5 { color: var(--p5); }
.key, .track i { background: currentColor; }
@media (max-width: 600px) { body { padding: 12px; } .card { padding: 10px; }
  .req thead { display: none; } .req tr { display: grid; grid-template-columns: 1fr auto;
  border-top: 1px solid var(--line); padding: 6px 0; } .req td { border: 0; padding: 1px 0; }
  .req td.n { text-align: left; } .req .verdict { grid-row: 1; grid-column: 2; }
  .req td.over { display: none; } }
"""


def esc(text):
    return html.escape(str(text))


def requirement_row(answer, spark):
    css, mark = MARKS[answer.verdict]
    promise = answer.promise
    beside = f'<br><span class="dim">{esc(answer.detail)}</span>' if answer.detail else ""
    return f'<tr><td>{esc(promise.text.strip())}{beside}</td>' \
        f'<td class="n">{esc(requirements.measured(answer))}</td>' \
        f'<td class="n dim">{esc(requirements.target(promise)).replace("&lt;=", "≤").replace("&gt;=", "≥")}</td>' \
        f'<td class="verdict {css}">{mark}</td><td class="over">{spark}</td></tr>'


def requirement_table(answers, past, labels):
    rows = []
    for answer in answers:
        points = past.get(answer.promise.key, [])
        rows.append(requirement_row(answer, plots.spark(points, answer.promise.target, labels)
                                    if len(points) > 1 else ""))
    return '<div class="card wide"><table class="req"><thead><tr><th>requirement</th>' \
        '<th class="n">measured (95 %)</th><th class="n">target</th><th>verdict</th>' \
        f'<th>over time</th></tr></thead>{"".join(rows)}</table></div>' \
        f'<p class="dim">{esc(requirements.totals(answers))}</p>'


def colours(rows):
    """{name: class}: the same in the table and the plots of a group."""
    made, peers = {}, 0
    for row in rows:
        if row["name"] in made:
            continue
        made[row["name"]] = row["role"] if row["role"] != "peer" else f"peer{peers % 6}"
        peers += row["role"] == "peer"
    return made


def bar(row, top, css):
    """The median from 0 on, and its interval over it."""
    middle, low, high = (100 * max(0, v) / top for v in summary.estimate(row))
    return f'<span class="track {css}"><i style="width:{middle:.1f}%"></i>' \
        f'<u style="left:{low:.1f}%;width:{max(0.8, high - low):.1f}%"></u></span>'


def value_cell(row, top, css):
    if row is None:
        return '<td class="n dim"></td>'
    middle, low, high = summary.estimate(row)
    told = f"{summary.digits(low)} to {summary.digits(high)}, n = {len(row['values'])}"
    return f'<td class="n" title="{esc(told)}">{summary.digits(middle)}' \
        f'{bar(row, top, css) if top else ""}</td>'


def group_table(rows, css):
    measures = list(dict.fromkeys((row["measure"], row["unit"]) for row in rows))
    by_name = {}
    for row in rows:
        by_name.setdefault(row["name"], {})[row["measure"], row["unit"]] = row
    first = [summary.estimate(row)[2] for row in rows
             if (row["measure"], row["unit"]) == measures[0]]
    top = max(first) if max(first) > 0 and len(first) > 1 else 0
    head = "".join(f'<th class="n">{esc(measure)}<br>{esc(unit)}</th>'
                   for measure, unit in measures)
    body = ""
    for name, found in by_name.items():
        about = next((row["about"] for row in found.values() if row.get("about")), "")
        body += f'<tr><td class="who" title="{esc(about)}">' \
            f'<span class="key {css[name]}"></span>{esc(name)}</td>'
        body += "".join(value_cell(found.get(m), top if m == measures[0] else 0, css[name])
                        for m in measures) + "</tr>"
    return f'<div class="wide"><table><tr><th></th>{head}</tr>{body}</table></div>'


def group_card(suite, group, rows, series, labels):
    css = colours(rows)
    made = f'<section class="card"><h3>{esc(group)}</h3>{group_table(rows, css)}'
    for i, (measure, unit) in enumerate(dict.fromkeys((r["measure"], r["unit"]) for r in rows)):
        lines = {name: (css[name], points) for name, points in
                 series.get((suite, group, measure), {}).items() if name in css}
        shown = {point[0] for _, points in lines.values() for point in points}
        if len(shown) > 1:
            own = {session: text for session, text in labels.items() if session in shown}
            made += f'<details{" open" * (i == 0)}><summary>{esc(measure)}{", " * bool(unit)}{esc(unit)}, over ' \
                f'{len(own)} runs</summary>{plots.trend(lines, own, unit)}</details>'
    return made + "</section>"


def suite_section(result, series, labels):
    groups = {}
    for row in result["rows"]:
        groups.setdefault(row["group"], []).append(row)
    notes = "".join(f'<p class="dim">{esc(note)}</p>' for note in result.get("notes", []))
    cards = "".join(group_card(result["suite"], group, rows, series, labels)
                    for group, rows in groups.items())
    return f'<h2>{esc(result["suite"])}</h2>{notes}<div class="cards">{cards}</div>'


def page(results, answers, series, past, labels):
    """The page; series and labels of history (a text for each session, the oldest first), past:
    {requirement: [(session, value)]}."""
    first = results[0]
    about = (", ".join(reports.machine(first["host"])), reports.build(first["build"]),
             f"{first.get('begun')}; {reports.state(results)}",
             f"{len(labels)} runs of this machine in the history")
    return "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>" \
        '<meta name=viewport content="width=device-width, initial-scale=1">' \
        f"<title>profiler: benches</title><style>{STYLE}</style><main><h1>profiler: benches</h1>" \
        + "".join(f'<p class="dim">{esc(line)}</p>' for line in about) \
        + "<h2>Requirements</h2>" + requirement_table(answers, past, labels) \
        + "".join(suite_section(result, series, labels) for result in results) + "</main></html>\n"

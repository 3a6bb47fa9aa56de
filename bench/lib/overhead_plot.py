# SPDX-License-Identifier: Apache-2.0
"""overhead_plot.py - the slowdowns that bench/overhead.py found, as an SVG drawing.

A panel for each rate, side by side, each with a scale of its own; in it a block for each kind of
work, and in that a line for each recorder: a dot for the median, a bar for its interval. Colours
follow the reader's choice of light or dark.
"""
import html

import overhead_table
import summary

PANEL, LEFT, GAP = 300, 190, 30  # widths: of a panel, of the names, between panels
LINE, HEAD, TOP, FOOT = 18, 24, 56, 44  # heights: of a recorder, of a work's name, around all
COLOURS = {"profiler": ("#0b6e4f", "#4cc38a"), "profiler-fp": ("#58a182", "#8fd9b6"),
           "perf-fp": ("#b45309", "#f5a742"), "perf-dwarf": ("#b91c1c", "#ff8a80"),
           "bpftrace": ("#4454b8", "#9aa8ff"), "interrupts": ("#6b7280", "#9ca3af")}
STYLE = """\
svg { background: #fff; font: 12px system-ui, sans-serif; fill: #222 }
.grid { stroke: #ddd } .zero { stroke: #888 } .faint { fill: #666 } .head { font-weight: 600 }
"""
DARK = """\
svg { background: #16181c; fill: #e6e6e6 }
.grid { stroke: #33363c } .zero { stroke: #8a8f98 } .faint { fill: #9aa0a8 }
"""


def style():
    def colours(which):
        return "".join(f".{name} {{ fill: {pair[which]}; stroke: {pair[which]} }}\n"
                       for name, pair in COLOURS.items())
    return f"{STYLE}{colours(0)}@media (prefers-color-scheme: dark) {{\n{DARK}{colours(1)}}}\n"


def step(span):
    """A round number, of which the span has three to eight."""
    size = 1e-3
    while True:
        for factor in (1, 2, 5):
            if span / (size * factor) <= 8:
                return size * factor
        size *= 10


class Scale:
    """From percent to where it is in a panel."""

    def __init__(self, left, estimates):
        self.low = min([0.0] + [low for _, low, _ in estimates])
        self.high = max([1.0] + [high for _, _, high in estimates])
        self.left, self.step = left, step(self.high - self.low)

    def at(self, percent):
        return round(self.left + PANEL * (percent - self.low) / (self.high - self.low), 1)

    def ticks(self):
        first = int(self.low / self.step)
        found = [i * self.step for i in range(first, int(self.high / self.step) + 1)]
        return [t for t in found if self.low <= t <= self.high]


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}'
            "</text>")


def bar(scale, y, name, estimate):
    middle, low, high = estimate
    words = f"{name}: {middle:.2f} %, {low:.2f} .. {high:.2f}"
    return (f'<g class="{name}"><title>{html.escape(words)}</title>'
            f'<line x1="{scale.at(low)}" x2="{scale.at(high)}" y1="{y}" y2="{y}" '
            f'stroke-width="3"/><circle cx="{scale.at(middle)}" cy="{y}" r="4"/></g>')


def panel(left, bottom, hz, lines):
    """lines: (y, name, estimate) of one rate."""
    scale = Scale(left, [estimate for _, _, estimate in lines])
    drawn = [text(left, TOP - 14, f"{hz} Hz", "head")]
    for tick in scale.ticks():
        x, kind = scale.at(tick), "grid" if tick else "zero"
        drawn.append(f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}" class="{kind}"/>')
        drawn.append(text(x, bottom + 16, f"{tick:g}", "faint", "middle"))
    return drawn + [bar(scale, y, name, estimate) for y, name, estimate in lines]


def svg(rows):
    found = overhead_table.by_condition(r for r in rows if r["measure"] == "slowdown")
    works, rates, names, y = {}, {}, [], TOP
    for group, by in found.items():
        work, hz = group.split("@")
        works.setdefault(work, []).extend(n for n in by if n not in works.get(work, []))
        rates.setdefault(int(hz), []).extend((work, n, m["slowdown"]) for n, m in by.items())
    place = {}
    for work, of_work in works.items():
        y += HEAD
        names.append(text(12, y - 6, work, "head"))
        for name in of_work:
            place[work, name] = y + LINE / 2
            names.append(text(24, y + LINE / 2 + 4, name, "faint"))
            y += LINE
    drawn, width = [], LEFT + len(rates) * (PANEL + GAP)
    for number, hz in enumerate(sorted(rates)):
        lines = [(place[work, name], name, summary.estimate(row)) for work, name, row in rates[hz]]
        drawn += panel(LEFT + number * (PANEL + GAP), y + 6, hz, lines)
    title = text(12, 22, "How much longer the same work takes while it is recorded, %", "head")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + FOOT}" '
            f'width="{width}" height="{y + FOOT}" role="img">\n<style>\n{style()}</style>\n'
            + "\n".join([title, *names, *drawn]) + "\n</svg>\n")

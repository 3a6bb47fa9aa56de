# SPDX-License-Identifier: Apache-2.0
"""plots.py - lines over the sessions of a history, as SVG for a page.

Colours are classes (ours, peer 0 to 5, limit), given by the page's style for light and dark. What a
point is says its <title>, which browsers show under the pointer.
"""
import html
import math

import summary

WIDTH, HEIGHT = 440, 150
SPREAD = 8
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 18


def steps(low, high):
    """Numbers of 1, 2 and 5 times a power of ten: the last not above low to the first not below
    high; both above 0."""
    power = 10.0 ** math.floor(math.log10(low))
    found = []
    while True:
        for factor in (1, 2, 5):
            value = power * factor
            if power * factor * (2.5 if factor == 2 else 2) > low * (1 + 1e-9):
                found.append(value)
            if value >= high * (1 - 1e-9) and found:
                return found
        power *= 10


class Frame:
    """Where a session and a value lie in the plot. Values go from 0 up, or from below if they are;
    where the largest is more than SPREAD times the smallest their logarithms do, so that what is
    small beside its peers can still be seen to change."""

    def __init__(self, sessions, values, width, height, edges):
        self.left, self.right, self.top, self.bottom = edges
        self.sessions, self.width, self.height = sessions, width, height
        low, high = min(values), max(max(values), 1e-9)
        self.log = low > 0 and high > SPREAD * low
        if self.log:
            self.ticks = steps(low, high)
            self.ticks = self.ticks[::max(1, len(self.ticks) // 4)] + self.ticks[-1:]
        else:
            top = steps(high, high)[-1]
            bottom = -steps(-low, -low)[-1] if low < 0 else 0
            self.ticks = [bottom, (bottom + top) / 2, top]

    def x(self, session):
        place = self.sessions.index(session) / max(1, len(self.sessions) - 1)
        return self.left + place * (self.width - self.left - self.right)

    def y(self, value):
        scaled = math.log if self.log else float
        low, high = scaled(self.ticks[0]), scaled(self.ticks[-1])
        share = (scaled(value) - low) / (high - low)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def path(self, points):
        """Points of (session, value) as a polyline's."""
        return " ".join(f"{self.x(s):.1f},{self.y(v):.1f}" for s, v in points)


def line(frame, css, points):
    """Points of (session, median, low, high): a band, a line, a dot each."""
    band = [(s, high) for s, _, _, high in points] + [(s, low) for s, _, low, _ in points[::-1]]
    return f'<polygon class="band {css}" points="{frame.path(band)}"/>' \
        f'<polyline class="{css}" points="{frame.path([p[:2] for p in points])}"/>'


def dots(frame, css, points, told):
    """A dot a point; told(point) is its text."""
    return "".join(f'<circle class="{css}" cx="{frame.x(p[0]):.1f}" cy="{frame.y(p[1]):.1f}" '
                   f'r="3"><title>{html.escape(told(p))}</title></circle>' for p in points)


def scale(frame, unit):
    """Lines at the ticks, with their values."""
    made = []
    for value in dict.fromkeys(frame.ticks):
        y = frame.y(value)
        made.append(f'<line class="grid" x1="{frame.left}" x2="{frame.width - frame.right}" '
                    f'y1="{y:.1f}" y2="{y:.1f}"/><text x="{frame.left - 4}" y="{y + 3.5:.1f}" '
                    f'text-anchor="end">{summary.digits(value)}</text>')
    return "".join(made) + f'<title>{html.escape(unit)}</title>'


def trend(lines, labels, unit):
    """lines: {name: (css, [(session, median, low, high)])}; labels: {session: text}, in order."""
    sessions = list(labels)
    values = [v for _, points in lines.values() for _, *three in points for v in three]
    frame = Frame(sessions, values, WIDTH, HEIGHT, (LEFT, RIGHT, TOP, BOTTOM))
    body = scale(frame, unit)
    for name, (css, points) in lines.items():
        body += line(frame, css, points)
        body += dots(frame, css, points,
                     lambda p, name=name: f"{name}: {summary.digits(p[1])} {unit} "
                     f"({summary.digits(p[2])}..{summary.digits(p[3])}), {labels[p[0]]}")
    for session, place in ((sessions[0], "start"), (sessions[-1], "end")):
        body += f'<text x="{frame.x(session):.1f}" y="{HEIGHT - 4}" text-anchor="{place}">' \
            f'{html.escape(labels[session].split(",")[0])}</text>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{body}</svg>'


def spark(points, target, labels):
    """A requirement over time, small: points of (session, value), a dashed line at the target."""
    frame = Frame(list(labels), [v for _, v in points] + [target], 120, 30, (4, 4, 4, 4))
    y = frame.y(target)
    body = f'<line class="target" x1="0" x2="120" y1="{y:.1f}" y2="{y:.1f}"/>' \
        f'<polyline class="ours" points="{frame.path(points)}"/>'
    body += dots(frame, "ours", points[-1:], lambda p: f"{summary.digits(p[1])}, {labels[p[0]]}")
    return f'<svg class="spark" viewBox="0 0 120 30" role="img">{body}</svg>'

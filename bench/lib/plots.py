# SPDX-License-Identifier: Apache-2.0
"""plots.py - lines over the sessions of a history, as SVG for a page.

Colours are classes (ours, peer 0 to 5, limit), given by the page's style for light and dark. What a
point is says its <title>, which browsers show under the pointer.
"""
import html

import summary

WIDTH, HEIGHT = 340, 130
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 18


def nice(top):
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below."""
    step = 10 ** 9
    while step > 1e-9:
        step /= 10
        if step <= top:
            break
    return next((step * m for m in (1, 2, 2.5, 5, 10) if step * m >= top), top)


class Frame:
    """Where a session and a value lie in the plot; values from 0 up, or from below if they are."""

    def __init__(self, sessions, values, width, height, edges):
        self.left, self.right, self.top, self.bottom = edges
        self.sessions, self.width, self.height = sessions, width, height
        low = min(0, min(values))
        self.low, self.high = -nice(-low) if low else 0, nice(max(max(values), 1e-9))

    def x(self, session):
        place = self.sessions.index(session) / max(1, len(self.sessions) - 1)
        return self.left + place * (self.width - self.left - self.right)

    def y(self, value):
        share = (value - self.low) / (self.high - self.low)
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
    """Lines at the bottom, the middle and the top, with their values."""
    made = []
    for value in (frame.low, (frame.low + frame.high) / 2, frame.high):
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

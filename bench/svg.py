"""Drawings with axes, written out as SVG."""

import math
from xml.sax.saxutils import escape

FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"
INK, PALE, OURS, THEIRS, GOOD, BAD = "#222222", "#dddddd", "#1f6fb2", "#9a9a9a", "#2e8b57", "#c0392b"


class Axis:
    """Numbers along a line of pixels from `begin` to `end`, by their logarithms or as they are. It reaches over all `values`."""

    def __init__(self, values, begin, end, log=False, zero=False):
        values = [value for value in values if value > 0 or not log] or [1]
        low, high = min(values), max(values)
        self.begin, self.end, self.log = begin, end, log
        if log:
            self.low, self.high = math.log10(low / 1.3), math.log10(high * 1.3)
        else:
            low = 0 if zero else low
            margin = (high - low) * 0.05 or abs(high) * 0.05 or 1
            self.low, self.high = (low if zero else low - margin), high + margin

    def place(self, value):
        if self.log:
            value = math.log10(value) if value > 0 else self.low
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        """Values that are round, some four to ten of them."""
        if self.log:
            factors = (1,) if self.high - self.low > 3 else (1, 2, 5)
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            found = [factor * 10.0 ** decade for decade in decades for factor in factors]
            return [value for value in found if self.low <= math.log10(value) <= self.high]
        step = 10.0 ** math.floor(math.log10(self.high - self.low))
        step = next(step * factor for factor in (0.1, 0.2, 0.5, 1, 2) if (self.high - self.low) / (step * factor) <= 8)
        return [number * step for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def label(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.6g}{letter}"
    return f"{value:.6g}"


class Drawing:
    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = []
        self.text(width / 2, 22, title, size=15, anchor="middle", weight="bold")

    def text(self, x, y, words, size=11, anchor="start", fill=INK, turned=False, weight="normal"):
        turn = f" transform='rotate(-90 {x:.1f} {y:.1f})'" if turned else ""
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' fill='{fill}' "
                          f"font-weight='{weight}'{turn}>{escape(words)}</text>")

    def line(self, points, stroke=INK, width=1.0, dashes=""):
        placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f"<polyline points='{placed}' fill='none' stroke='{stroke}' stroke-width='{width}' "
                          f"stroke-dasharray='{dashes}'/>")

    def rect(self, x, y, width, height, fill):
        self.parts.append(f"<rect x='{min(x, x + width):.1f}' y='{y:.1f}' width='{abs(width):.1f}' height='{height:.1f}' fill='{fill}'/>")

    def dot(self, x, y, radius, fill):
        self.parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius}' fill='{fill}'/>")

    def x_axis(self, axis, y, top, name):
        """The axis at height y, with lines up to `top`."""
        for value in axis.ticks():
            x = axis.place(value)
            self.line([(x, top), (x, y + 4)], PALE)
            self.text(x, y + 17, label(value), size=10, anchor="middle")
        self.line([(axis.begin, y), (axis.end, y)])
        self.text((axis.begin + axis.end) / 2, y + 34, name, anchor="middle")

    def y_axis(self, axis, x, right, name):
        for value in axis.ticks():
            y = axis.place(value)
            self.line([(x - 4, y), (right, y)], PALE)
            self.text(x - 7, y + 4, label(value), size=10, anchor="end")
        self.line([(x, axis.begin), (x, axis.end)])
        self.text(x - 55, (axis.begin + axis.end) / 2, name, anchor="middle", turned=True)

    def legend(self, y, names, x):
        """names: name -> colour, in a row from x on."""
        for name, colour in names.items():
            self.rect(x, y - 9, 12, 10, colour)
            self.text(x + 17, y, name)
            x += 17 + 7 * len(name) + 24

    def finish(self):
        return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{self.width}' height='{self.height:.0f}' {FONT}>\n"
                f"<rect width='100%' height='100%' fill='white'/>\n" + "\n".join(self.parts) + "\n</svg>\n")

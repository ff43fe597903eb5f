"""Quality against latency as an SVG: one numbered point a configuration, names beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from .comparing import RowFigures
from .rows import DEFAULT

_WIDTH, _PLOT, _LEFT, _TOP = 960, 560, 60, 20
_LINE = 18  # of the list of names
_AXIS = "#888888"
_ONE, _MAIN = "#3465a4", "#cc0000"
_TICKS = [step * 10.0**power for power in range(-1, 6) for step in (1, 2, 3, 5, 7)]


def quality_against_latency(rows: Sequence[RowFigures]) -> str:
    """The plot of all configurations that were measured on every set.

    The horizontal axis is the median latency, logarithmic; the vertical one is the mean over the
    sets, in hundredths.
    """
    points = [
        (each.row.name, each.milliseconds.value, each.mean.value.value * 100)
        for each in rows
        if each.mean is not None and each.milliseconds is not None
    ]
    height = max(420, _LINE * (len(points) + 2))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        "<title>Mean over the sets against the median latency of a search</title>",
    ]
    if points:
        lines += _drawing(points, bottom=height - 45)
    return "\n".join([*lines, "</svg>", ""])


def _drawing(points: Sequence[tuple[str, float, float]], *, bottom: int) -> list[str]:
    slowest, fastest = (pick(point[1] for point in points) for pick in (max, min))
    best, worst = (pick(point[2] for point in points) for pick in (max, min))
    left, right = math.log(fastest / 1.5), math.log(slowest * 1.5)
    low, high = math.floor(worst - 0.5), math.ceil(best + 0.5)

    def x(milliseconds: float) -> float:
        return _LEFT + (math.log(milliseconds) - left) / (right - left) * _PLOT

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - _TOP)

    lines = [
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{_LEFT + _PLOT}" fill="none" stroke="{_AXIS}"/>',
        _text(_LEFT + _PLOT / 2, bottom + 36, "milliseconds a search (median)", anchor="middle"),
    ]
    lines += [
        _text(x(tick), bottom + 18, f"{tick:g}", anchor="middle")
        for tick in _TICKS
        if left <= math.log(tick) <= right
    ]
    for tick in range(low, high + 1, max(1, math.ceil((high - low) / 10))):
        at_y = y(tick)
        lines.append(_text(_LEFT - 8, at_y + 4, str(tick), anchor="end"))
        lines.append(f'<path d="M{_LEFT} {at_y:.1f}h{_PLOT}" stroke="{_AXIS}" opacity="0.2"/>')
    for number, (name, milliseconds, value) in enumerate(points, start=1):
        colour = _MAIN if name == DEFAULT else _ONE
        at_x, at_y = x(milliseconds), y(value)
        lines.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="4" fill="{colour}"/>')
        if number % 2:  # on alternate sides, for points that lie near to each other
            lines.append(_text(at_x + 6, at_y - 5, str(number), colour=colour))
        else:
            lines.append(_text(at_x - 6, at_y + 13, str(number), anchor="end", colour=colour))
        entry = f"{number}  {name}: {value:.1f}"
        lines.append(_text(_LEFT + _PLOT + 20, _TOP + _LINE * number, entry, colour=colour))
    return lines


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#333333") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(text)}</text>"

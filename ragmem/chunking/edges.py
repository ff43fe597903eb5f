"""Where a chunk always ends, whatever else is packed.

Every choice depends on nearby text only, so that an edit changes the chunks around it and no
others: headings and pages with enough text on both sides separate chunks, and between them the
boundaries that are the best far and wide do, a hash of the text around them deciding between equals
(Bjorner, Blass and Gurevich, "Content-dependent chunking for differential compression, the local
maximum approach", 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragmem.chunking.units import GLUE, PAGE, Section, Unit

WIDE_GAP_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The beginning of a section.

    Attributes:
        unit: the section's first unit.
        before: the weight from the nearest earlier section that is not deeper.
        inside: the weight of the section and those below it.
    """

    unit: int
    before: int
    inside: int


def openings(
    units: Sequence[Unit], sections: Sequence[Section], sums: Sequence[int]
) -> list[Opening]:
    """Measure the sections on both sides of their beginnings.

    Args:
        units: all units, in order.
        sections: the sections they refer to.
        sums: the weight of all units before each, one more than there are units.

    Returns:
        One for each unit that opens a section, in order.
    """
    starts = [
        (index, sections[unit.section].level) for index, unit in enumerate(units) if unit.opens
    ]
    before: dict[int, int] = {}
    inside: dict[int, int] = {}
    # The open sections, each deeper than the one below it; the first is the document.
    stack: list[tuple[int, int]] = [(0, 0)]
    for index, level in [*starts, (len(units), 0)]:
        while len(stack) > 1 and stack[-1][1] > level:
            closed, _ = stack.pop()
            inside[closed] = sums[index] - sums[closed]
        before[index] = sums[index] - sums[stack[-1][0]]
        if len(stack) > 1 and stack[-1][1] == level:
            closed, _ = stack.pop()
            inside[closed] = sums[index] - sums[closed]
        stack.append((index, level))
    return [Opening(unit=index, before=before[index], inside=inside[index]) for index, _ in starts]


def hard_edges(
    units: Sequence[Unit], sums: Sequence[int], opened: Sequence[Opening], *, tiny: int
) -> list[int]:
    """Headings, pages and wide gaps that no chunk crosses.

    Args:
        units: all units, in order.
        sums: the weight of all units before each, one more than there are units.
        opened: what `openings` returns.
        tiny: the least weight that is worth a chunk of its own.

    Returns:
        Indices of units, ascending.
    """
    strengths = {
        opening.unit: units[opening.unit].rank
        for opening in opened
        if min(opening.before, opening.inside) >= tiny and units[opening.unit].rank > GLUE
    }
    pages = [index for index, unit in enumerate(units) if unit.new_page]
    previous = 0
    for index, following in pairwise([*pages, len(units)]):
        around = min(sums[index] - sums[previous], sums[following] - sums[index])
        if around >= tiny and units[index].rank >= PAGE:
            strengths.setdefault(index, PAGE)
        previous = index
    kept: list[int] = []
    for index in sorted(strengths):
        if sums[index] - (sums[kept[-1]] if kept else 0) >= tiny:
            kept.append(index)
        elif kept and strengths[index] > strengths[kept[-1]]:
            kept[-1] = index
    gaps = (
        index + 1
        for index, (one, other) in enumerate(pairwise(units))
        if other.start - one.end > WIDE_GAP_CHARACTERS
    )
    return sorted({*kept, *gaps})


def local_maxima(
    scores: Sequence[tuple[int, int]], sums: Sequence[int], start: int, stop: int, *, reach: int
) -> list[int]:
    """The boundaries that score higher than every other within reach, in linear time.

    Args:
        scores: for each unit how good a place its start is for a chunk to end.
        sums: the weight of all units before each.
        start, stop: the range of units to look at; its first boundary does not count.
        reach: how far a boundary must be the best, in weight; the first of equals is.

    Returns:
        Indices of units, ascending.
    """
    found: list[int] = []
    better: list[int] = []
    for index in range(start + 1, stop):
        while better and scores[better[-1]] < scores[index]:
            better.pop()
        while (
            found and scores[found[-1]] < scores[index] and sums[index] - sums[found[-1]] <= reach
        ):
            found.pop()
        if not better or sums[index] - sums[better[-1]] > reach:
            found.append(index)
        better.append(index)
    return found

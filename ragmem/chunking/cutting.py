"""Weighs units and cuts those that are longer than a chunk may be.

Each round cuts what is still too long one rung lower: stanzas of code, lines and table rows,
clauses, groups of words, and at last characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from ragmem.chunking.blocks import Span
from ragmem.chunking.units import (
    CHARACTER,
    CLAUSE,
    GLUE,
    ITEM,
    LINE,
    LINE_RUNG,
    STANZA_RUNG,
    WORD,
    Unit,
)

_CLAUSE_RUNG, _WORD_RUNG, _CHARACTER_RUNG = 2, 3, 4
_CHARACTERS_PER_TOKEN = 16
_CLAUSE_CHARACTERS, _GROUP_WORDS = 40, 8

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*+\n)++")
_LINE_BREAK = re.compile(r"\n")
_CLAUSE_END = re.compile(r"[,;:)\]]\s++|[、，；：]")
_WORDS = re.compile(r"\s++(?=\S)")
_LEADING_BLANK = re.compile(r"(?:[^\S\n]*+\n)*+")


def weigh(
    text: str,
    units: Sequence[Unit],
    *,
    count: Callable[[Sequence[str]], list[int]],
    limit: Callable[[Unit], int],
) -> list[Unit]:
    """Give units their weights, and cut those that are longer than a chunk may be.

    Args:
        text: the document's text.
        units: units without weights.
        count: counts the tokens of many texts.
        limit: the most that a chunk holds that begins with this unit.

    Returns:
        Units with weights, none heavier than its limit.
    """
    units = list(units)
    while True:
        units = _weighed(text, units, count, limit)
        long = [_too_long(unit, limit(unit)) for unit in units]
        if not any(long):
            return units
        units = [
            part
            for unit, cut in zip(units, long, strict=True)
            for part in (_cut(text, unit, limit(unit)) if cut else (unit,))
        ]


def _weighed(
    text: str,
    units: list[Unit],
    count: Callable[[Sequence[str]], list[int]],
    limit: Callable[[Unit], int],
) -> list[Unit]:
    """Weigh the units that have no weight, but for those whose characters alone are too many."""
    fresh = [not unit.weight and not _too_long(unit, limit(unit)) for unit in units]
    # White space after a unit is counted with it: it may make tokens inside a chunk.
    texts = [text[u.start : u.end + 2] for u, weigh in zip(units, fresh, strict=True) if weigh]
    counts = iter(count(texts) if texts else ())
    return [
        replace(unit, weight=max(1, next(counts), _by_characters(unit))) if weigh else unit
        for unit, weigh in zip(units, fresh, strict=True)
    ]


def _by_characters(unit: Unit) -> int:
    return (unit.end - unit.start) // _CHARACTERS_PER_TOKEN


def _too_long(unit: Unit, limit: int) -> bool:
    """Whether a unit must be cut; a single character is never."""
    return unit.end - unit.start > 1 and max(unit.weight, _by_characters(unit)) > limit


def _cut(text: str, unit: Unit, limit: int) -> list[Unit]:
    """Cut a unit at the strongest boundaries that its rung allows."""
    cuts, rank = _cuts(text, unit, limit)
    parts: list[Unit] = []
    for start, end in zip([unit.start, *cuts], [*cuts, unit.end], strict=True):
        start, end = _trimmed(text, start, end)
        if start == end:
            continue
        row = unit.kind == "table" and unit.rung == LINE_RUNG
        glued = row and start <= unit.body
        parts.append(
            replace(
                unit,
                start=start,
                end=end,
                rank=unit.rank if not parts else GLUE if glued else rank,
                opens=unit.opens and not parts,
                new_page=unit.new_page and not parts,
                rung=unit.rung + 1,
                weight=0,
            )
        )
    return parts


def _cuts(text: str, unit: Unit, limit: int) -> tuple[list[int], int]:
    """Where a unit is cut on its rung, and the rank of those boundaries."""
    start, end = unit.start, unit.end
    if unit.rung == STANZA_RUNG:
        return [match.end() for match in _BLANK_LINES.finditer(text, start, end)], ITEM
    if unit.rung == LINE_RUNG:
        rank = ITEM if unit.kind == "table" else LINE
        return [match.end() for match in _LINE_BREAK.finditer(text, start, end)], rank
    if unit.rung == _CLAUSE_RUNG:
        cuts: list[int] = []
        for match in _CLAUSE_END.finditer(text, start, end):
            if match.end() - (cuts[-1] if cuts else start) >= _CLAUSE_CHARACTERS:
                cuts.append(match.end())
        return cuts, CLAUSE
    if unit.rung == _WORD_RUNG:
        gaps = [match.end() for match in _WORDS.finditer(text, start, end)]
        return gaps[_GROUP_WORDS - 1 :: _GROUP_WORDS], WORD
    halvings = unit.rung - _CHARACTER_RUNG
    size = max(1, (limit // 4) >> halvings)
    places = (safe_cut(text, start, at, end) for at in range(start + size, end, size))
    return sorted({place for place in places if start < place < end}), CHARACTER


def safe_cut(text: str, start: int, at: int, end: int) -> int:
    """The place nearest before `at` that tears no character from its combining marks."""
    place = at
    while place > max(start, at - 16) and place < end and _joins(text, place):
        place -= 1
    return at if place <= start else place


def _joins(text: str, place: int) -> bool:
    """Whether the characters on both sides of a place make one sign."""
    after = text[place]
    return (
        after == "\u200d"
        or text[place - 1] == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or unicodedata.category(after) in {"Mn", "Mc", "Me", "Cs"}
    )


def _trimmed(text: str, start: int, end: int) -> Span:
    """A span without blank lines before it and white space after it."""
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start and (blank := _LEADING_BLANK.match(text, start, end)):
        start = blank.end()
    return start, end

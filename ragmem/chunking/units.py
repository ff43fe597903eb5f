"""Units: the smallest pieces that a chunk is packed from, and how willingly a chunk ends there.

A unit is a heading, a sentence, a whole table or a whole code block. Cutting those that are longer
than a chunk belongs to `cutting`, which units share a chunk to `packing`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final
from zlib import crc32

from ragmem.chunking.blocks import Block, BlockKind, Span
from ragmem.chunking.sentences import sentence_spans
from ragmem.chunking.syntax import CodeSpan
from ragmem.types import ParsedDocument

# How willingly a chunk ends before a unit. Odd values are left for `packing` to prefer one of two.
GLUE: Final = -2
CHARACTER: Final = 0
WORD: Final = 2
CLAUSE: Final = 4
LINE: Final = 6
SENTENCE: Final = 8
ITEM: Final = 10
BLOCK: Final = 12
PAGE: Final = 14
HEADING: Final = 16

_MAX_LEVEL = 6
_TINY_CHARACTERS, _JOINED_CHARACTERS = 16, 160
STANZA_RUNG, LINE_RUNG = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands under one heading (in source code, inside one definition).

    Attributes:
        level: 1 is outermost; 0 is what precedes every heading.
        path: the titles from the outermost to its own.
        parents: the same without its own title.
    """

    level: int = 0
    path: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A span that a chunk holds entirely or not at all.

    Attributes:
        rank: how willingly a chunk ends before it, from `GLUE` up.
        section: the index of its section.
        opens: whether its section begins with it.
        new_page: whether a page begins with it and no sentence runs on from the page before.
        header: the table's header row, if the unit is a later part of a table.
        body: where a table's first row after the header begins.
        rung: how it is cut if it is too long; grows with each cut.
        weight: its length for packing: its tokens, more where one token has many characters;
            0 while unknown.
        depth: in how many statements and definitions of source code it lies.
        defines: whether a definition begins with it.
    """

    kind: BlockKind
    start: int
    end: int
    rank: int
    section: int
    opens: bool = False
    new_page: bool = False
    header: Span | None = None
    body: int = 0
    rung: int = LINE_RUNG
    weight: int = 0
    depth: int = 0
    defines: bool = False

    @property
    def continues_table(self) -> bool:
        """Whether it is a row of a table whose header row is another unit."""
        return self.header is not None and self.start >= self.body


def draft_units(
    document: ParsedDocument, blocks: Sequence[Block]
) -> tuple[list[Unit], list[Section]]:
    """Turn blocks into units whose weights are not known yet.

    Args:
        document: the document.
        blocks: its blocks.

    Returns:
        The units in order and the sections they refer to; the first section has no title.
    """
    text = document.text
    page_starts = [page.start for page in document.pages]
    sections = [Section()]
    stack: list[Section] = []
    units: list[Unit] = []
    last: Block | None = None
    for block in blocks:
        if block.level:
            while stack and stack[-1].level >= block.level:
                stack.pop()
            parents = tuple(section.path[-1] for section in stack)
            own = (block.title,) if block.title else ()
            sections.append(Section(level=block.level, path=parents + own, parents=parents))
            if own:
                stack.append(sections[-1])
        turns = last is not None and (
            bisect_right(page_starts, block.start) > bisect_right(page_starts, last.start)
        )
        new_page = turns and last is not None and not _runs_on(text, last.end, block.start)
        rank = _rank(text, block, last)
        if new_page and rank != GLUE:
            rank = max(rank, PAGE)
        elif turns and rank <= BLOCK:
            rank = CLAUSE
        section = len(sections) - 1
        for position, (start, end) in enumerate(_parts(text, block)):
            units.append(
                Unit(
                    kind=block.kind,
                    start=start,
                    end=end,
                    rank=rank if position == 0 else SENTENCE,
                    section=section,
                    opens=position == 0 and block.level > 0,
                    new_page=position == 0 and new_page,
                    header=block.header,
                    body=block.body,
                    rung=STANZA_RUNG if block.kind == "code" else LINE_RUNG,
                    depth=block.syntax.depth if block.syntax else 0,
                    defines=position == 0 and block.syntax is not None and bool(block.title),
                )
            )
        last = block
    return units, sections


def _rank(text: str, block: Block, last: Block | None) -> int:
    """How willingly a chunk ends between two blocks."""
    if last is not None and (last.kind == "heading" or (block.syntax and block.syntax.first)):
        return GLUE
    if block.level:
        return HEADING + 2 * (_MAX_LEVEL - min(block.level, _MAX_LEVEL))
    if block.syntax is not None:
        return _code_rank(block.syntax)
    if last is not None and block.kind != "prose" and last.kind == "prose":
        # A sentence that announces a list, table or listing stays with it where it can.
        return CLAUSE if text[last.end - 1 : last.end] in (":", "：") else BLOCK
    return ITEM if last is not None and block.kind == last.kind == "item" else BLOCK


def _code_rank(span: CodeSpan) -> int:
    """How willingly a chunk ends before a statement: the more the less it is nested."""
    rank = LINE if span.inside else SENTENCE
    return rank + 2 if span.spaced else rank


def held_together(units: Sequence[Unit], *, limit: Callable[[Unit], int]) -> list[Unit]:
    """Keep chunks from ending inside a definition that fits a chunk, or inside a short statement.

    Args:
        units: units with weights.
        limit: the most that a chunk holds that begins with this unit.

    Returns:
        The same units, those inside ranked `GLUE`; prose stays as it is.
    """
    sums = [0, *accumulate(unit.weight for unit in units)]
    stops = _stops([unit.depth for unit in units])
    held: list[Unit] = []
    until = 0
    for index, unit in enumerate(units):
        if index < until:
            held.append(replace(unit, rank=GLUE))
            continue
        held.append(unit)
        room = limit(unit) if unit.defines else limit(unit) // 2
        if sums[stops[index]] - sums[index] <= room:
            until = stops[index]
    return held


def _stops(depths: Sequence[int]) -> list[int]:
    """For each unit the next one that is not deeper."""
    stops = [len(depths)] * len(depths)
    open_units: list[int] = []
    for index, depth in enumerate(depths):
        while open_units and depths[open_units[-1]] >= depth:
            stops[open_units.pop()] = index
        open_units.append(index)
    return stops


def _runs_on(text: str, end: int, start: int) -> bool:
    """Whether a sentence runs on from one page to the next."""
    before, after = text[max(0, end - 1) : end].strip(), text[start : start + 40].lstrip()[:1]
    return (before.islower() or before in {",", "-", "\u2010"}) and after.islower()


def _parts(text: str, block: Block) -> Iterator[Span]:
    """The spans of a block's units before any of them is found too long."""
    if block.kind not in ("prose", "item"):
        yield block.start, block.end
        return
    start = end = -1
    for low, high in sentence_spans(text[block.start : block.end]):
        low, high = low + block.start, high + block.start
        # Very short sentences (a word list, one word a line) are joined at places that only their
        # own text decides on.
        tiny = high - low < _TINY_CHARACTERS and high - start < _JOINED_CHARACTERS
        if start >= 0 and not (tiny and crc32(_bytes(text[low:high])) % 8):
            yield start, end
            start = low
        elif start < 0:
            start = low
        end = high
    if start >= 0:
        yield start, end


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def boundary_hash(text: str, unit: Unit) -> int:
    """A number that only the text just before and after the unit's start decides on."""
    return crc32(_bytes(text[max(0, unit.start - 32) : unit.start + 32]))


def page_at(starts: Sequence[int], numbers: Sequence[int], offset: int) -> int | None:
    """The number of the page an offset lies on; before the first page, the first page."""
    if not starts:
        return None
    position = bisect_left(starts, offset + 1) - 1
    return numbers[max(0, position)]

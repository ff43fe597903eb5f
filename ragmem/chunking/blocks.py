"""The blocks of a text: headings, paragraphs, list items, tables, fenced code.

A block is a span of whole lines with its kind. What a source file's definitions are belongs to
`syntax`, or to `source_code` where no grammar reads it; how long a block is and where it is cut
further belongs to `units`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragmem.chunking.source_code import definition_spans
from ragmem.chunking.syntax import CodeSpan, syntax_spans
from ragmem.types import ParsedDocument

BlockKind = Literal["heading", "prose", "item", "table", "code"]
Span = tuple[int, int]

_LINE = re.compile(r"^[^\S\n]*+\S[^\n]*", re.MULTILINE)
_FENCE = re.compile(r"[^\S\n]*+(`{3,}+|~{3,}+)")
_ATX = re.compile(r" {0,3}(#{1,6})(?=\s|$)")
_ITEM = re.compile(r"[^\S\n]*+(?:[-*+•‣◦▪]|\d{1,4}[.)]|[a-zA-Z][.)])\s++\S")
_UNDERLINE = re.compile(r"([=\-~^\"'#*+:.`])\1{2,}+\s*+$")
_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,300}\)")
_PART = re.compile(
    r"(?:(book|part|volume|act)|(chapter|appendix)|(section|article|scene))"
    r"\s+(?:[ivxlcdm]+|\d+|[a-z]|one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_UNDERLINE_LEVELS = {"=": 1, "-": 2, "~": 3}
_TITLE_CHARACTERS = 200
_PLAIN_HEADING_CHARACTERS = 80
_FRONT_MATTER_LINES = 60
_TABLE_MEDIA_TYPES = frozenset({"text/csv", "text/tab-separated-values"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stretch of whole lines.

    Attributes:
        start, end: offsets; `start` includes the first line's indentation.
        level: the level of the section that begins here, 1 the outermost; 0 when none does.
        title: that section's title; empty for a section that only goes back to its parent.
        header: a table's header row.
        body: where a table's first row after the header and its rule begins.
        syntax: what a span of source code is in its syntax tree, where there is one.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    title: str = ""
    header: Span | None = None
    body: int = 0
    syntax: CodeSpan | None = None


def document_blocks(document: ParsedDocument) -> list[Block]:
    """Cut a document into blocks.

    Args:
        document: any parsed document.

    Returns:
        Blocks in order, not overlapping, none of them across the beginning of a page; together
        they hold every character that is not white space.
    """
    text = document.text
    if document.text_format == "code":
        blocks = _code_blocks(text, document.language)
    else:
        lines = [match.span() for match in _LINE.finditer(text)]
        if document.media_type in _TABLE_MEDIA_TYPES and lines:
            blocks = [_table_block(lines, 0, len(lines), header_lines=1)]
        else:
            scanner = _Scanner(text, lines, markdown=document.text_format == "markdown")
            blocks = list(scanner.blocks())
    return _cut_at(text, blocks, [page.start for page in document.pages])


def _code_blocks(text: str, language: str) -> list[Block]:
    """The definitions and statements of source code."""
    spans = syntax_spans(text, language)
    if spans is None:
        return [
            Block(kind="code", start=start, end=end, level=level, title=title)
            for start, end, level, title in definition_spans(text)
        ]
    return [
        Block(
            kind="code",
            start=span.start,
            end=span.end,
            level=span.level,
            title=span.title,
            syntax=span,
        )
        for span in spans
    ]


def _table_block(lines: Sequence[Span], first: int, last: int, *, header_lines: int) -> Block:
    """A table of the lines `first` to `last`, the last excluded."""
    body = lines[min(first + header_lines, last - 1)][0]
    start, end = lines[first][0], lines[last - 1][1]
    return Block(kind="table", start=start, end=end, header=lines[first], body=body)


def _cut_at(text: str, blocks: list[Block], offsets: Sequence[int]) -> list[Block]:
    """Cut the blocks that reach across one of the ascending offsets."""
    if not offsets:
        return blocks
    result: list[Block] = []
    for block in blocks:
        position = bisect_right(offsets, block.start)
        while position < len(offsets) and offsets[position] < block.end:
            offset = offsets[position]
            position += 1
            if text[block.start : offset].strip() and text[offset : block.end].strip():
                result.append(replace(block, end=offset))
                kind: BlockKind = "prose" if block.kind == "heading" else block.kind
                block = replace(block, kind=kind, start=offset, level=0, title="")
        result.append(block)
    return result


class _Scanner:
    """One pass over the lines that are not blank."""

    def __init__(self, text: str, lines: list[Span], *, markdown: bool) -> None:
        self._text = text
        self._lines = lines
        self._markdown = markdown

    def blocks(self) -> Iterator[Block]:
        """The blocks, in order."""
        index = self._front_matter()
        if index:
            yield Block(kind="code", start=self._lines[0][0], end=self._lines[index - 1][1])
        while index < len(self._lines):
            block, index = self._special(index) or self._running(index)
            yield block

    def _line(self, index: int) -> str:
        start, end = self._lines[index]
        return self._text[start:end]

    def _end(self, stop: int) -> int:
        return self._lines[stop - 1][1]

    def _adjacent(self, index: int) -> bool:
        """Whether the line exists and no blank line stands before it."""
        return 0 < index < len(self._lines) and (
            self._lines[index][0] == self._lines[index - 1][1] + 1
        )

    def _front_matter(self) -> int:
        """The number of lines of YAML at the beginning."""
        if not self._markdown or not self._lines or self._lines[0] != (0, 3):
            return 0
        if self._text[:3] != "---":
            return 0
        for index in range(1, min(_FRONT_MATTER_LINES, len(self._lines))):
            if self._line(index).rstrip() == "---":
                return index + 1
        return 0

    def _special(self, index: int) -> tuple[Block, int] | None:
        """The block that begins at a line and the line after it, if it is not a paragraph."""
        line = self._line(index)
        first = line.lstrip()[0]
        if first in "`~" and (fence := _FENCE.match(line)):
            return self._fenced(index, fence.group(1))
        if first == "#" and self._markdown and (atx := _ATX.match(line)):
            return self._heading(index, index + 1, len(atx.group(1)), line[atx.end() :])
        if "|" in line and (table := self._pipe_table(index, first)):
            return table
        if "\t" in line.strip() and (table := self._tab_table(index)):
            return table
        return self._underlined(index, line) or self._plain_heading(index, line)

    def _running(self, index: int) -> tuple[Block, int]:
        """The paragraph or list item that begins at a line and the line after it."""
        stop = index + 1
        while self._adjacent(stop) and not _ITEM.match(self._line(stop)):
            if self._special(stop) is not None:
                break
            stop += 1
        kind: BlockKind = "item" if _ITEM.match(self._line(index)) else "prose"
        return Block(kind=kind, start=self._lines[index][0], end=self._end(stop)), stop

    def _heading(self, index: int, stop: int, level: int, title: str) -> tuple[Block, int]:
        plain = _LINK.sub(r"\1", title.strip()[:_TITLE_CHARACTERS])
        plain = plain.replace("*", "").replace("`", "").strip().rstrip("#").strip()
        start = self._lines[index][0]
        return Block(
            kind="heading", start=start, end=self._end(stop), level=level, title=plain
        ), stop

    def _fenced(self, index: int, fence: str) -> tuple[Block, int]:
        stop = index + 1
        while stop < len(self._lines):
            closing = self._line(stop).strip()
            stop += 1
            if len(closing) >= len(fence) and not closing.strip(fence[0]):
                break
        return Block(kind="code", start=self._lines[index][0], end=self._end(stop)), stop

    def _pipe_table(self, index: int, first: str) -> tuple[Block, int] | None:
        ruled = self._adjacent(index + 1) and _is_rule(self._line(index + 1))
        if not ruled and not (first == "|" and self._adjacent(index + 1)):
            return None
        stop = index + 1
        while self._adjacent(stop) and "|" in self._line(stop):
            stop += 1
        if stop == index + 1:
            return None
        return _table_block(self._lines, index, stop, header_lines=2 if ruled else 1), stop

    def _tab_table(self, index: int) -> tuple[Block, int] | None:
        stop = index + 1
        while self._adjacent(stop) and "\t" in self._line(stop).strip():
            stop += 1
        if stop == index + 1:
            return None
        return _table_block(self._lines, index, stop, header_lines=1), stop

    def _underlined(self, index: int, line: str) -> tuple[Block, int] | None:
        """A heading over (in reStructuredText perhaps also under) a rule of one character."""
        if not self._adjacent(index + 1) or (self._adjacent(index) and not self._markdown):
            return None
        title, rule, stop = line.strip(), self._line(index + 1), index + 2
        if not self._markdown and _UNDERLINE.match(title) and self._adjacent(index + 2):
            title, rule, stop = rule.strip(), self._line(index + 2), index + 3
        match = _UNDERLINE.match(rule.strip())
        if match is None or len(title) > _TITLE_CHARACTERS or not any(map(str.isalnum, title)):
            return None
        level = _UNDERLINE_LEVELS.get(match.group(1), 4)
        if self._markdown:
            if level > 2 or _ITEM.match(line):
                return None
        elif len(rule.strip()) < 0.6 * len(title):
            return None
        return self._heading(index, stop, level, title)

    def _plain_heading(self, index: int, line: str) -> tuple[Block, int] | None:
        """A short line of its own in plain text that reads like a heading."""
        title = line.strip()
        if self._markdown or len(title) > _PLAIN_HEADING_CHARACTERS:
            return None
        if self._adjacent(index) or self._adjacent(index + 1) or title[-1] in ".,;:!?":
            level = 0
        elif part := _PART.match(title):
            level = part.lastindex or 1
        elif numbered := _NUMBERED.match(title):
            level = numbered.group(1).count(".") + 1
        else:
            level = 4 if title.isupper() and sum(map(str.isalpha, title)) >= 4 else 0
        return self._heading(index, index + 1, level, title) if level else None


def _is_rule(line: str) -> bool:
    """Whether a line is the rule below a Markdown table's header."""
    return "-" in line and "|" in line and not line.strip().strip("|-: \t")

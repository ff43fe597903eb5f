"""The definitions and statements of a source file, found by its syntax tree.

Which grammar reads a language belongs to `syntax_grammars`, what its nodes mean to `syntax_nodes`;
languages without a grammar are left to `source_code`. Everything is reckoned in whole lines, which
text and tree count alike, though the one has code points and the other bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from ragmem.chunking.syntax_grammars import parsed
from ragmem.chunking.syntax_nodes import (
    LEADING,
    TRANSPARENT,
    continues_a_statement,
    definition_title,
    holds_a_sequence,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_MAX_LEVEL, _MAX_DEPTH = 6, 24
_SMALL_BYTES = 160
_BANNER_LINES = 3
_BLANK = re.compile(r"\s*+")
_CLOSING = re.compile(r"[\s})\];,]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSpan:
    """A stretch of whole lines of source code: a statement, or a definition's beginning.

    Attributes:
        start, end: offsets into the text.
        depth: how many others it lies in.
        inside: how many of those are inside the innermost definition around it.
        level: the level of the definition that begins here, 1 the outermost; 0 when none does.
        title: its name; empty for code after a definition's end, which has its level.
        first: whether it is the first in a body, right below the line that opens it.
        spaced: whether a blank line stands above it.
    """

    start: int
    end: int
    depth: int
    inside: int
    level: int = 0
    title: str = ""
    first: bool = False
    spaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Where a statement, a definition or a comment begins, by its row counted from 0."""

    row: int
    depth: int
    title: str = ""
    first: bool = False


def syntax_spans(text: str, language: str) -> list[CodeSpan] | None:
    """Cut source code where definitions and statements begin.

    Args:
        text: source code.
        language: its language in lower case.

    Returns:
        Spans in order that together hold every line that is not blank, comments and decorators
        with what they belong to; None where the language is not known or the text is not in it.
    """
    root = parsed(text.encode("utf-8", "surrogatepass"), language)
    if root is None:
        return None
    walk = _Walk(text.split("\n"))
    walk.through(root)
    return list(_spans(walk.lines, walk.openings()))


class _Walk:
    """One walk through a tree, noting what begins a line."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._statements: list[_Opening] = []
        self._comments: list[_Opening] = []
        self._comment_starts: dict[int, int] = {}

    def through(self, root: Node) -> None:
        """Note every statement, definition and comment but those inside short statements."""
        pending: list[tuple[Node, int]] = [(root, -1)]
        while pending:
            node, depth = pending.pop()
            whole = depth < 0
            sequence, first = whole or holds_a_sequence(node), not whole
            for child in node.children:
                inner = depth
                if child.is_named and self._begins_a_line(child):
                    if child.type in LEADING:
                        self._note_comment(child, depth + 1, first=first and sequence)
                        continue
                    clause = continues_a_statement(child)
                    if (sequence or clause) and child.type not in TRANSPARENT:
                        inner = min(depth + 1, _MAX_DEPTH)
                        opening = _Opening(
                            row=child.start_point.row,
                            depth=inner,
                            title=definition_title(child),
                            first=first and not clause,
                        )
                        self._statements.append(opening)
                first = first and not child.is_named
                long = child.end_byte - child.start_byte > _SMALL_BYTES
                if long and child.end_point.row > child.start_point.row:
                    pending.append((child, inner))

    def _begins_a_line(self, node: Node) -> bool:
        row, column = node.start_point
        # Columns are bytes; but what may stand before is ASCII.
        before = self.lines[row][:column]
        return (_BLANK if node.type in LEADING else _CLOSING).fullmatch(before) is not None

    def _note_comment(self, node: Node, depth: int, *, first: bool) -> None:
        row, end = node.start_point.row, node.end_point
        last = end.row - 1 if end.column == 0 and end.row > row else end.row
        self._comment_starts[last] = row
        self._comments.append(_Opening(row=row, depth=min(depth, _MAX_DEPTH), first=first))

    def openings(self) -> list[_Opening]:
        """What was noted, by row, each with the comments and attributes that belong to it."""
        taken: set[int] = set()
        settled: list[_Opening] = []
        for statement in self._statements:
            row = self._first_row(statement.row)
            if row < statement.row:
                taken.update(range(row, statement.row))
                statement = replace(statement, row=row)
            settled.append(statement)
        settled += [
            comment
            for comment in self._comments
            if comment.row not in taken and not self._is_comment(comment.row - 1, comment.row)
        ]
        settled.sort(key=lambda opening: (opening.row, opening.depth))
        by_row: dict[int, _Opening] = {}
        for opening in settled:
            by_row.setdefault(opening.row, opening)
        return list(by_row.values())

    def _first_row(self, row: int) -> int:
        """Where the comments above a statement begin, a short banner over a blank line included."""
        first = self._above(row)
        if first >= 2 and not self.lines[first - 1].strip() and self._is_comment(first - 2, row):
            banner = self._above(first - 1, like=row)
            if first - 1 - banner <= _BANNER_LINES:
                return banner
        return first

    def _above(self, row: int, like: int = -1) -> int:
        """The first row of the comments right above a row."""
        like = row if like < 0 else like
        while self._is_comment(row - 1, like):
            row = self._comment_starts[row - 1]
        return row

    def _is_comment(self, row: int, like: int) -> bool:
        """Whether a comment, indented like another row, ends in a row."""
        start = self._comment_starts.get(row)
        return start is not None and _indent(self.lines[start]) == _indent(self.lines[like])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _spans(lines: list[str], openings: list[_Opening]) -> Iterator[CodeSpan]:
    """The stretches between openings, each with the definitions around it."""
    filled = [row for row, line in enumerate(lines) if line.strip()]
    if not filled:
        return
    if not openings or openings[0].row > filled[0]:
        openings = [_Opening(row=filled[0], depth=0), *openings]
    offsets = [0, *accumulate(len(line) + 1 for line in lines)]
    enclosing: list[_Opening] = []
    for opening, stop in zip(openings, [*(o.row for o in openings[1:]), len(lines)], strict=True):
        closed = False
        while enclosing and enclosing[-1].depth >= opening.depth:
            enclosing.pop()
            closed = True
        inside = opening.depth - (enclosing[-1].depth + 1 if enclosing else 0)
        level = min(len(enclosing) + 1, _MAX_LEVEL) if opening.title or closed else 0
        if opening.title:
            enclosing.append(opening)
        last = filled[bisect_left(filled, stop) - 1]
        yield CodeSpan(
            start=offsets[opening.row],
            end=offsets[last] + len(lines[last]),
            depth=opening.depth,
            inside=inside,
            level=level,
            title=opening.title,
            first=opening.first,
            spaced=opening.row > 0 and not lines[opening.row - 1].strip(),
        )

"""Writing rows as a Markdown pipe table, one row a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

_MOST_CELLS = 10_000_000


def cell(text: str) -> str:
    """A cell's text on one line, with pipes escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(cell, cells)) + " |"


def pipe_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Args:
        header: the first row; its length is the table's width.
        rows: shorter ones are filled up, cells beyond the width are kept at the end.
    """
    rows = list(rows)
    return "\n".join(_lines(header, rows, count=len(rows)))


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]], *, count: int) -> Iterator[str]:
    width = len(header)
    # A ragged table with one endless row would otherwise be mostly filling.
    filled = width if width * count <= _MOST_CELLS else 0
    yield _line(header)
    yield "|" + " --- |" * width
    for row in rows:
        yield _line([*row, *[""] * (filled - len(row))])


def is_number(text: str) -> bool:
    """Whether a cell holds nothing but a number."""
    try:
        float(text.strip().replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True


def with_header(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of rows whose first one is the header, unless it is all numbers."""
    return "\n".join(table_lines(rows, width=max(map(len, rows)), count=len(rows)))


def table_lines(rows: Iterable[Sequence[str]], *, width: int, count: int) -> Iterator[str]:
    """The lines of the same table, of rows that need not all be there at once.

    Args:
        rows: at least one.
        width: the length of the longest.
        count: how many there are.
    """
    rest = iter(rows)
    first = next(rest)
    filled = [text for text in first if text.strip()]
    if filled and not all(map(is_number, filled)):
        yield from _lines([*first, *[""] * (width - len(first))], rest, count=count - 1)
    else:
        header = [f"column {number}" for number in range(1, width + 1)]
        yield from _lines(header, chain([first], rest), count=count)

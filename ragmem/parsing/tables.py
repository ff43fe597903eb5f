"""Writing rows as a Markdown pipe table, one row a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    width = len(header)
    rows = list(rows)
    # A ragged table with one endless row would otherwise be mostly filling.
    filled = width if width * len(rows) <= _MOST_CELLS else 0
    lines = [_line(header), "|" + " --- |" * width]
    lines += [_line([*row, *[""] * (filled - len(row))]) for row in rows]
    return "\n".join(lines)


def is_number(text: str) -> bool:
    """Whether a cell holds nothing but a number."""
    try:
        float(text.strip().replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True


def with_header(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of rows whose first one is the header, unless it is all numbers."""
    width = max(map(len, rows))
    first = rows[0]
    filled = [text for text in first if text.strip()]
    if filled and not all(map(is_number, filled)):
        return pipe_table([*first, *[""] * (width - len(first))], rows[1:])
    return pipe_table([f"column {number}" for number in range(1, width + 1)], rows)

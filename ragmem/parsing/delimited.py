"""CSV and TSV: one pipe-table row a record, so that no chunk cuts a record."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

from ragmem.types import ParsedDocument

from .encoding import decode_text
from .limits import Limits
from .tables import table_lines

_DELIMITERS = ",;\t|"
_LOOKED_AT = 50
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


def parse_delimited(content: bytes, *, suffix: str, limits: Limits) -> ParsedDocument:
    """Parse a table of delimited values into a Markdown table.

    Raises:
        ParseError: the bytes are not text, or too much of it.
    """
    text, warnings = decode_text(content)
    media_type = "text/tab-separated-values" if suffix in (".tsv", ".tab") else "text/csv"
    delimiter = "\t" if media_type.startswith("text/tab") else _delimiter(text)
    try:
        # Twice over the text: the rows of a large table take many times its memory.
        widths = Counter(len(row) for row in _rows(text, delimiter))
    except csv.Error as error:
        # A stray quote can swallow the rest of the file: its lines as they are lose nothing.
        return ParsedDocument(
            text=text,
            text_format="plain",
            media_type=media_type,
            warnings=(*warnings, f"not readable as a table, taken line by line: {error}"),
        )
    if len(widths) > 1:
        warnings = (*warnings, "rows have different numbers of cells; all cells were kept")
    rows = _rows(text, delimiter)
    count, width = widths.total(), max(widths, default=0)
    return ParsedDocument(
        text=limits.joined(table_lines(rows, width=width, count=count)) if count else "",
        text_format="markdown",
        media_type=media_type,
        warnings=warnings,
    )


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    lines = (line[0] for line in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return (row for row in reader if any(value.strip() for value in row))


def _delimiter(text: str) -> str:
    """The delimiter under which most of the first records agree on having several cells."""
    sample = "".join(text[:200_000].splitlines(keepends=True)[:_LOOKED_AT])

    def agreement(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in _rows(sample, delimiter)]
        except csv.Error:
            return (0.0, 0)
        several = [width for width in widths if width > 1]
        if not several:
            return (0.0, 0)
        common = max(set(several), key=several.count)
        return (several.count(common) / len(widths), common)

    return max(_DELIMITERS, key=agreement)

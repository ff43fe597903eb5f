"""CSV and TSV: one pipe-table row a record, so that no chunk cuts a record."""

from __future__ import annotations

import csv
import io

from ragmem.types import ParsedDocument

from .encoding import decode_text
from .tables import with_header

_DELIMITERS = ",;\t|"
_LOOKED_AT = 50


def parse_delimited(content: bytes, *, suffix: str) -> ParsedDocument:
    """Parse a table of delimited values into a Markdown table.

    Raises:
        ParseError: the bytes are not text.
    """
    text, warnings = decode_text(content)
    media_type = "text/tab-separated-values" if suffix in (".tsv", ".tab") else "text/csv"
    delimiter = "\t" if media_type.startswith("text/tab") else _delimiter(text)
    try:
        rows = _rows(text, delimiter)
    except csv.Error as error:
        # A stray quote can swallow the rest of the file: its lines as they are lose nothing.
        return ParsedDocument(
            text=text,
            text_format="plain",
            media_type=media_type,
            warnings=(*warnings, f"not readable as a table, taken line by line: {error}"),
        )
    if rows and len({len(row) for row in rows}) > 1:
        warnings = (*warnings, "rows have different numbers of cells; all cells were kept")
    return ParsedDocument(
        text=with_header(rows) if rows else "",
        text_format="markdown",
        media_type=media_type,
        warnings=warnings,
    )


def _rows(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return [row for row in reader if any(value.strip() for value in row)]


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

"""Spreadsheets (XLSX, XLS): a sheet is a page with a heading, a row is a table line.

Read with python-calamine: a two-megabyte wheel, where pandas with openpyxl (what markitdown uses)
weighs ninety, fills empty cells with NaN and invents column names. It unpacks for itself and lays
sheets out densely, so it gets only what `package` has unpacked and `_check_extent` has measured.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument

from .assembly import join_pages, literal, one_line
from .formats import ZIP_MAGIC
from .limits import Limits
from .package import repack, unpack
from .tables import with_header

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

_XLS = "application/vnd.ms-excel"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_CELLS = 10_000_000
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,3})([0-9]{1,7})["']""")
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^>]*?\br\s*=\s*["']([0-9]{1,10})["']""")

Value = (
    int
    | float
    | str
    | bool
    | datetime.time
    | datetime.date
    | datetime.datetime
    | datetime.timedelta
)


def parse_spreadsheet(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse a workbook into one Markdown section a sheet.

    Raises:
        ParseError: it is encrypted, damaged, or too large.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    stream = io.BytesIO(content)
    if packed := content.startswith(ZIP_MAGIC):
        members = unpack(content, most_bytes=limits.unpacked_bytes)
        _check_extent(members)
        stream = repack(members)
        del members  # each sheet is there once: packed for the reader
    try:
        with CalamineWorkbook.from_filelike(stream) as workbook:
            pages, warnings = _read_sheets(workbook, limits)
    except CalamineError as error:
        raise ParseError(f"the workbook cannot be read: {error}") from error
    except BaseException as error:
        # A panic of the Rust library: pyo3 derives it from BaseException and exports no name.
        if type(error).__name__ != "PanicException":
            raise
        raise ParseError(f"the workbook cannot be read: {error}") from error
    text, spans = join_pages(pages)
    return ParsedDocument(
        text=text,
        text_format="markdown",
        pages=spans,
        media_type=_XLSX if packed else _XLS,
        warnings=tuple(warnings),
    )


def _check_extent(members: Mapping[str, bytes]) -> None:
    """Refuse sheets whose far-off cells would make a dense table exhaust the memory."""
    for name, data in members.items():
        if not name.startswith("xl/worksheets/"):
            continue
        columns, rows = set(), {0}
        for match in _REFERENCE.finditer(data):
            columns.add(match[1].upper())
            rows.add(int(match[2]))
        rows |= {int(match[1]) for match in _ROW.finditer(data)}
        widest = max(map(_column_number, columns), default=0)
        if widest * max(rows) > _MOST_CELLS:
            raise ParseError(
                f"{name} reaches to row {max(rows):,} and column {widest:,}, more than "
                f"{_MOST_CELLS:,} cells; delete the empty rows and columns or export it as CSV"
            )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _read_sheets(
    workbook: CalamineWorkbook, limits: Limits
) -> tuple[list[tuple[int, str]], list[str]]:
    from python_calamine import CalamineError, SheetTypeEnum, SheetVisibleEnum

    warnings: list[str] = []
    pages: list[tuple[int, str]] = []
    characters = 0
    for number, sheet in enumerate(workbook.sheets_metadata, start=1):
        name = one_line(sheet.name)
        if sheet.typ != SheetTypeEnum.WorkSheet:
            warnings.append(f"sheet {name!r} holds a chart or macros, not cells; it was left out")
            continue
        try:
            rows = workbook.get_sheet_by_index(number - 1).iter_rows()
            body = "\n\n".join(_blocks(rows, limits))
        except CalamineError as error:
            warnings.append(f"sheet {name!r} could not be read: {error}")
            continue
        if sheet.visible != SheetVisibleEnum.Visible:
            warnings.append(f"sheet {name!r} is hidden; it was read all the same")
        characters += len(body)
        limits.check_characters(characters)
        pages.append((number, f"## {name}\n\n{body}" if body else ""))
    return pages, warnings


def _blocks(rows: Iterable[Sequence[Value]], limits: Limits) -> Iterator[str]:
    """Tables and lone lines: empty rows part blocks, rows of one cell above a table are titles."""
    block: list[list[str]] = []
    characters = 0
    for row in chain(rows, [[]]):
        texts = [_text(value) for value in row]
        if any(texts):
            characters += sum(map(len, texts))
            limits.check_characters(characters)
            block.append(texts)
        elif block:
            yield from _block(block)
            block = []


def _block(rows: list[list[str]]) -> Iterator[str]:
    used = [column for column in range(len(rows[0])) if any(row[column] for row in rows)]
    # Empty columns inside stay, so that neighbouring tables keep apart.
    cells = [row[used[0] : used[-1] + 1] for row in rows]
    while cells and sum(map(bool, cells[0])) == 1 and (len(cells[0]) > 1 or len(cells) == 1):
        yield literal(one_line("".join(cells.pop(0))))
    if cells:
        yield with_header(cells)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        # 15 digits are what spreadsheets hold: more would show binary rounding.
        return f"{value:.15g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ")
    return str(value).strip()

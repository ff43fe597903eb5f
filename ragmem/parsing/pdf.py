"""PDF, page by page, with PDFium; headings come from the document's own outline.

PDFium is not thread-safe, so one document is read at a time.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from ragmem.errors import ParseError
from ragmem.types import Metadata, ParsedDocument

from .assembly import clean_text, join_pages, literal, numbers_in_words, one_line
from .limits import Limits
from .pdf_lines import Line, body_height, largest_lines, mend_hyphens, paragraphs, read_lines

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_PDFIUM = threading.Lock()
_MOST_BOOKMARKS = 5_000
_HEADING_LINES = 3
_LINEARIZED = re.compile(rb"/Linearized\b.{0,200}?/L\s+(\d+)", re.DOTALL)
_NO_TITLE = re.compile(
    r"untitled.*|microsoft \w+ - .*|powerpoint presentation|[\W\d_]*|\S+\.\w{2,4}|\(.*\)",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)")

Outline = dict[int, dict[str, int]]
"""By page index, the levels of the headings there, by their letters and digits."""


def parse_pdf(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse a PDF.

    Raises:
        ParseError: it is encrypted, damaged, cut off, or holds no text.
    """
    _refuse_truncated(content)
    with _PDFIUM:
        from pypdfium2 import PdfDocument, PdfiumError

        try:
            document = PdfDocument(content)
        except PdfiumError as error:
            raise ParseError(_reason(error)) from error
        try:
            return _parse(document, limits)
        finally:
            document.close()


def _refuse_truncated(content: bytes) -> None:
    """PDFium repairs a file without its end and leaves out pages without a word."""
    linearized = _LINEARIZED.search(content[:2048])
    end = content.rfind(b"%%EOF")
    begun_again = end >= 0 and b" obj" in content[end + 4096 :]
    if end < 0 or begun_again or (linearized and int(linearized[1]) > len(content)):
        raise ParseError(
            f"the PDF is cut off after {len(content):,} bytes: its end is missing; get a complete "
            "copy"
        )


def _reason(error: Exception) -> str:
    code = getattr(error, "err_code", None)
    if code == 4:
        return "the PDF is protected by a password; save a copy without one"
    if code == 5:
        return "the PDF uses an encryption that cannot be opened; save a copy without it"
    return "the PDF is damaged and cannot be opened; get an intact copy"


def _parse(document: PdfDocument, limits: Limits) -> ParsedDocument:
    outline = _outline(document)
    failed: list[int] = []
    pictures: list[int] = []
    pages: list[list[Line]] = []
    characters = 0
    for index in range(len(document)):
        lines, pictured = _read_page(document, index)
        if lines is None:
            failed.append(index + 1)
        elif pictured:
            pictures.append(index + 1)
        pages.append(lines or [])
        characters += sum(len(line.text) for line in lines or [])
        limits.check_characters(characters)
    if not characters:
        raise ParseError(_without_text(len(document), bool(failed)))
    blocks = [_page_blocks(lines, outline.get(index, {})) for index, lines in enumerate(pages)]
    marked = any(level for page in blocks for level, _ in page)
    written = mend_hyphens(
        "\n\n".join(_write(level, text, markdown=marked) for level, text in page) for page in blocks
    )
    text, spans = join_pages(enumerate(written, start=1))
    warnings = []
    if failed:
        warnings.append(f"pages {numbers_in_words(failed)} could not be read")
    if pictures:
        warnings.append(f"pages {numbers_in_words(pictures)} are pictures without text: run OCR")
    title, metadata = _properties(document)
    return ParsedDocument(
        text=text,
        text_format="markdown" if marked else "plain",
        title=title or largest_lines(pages[0], body=body_height(pages)),
        pages=spans,
        media_type="application/pdf",
        metadata=metadata,
        warnings=tuple(warnings),
    )


def _without_text(pages: int, failed: bool) -> str:
    if failed:
        return "no page of the PDF could be read; get an intact copy"
    return (
        f"no text on {pages} page{'s' if pages > 1 else ''}: a scan or a drawing; run OCR on it "
        "(for example ocrmypdf) and add the result"
    )


def _read_page(document: PdfDocument, index: int) -> tuple[list[Line] | None, bool]:
    """A page's lines, None when it cannot be read; and whether it has pictures but no text."""
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
    except PdfiumError:
        return None, False
    try:
        text_page = page.get_textpage()
        try:
            lines = read_lines(text_page)
        finally:
            text_page.close()
        return lines, not any(line.text for line in lines) and _has_picture(page)
    except PdfiumError:
        return None, False
    finally:
        page.close()


def _has_picture(page: PdfPage) -> bool:
    from pypdfium2 import raw

    return next(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3), None) is not None


# --- headings ---


def _outline(document: PdfDocument) -> Outline:
    from pypdfium2 import PdfiumError

    found: Outline = defaultdict(dict)
    try:
        for bookmark in itertools.islice(document.get_toc(), _MOST_BOOKMARKS):
            target = bookmark.get_dest()
            index = target.get_index() if target else None
            if index is not None and (key := _key(bookmark.get_title())):
                found[index][key] = min(bookmark.level + 1, 6)
    except PdfiumError:
        # The outline is an extra: a document with a broken one is read all the same.
        return {}
    return dict(found)


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _page_blocks(lines: list[Line], headings: dict[str, int]) -> list[tuple[int, str]]:
    """A page's paragraphs, each with its level where the outline names it as a heading, else 0."""
    blocks: list[tuple[int, str]] = []
    for group in paragraphs(lines):
        rest = [line.text for line in group]
        current: list[str] = []
        while rest:
            taken = _heading_lines(rest, headings) if headings else 0
            if not taken:
                current.append(rest.pop(0))
                continue
            if current:
                blocks.append((0, "\n".join(current)))
                current = []
            title = one_line(" ".join(rest[:taken]))
            blocks.append((headings[_key(title)], title))
            rest = rest[taken:]
        if current:
            blocks.append((0, "\n".join(current)))
    return blocks


def _write(level: int, text: str, *, markdown: bool) -> str:
    if level:
        return f"{'#' * level} {text}"
    return literal(text) if markdown else text


def _heading_lines(lines: list[str], headings: dict[str, int]) -> int:
    """How many of the first lines together are a heading of the outline; 0 for none."""
    key = ""
    for count, line in enumerate(lines[:_HEADING_LINES], start=1):
        key += _key(line)
        if key in headings:
            return count
    return 0


# --- properties ---


def _properties(document: PdfDocument) -> tuple[str, Metadata]:
    found = {
        name: one_line(clean_text(value))
        for name, value in document.get_metadata_dict(skip_empty=True).items()
    }
    title = found.get("Title", "")
    metadata = {
        name.lower(): value
        for name in ("Author", "Subject", "Keywords")
        if (value := found.get(name, ""))
    }
    if date := _DATE.match(found.get("CreationDate", "")):
        metadata["created_at"] = "-".join(date.groups())
    return ("" if _NO_TITLE.fullmatch(title) else title), metadata

"""The entry point: picks the format, parses, and settles what all formats share."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument, RawDocument

from .assembly import clean_text, one_line
from .formats import (
    CODE_LANGUAGES,
    CODE_NAMES,
    OLE_MAGIC,
    ZIP_MAGIC,
    Family,
    binary_kind,
    family_of_suffix,
    is_pdf,
    looks_like_html,
    split_suffix,
)
from .language import detect_language
from .limits import Limits

_DEFAULT = Limits()
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t#]*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^(\S[^\n]*)\n(?:=+|-{3,})[ \t]*$", re.MULTILINE)
_FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_NO_TITLE = re.compile(r"(?:sheet|tabelle|feuil|hoja|notes) ?\d*", re.IGNORECASE)
_VERSION = 2
"""Raised whenever the same bytes give another document than before."""
_LONGEST_TITLE = 300
_BINARY_FAMILIES = frozenset({"pdf", "docx", "pptx", "spreadsheet", "epub"})
_TITLE_WITHIN = 20_000
_OUTLOOK = "__substg1.0_".encode("utf-16-le")


class DocumentParser:
    """Parses every format that ragmem knows; holds only limits and is thread-safe."""

    def __init__(
        self,
        *,
        max_file_bytes: int = _DEFAULT.file_bytes,
        max_unpacked_bytes: int = _DEFAULT.unpacked_bytes,
        max_characters: int = _DEFAULT.characters,
    ) -> None:
        """Set the limits.

        Args:
            max_file_bytes: the largest file.
            max_unpacked_bytes: the most bytes a compressed document may unpack to.
            max_characters: the longest text.
        """
        self._limits = Limits(
            file_bytes=max_file_bytes,
            unpacked_bytes=max_unpacked_bytes,
            characters=max_characters,
        )

    @property
    def fingerprint(self) -> str:
        """Names the version and the limits."""
        limits = self._limits
        return f"{_VERSION}:{limits.file_bytes}:{limits.unpacked_bytes}:{limits.characters}"

    def parse(self, raw: RawDocument) -> ParsedDocument:
        """Parse one document.

        The file name decides on nothing but the format, so that renaming changes nothing.

        Raises:
            ParseError: the bytes cannot be read, are over a limit, or hold no text.
        """
        is_text = isinstance(raw.content, str)
        content = clean_text(raw.content).encode() if isinstance(raw.content, str) else raw.content
        self._limits.check_file_bytes(len(content))
        if not content:
            raise ParseError("the document has no text" if is_text else "the file is empty")
        family = _text_family(raw.name) if is_text else _family(content, raw.name)
        parsed = _parse_as(family, content, raw.name, self._limits)
        return _settle(replace(parsed, title=raw.title or parsed.title), self._limits)


def _text_family(name: str) -> Family:
    """The format of what is known to be text."""
    named = family_of_suffix(split_suffix(name))
    return "plain" if named is None or named in _BINARY_FAMILIES else named


def _family(content: bytes, name: str) -> Family:
    """The format that the bytes tell, else the one that the name tells.

    Raises:
        ParseError: the bytes are of a kind that holds no readable text, or contradict the name.
    """
    suffix = split_suffix(name)
    named = family_of_suffix(suffix)
    if is_pdf(content):
        return "pdf"
    if content.startswith(ZIP_MAGIC):
        return _zip_family(content)
    if content.startswith(OLE_MAGIC):
        return _ole_family(content, suffix)
    if kind := binary_kind(content):
        advice = "; run OCR on it if it shows text" if kind.endswith("image") else ""
        raise ParseError(f"the file is a {kind}, which holds no text to read{advice}")
    if named in _BINARY_FAMILIES:
        raise ParseError(
            f"the file is named {suffix} but is none: its first bytes are "
            f"{content[:8]!r}; get an intact copy or give it its proper suffix"
        )
    if named in (None, "plain", "code") and looks_like_html(content):
        return "html"
    if named is None and name.lower() in CODE_NAMES:
        return "code"
    return named or "plain"


def _zip_family(content: bytes) -> Family:
    from .package import member_names

    names = set(member_names(content))
    if "word/document.xml" in names:
        return "docx"
    if "ppt/presentation.xml" in names:
        return "pptx"
    if "xl/workbook.xml" in names:
        return "spreadsheet"
    if "META-INF/container.xml" in names:
        return "epub"
    if {"mimetype", "content.xml"} <= names:
        raise ParseError(
            "the file is an OpenDocument file; save it as DOCX, PPTX or XLSX (for example with "
            "soffice --headless --convert-to docx)"
        )
    raise ParseError(
        "the file is a ZIP archive, or a kind of document without a parser; unpack it, or convert "
        "it to DOCX, XLSX, PPTX, EPUB or PDF"
    )


def _ole_family(content: bytes, suffix: str) -> Family:
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise ParseError("the document is protected by a password; save a copy without one")
    if family_of_suffix(suffix) == "spreadsheet":
        return "spreadsheet"
    if _OUTLOOK in content:
        raise ParseError("the file is an Outlook message; save it as EML")
    raise ParseError(
        "the file is in an Office format from before 2007; save it as DOCX, PPTX, XLSX or PDF"
    )


def _parse_as(family: Family, content: bytes, name: str, limits: Limits) -> ParsedDocument:
    """Call the family's parser; each is imported when it is first needed."""
    suffix = split_suffix(name)
    if family == "pdf":
        from .pdf import parse_pdf

        return parse_pdf(content, limits=limits)
    if family == "html":
        from .html_page import parse_html

        return parse_html(content)
    if family in ("docx", "pptx", "spreadsheet", "epub"):
        return _parse_office(family, content, limits)
    if family in ("delimited", "json", "jsonl"):
        return _parse_records(family, content, suffix, limits)
    if family == "email":
        from .email_message import parse_email

        return parse_email(content, parse_file=partial(_parse_attached, limits), limits=limits)
    from .prose import parse_code, parse_markdown, parse_markup, parse_plain

    if family == "markdown":
        return parse_markdown(content)
    if family == "markup":
        return parse_markup(content, suffix=suffix)
    if family == "code":
        language = CODE_LANGUAGES.get(suffix) or CODE_NAMES.get(name.lower(), "")
        return parse_code(content, language=language)
    return parse_plain(content)


def _parse_attached(limits: Limits, name: str, content: bytes) -> ParsedDocument:
    """What a file inside another document says; the format is told as for any file."""
    if not content:
        raise ParseError("the file is empty")
    return _settle(_parse_as(_family(content, name), content, name, limits), limits)


def _parse_office(family: Family, content: bytes, limits: Limits) -> ParsedDocument:
    if family == "docx":
        from .docx import parse_docx

        return parse_docx(content, limits=limits)
    if family == "pptx":
        from .pptx import parse_pptx

        return parse_pptx(content, limits=limits)
    if family == "epub":
        from .epub import parse_epub

        return parse_epub(content, limits=limits)
    from .spreadsheet import parse_spreadsheet

    return parse_spreadsheet(content, limits=limits)


def _parse_records(family: Family, content: bytes, suffix: str, limits: Limits) -> ParsedDocument:
    if family == "delimited":
        from .delimited import parse_delimited

        return parse_delimited(content, suffix=suffix, limits=limits)
    from .json_records import parse_json, parse_jsonl

    if family == "json":
        return parse_json(content, limits=limits)
    return parse_jsonl(content, limits=limits)


def _settle(parsed: ParsedDocument, limits: Limits) -> ParsedDocument:
    """Clean the text, refuse none and too much, and find title and language."""
    # Pages were joined from cleaned texts: their spans must not move.
    text = parsed.text if parsed.pages else clean_text(parsed.text).strip("\n").rstrip()
    limits.check_characters(len(text))
    limits.check_lines(text.count("\n") + 1)
    if not text.strip():
        raise ParseError("the document holds no text")
    title = one_line(clean_text(parsed.title)) or _first_heading(parsed.text_format, text)
    return replace(
        parsed,
        text=text,
        title=title[:_LONGEST_TITLE],
        language=parsed.language or detect_language(text),
    )


def _first_heading(text_format: str, text: str) -> str:
    if text_format != "markdown":
        return ""
    beginning = _FENCED.sub("", text[:_TITLE_WITHIN])
    found = [m for m in (_HEADING.search(beginning), _UNDERLINED.search(beginning)) if m]
    title = min(found, key=lambda match: match.start())[1] if found else ""
    return "" if _NO_TITLE.fullmatch(title) else title

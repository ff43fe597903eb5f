"""Cleaning text so that every store can hold it, and joining pages while noting where they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ragmem.types import PageSpan

PAGE_SEPARATOR = "\n\n"

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters but tab and newline, lone surrogates, and the non-characters of plane zero.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_BLOCK_MARK = re.compile(r"^(?=#{1,6}(?:[ \t]|$)|```|~~~)", re.MULTILINE)


def clean_text(text: str) -> str:
    """The text with `\\n` newlines and without characters that stores or terminals choke on."""
    return _UNWANTED.sub("", _NEWLINES.sub("\n", text))


def literal(text: str) -> str:
    """Prose for a Markdown text: lines that would read as a heading or fence are escaped."""
    return _BLOCK_MARK.sub(r"\\", text)


def one_line(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())


def fence(code: str, language: str = "") -> str:
    """A fenced code block that no line of the code can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    mark = "`" * (longest + 1)
    body = re.sub(r"\A(?:[ \t]*\n)+", "", code).rstrip()
    return f"{mark}{language}\n{body}\n{mark}"


def join_pages(pages: Iterable[tuple[int, str]]) -> tuple[str, tuple[PageSpan, ...]]:
    """Join the texts of numbered pages; a page without text has no span.

    Returns:
        The cleaned text and the span of each page in it.
    """
    parts: list[str] = []
    spans: list[PageSpan] = []
    position = 0
    for number, raw in pages:
        text = clean_text(raw).strip()
        if not text:
            continue
        if parts:
            parts.append(PAGE_SEPARATOR)
            position += len(PAGE_SEPARATOR)
        parts.append(text)
        spans.append(PageSpan(number=number, start=position, end=position + len(text)))
        position += len(text)
    return "".join(parts), tuple(spans)


def numbers_in_words(numbers: list[int]) -> str:
    """`[1, 2, 3, 7]` as `1-3, 7`."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)

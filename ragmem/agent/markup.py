"""What Markdown and page furniture do to a sentence: what it says without them, and whether
anything is left that states something.

Rules over the characters of one document, whatever its format; ranking is not done here.
"""

from __future__ import annotations

import re

_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]", re.MULTILINE)
_DEFINITION = re.compile(r"\[[^\]^][^\]]*\]:\s|(?:\.\. )?_[^:]+:\s+https?://")
_LINK = re.compile(r"!?\[((?:[^\[\]\\]|\\.)*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\])")
_ADDRESS = re.compile(
    r"(?:https?://|www\.|mailto:)\S+|[^\s<>]+@[\w-]+(?:\.[\w-]+)+|<!--.*?-->|</?\w[^>]*>"
)
_WORD = re.compile(r"[^\W_]")
_COPYRIGHT = re.compile(
    r"\W*(?:copyright\s*(?:©|\(c\)|\d{4})|\(c\)\s*(?:copyright\s*)?\d{4}|all rights reserved)"
    r"|\s*©",
    re.IGNORECASE,
)
# "Chapter 2: Getting started 4", "Page 3 of 9", and a line of a table of contents.
_FURNITURE = re.compile(
    r"\W*(?:chapter|section|part|appendix)\s+\w{1,4}\s*[:.–—|-][^.!?]*\s\d{1,4}\W*"
    r"|\W*page\s+\d{1,4}(?:\s+of\s+\d{1,4})?\W*|.*(?:\.\s?){4,}\s*\d{1,4}",
    re.IGNORECASE | re.DOTALL,
)
_ASKED = re.compile(
    r"copyright|licen[cs]e|\bauthor|\bcontact|\breach\b|\blinks?\b|\burls?\b|e-?mail|address"
    r"|web ?(?:site|page)|\bchapter|\bsection|\bpage",
    re.IGNORECASE,
)
# Not the day of "2. Mai 2020".
_MARKER = re.compile(r"(?:#{1,6}|>|[-*+•‣◦▪]|\d{1,3}[.)](?!\s+\S+\s+\d{4}\b))\s+")
_INNER = r"(?=\S)((?:[^*`]|`[^`]*`)+?)(?<=\S)"
# Code is matched first, to be left alone.
_EMPHASIS = re.compile(rf"(`[^`]*`)|(?<![\w*\\])(\*{{1,3}}){_INNER}\2(?![\w*])")
_UNDERSCORED = re.compile(r"(?<![\w`])_(?=[^\s_])([^_`\n]+)(?<=\S)_(?![\w`])")
_TORN = re.compile(r"^\*{2,3}(?=[A-Z])|(?<=[.!?:])\*{2,3}$")
_CELL = re.compile(r"(?<!\\)\|")


def states(text: str, start: int, end: int, *, question: str) -> bool:
    """Whether a span of a text may state something that answers a question.

    Headings, questions, reference definitions and rules of tables never do. Lines of nothing but
    links and addresses, copyright notices and page footers do only where the question is about
    such things.
    """
    span = text[start:end]
    heading = _HEADING.match(text, text.rfind("\n", 0, start) + 1)
    if heading is not None and heading.end() >= start:
        return False
    if span.endswith(("?", "？", "؟")) or _DEFINITION.match(span) or not _WORD.search(span):
        return False
    if _ASKED.search(question):
        return True
    if _COPYRIGHT.match(span) or _FURNITURE.fullmatch(span):
        return False
    # The links in a row of a table are its data.
    rest = span if span.startswith("|") else _ADDRESS.sub("", _LINK.sub("", span))
    return _WORD.search(rest) is not None


def plain(text: str) -> str:
    """A sentence as people read it: on one line, without list, heading, link and emphasis marks.

    The cells of a table's row are set apart by middle dots.
    """
    text = " ".join(text.split())
    if text.startswith("|"):
        cells = [cell.strip().replace(r"\|", "|") for cell in _CELL.split(text)]
        text = " · ".join(cell for cell in cells if cell)
    while (marker := _MARKER.match(text)) is not None and marker.end() < len(text):
        text = text[marker.end() :]
    text = _LINK.sub(r"\1", text)
    # The second time for what stands around other emphasis.
    text = _EMPHASIS.sub(r"\1\3", _EMPHASIS.sub(r"\1\3", text))
    return _TORN.sub("", _UNDERSCORED.sub(r"\1", text))

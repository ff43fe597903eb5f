"""Where the sentences of a text lie.

Exact spans for any script, by rules rather than by a model: end marks, abbreviations, initials,
numbers, and line breaks that are only wrapping. What a heading, a table or a code block is, belongs
to `blocks`; here their lines only end sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_CLOSERS = "\"'”’»)\\]}」』】）》〉"
_END = re.compile(rf"[.!?…؟۔।॥։።။។。！？｡．]++(?:[{_CLOSERS}]|\[\d{{1,3}}\])*+")
# These end a sentence whatever follows, a space or not.
_UNSPACED = frozenset("؟۔।॥։።။។。！？｡．")
_PARAGRAPH_BREAK = re.compile(r"\n(?:[^\S\n]*+\n)++")
_NOT_SPACE = re.compile(r"\S")
_WORD = re.compile(r"\w++")
_LINE_START = re.compile(r"[^\S\n]*+(?:[-*+•‣◦▪]\s|\d{1,3}[.)]\s|\||#{1,6}\s|```|~~~)")
_WHOLE_LINE = re.compile(r"[^\S\n]*+(?:\||#{1,6}\s|```|~~~)")
_RECORD_START = re.compile(r"[^\S\n]*+[\[\d]")
_DOTTED = re.compile(r"(?:\w\.)+\w")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ALWAYS_GOES_ON = _words(
    "mr mrs ms mx dr prof st sra mme mlle messrs rev hon gen col capt lt sgt maj cpl gov sen rep "
    "pres e.g i.e eg ie cf vs viz resp approx ca z.b d.h u.a bzw hr fr sig dott т.е т.к см им п.р"
)
_GOES_ON_BEFORE_NUMBER = _words(
    "no nos nr fig figs eq eqs vol vols p pp ch chap sec secs art arts par tab ref refs op abs bd "
    "jan feb mar apr jun jul aug sep sept oct nov dec рис стр гл №"
)
_MAY_END = _words(
    "etc inc ltd co corp al jr sr ph.d m.d u.s u.k u.n a.m p.m dept est univ assn bros usw др"
)
_STARTERS = _words(
    "a after all also although an and any as at because before both but by each even every for "
    "finally first from furthermore he her here his how however i if in it its many moreover most "
    "my no not on one our she since so some such that the their then there these they this those "
    "thus to under we what when where while who why with you your"
)
_NARROW = 30


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Find the sentences of a text.

    A line break inside a paragraph counts as a space; blank lines, list items, table rows, headings
    and lines that stop well short of the paragraph's width end a sentence.

    Args:
        text: prose in any script, wrapped or not.

    Returns:
        Spans in order, not overlapping, without white space at either end; together they hold every
        character that is not white space.
    """
    spans: list[tuple[int, int]] = []
    cased = text != text.lower()
    for start, end in _stretches(text):
        begin = start
        for mark in _END.finditer(text, start, end):
            if mark.end() < end and _ends_sentence(text, begin, mark, end, cased=cased):
                _append(spans, text, begin, mark.end())
                begin = mark.end()
        _append(spans, text, begin, end)
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Add a span without the white space around it, unless it is nothing but white space."""
    found = _NOT_SPACE.search(text, start, end)
    if found is not None:
        while text[end - 1].isspace():
            end -= 1
        spans.append((found.start(), end))


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of text inside which a line break means no more than a space."""
    start = 0
    for blank in _PARAGRAPH_BREAK.finditer(text):
        yield from _unwrapped(text, start, blank.start())
        start = blank.end()
    yield from _unwrapped(text, start, len(text))


def _unwrapped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut one paragraph at the line breaks that are not mere wrapping."""
    if text.find("\n", start, end) < 0:
        yield start, end
        return
    lines = text[start:end].split("\n")
    width = max(map(len, lines))
    records = all(_RECORD_START.match(line) for line in lines)
    begin = position = start
    for line, following in pairwise(lines):
        position += len(line) + 1
        if records or _line_ends(line, following, width):
            yield begin, position
            begin = position
    yield begin, end


def _line_ends(line: str, following: str, width: int) -> bool:
    """Whether the break between two lines of a paragraph was made on purpose."""
    if _LINE_START.match(following) or _WHOLE_LINE.match(line):
        return True
    first = following.lstrip()[:1]
    if first.islower():
        return False
    return len(line) < width / 2 or (width < _NARROW and line.isascii())


def _ends_sentence(text: str, begin: int, mark: re.Match[str], end: int, *, cased: bool) -> bool:
    """Whether an end mark that is not the stretch's last character ends the sentence.

    A small letter after it says that the sentence goes on, where the text has capitals at all.
    """
    if text[mark.start()] in _UNSPACED:
        return True
    if not text[mark.end()].isspace():
        return False
    following = _NOT_SPACE.search(text, mark.end(), end)
    if following is None:
        return True
    first = following.group()
    if cased and first.islower():
        return False
    if mark.group()[0] != "." or text[mark.start() : mark.start() + 2] == "..":
        return True
    return not _abbreviates(text, begin, mark.start(), following.start(), end)


def _abbreviates(text: str, begin: int, dot: int, following: int, end: int) -> bool:
    """Whether the full stop belongs to the word before it rather than to the sentence."""
    words = text[max(begin, dot - 24) : dot].split()
    word = words[-1].lstrip("([{\"'“‘«") if words else ""
    if word.isdigit() and len(word) <= 3 and not text[begin : dot - len(word)].strip():
        return True
    if len(word) == 1 and word.isupper() and word != "I":
        return True
    folded = word.casefold()
    if folded in _ALWAYS_GOES_ON:
        return True
    if folded in _GOES_ON_BEFORE_NUMBER:
        return text[following].isdigit()
    may_end = folded in _MAY_END or _DOTTED.fullmatch(folded)
    if text[following].islower():  # in a text without capitals nothing tells more
        return bool(may_end) or (len(word) == 1 and word.isalpha())
    if may_end:
        next_word = _WORD.match(text, following, min(end, following + 24))
        return next_word is None or next_word.group().casefold() not in _STARTERS
    return False

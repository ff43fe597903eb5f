"""From the characters of one PDF page to lines and paragraphs, by their positions."""

from __future__ import annotations

import ctypes
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

HYPHEN = "\ufffe"
"""What PDFium puts where a hyphen ended a line."""

_GLYPHS = str.maketrans(
    {
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\uf0b7": "•",
        "\uf0a7": "▪",
        "\xa0": " ",
    }
)
_PARAGRAPH_GAP = 1.4
_SIZE_CHANGE = 1.15
_TITLE_SIZE = 1.25
_WORD = re.compile(r"\w+(?:-\w+)*")
# Bounded, so that an endless run of letters is not searched from each of them.
_BROKEN_WORD = re.compile(rf"(\w{{1,50}}(?:-\w{{1,50}}){{0,4}}){HYPHEN}\s?(\w+)")
_SENTENCE_END = (".", "!", "?", ":", "。", "！", "？")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page.

    Attributes:
        text: without white space around it.
        bottom: the height of its lower edge over the page's, in points.
        height: the height of its first character's box, in points; 0 when unknown.
    """

    text: str
    bottom: float
    height: float


def read_lines(page: PdfTextPage) -> list[Line]:
    """The lines of a page in the order of its content; blank ones have no text."""
    from pypdfium2 import raw

    content = page.get_text_range()
    # PDFium counts UTF-16 units, Python code points.
    wide = len(content.encode("utf-16-le", "surrogatepass")) > 2 * len(content)
    box = raw.FS_RECTF()
    lines: list[Line] = []
    position = 0
    for piece in re.split("(\r\n|\r|\n)", content):
        text = piece.strip()
        if text:
            before = content[: position + piece.index(text[0])] if wide else ""
            offset = position + piece.index(text[0])
            unit = len(before.encode("utf-16-le", "surrogatepass")) // 2 if wide else offset
            index = raw.FPDFText_GetCharIndexFromTextIndex(page, unit)
            known = raw.FPDFText_GetLooseCharBox(page, index, ctypes.byref(box))
            bottom, height = (box.bottom, box.top - box.bottom) if known else (0.0, 0.0)
            lines.append(Line(text.translate(_GLYPHS), bottom, height))
        elif piece and piece not in ("\r\n", "\r", "\n"):
            lines.append(Line("", 0.0, 0.0))
        position += len(piece)
    return lines


def paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    """Group the lines of a page: a wider gap, another size or another column begins anew."""
    pitches = [
        gap
        for above, below in itertools.pairwise(lines)
        if above.text and below.text and 0 < (gap := above.bottom - below.bottom) < 100
    ]
    pitch = median(pitches) if pitches else 0.0
    groups: list[list[Line]] = []
    for line in lines:
        if not line.text:
            continue
        if groups and not _begins_anew(groups[-1][-1], line, pitch):
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _begins_anew(above: Line, line: Line, pitch: float) -> bool:
    if not above.height or not line.height:
        return False
    if max(above.height, line.height) > _SIZE_CHANGE * min(above.height, line.height):
        return True
    gap = above.bottom - line.bottom
    if gap < -line.height:
        # Up again: the next column, where a sentence may go on.
        return above.text.endswith(_SENTENCE_END)
    return pitch > 0 and gap > _PARAGRAPH_GAP * max(pitch, line.height)


def body_height(pages: Iterable[Sequence[Line]]) -> float:
    """The height of the line in the middle when all are sorted by height; 0 without lines."""
    heights = [line.height for lines in pages for line in lines if line.height]
    return median(heights) if heights else 0.0


def largest_lines(lines: Sequence[Line], *, body: float) -> str:
    """The text set largest on a title page; empty unless clearly larger than the body's height."""
    known = [line for line in lines if line.text and line.height]
    tallest = max((line.height for line in known), default=0.0)
    if not body or tallest < _TITLE_SIZE * body:
        return ""
    first = next(at for at, line in enumerate(known) if line.height > 0.95 * tallest)
    title: list[str] = []
    for line in known[first : first + 4]:
        if line.height <= 0.95 * tallest:
            break
        title.append(line.text)
    text = " ".join(title).replace(HYPHEN, "")
    letters = sum(map(str.isalpha, text))
    return text if len(text) <= 200 and letters > 3 and letters > 0.6 * len(text) else ""


def mend_hyphens(pages: Iterable[str]) -> list[str]:
    """Join words that were hyphenated at a line's end, and keep the hyphen of compounds.

    The document itself decides: the form that occurs in it elsewhere wins; unknown words are
    joined, unless both halves are words of the document or the second is no lower-case word.
    """
    texts = list(pages)
    if not any(HYPHEN in text for text in texts):
        return texts
    words = Counter(word.casefold() for text in texts for word in _WORD.findall(text))

    def mend(match: re.Match[str]) -> str:
        left, right = match[1], match[2]
        joined, compound = left + right, f"{left}-{right}"
        if words[joined.casefold()] or words[compound.casefold()]:
            likelier = words[joined.casefold()] >= words[compound.casefold()]
            return joined if likelier else compound
        if not right[0].islower() or not left[-1].isalpha():
            return compound
        both = all(len(half) > 2 and words[half.casefold()] > 1 for half in (left, right))
        return compound if both else joined

    return [_BROKEN_WORD.sub(mend, text).replace(HYPHEN, "-") for text in texts]

"""The years a text speaks of, spans and fiscal shorthand included."""

from __future__ import annotations

import re
from collections.abc import Sequence

_YEAR = re.compile(
    r"(?<![\d.,])(?P<first>(?:19|20)\d\d)"
    r"(?:(?P<decade>['’]?s\b)|\s*(?:[-–—/]|to|until)\s*(?P<last>(?:19|20)\d\d|\d\d)(?![\w/-]))?"
    r"(?![\d]|[.,]\d)",
    re.IGNORECASE,
)
_SHORT = re.compile(r"(?:\bFY\s?['’]?|(?<![\w'’])['’])(\d\d)(?!\w)", re.IGNORECASE)
_CENTURY_TURNS = 50


def years(text: str) -> set[int]:
    """Every year from 1900 to 2099 in a text: "2019", "2015–18", "the 1990s", "FY22", "’22"."""
    found: set[int] = set()
    for match in _YEAR.finditer(text):
        first = last = int(match["first"])
        if match["decade"] and first % 10 == 0:
            last = first + 9
        elif match["last"]:
            last = int(match["last"]) + (first // 100 * 100 if len(match["last"]) == 2 else 0)
        found.update(range(first, max(first, last) + 1))
    for short in _SHORT.findall(text):
        found.add(int(short) + (2000 if int(short) < _CENTURY_TURNS else 1900))
    return found


def undated(question: str, texts: Sequence[str]) -> tuple[str, ...]:
    """The years in a question, when the texts hold none of them; otherwise nothing."""
    asked = years(question)
    if not asked or any(asked & years(text) for text in texts):
        return ()
    return tuple(str(year) for year in sorted(asked))

"""What kind of thing a question asks for, and whether a sentence has one: rules for English.

Questions in other languages, and questions of other kinds, get the same neutral value for every
sentence.
"""

from __future__ import annotations

import re

from ragmem.retrieval.terms import content_words

_DATE_ASKED = re.compile(r"\b(?:when|(?:what|which) (?:year|date|day|month|time))\b", re.IGNORECASE)
_DATE = re.compile(
    r"\b\d{4}\b|\b(?:january|february|march|april|may|june|july|august|september|october|november"
    r"|december)\b",
    re.IGNORECASE,
)
_NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|big|high|often|large|deep)\b"
    r"|\b(?:what|which) (?:number|percent)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|hundred"
    r"|thousand|million|billion)\b",
    re.IGNORECASE,
)
_NAME_ASKED = re.compile(
    r"\b(?:who|whose|whom|where|sings?|sang|wrote|plays?|played)\b", re.IGNORECASE
)
# A capitalized word inside a sentence, or two in a row.
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+|(?:[A-Z][\w.'-]+ )+[A-Z][\w'-]+")
_NEUTRAL = 0.5


def answers_kind(question: str, sentence: str) -> float:
    """Whether a sentence has a thing of the kind that is asked for.

    Returns:
        1 for a date, a number or a name the question does not hold itself, whichever is asked
        for; 0 where it is missing; 0.5 when the question asks for something else.
    """
    if _DATE_ASKED.search(question):
        return float(_DATE.search(sentence) is not None)
    if _NUMBER_ASKED.search(question):
        return float(_NUMBER.search(sentence) is not None)
    if _NAME_ASKED.search(question):
        asked = set(content_words(question))
        return float(any(not set(content_words(name)) <= asked for name in _NAME.findall(sentence)))
    return _NEUTRAL

"""Words of a text, folded so that texts can be compared by the words they share.

For comparing a question with a few candidates; the lexical index has its own, language-aware
analysis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

# A number with its separators, one character of a script that puts no spaces between words, or a
# run of letters and digits.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|[぀-ヿ㐀-䶿一-鿿豈-﫿]|[^\W_぀-ヿ㐀-䶿一-鿿豈-﫿]+")
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))")

_ENGLISH = (
    "a about after all also am an and any are as at be because been before being between both but "
    "by can could did do does doing for from had has have having he her here hers him his how i if "
    "in into is it its itself just ll many me more most much my no nor not of on one only or other "
    "our over own re s same she should so some such t than that the their them then there these "
    "they this those through to too under until up us ve very was we were what when where which "
    "while who whom whose why will with would you your"
)
STOPWORDS = frozenset(_ENGLISH.split())
"""English words that carry no content of their own, question words included."""


def words(text: str) -> list[str]:
    """Every word of a text in order, case folded and without plural endings."""
    return [fold(match) for match in _WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """The words of a text in order, stopwords left out; all words where nothing else is left."""
    every = words(text)
    return [word for word in every if word not in STOPWORDS] or every


def fold(word: str) -> str:
    """Fold case, digit grouping and the English plural.

    The plural rules are the S stemmer of Harman, "How Effective Is Suffixing?" (JASIS 1991).
    """
    word = word.casefold()
    if word[0].isdigit():
        return _THOUSANDS.sub("", word)
    if len(word) < 4 or not word.endswith("s") or word in STOPWORDS:
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    return word if word[-2] in "us" else word[:-1]


def inverse_frequencies(terms: Iterable[str], texts: Sequence[Collection[str]]) -> dict[str, float]:
    """How much each term tells the texts apart: `log(1 + (N - n + 0.5) / (n + 0.5))`.

    The inverse document frequency of BM25 as Lucene has it, over these texts alone; always
    positive, and largest for a term that no text holds.
    """
    count = len(texts)
    frequencies: dict[str, float] = {}
    for term in terms:
        holding = sum(term in text for text in texts)
        frequencies[term] = math.log(1.0 + (count - holding + 0.5) / (holding + 0.5))
    return frequencies


def coverage(weights: Mapping[str, float], text: Collection[str]) -> float:
    """The share of the terms' weight that a text holds, in [0, 1]; 0 without terms."""
    total = sum(weights.values())
    if total <= 0.0:
        return 0.0
    return sum(weight for term, weight in weights.items() if term in text) / total

"""Names in a text, by how they are written: no model, no dictionary, any script with capitals.

A name is folded to lower-case words, so that it is the same wherever it stands. What is kept of
names is in `ragmem.store.names`, what they link in `ragmem.retrieval.graph`.
"""

from __future__ import annotations

import re
from itertools import pairwise

_MOST_NAMES = 64
_MOST_WORDS = 8
_PHRASE_WORDS = 6
_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_QUOTED = re.compile(r"[\"“”„«»「『]([^\"“”„«»「」『』\n]{2,80})[\"“”«»」』]")
_POSSESSIVE = re.compile(r"['’]s$")
_ASIDE = re.compile(r"\s*\([^()]*\)\s*$")
_ARTICLES = frozenset({"the", "a", "an"})
_LINKING = "of the de la van von der du del di da ap bin ibn al"
_PARTICLES = frozenset(_LINKING.split())
"""What may stand inside a name in lower case."""
_EVERYDAY = (
    "the a an in on at it he she they this that his her its their as by for of and but or if to "
    "from with when where which who what how is was were are did do does has have had after before "
    "during until since there these those some many most one two other also while although however "
    "be i we you not no"
)
_PLAIN = frozenset(_EVERYDAY.split())
"""Words that are no name for standing at a sentence's start, and end no phrase."""


def fold_name(text: str) -> str:
    """A name as it is compared: its words in lower case, without an article before them."""
    words = [word.casefold() for word in _WORD.findall(text)]
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join(words)


def title_names(title: str) -> frozenset[str]:
    """What a title names: itself, with and without what stands in parentheses behind it."""
    folded = (fold_name(title), fold_name(_ASIDE.sub("", title)))
    return frozenset(name for name in folded if _is_name(name))


def names_in(text: str) -> frozenset[str]:
    """The names in a text, at most 64, the first ones.

    They are runs of words with a capital (or a digit within, as in `p53`) and what stands in
    quotation marks.
    """
    names = [fold_name(run) for run in _capitalised(text)]
    names += [fold_name(quoted) for quoted in _QUOTED.findall(text)]
    found = dict.fromkeys(name for name in names if _is_name(name))
    return frozenset(list(found)[:_MOST_NAMES])


def phrases_in(text: str) -> frozenset[str]:
    """Every run of two to six words that might be a title, and the names.

    Titles are mentioned in lower case too (`aircraft carrier`); which of these are titles only a
    store can tell.
    """
    words = _WORD.findall(text)
    folded = [word.casefold() for word in words]
    found = set()
    for first, word in enumerate(words):
        if folded[first] in _PLAIN and not word[0].isupper():
            continue
        for last in range(first + 1, min(first + _PHRASE_WORDS, len(words))):
            if folded[last] not in _PLAIN:
                run = folded[first : last + 1]
                found.add(" ".join(run[1:] if run[0] in _ARTICLES else run))
    return names_in(text) | {phrase for phrase in found if _is_name(phrase)}


def _capitalised(text: str) -> list[str]:
    """Runs of words with a capital, particles between them included."""
    runs: list[str] = []
    run: list[str] = []
    waiting: list[str] = []
    tokens = list(_TOKEN.finditer(text))
    gaps = ["", *(text[one.end() : other.start()] for one, other in pairwise(tokens))]
    for token, gap in zip(tokens, gaps, strict=True):
        word = token[0]
        initial = gap == ". " and bool(run) and not waiting and len(run[-1]) == 1
        if gap not in ("", " ") and not initial:
            runs.append(" ".join(run))
            run, waiting = [], []
        if _stands_out(word) and (run or word.casefold() not in _PLAIN):
            run += [*waiting, _POSSESSIVE.sub("", word)]
            waiting = []
        elif run and word in _PARTICLES:
            waiting.append(word)
        else:
            runs.append(" ".join(run))
            run, waiting = [], []
    return [each for each in [*runs, " ".join(run)] if each]


def _stands_out(word: str) -> bool:
    """Whether a word is written as names are: `Paris`, `mRNA`, `p53`."""
    if any(map(str.isupper, word)):
        return True
    return word[0].isalpha() and any(map(str.isdigit, word))


def _is_name(folded: str) -> bool:
    """Whether a folded name can tell anything: not too long, and not of plain words alone."""
    words = folded.split()
    if not 0 < len(words) <= _MOST_WORDS:
        return False
    return any((len(word) > 2 or not word.isascii()) and word not in _PLAIN for word in words)

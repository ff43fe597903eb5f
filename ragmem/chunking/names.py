"""Names in a text, by how they are written: no model, no dictionary, any script with capitals.

A name is folded to lower-case words, so that it is the same wherever it stands. What is kept of
names is in `ragmem.store.names`, what they link in `ragmem.retrieval.graph`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

_MOST_NAMES = 64
_MOST_WORDS = 8
_PHRASE_WORDS = 6
_FEW_LETTERS = 20
_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_QUOTED = re.compile(r"[\"“”„«»「『]([^\"“”„«»「」『』\n]{2,80})[\"“”«»」』]")
_SENTENCE_END = re.compile(r"[.!?:\n]")
_POSSESSIVE = ("'s", "’s")
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
    quotation marks. A single word that only begins a sentence is none.
    """
    telling = "\n".join(line for line in text.splitlines() if not _in_capitals(line))
    names = [fold_name(run) for run in _capitalised(telling)]
    names += [fold_name(quoted) for quoted in _QUOTED.findall(text)]
    found = dict.fromkeys(name for name in names if _is_name(name))
    return frozenset(list(found)[:_MOST_NAMES])


def phrases_in(text: str) -> frozenset[str]:
    """Every run of two to six words of a line that might be a title, names within it or not.

    Which of them are titles only a store can tell. One of its words stands out: phrases in plain
    lower case (`information retrieval`) are what whole collections are about.
    """
    found: set[str] = set()
    for line in text.splitlines():
        if not _in_capitals(line):
            _add_phrases(found, line)
    return frozenset(found)


def outermost(names: Collection[str]) -> frozenset[str]:
    """Those names that are not a part of a longer one among them."""
    padded = [f" {name} " for name in names]
    return frozenset(
        name.strip()
        for name in padded
        if not any(name in longer for longer in padded if longer != name)
    )


def everyday(names: Collection[str], texts: Iterable[str]) -> frozenset[str]:
    """Those names that one of the texts has in plain lower case: words rather than names."""
    plain = "\n".join(f" {' '.join(_WORD.findall(text))} " for text in texts)
    return frozenset(
        name for name in names if f" {name} " in plain and not any(map(str.isdigit, name))
    )


def _add_phrases(found: set[str], line: str) -> None:
    words: list[str] = []
    standing: list[int] = []  # how many of the words so far stand out
    end = 0
    for match in _WORD.finditer(line):
        begins = not words or _SENTENCE_END.search(line, end, match.start()) is not None
        words.append(match[0])
        standing.append((standing or [0])[-1] + _stands_out(match[0], begins=begins))
        end = match.end()
    folded = [word.casefold() for word in words]
    plain = [word in _PLAIN for word in folded]
    for first, word in enumerate(words):
        # `In the Heat of the Night` begins with a plain word, but not in lower case.
        if folded[first] in _ARTICLES or (plain[first] and not word[0].isupper()):
            continue
        run, before = folded[first], standing[first - 1] if first else 0
        for last in range(first + 1, min(first + _PHRASE_WORDS, len(words))):
            run += " " + folded[last]
            if standing[last] > before and not plain[last]:
                found.add(run)


@dataclass(slots=True)
class _Run:
    """Words with a capital, one after the other; `begins` where a sentence begins with them."""

    words: list[str] = field(default_factory=list)
    begins: bool = False


def _capitalised(text: str) -> list[str]:
    """Runs of words with a capital, particles between them included."""
    runs = [_Run()]
    waiting: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        word, gap, run = token[0], text[end : token.start()], runs[-1]
        begins = end == 0 or _SENTENCE_END.search(gap) is not None
        end = token.end()
        initial = gap == ". " and bool(run.words) and not waiting and len(run.words[-1]) == 1
        if gap not in ("", " ") and not initial:
            run, waiting = _Run(), []
            runs.append(run)
        if _stands_out(word, begins=False) and (run.words or word.casefold() not in _PLAIN):
            run.begins = run.begins or (begins and not run.words)
            owner = word.endswith(_POSSESSIVE)
            run.words += [*waiting, word[:-2] if owner else word]
            if not owner:
                waiting = []
                continue
        elif run.words and word in _PARTICLES:
            waiting.append(word)
            continue
        waiting = []
        runs.append(_Run())
    certain = {word for run in runs for word in run.words[run.begins :]}
    return [
        " ".join(run.words)
        for run in runs
        if len(run.words) > 1
        or any(word in certain or _stands_out(word, begins=True) for word in run.words)
    ]


def _stands_out(word: str, *, begins: bool) -> bool:
    """Whether a word is written as names are: `Paris`, `mRNA`, `p53`.

    At the beginning of a sentence a first capital tells nothing.
    """
    if any(map(str.isupper, word[1:] if begins else word)):
        return True
    return word[0].isalpha() and any(map(str.isdigit, word))


def _in_capitals(line: str) -> bool:
    """Whether a line is written in capitals throughout, so that none of its words stands out."""
    upper, lower = sum(map(str.isupper, line)), sum(map(str.islower, line))
    return upper + lower >= _FEW_LETTERS and upper > lower


def _is_name(folded: str) -> bool:
    """Whether a folded name can tell anything: not too long, and not of plain words alone."""
    words = folded.split()
    if not 0 < len(words) <= _MOST_WORDS:
        return False
    return any((len(word) > 2 or not word.isascii()) and word not in _PLAIN for word in words)

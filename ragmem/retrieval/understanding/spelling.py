"""Misspelt words: the lexical index is searched with words of the documents in their place.

Which words are known, and which are nearly like one, the lexical index says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ragmem.indexes.likeness import distance
from ragmem.ports import SuggestsTerms
from ragmem.query import Query, Wording
from ragmem.retrieval.terms import STOPWORDS
from ragmem.types import Scope

_MOST_CORRECTED = 4
_ALWAYS_CORRECTED = 2
_SHORTEST_NAME = 6
_LONGEST_QUESTION_WORDS = 64
_RUN = re.compile(r"\S+")
_EDGES = re.compile(r"^[^\w]+|[^\w]+$")
# Letters alone, perhaps joined: `t-cell`, `Parkinson's`; no digits, dots, underscores or slashes.
_PROSE = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")


class SpellingTolerance:
    """Puts known words in the place of unknown ones; implements `ragmem.ports.QueryTransform`.

    Only what the lexical index is searched with changes, and there the unknown word finds nothing
    anyway. On 400 of SciFact's training claims, nDCG@10 of fused search went from 72.8 to 73.0 as
    they are, from 70.6 to 72.2 with one typing error each and from 68.0 to 71.6 with two.
    """

    name = "spelling"

    def __init__(self, lexical: SuggestsTerms) -> None:
        """Take the index that knows the documents' words."""
        self._lexical = lexical

    def transform(self, query: Query, *, scope: Scope) -> Query:
        """The query with its unknown words corrected for the lexical index.

        Where more than two of its words are unknown and more than half, it is left alone: it speaks
        another language than the documents, or of other things.
        """
        question = query.question
        spans = list(_spans(question))
        words = dict.fromkeys(question[start:end] for start, end in spans)
        unknown = self._lexical.unknown(list(words), scope=scope)
        known: dict[str, str] = {}
        if len(unknown) <= _ALWAYS_CORRECTED or 2 * len(unknown) <= len(words):
            for word in unknown[:_MOST_CORRECTED]:
                suggested = self._lexical.suggest(word, scope=scope)
                is_name = word[0].isupper() and not question.lstrip().startswith(word)
                if suggested and not (is_name and _is_another_name(word, suggested[0])):
                    known[word] = suggested[0]
        note = {"unknown": tuple(unknown), "corrected": known}
        wordings = query.wordings
        if known:
            text, before = "", 0
            for start, end in spans:
                word = question[start:end]
                text += question[before:start] + known.get(word, word)
                before = end
            text += question[before:]
            wordings = tuple(new for each in wordings for new in _split(each, question, text))
        return replace(query, wordings=wordings, notes={**query.notes, self.name: note})


def _is_another_name(name: str, suggested: str) -> bool:
    """Whether a name that no document holds is likelier right than misspelt: names look alike."""
    return len(name) < _SHORTEST_NAME or distance(name.lower(), suggested, limit=1) > 1


def _split(wording: Wording, question: str, corrected: str) -> tuple[Wording, ...]:
    """The question as it is for the dense index, and corrected for the lexical one."""
    if wording.text != question or wording.index == "dense":
        return (wording,)
    lexical = replace(wording, text=corrected, index="lexical")
    return (lexical,) if wording.index == "lexical" else (replace(wording, index="dense"), lexical)


def _spans(question: str) -> Iterator[tuple[int, int]]:
    """Where the words stand that may be misspelt: prose, not numbers, identifiers or acronyms."""
    for run in list(_RUN.finditer(question))[:_LONGEST_QUESTION_WORDS]:
        bare = _EDGES.sub("", run[0])
        offset = run.start() + run[0].find(bare)
        if not _PROSE.fullmatch(bare):
            continue
        for found in _LETTERS.finditer(bare):
            word = found[0]
            has_inner_capital = word[1:] != word[1:].lower()
            if not has_inner_capital and word.casefold() not in STOPWORDS:
                yield offset + found.start(), offset + found.end()

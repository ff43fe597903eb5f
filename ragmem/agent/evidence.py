"""Choosing the sentences that answer a question, and judging whether any does.

Everything is an exact span of its document; nothing here is generated or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragmem.agent.markup import states
from ragmem.agent.question_kind import answers_kind
from ragmem.agent.years import undated
from ragmem.chunking.sentences import sentence_spans
from ragmem.ports import Embedder
from ragmem.retrieval.pack import Passage
from ragmem.retrieval.terms import content_words, coverage, inverse_frequencies, words

# Longer runs (scripts without spaces, encoded data) count as several words.
_WORD = re.compile(r"\S{1,40}")
# A capitalized word inside the question, or one with a digit in it; short acronyms are left out,
# because texts spell them out.
_NAME = re.compile(r"(?<=[\w,;] )(?![A-Z]{1,5}\b)(?:[A-Z][\w'-]{3,}|\w*\d\w*[A-Za-z]\w*)")
_STEM_LETTERS = 4
_FRAGMENT_WORDS = 4
_HEADING_CAPITALS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence of a passage: `text == document.text[start:end]`.

    Attributes:
        cosine: similarity of the question to the sentence under its title, in [-1, 1].
        coverage: the share of the question's terms in it or its title, in [0, 1].
        passage: its passage's score, stretched to [0, 1] over the passages.
        kind: whether it has what the question asks for, see `answers_kind`.
        score: `EvidenceWeights` of the four.
    """

    document_uri: str
    document_title: str
    start: int
    end: int
    text: str
    cosine: float
    coverage: float
    passage: float
    kind: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceWeights:
    """The weight of each part of a sentence's score; the cosine's is 1."""

    coverage: float = 0.2
    passage: float = 0.5
    kind: float = 0.2
    sufficiency_coverage: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedEvidence:
    """The sentences of the passages, best first, and how likely they answer at all.

    Attributes:
        sufficiency: `max(cosine) + w * max(coverage)` over the sentences; compared with a
            threshold that is calibrated for the embedding model.
        unnamed: the question's names, when no passage and no title mentions any of them: what is
            said there is about something else.
        undated: the question's years, when no passage and nothing known about one holds any.
    """

    sentences: tuple[Evidence, ...]
    sufficiency: float
    unnamed: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()


def rank_evidence(
    question: str,
    passages: Sequence[Passage],
    embedder: Embedder,
    *,
    weights: EvidenceWeights | None = None,
    most_sentence_words: int = 60,
    known: Sequence[str] = (),
) -> RankedEvidence:
    """Score every sentence of the passages against a question.

    A sentence is read under its document's title, because it often names its subject only there
    ("He was born in ..."). Spans without an end, as in tables, are cut at white space. Spans that
    state nothing (see `states`), such as headings, tell what a passage is about, and so count for
    sufficiency, and are evidence only where there is nothing else.

    Args:
        question: what is asked.
        passages: where to look, in any order.
        embedder: the model that embedded the documents.
        weights: of the parts of the score.
        most_sentence_words: where a longer sentence is cut.
        known: what else is known about the passages' documents, such as their metadata.
    """
    weights = weights or EvidenceWeights()
    spans = [(each, span) for each in passages for span in _spans(each.text, most_sentence_words)]
    if not spans:
        return RankedEvidence(sentences=(), sufficiency=0.0)
    texts = [passage.text[start:end] for passage, (start, end) in spans]
    titled = [
        f"{passage.document_title}: {text}" if passage.document_title else text
        for (passage, _), text in zip(spans, texts, strict=True)
    ]
    cosines = embedder.embed_documents(titled) @ embedder.embed_query(question)
    held = [frozenset(words(text)) for text in titled]
    idf = inverse_frequencies(dict.fromkeys(content_words(question)), held)
    low = min(passage.score for passage in passages)
    width = max(passage.score for passage in passages) - low
    stating: list[Evidence] = []
    other: list[Evidence] = []
    for row, (passage, (start, end)) in enumerate(spans):
        cosine, covered = float(cosines[row]), coverage(idf, held[row])
        place = (passage.score - low) / width if width > 0.0 else 1.0
        kind = answers_kind(question, texts[row])
        (stating if states(passage.text, start, end, question=question) else other).append(
            Evidence(
                document_uri=passage.document_uri,
                document_title=passage.document_title,
                start=passage.start + start,
                end=passage.start + end,
                text=texts[row],
                cosine=cosine,
                coverage=covered,
                passage=place,
                kind=kind,
                score=cosine
                + weights.coverage * covered
                + weights.passage * place
                + weights.kind * kind,
            )
        )
    both = stating + other
    sufficiency = max(each.cosine for each in both) + weights.sufficiency_coverage * max(
        each.coverage for each in both
    )
    found = sorted(stating or other, key=lambda each: (-each.score, each.document_uri, each.start))
    held_texts = [
        " ".join((each.document_title, *each.heading_path, each.text)) for each in passages
    ]
    return RankedEvidence(
        sentences=tuple(found),
        sufficiency=sufficiency,
        unnamed=unnamed(question, held_texts),
        undated=undated(question, [*held_texts, *(each.document_uri for each in passages), *known]),
    )


def unnamed(question: str, texts: Sequence[str]) -> tuple[str, ...]:
    """The names in a question, when the texts hold none of them; otherwise nothing.

    One name is enough, because titles ("the President") are written like names. A name is there
    when a word begins with its first letters, so that "Germany" is found in "German". Questions
    without capitals name nothing.
    """
    held = {word for text in texts for word in words(text)}
    names = tuple(dict.fromkeys(_NAME.findall(question)))
    parts = [part for name in names for part in words(name)]
    return () if any(_same_name(part, word) for part in parts for word in held) else names


def _same_name(name: str, word: str) -> bool:
    letters = max(_STEM_LETTERS, len(name) - 3)
    return word == name or (len(name) > _STEM_LETTERS and word.startswith(name[:letters]))


def choose(
    sentences: Sequence[Evidence], *, most_sentences: int, most_words: int, margin: float = 1.0
) -> tuple[Evidence, ...]:
    """The best sentences that fit; always the first, and no sentence said twice.

    Fragments (a caption's "Table 1.", a heading, "These are:") say nothing by themselves and are
    only taken first.

    Args:
        sentences: best first.
        most_sentences: how many to take.
        most_words: how many words they may have together.
        margin: how far a score may lie below the best.
    """
    chosen: list[Evidence] = []
    seen: set[tuple[str, ...]] = set()
    spent = 0
    for each in sentences:
        said = tuple(words(each.text))
        length = len(each.text.split())
        if chosen and (
            said in seen
            or _is_fragment(each.text, said)
            or each.score < chosen[0].score - margin
            or spent + length > most_words
        ):
            continue
        chosen.append(each)
        seen.add(said)
        spent += length
        if len(chosen) == most_sentences:
            break
    return tuple(chosen)


def _is_fragment(text: str, said: Sequence[str]) -> bool:
    """Whether a text is too short to state something, announces, or is written like a heading."""
    if len(said) < _FRAGMENT_WORDS or text.endswith(":"):
        return True
    if not text[-1].isalnum():
        return False
    capitals = sum(word[0].isupper() for word in text.split() if word[0].isalpha())
    return capitals > _HEADING_CAPITALS * len(said)


def _spans(text: str, most_words: int) -> Iterator[tuple[int, int]]:
    for start, end in sentence_spans(text):
        places = [match.span() for match in _WORD.finditer(text, start, end)]
        for first in range(0, len(places), most_words):
            piece = places[first : first + most_words]
            yield piece[0][0], piece[-1][1]

"""Choosing the sentences that answer a question, and judging whether any does.

Everything is an exact span of its document; nothing here is generated or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragmem.agent.question_kind import answers_kind
from ragmem.chunking.sentences import sentence_spans
from ragmem.ports import Embedder
from ragmem.retrieval.pack import Passage
from ragmem.retrieval.terms import content_words, coverage, inverse_frequencies, words

# Longer runs (scripts without spaces, encoded data) count as several words.
_WORD = re.compile(r"\S{1,40}")
_FRAGMENT_WORDS = 4


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
    """Every sentence of the passages, best first, and how likely they answer at all.

    Attributes:
        sufficiency: `max(cosine) + w * max(coverage)` over the sentences; compared with a
            threshold that is calibrated for the embedding model.
    """

    sentences: tuple[Evidence, ...]
    sufficiency: float


def rank_evidence(
    question: str,
    passages: Sequence[Passage],
    embedder: Embedder,
    *,
    weights: EvidenceWeights | None = None,
    most_sentence_words: int = 60,
) -> RankedEvidence:
    """Score every sentence of the passages against a question.

    A sentence is read under its document's title, because it often names its subject only there
    ("He was born in ..."). Spans without an end, as in tables, are cut at white space.

    Args:
        question: what is asked.
        passages: where to look, in any order.
        embedder: the model that embedded the documents.
        weights: of the parts of the score.
        most_sentence_words: where a longer sentence is cut.
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
    found: list[Evidence] = []
    for row, (passage, (start, end)) in enumerate(spans):
        cosine, covered = float(cosines[row]), coverage(idf, held[row])
        place = (passage.score - low) / width if width > 0.0 else 1.0
        kind = answers_kind(question, texts[row])
        found.append(
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
    found.sort(key=lambda each: (-each.score, each.document_uri, each.start))
    sufficiency = max(each.cosine for each in found) + weights.sufficiency_coverage * max(
        each.coverage for each in found
    )
    return RankedEvidence(sentences=tuple(found), sufficiency=sufficiency)


def choose(
    sentences: Sequence[Evidence], *, most_sentences: int, most_words: int, margin: float = 1.0
) -> tuple[Evidence, ...]:
    """The best sentences that fit; always the first, and no sentence said twice.

    Fragments (a caption's "Table 1.") say nothing by themselves and are only taken first.

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
            or len(said) < _FRAGMENT_WORDS
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


def _spans(text: str, most_words: int) -> Iterator[tuple[int, int]]:
    for start, end in sentence_spans(text):
        places = [match.span() for match in _WORD.finditer(text, start, end)]
        for first in range(0, len(places), most_words):
            piece = places[first : first + most_words]
            yield piece[0][0], piece[-1][1]

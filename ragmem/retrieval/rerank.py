"""The reranker that needs no model: what words say about a candidate, added to its fused score.

Cross-encoders are in `ragmem.models`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from ragmem.query import Reranking
from ragmem.retrieval.terms import content_words, coverage, inverse_frequencies, words
from ragmem.types import Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureWeights:
    """What each feature adds to the component score; all features lie in [0, 1]."""

    coverage: float = 0.1
    proximity: float = 0.05
    heading: float = 0.05


class FeatureReranker:
    """Adds word features to the fused score.

    `score = component + w_c * coverage + w_p * proximity + w_h * heading`;
    component: the hit's score so far;
    coverage: the share of the question's terms in the hit, weighted by their inverse frequency
    over the candidates;
    proximity: see `proximity`;
    heading: the same share in the document's title, the headings and the context.
    """

    def __init__(self, weights: FeatureWeights | None = None) -> None:
        self._weights = weights or FeatureWeights()

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return "features"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """A score for each hit, in the order given; higher is better."""
        return list(self.explain(question, hits).scores)

    def explain(self, question: str, hits: Sequence[Hit]) -> Reranking:
        """The scores with their parts: each is the sum of the parts times the weights."""
        terms = list(dict.fromkeys(content_words(question)))
        headings = [words(_heading(hit)) for hit in hits]
        texts = [words(hit.text) for hit in hits]
        held = [
            frozenset(heading) | frozenset(text)
            for heading, text in zip(headings, texts, strict=True)
        ]
        idf = inverse_frequencies(terms, held)
        weights = {"component": 1.0, **asdict(self._weights)}
        parts = tuple(
            {
                "component": hit.score,
                "coverage": coverage(idf, held[row]),
                "proximity": proximity(idf, texts[row]),
                "heading": coverage(idf, frozenset(headings[row])),
            }
            for row, hit in enumerate(hits)
        )
        scores = tuple(sum(weights[name] * part for name, part in each.items()) for each in parts)
        return Reranking(scores=scores, parts=parts, constants={"weights": weights})


def proximity(weights: Mapping[str, float], text: Sequence[str]) -> float:
    """How near to each other a text holds terms that are neighbours in the question.

    For each pair of neighbouring terms `1 / (words from one to the other)` at its nearest, in
    either order, and 0 where a term is missing; the pairs weighted by their terms' weights. The
    term pairs are those of the sequential dependence model of Metzler and Croft, "A Markov Random
    Field Model for Term Dependencies" (SIGIR 2005).

    Args:
        weights: the question's terms in their order, with their weights.
        text: the text's words in order.
    """
    terms = list(weights)
    places: dict[str, list[int]] = {term: [] for term in terms}
    for place, word in enumerate(text):
        if word in places:
            places[word].append(place)
    pairs = list(pairwise(terms))
    total = sum(weights[left] + weights[right] for left, right in pairs)
    if total <= 0.0:
        return 0.0
    near = sum(
        (weights[left] + weights[right]) / _gap(places[left], places[right])
        for left, right in pairs
        if places[left] and places[right]
    )
    return near / total


def _gap(left: Sequence[int], right: Sequence[int]) -> int:
    """The smallest distance between two ascending, disjoint lists of places, neither empty."""
    i = j = 0
    best = abs(left[0] - right[0])
    while i < len(left) and j < len(right):
        best = min(best, abs(left[i] - right[j]))
        if left[i] < right[j]:
            i += 1
        else:
            j += 1
    return best


def _heading(hit: Hit) -> str:
    return "\n".join((hit.document_title, *hit.heading_path, hit.context))

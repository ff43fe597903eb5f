"""What to search for instead of a question that found too little: rules, and models by a seam.

When to try them, and whether what they find suffices, is in `corrective`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragmem.ports import QueryTransform
from ragmem.query import Query, Wording
from ragmem.retrieval.terms import STOPWORDS, content_words, inverse_frequencies, words
from ragmem.types import Hit, Scope

_FEEDBACK_HITS = 3
_FEEDBACK_TERMS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriter:
    """A way to say a question differently.

    Attributes:
        name: what the trace calls it.
        rewrite: the texts to search for, given the question, the hits it had and who is asking.
        asks_model: whether it costs a call of a model.
    """

    name: str
    rewrite: Callable[[str, Sequence[Hit], Scope], Sequence[str]]
    asks_model: bool = False


def by_transform(transform: QueryTransform, *, asks_model: bool) -> Rewriter:
    """The wordings that a transform adds to a question, each as a search of its own."""

    def rewrite(question: str, hits: Sequence[Hit], scope: Scope) -> Sequence[str]:  # noqa: ARG001
        query = Query(question=question, wordings=(Wording(text=question),))
        return [each.text for each in transform.transform(query, scope=scope).wordings[1:]]

    return Rewriter(name=transform.name, rewrite=rewrite, asks_model=asks_model)


def keywords(question: str, hits: Sequence[Hit], scope: Scope) -> Sequence[str]:  # noqa: ARG001
    """The question without the words that carry no content."""
    return [" ".join(dict.fromkeys(content_words(question)))]


def rarest_terms(question: str, hits: Sequence[Hit], scope: Scope) -> Sequence[str]:  # noqa: ARG001
    """The half of the question's terms that the fewest hits hold: what was missed so far."""
    terms = list(dict.fromkeys(content_words(question)))
    idf = inverse_frequencies(terms, [_held(hit) for hit in hits])
    rare = sorted(terms, key=lambda term: -idf[term])[: (len(terms) + 1) // 2]
    return [" ".join(term for term in terms if term in rare)]


def feedback(question: str, hits: Sequence[Hit], scope: Scope) -> Sequence[str]:  # noqa: ARG001
    """The question with terms that the best hits share and the other hits lack most."""
    best = [_held(hit) for hit in hits[:_FEEDBACK_HITS]]
    asked = set(words(question))
    shared = {
        term
        for held in best
        for term in held
        if term not in asked | STOPWORDS and sum(term in other for other in best) > 1
    }
    idf = inverse_frequencies(sorted(shared), [_held(hit) for hit in hits])
    added = sorted(idf, key=lambda term: (-idf[term], term))[:_FEEDBACK_TERMS]
    return [" ".join((question, *added))] if added else []


def _held(hit: Hit) -> frozenset[str]:
    return frozenset(words(f"{hit.document_title} {hit.text}"))


RULES = (
    Rewriter(name="keywords", rewrite=keywords),
    Rewriter(name="rarest_terms", rewrite=rarest_terms),
    Rewriter(name="feedback", rewrite=feedback),
)
"""What needs no model, in the order of trying."""

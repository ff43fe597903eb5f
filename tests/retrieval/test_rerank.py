"""The word features behind the offline reranker."""

from __future__ import annotations

import pytest

from ragmem.retrieval.rerank import FeatureReranker, FeatureWeights, proximity
from ragmem.types import Hit


def hit(text: str, *, fused: float = 0.5, title: str = "", context: str = "") -> Hit:
    return Hit(
        document_uri="d",
        document_title=title,
        chunk_id=text,
        text=text,
        start=0,
        end=len(text),
        score=fused,
        scores={"fused": fused},
        context=context,
    )


def test_covering_more_terms_scores_higher() -> None:
    scores = FeatureReranker().rerank(
        "battery warranty months",
        [hit("The warranty."), hit("The warranty of the battery is 24 months."), hit("Nothing.")],
    )
    assert scores[1] > scores[0] > scores[2]


def test_terms_that_stand_together_score_higher() -> None:
    near, far = FeatureReranker().rerank(
        "battery warranty",
        [hit("Our battery warranty lasts."), hit("A battery is sold with a two year warranty.")],
    )
    assert near > far


def test_a_title_or_a_heading_that_matches_scores_higher() -> None:
    hits = [
        hit("It lasts.", title="Warranty"),
        hit("It lasts.", context="Warranty"),
        hit("It lasts."),
    ]
    titled, context, plain = FeatureReranker().rerank("warranty", hits)
    assert titled == context > plain


def test_the_component_score_matters_most() -> None:
    scores = FeatureReranker().rerank(
        "battery warranty", [hit("Other words.", fused=0.9), hit("battery warranty", fused=0.5)]
    )
    assert scores[0] > scores[1]


def test_without_weights_the_component_score_is_all() -> None:
    reranker = FeatureReranker(FeatureWeights(coverage=0.0, proximity=0.0, heading=0.0))
    assert reranker.rerank("a b", [hit("a b", fused=0.25)]) == [0.25]


@pytest.mark.parametrize("question", ["", "?!", "the of"])
def test_a_question_without_terms_leaves_the_component_score(question: str) -> None:
    assert FeatureReranker().rerank(question, [hit("text", fused=0.4)]) == [0.4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c", 1.0),
        ("b a", 0.5),
        ("a x b", 0.25),
        ("c a x x b", (1 / 3 + 1 / 4) / 2),
        ("a c", 0.0),
        ("", 0.0),
        ("a x x x b a b", 0.5),
    ],
)
def test_proximity(text: str, expected: float) -> None:
    weights = {"a": 1.0, "b": 1.0, "c": 1.0}
    assert proximity(weights, text.split()) == pytest.approx(expected)

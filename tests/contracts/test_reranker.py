"""What every reranker does."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tiny_models import write_cross_encoder

from ragmem.models.sentence_transformers import CrossEncoderReranker
from ragmem.ports import Reranker
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.types import Hit

TEXTS = ["the cat sat on the mat.", "a dog is cold.", "warm", "what is a mat?"]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("tiny") / "cross-encoder")


@pytest.fixture(scope="module", params=["cross-encoder", "features"])
def reranker(request: pytest.FixtureRequest, cross_encoder: Path) -> Reranker:
    if request.param == "features":
        return FeatureReranker()
    return CrossEncoderReranker(cross_encoder, device="cpu")


def hits(texts: list[str]) -> list[Hit]:
    return [
        Hit(
            document_uri="file:///a.txt",
            document_title="A",
            chunk_id=f"c{number}",
            text=text,
            start=0,
            end=len(text),
            score=0.5,
            scores={"fused": 0.5, "dense": 0.4, "lexical": 0.3},
        )
        for number, text in enumerate(texts)
    ]


def test_one_finite_score_a_hit(reranker: Reranker) -> None:
    scores = reranker.rerank("is the mat warm?", hits(TEXTS))

    assert len(scores) == len(TEXTS)
    assert all(isinstance(score, float) and math.isfinite(score) for score in scores)


def test_no_hits_give_no_scores(reranker: Reranker) -> None:
    assert reranker.rerank("is the mat warm?", []) == []


def test_scores_follow_the_order_given(reranker: Reranker) -> None:
    forward = reranker.rerank("is the mat warm?", hits(TEXTS))
    backward = reranker.rerank("is the mat warm?", hits(TEXTS)[::-1])

    assert backward[::-1] == pytest.approx(forward, abs=1e-5)


def test_it_has_a_name_for_the_trace(reranker: Reranker) -> None:
    assert reranker.name

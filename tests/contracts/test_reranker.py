"""What every reranker does."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from fakes import HashEmbedder
from tiny_models import write_cross_encoder, write_sentence_model

from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.models.scripted import ScriptedCall, ScriptedChat
from ragmem.models.sentence_transformers import CrossEncoderReranker
from ragmem.ports import ExplainsScores, Reranker
from ragmem.retrieval.diversity import DiverseReranker
from ragmem.retrieval.late_interaction import LateInteractionReranker
from ragmem.retrieval.listwise import ListwiseReranker
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.types import Hit

TEXTS = ["the cat sat on the mat.", "a dog is cold.", "warm", "what is a mat?"]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("tiny") / "cross-encoder")


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> OnnxEmbedder:
    return OnnxEmbedder(write_sentence_model(tmp_path_factory.mktemp("tiny") / "embedder"))


@pytest.fixture(
    scope="module", params=["cross-encoder", "features", "listwise", "late_interaction", "diverse"]
)
def reranker(
    request: pytest.FixtureRequest, cross_encoder: Path, embedder: OnnxEmbedder
) -> Reranker:
    if request.param == "features":
        return FeatureReranker()
    if request.param == "late_interaction":
        return LateInteractionReranker(embedder)
    if request.param == "diverse":
        vectors = HashEmbedder().embed_documents(TEXTS)
        known = {f"c{number}": vector for number, vector in enumerate(vectors)}
        return DiverseReranker(FeatureReranker(), lambda chunk_ids: known, diversity=0.3)
    if request.param == "listwise":
        return ListwiseReranker(ScriptedChat(by_name))
    return CrossEncoderReranker(cross_encoder, device="cpu")


def by_name(call: ScriptedCall) -> str:
    """An order of the passages that does not depend on the order given."""
    passages = re.findall(r"^\[\d+\] (.*)$", call.messages[-1].content, re.MULTILINE)
    order = sorted(range(len(passages)), key=lambda row: passages[row])
    return json.dumps({"order": [row + 1 for row in order]})


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


def test_the_same_again(reranker: Reranker) -> None:
    first = reranker.rerank("is the mat warm?", hits(TEXTS))

    assert reranker.rerank("is the mat warm?", hits(TEXTS)) == first


def test_texts_of_any_length(reranker: Reranker) -> None:
    texts = ["cold " * 5000, "", "a cat " * 100, "🎉"]

    scores = reranker.rerank("what is cold? " * 500, hits(texts))

    assert len(scores) == len(texts)
    assert all(map(math.isfinite, scores))


def test_an_explanation_tells_the_scores_it_explains(reranker: Reranker) -> None:
    if not isinstance(reranker, ExplainsScores):
        pytest.skip("it does not explain itself")

    explained = reranker.explain("is the mat warm?", hits(TEXTS))

    assert list(explained.scores) == reranker.rerank("is the mat warm?", hits(TEXTS))
    assert len(explained.parts) == len(TEXTS)


def test_it_has_a_name_for_the_trace(reranker: Reranker) -> None:
    assert reranker.name

"""The settings that choose a closer look and further candidates, through a whole agent."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import HashEmbedder
from tiny_models import write_sentence_model, write_sparse_encoder

from ragmem import Agent, Replacements, Settings, StoreMismatch, TextDocument, UsageError
from ragmem.parts import Parts
from ragmem.types import SearchResult, Stage

TEXTS = [
    TextDocument(uri="note:cat", text="the cat sat on the mat."),
    TextDocument(uri="note:dog", text="a dog is cold."),
]


def opened(folder: Path, **settings: object) -> Agent:
    named = Settings(chat_model="", chunk_tokens=24, **settings)  # type: ignore[arg-type]
    return Agent.open(folder, settings=named)


@pytest.fixture(scope="module")
def embedding_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_sentence_model(tmp_path_factory.mktemp("tiny") / "tiny"))


@pytest.fixture(scope="module")
def sparse_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_sparse_encoder(tmp_path_factory.mktemp("tiny") / "splade"))


def searched(agent: Agent) -> SearchResult:
    return agent.knowledge.search("what is cold?")


def stage_names(result: SearchResult) -> list[str]:
    return [stage.name for stage in result.trace.stages]


def reranked(result: SearchResult) -> Stage:
    return result.trace.stage("reranked")


def test_late_interaction_and_diversity_by_setting(tmp_path: Path, embedding_model: str) -> None:
    with opened(
        tmp_path,
        embedding_model=embedding_model,
        reranker="late_interaction",
        late_interaction_weight=0.25,
        diversity=0.5,
    ) as agent:
        agent.knowledge.add_texts(TEXTS)
        result = searched(agent)

    stage = reranked(result)
    assert stage.details["reranker"] == "late_interaction with diversity"
    constants, parts = stage.details["constants"], stage.details["parts"]
    assert isinstance(constants, dict)
    assert isinstance(parts, dict)
    low, high = constants["bounds"]
    assert len(result.hits) == len(parts) == 2
    for hit in result.hits:
        part = parts[hit.chunk_id]
        inner = part["component"] + 0.25 * part["max_sim"]
        assert part["reranked"] == pytest.approx(inner)
        assert part["relevance"] == pytest.approx((inner - low) / (high - low))
        assert hit.score == pytest.approx(0.5 * part["relevance"] - 0.5 * part["similarity"])


def test_diversity_without_a_reranker(tmp_path: Path, embedding_model: str) -> None:
    with opened(tmp_path, embedding_model=embedding_model, reranker="none", diversity=0.2) as agent:
        agent.knowledge.add_texts(TEXTS)

        assert reranked(searched(agent)).details["reranker"] == "diversity"


def test_an_embedder_without_token_vectors_is_refused(tmp_path: Path) -> None:
    settings = Settings(chat_model="", reranker="late_interaction")
    given = Replacements(embedder=HashEmbedder())

    parts = Parts(tmp_path, settings, replacements=given)

    with pytest.raises(UsageError, match="no vectors of single tokens"):
        _ = parts.reranker


def test_the_sparse_index_follows_the_store_while_it_is_named(
    tmp_path: Path, embedding_model: str, sparse_model: str
) -> None:
    with opened(tmp_path, embedding_model=embedding_model) as agent:
        agent.knowledge.add_texts(TEXTS)
        assert "sparse" not in stage_names(searched(agent))
    with opened(tmp_path, embedding_model=embedding_model, sparse_model=sparse_model) as agent:
        result = searched(agent)
        assert len(result.trace.stage("sparse").scores) == len(result.hits) == 2
    with opened(tmp_path, embedding_model=embedding_model) as agent:
        assert not (tmp_path / "sparse").exists()
        agent.knowledge.add_texts([TextDocument(uri="note:new", text="warm is not cold.")])
    with opened(tmp_path, embedding_model=embedding_model, sparse_model=sparse_model) as agent:
        assert len(searched(agent).trace.stage("sparse").scores) == 3
        agent.knowledge.remove("note:cat")
        assert len(searched(agent).trace.stage("sparse").scores) == 2


def test_another_sparse_model_needs_its_own_index(
    tmp_path: Path, embedding_model: str, sparse_model: str
) -> None:
    other = str(write_sparse_encoder(tmp_path / "other", seed=1))
    store = tmp_path / "store"
    with opened(store, embedding_model=embedding_model, sparse_model=sparse_model) as agent:
        agent.knowledge.add_texts(TEXTS)

    with opened(store, embedding_model=embedding_model, sparse_model=other) as agent:
        with pytest.raises(StoreMismatch, match=r"made with splade.*ragmem reindex"):
            searched(agent)
        agent.reindex()
        assert searched(agent).trace.stage("sparse").scores

"""The settings that choose a closer look and further candidates, through a whole agent.

What the real sparse encoder gives is `models/test_sparse_encoder`: loading torch takes seconds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import HashEmbedder, WordEncoder
from tiny_models import write_sentence_model

from ragmem import Agent, Replacements, Settings, StoreMismatch, TextDocument, UsageError
from ragmem.checkup import examine
from ragmem.indexes.sparse import SparseIndex
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
def store(tmp_path_factory: pytest.TempPathFactory, embedding_model: str) -> Path:
    """A store to be searched with other settings."""
    folder = tmp_path_factory.mktemp("store")
    with opened(folder, embedding_model=embedding_model) as agent:
        agent.knowledge.add_texts(TEXTS)
    return folder


@pytest.fixture
def _encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any name is that of a sparse encoder."""
    module = "ragmem.models.sparse_encoder"
    monkeypatch.setattr(
        f"{module}.SentenceTransformersSparseEncoder", lambda name: WordEncoder(model_id=name)
    )


def searched(agent: Agent) -> SearchResult:
    return agent.knowledge.search("is the dog cold?")


def stage_names(result: SearchResult) -> list[str]:
    return [stage.name for stage in result.trace.stages]


def reranked(result: SearchResult) -> Stage:
    return result.trace.stage("reranked")


def test_late_interaction_and_diversity_by_setting(store: Path, embedding_model: str) -> None:
    with opened(
        store,
        embedding_model=embedding_model,
        reranker="late_interaction",
        late_interaction_weight=0.25,
        diversity=0.5,
    ) as agent:
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


def test_diversity_without_a_reranker(store: Path, embedding_model: str) -> None:
    with opened(store, embedding_model=embedding_model, reranker="none", diversity=0.2) as agent:
        assert reranked(searched(agent)).details["reranker"] == "diversity"


def test_an_embedder_without_token_vectors_is_refused(tmp_path: Path) -> None:
    settings = Settings(chat_model="", reranker="late_interaction")
    given = Replacements(embedder=HashEmbedder())

    parts = Parts(tmp_path, settings, replacements=given)

    with pytest.raises(UsageError, match="no vectors of single tokens"):
        _ = parts.reranker


@pytest.mark.usefixtures("_encoders")
def test_the_sparse_index_follows_the_store_while_it_is_named(
    tmp_path: Path, embedding_model: str
) -> None:
    with opened(tmp_path, embedding_model=embedding_model) as agent:
        agent.knowledge.add_texts(TEXTS)
        assert "sparse" not in stage_names(searched(agent))
    with opened(tmp_path, embedding_model=embedding_model, sparse_model="splade") as agent:
        result = searched(agent)
        assert len(result.trace.stage("sparse").scores) == len(result.hits) == 2
    with opened(tmp_path, embedding_model=embedding_model) as agent:
        assert not (tmp_path / "sparse").exists()
        agent.knowledge.add_texts([TextDocument(uri="note:new", text="warm is not cold.")])
    with opened(tmp_path, embedding_model=embedding_model, sparse_model="splade") as agent:
        assert len(searched(agent).trace.stage("sparse").scores) == 3
        agent.knowledge.remove("note:cat")
        assert len(searched(agent).trace.stage("sparse").scores) == 2


@pytest.mark.usefixtures("_encoders")
def test_another_sparse_model_needs_its_own_index(tmp_path: Path, embedding_model: str) -> None:
    with opened(tmp_path, embedding_model=embedding_model, sparse_model="splade") as agent:
        agent.knowledge.add_texts(TEXTS)

    with opened(tmp_path, embedding_model=embedding_model, sparse_model="other") as agent:
        with pytest.raises(StoreMismatch, match=r"made with model splade.*ragmem reindex"):
            searched(agent)
        agent.reindex()
        assert searched(agent).trace.stage("sparse").scores


@pytest.mark.usefixtures("_encoders")
def test_the_checkup_compares_the_sparse_index_too(tmp_path: Path, embedding_model: str) -> None:
    with opened(tmp_path, embedding_model=embedding_model, sparse_model="splade") as agent:
        agent.knowledge.add_texts(TEXTS)
    index = SparseIndex(tmp_path / "sparse", WordEncoder(model_id="splade"))
    index.delete_chunks(list(index.chunk_ids())[:1])
    index.close()
    named = Settings(chat_model="", embedding_model=embedding_model, sparse_model="splade")
    found = examine(tmp_path, settings=named)[-1]
    assert not found.healthy
    assert "the sparse index misses 1 chunks" in found.text

"""Kept stores: shared by what only searches differently, never stale, in nobody's database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import HashEmbedder, LineChunker

from evals.beir_data import BeirData
from evals.retrieval import ingest
from evals.stores import SEARCH_ONLY, CorpusStores, store_key
from ragmem import Agent, Replacements, Settings


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_only_settings_that_are_named_share_a_store(data: BeirData) -> None:
    assert Settings.model_fields.keys() >= SEARCH_ONLY
    base = Settings()
    for name in Settings.model_fields:
        value = getattr(base, name)
        other = base.model_copy(update={name: (value, "another")})
        same = store_key(data, other) == store_key(data, base)
        assert same == (name in SEARCH_ONLY), name


@pytest.mark.parametrize(
    "name",
    ["chunking", "chunk_tokens", "overlap_tokens", "late_chunking", "write_context"],
)
def test_what_changes_chunks_is_not_taken_for_search(name: str) -> None:
    assert name not in SEARCH_ONLY


def test_another_corpus_has_another_store(data: BeirData) -> None:
    shorter = replace(data, corpus=data.corpus[1:])
    assert store_key(shorter, Settings()) != store_key(data, Settings())


def test_a_store_follows_changes_of_the_chunker(data: BeirData, tmp_path: Path) -> None:
    class OtherChunker(LineChunker):
        fingerprint = "lines, another version"

    updated = []
    for chunker in (LineChunker(), LineChunker(), OtherChunker()):
        parts = Replacements(embedder=HashEmbedder(), chunker=lambda _, made=chunker: made)
        with Agent.open(tmp_path / "store", replacements=parts) as agent:
            updated.append(ingest(agent, data, progress=quiet).updated)
    assert updated == [0, 0, len(data.corpus)]


@pytest.mark.models
def test_the_time_of_ingesting_is_kept_where_it_was_one_run(data: BeirData, tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://nobody@localhost:1/nothing")
    with CorpusStores(tmp_path, progress=quiet).open(data, settings) as agent:
        assert len(agent.knowledge.documents()) == len(data.corpus)
    again = CorpusStores(tmp_path, progress=quiet)
    seconds = again.ingest_seconds(data, settings)
    assert seconds is not None
    assert seconds > 0
    other = replace(data.corpus[0], text="The text has changed.")
    changed = replace(data, corpus=(other, *data.corpus[1:]))
    with again.open(changed, Settings(dense_weight=0.1)):
        assert again.ingest_seconds(changed, settings) is None
        assert again.left_out(changed, settings) == 0

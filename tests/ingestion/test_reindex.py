"""Rebuilding the indexes, and embedding a store again with another model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import DictConnector, HashEmbedder, LineChunker, TextParser

from ragmem.errors import StoreCorrupt
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.exact import ExactIndex
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.reindex import embed_again
from ragmem.ingestion.sync import SyncEngine
from ragmem.store.chunks import all_chunk_ids
from ragmem.store.embeddings import delete_other_models
from ragmem.store.index_ops import append_rebuild
from ragmem.store.stamp import read_stamp
from ragmem.store.store import Store, open_store
from ragmem.types import Scope

TEXTS: dict[str, str | Exception] = {f"d{i}": f"alpha {i}\nbeta {i}" for i in range(30)}


def filled(folder: Path, embedder: HashEmbedder) -> Store:
    store = open_store(folder)
    indexer = Indexer(
        store=store,
        dense=ExactIndex(dimensions=embedder.dimensions),
        lexical=RankBM25Index(),
        model_id=embedder.model_id,
    )
    engine = SyncEngine(
        store=store,
        parser=TextParser(),
        chunker=LineChunker(),
        embedder=embedder,
        indexer=indexer,
    )
    engine.sync(DictConnector(dict(TEXTS)), options=SyncOptions())
    return store


def rebuild(store: Store, indexer: Indexer, steps: list[tuple[int, int]]) -> None:
    with store.writing() as connection:
        append_rebuild(connection)
    indexer.apply_pending(on_progress=lambda done, total: steps.append((done, total)))


def test_rebuilding_fills_empty_indexes_without_embedding(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    store = filled(tmp_path, embedder)
    embedder.read.clear()
    dense, lexical = ExactIndex(dimensions=16), RankBM25Index()
    indexer = Indexer(store=store, dense=dense, lexical=lexical, model_id=embedder.model_id)
    steps: list[tuple[int, int]] = []
    rebuild(store, indexer, steps)
    with store.reading() as connection:
        assert dense.chunk_ids() == lexical.chunk_ids() == all_chunk_ids(connection)
    assert (embedder.read, steps[-1], indexer.pending()) == ([], (60, 60), 0)
    store.close()


def test_a_rebuild_that_was_killed_is_done_at_the_next_opening(tmp_path: Path) -> None:
    store = filled(tmp_path, HashEmbedder())

    class DyingIndex(RankBM25Index):
        def commit(self) -> None:
            raise KeyboardInterrupt

    half = Indexer(
        store=store, dense=ExactIndex(dimensions=16), lexical=DyingIndex(), model_id="hash-16"
    )
    with pytest.raises(KeyboardInterrupt):
        rebuild(store, half, [])
    dense, lexical = ExactIndex(dimensions=16), RankBM25Index()
    Indexer(store=store, dense=dense, lexical=lexical, model_id="hash-16").apply_pending()
    assert len(dense.chunk_ids()) == len(lexical.chunk_ids()) == 60
    store.close()


def test_missing_vectors_are_named_with_the_command(tmp_path: Path) -> None:
    store = filled(tmp_path, HashEmbedder())
    with store.writing() as connection:
        delete_other_models(connection, model_id="none")
    indexer = Indexer(
        store=store, dense=ExactIndex(dimensions=16), lexical=RankBM25Index(), model_id="hash-16"
    )
    with pytest.raises(StoreCorrupt, match="ragmem reindex --embed"):
        rebuild(store, indexer, [])
    store.close()


def test_embedding_again_with_another_model(tmp_path: Path) -> None:
    store = filled(tmp_path, HashEmbedder())
    other = HashEmbedder(model_id="hash-8", dimensions=8)
    dense, lexical = ExactIndex(dimensions=8), RankBM25Index()
    indexer = Indexer(store=store, dense=dense, lexical=lexical, model_id="hash-8")
    embed_again(store=store, chunker=LineChunker(), embedder=other)
    indexer.apply_pending()
    with store.reading() as connection:
        stamp = read_stamp(connection)
        assert dense.chunk_ids() == all_chunk_ids(connection)
    assert stamp is not None
    assert (stamp.embedding_model, stamp.dimensions) == ("hash-8", 8)
    assert len(other.read) == 60
    best = dense.search(other.embed_query("alpha 3"), k=1, scope=Scope())[0]
    assert np.isclose(best.score, 1.0, atol=1e-5)
    embed_again(store=store, chunker=LineChunker(), embedder=other)
    assert len(other.read) == 60
    store.close()

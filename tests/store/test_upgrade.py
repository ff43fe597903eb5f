"""A store of an earlier schema keeps everything it holds, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import DictConnector, HashEmbedder, LineChunker, TextParser
from sqlalchemy import Engine, text

from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.exact import ExactIndex
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.sync import SyncEngine
from ragmem.store.chunks import all_chunk_ids, chunk_ids_of, text_hash_of
from ragmem.store.document_uris import document_id_of, places_of, written_as
from ragmem.store.documents import list_documents, read_document, same_content
from ragmem.store.embeddings import read_embeddings
from ragmem.store.engine import open_engine, sqlite_url
from ragmem.store.index_ops import pending_ops
from ragmem.store.jobs import last_job
from ragmem.store.notes import put_notes, read_notes
from ragmem.store.signatures import read_signatures
from ragmem.store.sources import list_sources, read_items
from ragmem.store.store import Store, open_store
from ragmem.store.upgrade import upgrade
from ragmem.types import Chunk, Scope

TEXTS = {"a": "one\ntwo", "b": "one\ntwo", "c": "drei — \U0001f40d"}
SOURCE = 1
NOW = "2026-01-01 00:00:00"


def rows_of_the_first_schema() -> Iterator[tuple[str, dict[str, Any]]]:
    """What an earlier version wrote: documents, chunks, vectors, a source with its items."""
    uri_hash = text_hash_of("dict:all")
    yield "sources", {"tenant": "t", "uri": "dict:all", "uri_hash": uri_hash, "created_at": NOW}
    job = {"source_id": SOURCE, "status": "done", "started_at": NOW, "counts": '{"added": 3}'}
    yield "jobs", job
    for uri, whole in TEXTS.items():
        document_id = document_id_of(tenant="t", uri=uri)
        yield (
            "documents",
            {
                "id": document_id,
                "tenant": "t",
                "uri": uri,
                "title": f"Title {uri}",
                "text": whole,
                "text_format": "plain",
                "pages": "[[1, 0, 3]]",
                "language": "en",
                "media_type": "text/plain",
                "metadata": json.dumps({"tags": ["x", "y"], "n": 1}),
                "acl": '["user:ana"]',
                "content_hash": f"hash of {uri}",
                "created_at": NOW,
                "updated_at": NOW,
            },
        )
        yield (
            "source_items",
            {
                "source_id": SOURCE,
                "uri_hash": text_hash_of(uri),
                "uri": uri,
                "fingerprint": "old",
                "content_hash": f"hash of {uri}",
                "status": "ok",
                "reason": "",
                "document_id": document_id,
            },
        )
        for position, (chunk_id, chunk) in enumerate(chunks_of(uri)):
            yield (
                "chunks",
                {
                    "id": chunk_id,
                    "document_id": document_id,
                    "position": position,
                    "start": chunk.start,
                    "end": chunk.end,
                    "tokens": 1,
                    "heading_path": "[]",
                    "context": "",
                    "text": chunk.text,
                    "text_hash": text_hash_of(chunk.text),
                },
            )
    yield (
        "index_ops",
        {
            "document_id": "d",
            "added": json.dumps([chunks_of("a")[0][0]]),
            "removed": "[]",
            "created_at": NOW,
        },
    )
    embedder = HashEmbedder()
    for line in sorted({chunk.text for uri in TEXTS for _, chunk in chunks_of(uri)}):
        vector = embedder.embed_query(line).astype("<f4").tobytes()
        key = {"model_id": "hash-16", "text_hash": text_hash_of(line)}
        yield "embeddings", {**key, "vector": vector}


def chunks_of(uri: str) -> list[tuple[str, Chunk]]:
    chunked, start = [], 0
    for line in TEXTS[uri].splitlines(keepends=True):
        words = line.rstrip("\n")
        chunked.append(Chunk(start=start, end=start + len(words), text=words, tokens=1))
        start += len(line)
    ids = chunk_ids_of(document_id_of(tenant="t", uri=uri), chunked)
    return list(zip(ids, chunked, strict=True))


def write_first_schema(engine: Engine) -> None:
    upgrade(engine, to="0001")
    with engine.begin() as connection:
        for table, row in rows_of_the_first_schema():
            names = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"insert into {table} ({names}) values ({values})"), row)
    engine.dispose()


@pytest.fixture
def upgraded(tmp_path: Path, database_url: str | None) -> Iterator[Store]:
    """A store that was filled in the first schema, and opened."""
    folder = tmp_path / "store"
    folder.mkdir()
    write_first_schema(open_engine(database_url or sqlite_url(folder / "ragmem.db")))
    store = open_store(folder, url=database_url)
    yield store
    store.close()


def test_everything_is_there_after_the_upgrade(upgraded: Store) -> None:
    scope = Scope(tenant="t", user="ana")
    ids = {uri: document_id_of(tenant="t", uri=uri) for uri in TEXTS}
    with upgraded.reading() as connection:
        infos = list(list_documents(connection, scope=scope))
        assert [(info.uri, info.chunks) for info in infos] == [("a", 2), ("b", 2), ("c", 1)]
        assert list(list_documents(connection, scope=Scope(tenant="t"))) == []
        for uri, whole in TEXTS.items():
            document = read_document(connection, uri, scope=scope)
            assert document is not None
            assert (document.text, document.title) == (whole, f"Title {uri}")
            assert document.metadata == {"tags": ("x", "y"), "n": 1}
            assert document.acl == frozenset({"user:ana"})
            assert (document.pages[0].end, document.other_uris) == (3, ())
            [place] = places_of(connection, [ids[uri]])[ids[uri]]
            assert (place.id, place.uri, place.metadata) == (ids[uri], uri, document.metadata)
            assert written_as(connection, [ids[uri]])[ids[uri]].content_hash == f"hash of {uri}"
        assert all_chunk_ids(connection) == {key for uri in TEXTS for key, _ in chunks_of(uri)}
        items = read_items(connection, SOURCE)
        assert {uri: item.document_id for uri, item in items.items()} == ids
        [source] = list_sources(connection, tenant="t")
        assert (source.id, source.uri, source.recipe) == (SOURCE, "dict:all", None)
        job = last_job(connection, SOURCE)
        assert job is not None
        assert job.counts == {"added": 3}
        assert [op.added for op in pending_ops(connection, limit=9)] == [(chunks_of("a")[0][0],)]
        found = read_embeddings(connection, model_id="hash-16", text_hashes=[text_hash_of("one")])
        assert np.allclose(found[text_hash_of("one")], HashEmbedder().embed_query("one"))
        # Unknown, so that nothing is taken for a copy before it is read again.
        assert same_content(connection, tenant="t", content_key="") is None
        assert read_signatures(connection, list(ids.values())) == {}


def test_an_upgraded_store_is_read_again_without_embedding(upgraded: Store) -> None:
    embedder = HashEmbedder()
    dense, lexical = ExactIndex(dimensions=16), RankBM25Index()
    indexer = Indexer(store=upgraded, dense=dense, lexical=lexical, model_id="hash-16")
    engine = SyncEngine(
        store=upgraded,
        parser=TextParser(),
        chunker=LineChunker(),
        embedder=embedder,
        indexer=indexer,
    )
    connector = DictConnector(dict(TEXTS))
    options = SyncOptions(tenant="t")
    report = engine.sync(connector, options=options)
    assert (report.updated, report.copies, report.embedded) == (3, 1, 0)
    scope = Scope(tenant="t", user="ana")
    with upgraded.reading() as connection:
        infos = list(list_documents(connection, scope=scope))
        assert [(info.uri, info.other_uris) for info in infos] == [("a", ("b",)), ("c", ())]
        assert dense.chunk_ids() == lexical.chunk_ids() == all_chunk_ids(connection)
    assert engine.sync(connector, options=options).unchanged == 3


def test_notes_of_an_upgraded_source(upgraded: Store) -> None:
    with upgraded.writing() as connection:
        put_notes(connection, SOURCE, {"etag": "one", "other": "x"})
        put_notes(connection, SOURCE, {"etag": "two"})
    with upgraded.reading() as connection:
        assert read_notes(connection, SOURCE) == {"etag": "two", "other": "x"}

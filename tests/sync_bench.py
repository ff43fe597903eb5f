"""A store with a sync engine over in-memory indexes, and what must hold of it after every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fakes import HashEmbedder, LineChunker, TextParser
from sqlalchemy import select

from ragmem.chunking.names import names_in, title_names
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.exact import ExactIndex
from ragmem.ingestion.committing import GroupSizes
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.retrying import RetryPolicy
from ragmem.ingestion.signing import sign
from ragmem.ingestion.sync import SyncEngine
from ragmem.ingestion.tally import ProgressCallback
from ragmem.ports import Chunker, Connector, Parser
from ragmem.store.chunks import (
    all_chunk_ids,
    chunk_ids_of,
    chunks_of_document,
    read_index_entries,
)
from ragmem.store.document_uris import document_id_of, places_of
from ragmem.store.documents import all_document_ids, read_documents_by_id
from ragmem.store.jobs import Job, last_job
from ragmem.store.names import name_key
from ragmem.store.reader import StoreReader
from ragmem.store.schema import (
    chunk_names,
    chunks,
    document_uris,
    documents,
    embeddings,
    source_items,
    sources,
)
from ragmem.store.signatures import read_signatures
from ragmem.store.sources import source_of
from ragmem.store.store import Store, open_store
from ragmem.types import IndexEntry, Metadata, MetadataValue, ParsedDocument, Scope, SyncReport

NO_WAITING = RetryPolicy(first_seconds=0.0)


class RememberingIndex(ExactIndex):
    """An exact index that shows the entries it holds."""

    def entries(self) -> dict[str, IndexEntry]:
        return dict(self._table._entries)


class RememberingWords(RankBM25Index):
    """A lexical index that shows the entries it holds."""

    def entries(self) -> dict[str, IndexEntry]:
        return dict(self._table._entries)


@dataclass(frozen=True)
class StoredDocument:
    """All of a document that a fresh ingest would store in the same way."""

    tenant: str
    uri: str
    others: tuple[str, ...]
    text: str
    title: str
    metadata: Metadata
    acl: frozenset[str]
    chunks: tuple[tuple[str, int, int, str], ...]


@dataclass
class Bench:
    """A store, its indexes and its engine."""

    store: Store
    embedder: HashEmbedder
    dense: RememberingIndex
    lexical: RememberingWords
    engine: SyncEngine
    chunker: Chunker

    def sync(
        self,
        connector: Connector,
        *,
        on_progress: ProgressCallback | None = None,
        **options: object,
    ) -> SyncReport:
        given = SyncOptions(**options)  # type: ignore[arg-type]
        return self.engine.sync(connector, options=given, on_progress=on_progress)

    def texts(self, scope: Scope | None = None) -> dict[str, str]:
        """The documents that a scope sees, by their own URIs."""
        scope = scope or Scope()
        reader = StoreReader(self.store)
        found = reader.documents(scope=scope)
        return {info.uri: reader.document(info.uri, scope=scope).text for info in found}

    def last_job(self, source_uri: str, *, tenant: str = "default") -> Job:
        with self.store.writing() as connection:
            source = source_of(connection, tenant=tenant, uri=source_uri)
            job = last_job(connection, source.id)
        assert job is not None
        return job

    def contents(self) -> set[StoredDocument]:
        """Everything stored, to be compared with another store."""
        with self.store.reading() as connection:
            ids = all_document_ids(connection)
            places = places_of(connection, ids)
            found = set()
            for document in read_documents_by_id(connection, ids):
                rows = connection.execute(
                    select(chunks.c.id, chunks.c.start, chunks.c.end, chunks.c.text)
                    .where(chunks.c.document_id == document.id)
                    .order_by(chunks.c.position)
                )
                stored = StoredDocument(
                    tenant=document.tenant,
                    uri=document.uri,
                    others=tuple(place.uri for place in places[document.id][1:]),
                    text=document.text,
                    title=document.title,
                    metadata=Frozen(document.metadata),
                    acl=document.acl,
                    chunks=tuple((row.id, row.start, row.end, row.text) for row in rows),
                )
                found.add(stored)
        return found

    def check_indexes(self) -> None:
        """Both indexes hold exactly the stored chunks, each as it is stored."""
        with self.store.reading() as connection:
            stored = sorted(all_chunk_ids(connection))
            entries = {each.chunk_id: each for each, _ in read_index_entries(connection, stored)}
        assert sorted(entries) == stored
        assert self.dense.entries() == entries
        assert self.lexical.entries() == entries

    def check(self) -> None:
        """What holds whatever has happened."""
        self.check_indexes()
        self._check_documents()
        self._check_names()
        self._check_items()

    def check_vectors(self) -> None:
        """There is a vector of each stored chunk and of nothing else."""
        with self.store.reading() as connection:
            used = set(connection.execute(select(chunks.c.text_hash)).scalars())
            assert set(connection.execute(select(embeddings.c.text_hash)).scalars()) == used

    def _check_documents(self) -> None:
        with self.store.reading() as connection:
            ids = all_document_ids(connection)
            places, signatures = places_of(connection, ids), read_signatures(connection, ids)
            keys = list(
                connection.execute(
                    select(documents.c.tenant, documents.c.content_key).where(
                        documents.c.content_key != ""
                    )
                )
            )
            found = read_documents_by_id(connection, ids)
            rows = {(row.document_id, row.id) for row in connection.execute(select(chunks))}
        assert len(keys) == len(set(keys)), "two documents have the same content"
        for document in found:
            uris = [place.uri for place in places[document.id]]
            assert document.uri == min(uris)
            assert document.id == document_id_of(tenant=document.tenant, uri=document.uri)
            for place in places[document.id]:
                assert place.id == document_id_of(tenant=document.tenant, uri=place.uri)
                assert place.metadata.keys() <= document.metadata.keys()
            parsed = ParsedDocument(text=document.text, text_format=document.text_format)
            expected = chunk_ids_of(document.id, self.chunker.chunk(parsed))
            assert {row for row in rows if row[0] == document.id} == {
                (document.id, each) for each in expected
            }
            assert signatures.get(document.id, b"") == sign(document.text)

    def _check_names(self) -> None:
        """The names of each chunk are those that its text and its document's title hold."""
        with self.store.reading() as connection:
            rows = {tuple(row) for row in connection.execute(select(chunk_names))}
            found = read_documents_by_id(connection, all_document_ids(connection))
            texts = {each.id: chunks_of_document(connection, each.id) for each in found}
        expected = set()
        for document in found:
            titled = title_names(document.title)
            ids = chunk_ids_of(document.id, texts[document.id])
            for chunk_id, chunk in zip(ids, texts[document.id], strict=True):
                keys = [(0, name) for name in titled]
                keys += [(1, name) for name in names_in(chunk.text) - titled]
                expected |= {
                    (name_key(document.tenant, name), role, chunk_id) for role, name in keys
                }
        assert rows == expected

    def _check_items(self) -> None:
        """Every item, of whichever source, stands for the document at its place."""
        with self.store.reading() as connection:
            at = {row.id: row.document_id for row in connection.execute(select(document_uris))}
            query = select(source_items, sources.c.tenant).join(
                sources, sources.c.id == source_items.c.source_id
            )
            for row in connection.execute(query):
                place = document_id_of(tenant=row.tenant, uri=row.uri)
                assert row.document_id == at.get(place), f"{row.uri} ({row.status})"


class Frozen(dict[str, MetadataValue]):
    """Metadata that can be in a set."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self)))


@contextmanager
def bench_at(
    folder: Path,
    *,
    parser: Parser | None = None,
    sizes: GroupSizes | None = None,
    retries: RetryPolicy = NO_WAITING,
) -> Iterator[Bench]:
    """Open a store with everything that a sync needs."""
    store = open_store(folder)
    embedder, chunker = HashEmbedder(), LineChunker()
    dense, lexical = RememberingIndex(dimensions=embedder.dimensions), RememberingWords()
    indexer = Indexer(store=store, dense=dense, lexical=lexical, model_id=embedder.model_id)
    engine = SyncEngine(
        store=store,
        parser=parser or TextParser(),
        chunker=chunker,
        embedder=embedder,
        indexer=indexer,
        sizes=sizes,
        retries=retries,
    )
    try:
        yield Bench(store, embedder, dense, lexical, engine, chunker)
    finally:
        store.close()

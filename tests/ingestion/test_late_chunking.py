"""Late vectors in a store: cached, replaced where what was read changed, kept apart from others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fakes import DictConnector, HashEmbedder, TextParser
from fakes import LineChunker as CountingLineChunker
from sqlalchemy import select
from token_embedder import TokenHashEmbedder

from ragmem import Agent, Replacements, Settings, StoreMismatch, TextDocument, embed_store_again
from ragmem.chunking.late import LateEmbedder
from ragmem.errors import UsageError
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.exact import ExactIndex
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.reindex import embed_again
from ragmem.ingestion.sync import SyncEngine
from ragmem.ingestion.vectors import keys_of
from ragmem.store.chunks import all_chunk_ids, chunk_ids_of, chunks_of_document
from ragmem.store.document_uris import document_id_of
from ragmem.store.index_ops import append_rebuild
from ragmem.store.schema import chunks as chunk_rows
from ragmem.store.schema import embeddings
from ragmem.store.stamp import read_stamp
from ragmem.store.store import Store, open_store
from ragmem.types import Chunk, FloatVector, ParsedDocument, SyncReport


class LineChunker(CountingLineChunker):
    """Leaves the counting to others."""

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        return [replace(chunk, tokens=0) for chunk in super().chunk(document)]


LINES = [f"line {n} says word{n * 7} and word{n * 11}" for n in range(60)]


@dataclass
class Bench:
    """A store with late vectors over in-memory indexes."""

    store: Store
    embedder: TokenHashEmbedder
    dense: ExactIndex
    texts: dict[str, str | Exception]

    def sync(self, *, late: bool = True) -> SyncReport:
        embedder = LateEmbedder(self.embedder) if late else self.embedder
        engine = SyncEngine(
            store=self.store,
            parser=TextParser(),
            chunker=LineChunker(),
            embedder=embedder,
            indexer=self.indexer(),
        )
        self.embedder.read.clear()
        return engine.sync(DictConnector(self.texts), options=SyncOptions())

    def indexer(self) -> Indexer:
        model_id = LateEmbedder(self.embedder).model_id
        return Indexer(
            store=self.store, dense=self.dense, lexical=RankBM25Index(), model_id=model_id
        )

    def vectors(self, uri: str) -> list[FloatVector]:
        """What the index holds for a document, in the order of its chunks."""
        document_id = document_id_of(tenant="default", uri=uri)
        with self.store.reading() as connection:
            order = chunk_rows.c.position
            query = select(chunk_rows.c.id).where(chunk_rows.c.document_id == document_id)
            ids = list(connection.execute(query.order_by(order)).scalars())
        found = self.dense.vectors(ids)
        return [found[each] for each in ids]

    def expected(self, text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Vectors of a document that is alone in the world."""
        late = LateEmbedder(TokenHashEmbedder())
        with self.store.reading() as connection:
            for document_id in [document_id_of(tenant="default", uri=uri) for uri in self.texts]:
                chunks = chunks_of_document(connection, document_id)
                if "\n".join(chunk.text for chunk in chunks) == text:
                    return late.embed_windows(late.windows(text, chunks))
        raise AssertionError(text)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = open_store(tmp_path)
    texts: dict[str, str | Exception] = {"a": "\n".join(LINES), "b": "\n".join(LINES[:3])}
    bench = Bench(store, TokenHashEmbedder(), ExactIndex(dimensions=16), texts)
    bench.sync()
    yield bench
    store.close()


def test_the_index_holds_late_vectors_of_every_window(bench: Bench) -> None:
    for uri in ("a", "b"):
        text = str(bench.texts[uri])
        assert np.allclose(bench.vectors(uri), bench.expected(text), atol=1e-6)
    alone = bench.embedder.embed_documents([LINES[1]])[0]
    assert not np.allclose(bench.vectors("b")[1], alone, atol=1e-2)
    assert not np.allclose(bench.vectors("b")[2], bench.vectors("a")[2], atol=1e-6)


def test_nothing_is_read_twice(bench: Bench) -> None:
    assert bench.sync().embedded == 0
    bench.texts["c"] = f"{bench.texts['a']}\n\n"  # other bytes, the same chunks
    report = bench.sync()
    assert (report.added, report.embedded, bench.embedder.read) == (1, 0, [])
    assert np.array_equal(bench.vectors("c"), bench.vectors("a"))


def test_an_edit_reads_the_windows_near_it_and_replaces_their_vectors(bench: Bench) -> None:
    windows = len(LateEmbedder(bench.embedder).windows("\n".join(LINES), _chunks(LINES)))
    edited = [*LINES[:30], "a new line", *LINES[30:]]
    bench.texts["a"] = "\n".join(edited)
    report = bench.sync()
    assert 0 < report.embedded < windows
    assert report.embedded == len(bench.embedder.read)
    assert np.allclose(bench.vectors("a"), bench.expected("\n".join(edited)), atol=1e-6)
    with bench.store.reading() as connection:
        assert bench.dense.chunk_ids() == all_chunk_ids(connection)
        used = set(connection.execute(select(chunk_rows.c.text_hash)).scalars())
        assert set(connection.execute(select(embeddings.c.text_hash)).scalars()) == used


def test_a_neighbours_edit_moves_a_chunks_vector_under_a_new_id(bench: Bench) -> None:
    before = bench.vectors("b")
    bench.texts["b"] = "\n".join([*LINES[:2], "quite another line"])
    bench.sync()
    assert np.allclose(bench.vectors("b"), bench.expected(str(bench.texts["b"])), atol=1e-6)
    assert not np.allclose(bench.vectors("b")[0], before[0], atol=1e-4)


def test_a_copy_that_takes_over_keeps_its_vectors(bench: Bench) -> None:
    before = bench.vectors("b")
    bench.texts["z"] = bench.texts["b"]
    assert bench.sync().copies == 1
    del bench.texts["b"]
    assert bench.sync().embedded == 0
    assert np.array_equal(bench.vectors("z"), before)


def test_rebuilding_the_indexes_reads_nothing(bench: Bench) -> None:
    before = bench.vectors("a")
    bench.dense = ExactIndex(dimensions=16)
    bench.embedder.read.clear()
    with bench.store.writing() as connection:
        append_rebuild(connection)
    bench.indexer().apply_pending()
    assert bench.embedder.read == []
    assert np.array_equal(bench.vectors("a"), before)


def test_embedding_again_changes_from_one_kind_to_the_other(bench: Bench) -> None:
    late = bench.vectors("a")
    for embedder in (bench.embedder, LateEmbedder(bench.embedder)):
        bench.dense = ExactIndex(dimensions=16)
        embed_again(store=bench.store, chunker=LineChunker(), embedder=embedder)
        Indexer(
            store=bench.store,
            dense=bench.dense,
            lexical=RankBM25Index(),
            model_id=embedder.model_id,
        ).apply_pending()
        with bench.store.reading() as connection:
            stamp = read_stamp(connection)
            models = set(connection.execute(select(embeddings.c.model_id)).scalars())
        assert stamp is not None
        assert models == {embedder.model_id} == {stamp.embedding_model}
        assert np.allclose(bench.vectors("a"), late, atol=1e-6) == (embedder is not bench.embedder)


def test_keys_and_ids_of_chunks_that_are_read_alone_are_those_of_their_texts() -> None:
    chunks = _chunks(LINES[:2])
    keys = keys_of(TokenHashEmbedder(), "\n".join(LINES[:2]), chunks)
    assert chunk_ids_of("d", chunks) == chunk_ids_of("d", chunks, text_hashes=keys)
    late = keys_of(LateEmbedder(TokenHashEmbedder()), "\n".join(LINES[:2]), chunks)
    assert not set(late) & set(keys)


def test_late_and_other_vectors_are_not_mixed_in_a_store(tmp_path: Path) -> None:
    texts = [TextDocument(uri="note:kettle", text="The kettle is red. It lasts two years.")]
    given = Replacements(embedder=TokenHashEmbedder(max_tokens=120))
    late = Settings(chat_model="", late_chunking=True)
    with Agent.open(tmp_path / "store", settings=late, replacements=given) as agent:
        agent.knowledge.add_texts(texts)
        assert agent.knowledge.search("red kettle").hits[0].document_uri == "note:kettle"
    plain = Settings(chat_model="")
    with pytest.raises(StoreMismatch, match=r"late.*ragmem reindex --embed"):
        Agent.open(tmp_path / "store", settings=plain, replacements=given)
    embed_store_again(tmp_path / "store", settings=plain, replacements=given)
    with Agent.open(tmp_path / "store", settings=plain, replacements=given) as agent:
        assert agent.knowledge.search("red kettle").hits
    with pytest.raises(UsageError, match="embed_tokens"):
        Agent.open(
            tmp_path / "other",
            settings=late,
            replacements=Replacements(embedder=HashEmbedder()),
        )


def _chunks(lines: list[str]) -> list[Chunk]:
    parsed = ParsedDocument(text="\n".join(lines), text_format="plain")
    return LineChunker().chunk(parsed)

"""The dense index on disk: Chroma, embedded, one collection a tenant.

What lives here: vectors, the choice of how to search them, crash safety and compaction. Who may see
which chunk is decided in `roster.py`; what is read from Chroma is in `chroma_reads.py`.

Choices and what was measured (Chroma 1.5.9, 100,000 MiniLM vectors, two cores):

- HNSW (Malkov & Yashunin, 2016) with 32 neighbours and ef 200 while building, 400 while searching:
  recall@10 0.999 and recall@100 0.997 at 1.4 ms. With 16 neighbours and ef 100 it is 0.983 and
  0.944 at 0.7 ms; ef 800 gains 0.001 and takes 2.4 ms.
- A search that sees only part of a tenant takes the cheapest way that loses no recall. Few
  admitted chunks: their vectors are read (18 ms a thousand), compared exactly (0.2 ms) and kept
  for the next search that may see the same: searches after the first cost nearly nothing, so this
  goes on beyond the 1,300 up to which it is quickest the first time. Many: more neighbours than
  needed are fetched and the admitted ones kept (5 ms a thousand). Where that leaves too few, up to
  15,000 are compared after all: of a million chunks, reading 10,000 takes 0.2 s once, and HNSW
  restricted to their ids 90 ms each time. More than these are left to such a restricted search
  (at 100,000 chunks 8 ms for 10,000 ids, 40 ms for 50,000). Recall@10 was 0.997 or more for every
  selectivity tried (`benchmarks/index_recall.py`). Twice as many neighbours are fetched as should
  be needed, because the far end of such a list is less exact: one and a half times as many cost a
  quarter less and found 0.1% less of the best 100.
- An exact search reads and compares every admitted vector, a batch at a time.
- Chroma overwrites a vector in place at 200 a second; deleting and adding it does 500 and more.
  Either leaves tombstones, which cost disk and time (18 ms a search when 97% are removed), so
  `commit` builds a collection anew once more was removed from it than it holds. Adding an entry
  whose vector is already there writes no vector.

A change is ordered so that a kill at any point leaves no vector without a row in the roster, and
repeating the change completes it.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ragmem.errors import StoreCorrupt, StoreError
from ragmem.filters import Filter
from ragmem.indexes import chroma_reads
from ragmem.indexes.ranking import best, check_shape, cosines
from ragmem.indexes.roster import Admission, Roster
from ragmem.types import Candidate, FloatMatrix, FloatVector, IndexEntry, Scope

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

_HNSW = {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 400}
_BATCH = 2_000
_COMPARE_ALL = 3_000
_REMEMBERED_VECTORS = 15_000
_DEEPEST = 2_000
_SPARE_DEPTH = 2.0
_DEEPER = 4
_TOMBSTONES_KEPT = 2_000
_SAME_VECTOR = 1e-5


class ChromaIndex:
    """Nearest neighbours by cosine; the port is `ragmem.ports.DenseIndex`. Thread-safe."""

    def __init__(self, folder: Path, *, dimensions: int) -> None:
        """Open the index, creating it where there is none.

        Args:
            folder: where its files are; nothing else may be there.
            dimensions: the length of a vector.

        Raises:
            StoreMismatch: it was written in another format or for vectors of another length.
            StoreCorrupt: the files cannot be read.
        """
        self._folder = folder.resolve()
        self._dimensions = dimensions
        self._lock = threading.RLock()
        self._collections: dict[str, Collection] = {}
        self._changes = 0
        self._remembered: dict[Admission, tuple[list[str], FloatMatrix]] = {}
        self._open()

    def upsert(self, entries: Sequence[IndexEntry], vectors: FloatMatrix) -> None:
        """Add or replace entries.

        Args:
            entries: one a row of `vectors`.
            vectors: shape (len(entries), dimensions), rows of length one.

        Raises:
            UsageError: the vectors have another shape.
        """
        check_shape(vectors, rows=len(entries), dimensions=self._dimensions)
        latest = {entry.chunk_id: row for row, entry in enumerate(entries)}
        with self._lock, self._mapped(), self._changing():
            for start in range(0, len(latest), _BATCH):
                rows = list(latest.values())[start : start + _BATCH]
                self._put([entries[row] for row in rows], vectors[rows])

    def search(
        self,
        vector: FloatVector,
        *,
        k: int,
        scope: Scope,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The k chunks nearest to the vector among those the scope sees and the filter admits.

        Args:
            vector: shape (dimensions,).
            k: the most candidates to return.
            scope: who is asking.
            where: a filter over metadata.
            exact: compare with every vector, batch by batch: 20 ms for a thousand chunks.

        Returns:
            At most k, best first, scored by cosine similarity in [-1, 1].
        """
        check_shape(vector[np.newaxis], rows=1, dimensions=self._dimensions)
        with self._mapped():
            seen = self._roster.admission(scope, where)
            wanted = min(k, seen.admitted)
            if wanted < 1:
                return []
            collection = self._collection(scope.tenant)
            if exact and seen.admitted <= _REMEMBERED_VECTORS:
                return self._nearest_of_few(collection, vector, seen, wanted)
            if exact:
                return chroma_reads.compared(collection, vector, self._roster.holding(seen), wanted)
            if seen.admitted == seen.total:
                return chroma_reads.nearest(collection, vector, wanted)
            if seen.admitted <= _COMPARE_ALL:
                return self._nearest_of_few(collection, vector, seen, wanted)
            depth = math.ceil(_SPARE_DEPTH * wanted * seen.total / seen.admitted)
            while depth <= _DEEPEST:
                near = chroma_reads.nearest(collection, vector, depth)
                kept = self._roster.keep([hit.chunk_id for hit in near], seen)
                hits = [hit for hit in near if hit.chunk_id in kept]
                if len(hits) >= wanted:
                    return hits[:wanted]
                depth *= _DEEPER
            if seen.admitted <= _REMEMBERED_VECTORS:
                return self._nearest_of_few(collection, vector, seen, wanted)
            return chroma_reads.nearest_among(
                collection, vector, self._roster.holding(seen), wanted
            )

    def vectors(self, chunk_ids: Sequence[str]) -> Mapping[str, FloatVector]:
        """The vectors of these chunks; chunks not there are left out."""
        found: dict[str, FloatVector] = {}
        with self._mapped():
            for tenant, ids in self._roster.by_tenant(chunk_ids).items():
                collection = self._collection(tenant)
                for start in range(0, len(ids), _BATCH):
                    found |= chroma_reads.vectors(collection, ids[start : start + _BATCH])
        return found

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks."""
        with self._lock, self._mapped(), self._changing():
            for start in range(0, len(chunk_ids), _BATCH):
                batch = chunk_ids[start : start + _BATCH]
                for tenant, ids in self._roster.by_tenant(batch).items():
                    self._remove_vectors(tenant, ids)
                self._roster.remove(batch)

    def delete_documents(self, document_ids: Sequence[str]) -> None:
        """Remove every chunk of these documents."""
        with self._lock:
            self.delete_chunks(self._roster.of_documents(document_ids))

    def commit(self) -> None:
        """Make all changes so far durable and visible."""
        with self._lock, self._mapped():
            self._roster.sweep()
            for tenant, (removed, entries) in self._roster.tombstones().items():
                if removed > max(entries, _TOMBSTONES_KEPT):
                    self._rebuild(tenant)

    def chunk_ids(self) -> set[str]:
        """Every chunk in the index, for checks against the store."""
        with self._lock, self._mapped():
            held: set[str] = set()
            for tenant in self._roster.collections():
                held.update(self._collection(tenant).get(include=[])["ids"])
            return held & self._roster.ids()

    def clear(self) -> None:
        """Remove everything, files that cannot be read any more included."""
        with self._lock:
            self._release()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._open()

    def close(self) -> None:
        """Commit and let go of files and threads; closing twice is no error."""
        with self._lock:
            if self._client is not None:
                self.commit()
                self._release()

    # --- inside ----------------------------------------------------------------------------------

    def _open(self) -> None:
        self._client: ClientAPI | None = None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._roster = Roster(self._folder / "roster.sqlite3", dimensions=self._dimensions)
        try:
            with self._mapped():
                self._client = _client(self._folder / "chroma")
                # A kill while a collection was made or rebuilt leaves one that nobody names.
                named = set(self._roster.collections().values())
                for collection in self._client.list_collections():
                    if collection.name not in named:
                        self._drop(collection)
        except StoreError:
            self._release()
            raise

    def _release(self) -> None:
        client, self._client = self._client, None
        self._collections.clear()
        self._remembered.clear()
        self._roster.close()
        if client is not None:
            client.close()

    def _collection(self, tenant: str) -> Collection:
        """The tenant's collection, made when it has none."""
        with self._lock:
            name = self._roster.collection(tenant)
            if name is None:
                name = self._new_collection()
                self._roster.assign(tenant, name)
            if name not in self._collections:
                collection = self._opened().get_collection(name, embedding_function=None)
                self._collections[name] = collection
            return self._collections[name]

    def _new_collection(self) -> str:
        name = uuid.uuid4().hex
        self._opened().create_collection(
            name, embedding_function=None, configuration={"hnsw": _HNSW}
        )
        return name

    def _opened(self) -> ClientAPI:
        if self._client is None:
            raise StoreError(f"the dense index in {self._folder} is closed: open it again")
        return self._client

    def _put(self, entries: Sequence[IndexEntry], vectors: FloatMatrix) -> None:
        rows: dict[str, dict[str, int]] = {}
        for row, entry in enumerate(entries):
            rows.setdefault(entry.tenant, {})[entry.chunk_id] = row
        present = self._roster.by_tenant([entry.chunk_id for entry in entries])
        for tenant, ids in present.items():
            new = rows.get(tenant, {})
            stale = []
            for chunk_id, vector in chroma_reads.vectors(self._collection(tenant), ids).items():
                same = chunk_id in new and np.allclose(
                    vector, vectors[new[chunk_id]], atol=_SAME_VECTOR
                )
                if same:
                    del new[chunk_id]
                else:
                    stale.append(chunk_id)
            self._remove_vectors(tenant, stale)
        self._roster.put(entries)
        for tenant, new in rows.items():
            if new:
                chosen = vectors[list(new.values())]
                self._collection(tenant).upsert(ids=list(new), embeddings=chosen)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Whatever is read before the end of a change is not remembered after it."""
        try:
            yield
        finally:
            self._changes += 1
            self._remembered.clear()

    def _nearest_of_few(
        self, collection: Collection, vector: FloatVector, seen: Admission, k: int
    ) -> list[Candidate]:
        held, rows = self._few(collection, seen)
        return best(held, cosines(vector, rows), k)

    def _few(self, collection: Collection, seen: Admission) -> tuple[list[str], FloatMatrix]:
        """The admitted chunks with their vectors, one a row, remembered until the next change."""
        with self._lock:
            known, changes = self._remembered.get(seen), self._changes
        if known is not None:
            return known
        found = chroma_reads.vectors(collection, self._roster.holding(seen))
        rows = np.array(list(found.values()), dtype=np.float32).reshape(-1, self._dimensions)
        with self._lock:
            if changes == self._changes:
                held = sum(len(ids) for ids, _ in self._remembered.values())
                if held + len(found) > _REMEMBERED_VECTORS:
                    self._remembered.clear()
                self._remembered[seen] = (list(found), rows)
        return list(found), rows

    def _remove_vectors(self, tenant: str, chunk_ids: Sequence[str]) -> None:
        if chunk_ids:
            self._collection(tenant).delete(ids=list(chunk_ids))
            self._roster.bury(tenant, len(chunk_ids))

    def _rebuild(self, tenant: str) -> None:
        """Copy the tenant's vectors into a new collection, which has no tombstones."""
        old = self._collection(tenant)
        name = self._new_collection()
        new = self._opened().get_collection(name, embedding_function=None)
        ids = old.get(include=[])["ids"]
        for start in range(0, len(ids), _BATCH):
            batch = chroma_reads.vectors(old, ids[start : start + _BATCH])
            new.upsert(ids=list(batch), embeddings=np.stack(list(batch.values())))
        self._roster.assign(tenant, name)
        self._collections.pop(old.name, None)
        self._drop(old)

    def _drop(self, collection: Collection) -> None:
        """Delete a collection with its files, which Chroma leaves on disk (its issue 5259)."""
        folder = self._folder / "chroma"
        database = f"{(folder / 'chroma.sqlite3').as_uri()}?mode=ro"
        with closing(sqlite3.connect(database, uri=True)) as connection:
            rows = connection.execute(
                "SELECT id FROM segments WHERE collection = ?", (str(collection.id),)
            )
            segments = [str(row[0]) for row in rows]
        self._opened().delete_collection(collection.name)
        for segment in segments:
            shutil.rmtree(folder / segment, ignore_errors=True)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        from chromadb.errors import ChromaError, InternalError, NotFoundError

        try:
            yield
        except (InternalError, NotFoundError) as error:
            raise StoreCorrupt(
                f"the dense index in {self._folder} cannot be read: {error}; "
                "`ragmem reindex` rebuilds it from the store"
            ) from error
        except ChromaError as error:
            raise StoreError(f"the dense index in {self._folder} failed: {error}") from error


def _client(folder: Path) -> ClientAPI:
    import chromadb
    from chromadb.config import Settings

    # Without `_env_file` a stray .env in the working folder would change the settings.
    settings = Settings(
        _env_file=None,
        chroma_api_impl="chromadb.api.rust.RustBindingsAPI",
        anonymized_telemetry=False,
    )
    return chromadb.PersistentClient(str(folder), settings=settings)

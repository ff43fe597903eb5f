"""Makes the dense, the lexical and, where there is one, the sparse index follow the store.

The store notes every change of chunks in `index_ops`; here the notes are applied, in order and
idempotently, and crossed out. A kill between any two instructions leaves either a note that is
applied again or nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ragmem.errors import StoreCorrupt
from ragmem.ports import DenseIndex, Index, LexicalIndex
from ragmem.store.chunks import all_chunk_ids, read_index_entries
from ragmem.store.embeddings import read_embeddings
from ragmem.store.index_ops import (
    IndexOp,
    count_pending,
    delete_done,
    mark_done,
    pending_ops,
    rebuild_pending,
)
from ragmem.store.insert import batches
from ragmem.store.store import Store

_OPS_A_ROUND = 256
_CHUNKS_A_BATCH = 2048


class Indexer:
    """Applies noted changes to the indexes."""

    def __init__(
        self,
        *,
        store: Store,
        dense: DenseIndex,
        lexical: LexicalIndex,
        model_id: str,
        sparse: LexicalIndex | None = None,
    ) -> None:
        self._store = store
        self._dense = dense
        self._by_text = (lexical,) if sparse is None else (lexical, sparse)
        self._indexes: tuple[Index, ...] = (dense, *self._by_text)
        self._model_id = model_id

    def pending(self) -> int:
        """How many noted changes the indexes have not made yet."""
        with self._store.reading() as connection:
            return count_pending(connection)

    def apply_pending(self, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Apply every noted change.

        Args:
            on_progress: called with what is applied and what there is to apply: changes, or
                chunks where the indexes are built again.

        Raises:
            StoreCorrupt: a chunk's vector is missing from the embedding cache.
        """
        with self._store.reading() as connection:
            total, newest = count_pending(connection), rebuild_pending(connection)
        if not total:
            return
        if newest is not None:
            self._rebuild(on_progress)
            self._mark_done(up_to=newest)
        done = 0
        while ops := self._next_ops():
            self._apply(ops)
            self._mark_done(up_to=ops[-1].id)
            done += len(ops)
            if on_progress is not None:
                on_progress(done, total)
        with self._store.writing() as connection:
            delete_done(connection)

    def _next_ops(self) -> list[IndexOp]:
        with self._store.reading() as connection:
            return pending_ops(connection, limit=_OPS_A_ROUND)

    def _mark_done(self, *, up_to: int) -> None:
        with self._store.writing() as connection:
            mark_done(connection, up_to=up_to)

    def _rebuild(self, on_progress: Callable[[int, int], None] | None) -> None:
        with self._store.reading() as connection:
            chunk_ids = sorted(all_chunk_ids(connection))
        for index in self._indexes:
            index.clear()
        done = 0
        for batch in batches(chunk_ids, size=_CHUNKS_A_BATCH):
            self._add(batch)
            done += len(batch)
            if on_progress is not None:
                on_progress(done, len(chunk_ids))
        self._commit()

    def _apply(self, ops: Sequence[IndexOp]) -> None:
        last: dict[str, bool] = {}
        for op in ops:
            last.update(dict.fromkeys(op.removed, False))
            last.update(dict.fromkeys(op.added, True))
        added = [chunk_id for chunk_id, present in last.items() if present]
        removed = [chunk_id for chunk_id, present in last.items() if not present]
        for index in self._indexes:
            index.delete_chunks(removed)
        for batch in batches(added, size=_CHUNKS_A_BATCH):
            self._add(batch)
        self._commit()

    def _add(self, chunk_ids: Sequence[str]) -> None:
        with self._store.reading() as connection:
            found = read_index_entries(connection, chunk_ids)
            vectors = read_embeddings(
                connection,
                model_id=self._model_id,
                text_hashes=sorted({text_hash for _, text_hash in found}),
            )
        if not found:
            return
        missing = [entry.chunk_id for entry, text_hash in found if text_hash not in vectors]
        if missing:
            raise StoreCorrupt(
                f"{len(missing)} chunks have no vector of {self._model_id} in the store; embed "
                "everything again: ragmem reindex --embed --store DIR"
            )
        entries = [entry for entry, _ in found]
        self._dense.upsert(entries, np.stack([vectors[text_hash] for _, text_hash in found]))
        for index in self._by_text:
            index.upsert(entries)

    def _commit(self) -> None:
        for index in self._indexes:
            index.commit()

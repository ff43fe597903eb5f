"""A dense index that compares with every vector: small sets in memory, and the reference in tests.

Nothing is written to disk. The approximate index on disk is `ragmem.indexes.chroma`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ragmem.filters import Filter
from ragmem.indexes.entries import EntryTable
from ragmem.indexes.ranking import best, check_shape, cosines
from ragmem.types import Candidate, FloatMatrix, FloatVector, IndexEntry, Scope


class ExactIndex:
    """Exact cosine search over vectors in memory; the port is `ragmem.ports.DenseIndex`."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._table = EntryTable()
        self._vectors: dict[str, FloatVector] = {}

    def upsert(self, entries: Sequence[IndexEntry], vectors: FloatMatrix) -> None:
        """Add or replace entries.

        Args:
            entries: one a row of `vectors`.
            vectors: shape (len(entries), dimensions), rows of length one.

        Raises:
            UsageError: the vectors have another shape.
        """
        check_shape(vectors, rows=len(entries), dimensions=self._dimensions)
        for entry, vector in zip(entries, vectors, strict=True):
            self._table.put(entry)
            self._vectors[entry.chunk_id] = vector.astype(np.float32)

    def search(
        self,
        vector: FloatVector,
        *,
        k: int,
        scope: Scope,
        where: Filter | None = None,
        exact: bool = False,  # noqa: ARG002
    ) -> list[Candidate]:
        """The k chunks nearest to the vector among those the scope sees and the filter admits.

        Every search is exact, asked for or not.
        """
        ids = self._table.visible(scope, where)
        if not ids or k < 1:
            return []
        return best(ids, cosines(vector, np.stack([self._vectors[key] for key in ids])), k)

    def vectors(self, chunk_ids: Sequence[str]) -> Mapping[str, FloatVector]:
        """The vectors of these chunks; chunks not there are left out."""
        return {key: self._vectors[key] for key in chunk_ids if key in self._vectors}

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks."""
        self._table.remove(chunk_ids)
        for chunk_id in chunk_ids:
            self._vectors.pop(chunk_id, None)

    def delete_documents(self, document_ids: Sequence[str]) -> None:
        """Remove every chunk of these documents."""
        self.delete_chunks(self._table.of_documents(document_ids))

    def commit(self) -> None:
        """Changes in memory are visible at once."""

    def chunk_ids(self) -> set[str]:
        """Every chunk in the index."""
        return self._table.ids()

    def clear(self) -> None:
        """Remove everything."""
        self._table.clear()
        self._vectors.clear()

    def close(self) -> None:
        """Let go of the vectors."""
        self.clear()

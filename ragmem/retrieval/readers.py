"""What retrieval and answering read from store and index, as small seams; neither is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ragmem.types import FloatVector, Scope, StoredChunk

VectorsOf = Callable[[Sequence[str]], Mapping[str, FloatVector]]
"""The vectors of chunks by their ids, each of length one, as `DenseIndex.vectors` gives them."""


class ChunkReader(Protocol):
    """Reads chunks by id; the second line of defence behind the indexes' own filtering."""

    def read_chunks(self, chunk_ids: Sequence[str], *, scope: Scope) -> Mapping[str, StoredChunk]:
        """The chunks that exist and that the scope sees, by id; the others are left out."""
        ...


class DocumentReader(Protocol):
    """Reads exact spans of documents' texts."""

    def read_span(self, document_uri: str, start: int, end: int, *, scope: Scope) -> str:
        """`document.text[start:end]`.

        Raises:
            UnknownDocument: no document with this URI is visible in the scope.
        """
        ...

    def page_at(self, document_uri: str, offset: int, *, scope: Scope) -> int | None:
        """The number of the page that holds the character at `offset`; None without pages.

        Raises:
            UnknownDocument: no document with this URI is visible in the scope.
        """
        ...


class NeighbourReader(DocumentReader, Protocol):
    """Reads what stands around a chunk."""

    def neighbours(self, chunk_id: str, *, characters: int, scope: Scope) -> Sequence[StoredChunk]:
        """The chunks of one document within a span of so many characters around one, in order.

        The chunk itself is among them; empty where it is gone or the scope does not see it.
        """
        ...

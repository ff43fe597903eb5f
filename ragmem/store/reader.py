"""Reads what searching and answering need, always within a scope."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from ragmem.errors import UnknownDocument
from ragmem.filters import Filter
from ragmem.store.chunks import neighbour_ids, read_chunks
from ragmem.store.documents import (
    list_documents,
    read_document,
    read_document_pages,
    read_document_span,
)
from ragmem.store.fields import read_field_values
from ragmem.store.names import Holders, read_holders, titles_among
from ragmem.store.signatures import read_signatures
from ragmem.store.status import StoreStatus, read_status
from ragmem.store.store import Store
from ragmem.types import Document, DocumentInfo, Scalar, Scope, StoredChunk

_Read = TypeVar("_Read")


class StoreReader:
    """Chunks, documents and exact spans of an open store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_chunks(self, chunk_ids: Sequence[str], *, scope: Scope) -> Mapping[str, StoredChunk]:
        """The chunks that exist and that the scope sees, by id; the others are left out."""
        with self._store.reading() as connection:
            return read_chunks(connection, chunk_ids, scope=scope)

    def neighbours(self, chunk_id: str, *, characters: int, scope: Scope) -> list[StoredChunk]:
        """The chunks of one document within a span of so many characters around one, in order."""
        with self._store.reading() as connection:
            ids = neighbour_ids(connection, chunk_id, characters=characters)
            found = read_chunks(connection, ids, scope=scope)
        return [found[each] for each in ids if each in found]

    def titles_among(self, names: Collection[str], *, scope: Scope) -> set[str]:
        """Those of these names that are a title of a chunk that the scope sees."""
        with self._store.reading() as connection:
            return titles_among(connection, names, scope=scope)

    def holders(
        self, names: Collection[str], *, scope: Scope, where: Filter | None
    ) -> Mapping[str, Holders]:
        """By name, the chunks that hold it, the scope sees and the filter admits."""
        with self._store.reading() as connection:
            return read_holders(connection, names, scope=scope, where=where)

    def document(self, uri: str | Path, *, scope: Scope) -> Document:
        """The document at this URI or path.

        Raises:
            UnknownDocument: no document with this URI is visible in the scope.
        """
        return self._found(uri, partial(read_document, scope=scope))

    def documents(self, *, scope: Scope) -> list[DocumentInfo]:
        """The documents that the scope sees, by URI."""
        with self._store.reading() as connection:
            return list(list_documents(connection, scope=scope))

    def field_values(self, *, scope: Scope) -> Mapping[str, tuple[Scalar, ...]]:
        """By metadata field, its values in documents that the scope sees, frequent ones first."""
        with self._store.reading() as connection:
            return read_field_values(connection, scope=scope)

    def signatures(self, document_ids: Sequence[str]) -> Mapping[str, bytes]:
        """What tells near-duplicates, by document; those without a signature are left out."""
        with self._store.reading() as connection:
            return read_signatures(connection, document_ids)

    def status(self, *, scope: Scope) -> StoreStatus:
        """The store in numbers, and how each source's last run ended."""
        return read_status(self._store, scope=scope)

    def read_span(self, document_uri: str, start: int, end: int, *, scope: Scope) -> str:
        """`document.text[start:end]`.

        Args:
            start, end: offsets, not negative.

        Raises:
            UnknownDocument: no document with this URI is visible in the scope.
        """
        read = partial(read_document_span, start=start, end=end, scope=scope)
        return self._found(document_uri, read)

    def page_at(self, document_uri: str, offset: int, *, scope: Scope) -> int | None:
        """The number of the page that holds the character at `offset`; None without pages.

        Raises:
            UnknownDocument: no document with this URI is visible in the scope.
        """
        pages = self._found(document_uri, partial(read_document_pages, scope=scope))
        place = bisect_right(pages, offset, key=lambda page: page.start) - 1
        return pages[place].number if place >= 0 else None

    def _found(self, uri: str | Path, read: Callable[[Connection, str], _Read | None]) -> _Read:
        """What `read` finds under the first name that there is a document of."""
        with self._store.reading() as connection:
            for name in names_of(uri):
                found = read(connection, name)
                if found is not None:
                    return found
        raise UnknownDocument(f"no document {uri} in this store; list them: ragmem status")


def names_of(uri: str | Path) -> list[str]:
    """What a caller may mean: the URI as it is, or a path as a URI."""
    # Links are not followed: connectors name what lies behind one by the link.
    try:
        path = os.path.abspath(Path(uri).expanduser())  # noqa: PTH100
    except RuntimeError:  # ~nobody: there is no such user
        return [str(uri)]
    return [str(uri), Path(path).as_uri()]

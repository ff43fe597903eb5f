"""The entries of an index that lives in memory: what `ExactIndex` and `RankBM25Index` share."""

from __future__ import annotations

from collections.abc import Sequence

from ragmem.filters import Filter, admits
from ragmem.types import IndexEntry, Scope


class EntryTable:
    """Entries by chunk id, in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: dict[str, IndexEntry] = {}

    def put(self, entry: IndexEntry) -> None:
        """Add or replace an entry."""
        self._entries[entry.chunk_id] = entry

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove entries; unknown ids are no error."""
        for chunk_id in chunk_ids:
            self._entries.pop(chunk_id, None)

    def of_documents(self, document_ids: Sequence[str]) -> list[str]:
        """The chunk ids of these documents."""
        wanted = set(document_ids)
        return [key for key, entry in self._entries.items() if entry.document_id in wanted]

    def visible(self, scope: Scope, where: Filter | None) -> list[str]:
        """The chunk ids of the entries the scope sees and the filter admits."""
        return [
            key
            for key, entry in self._entries.items()
            if scope.sees(tenant=entry.tenant, acl=entry.acl) and admits(where, entry.metadata)
        ]

    def ids(self) -> set[str]:
        """Every chunk id."""
        return set(self._entries)

    def clear(self) -> None:
        """Remove everything."""
        self._entries.clear()

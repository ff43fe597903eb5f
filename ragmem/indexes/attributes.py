"""What both kinds of index know about an entry besides its content: who may see it, and metadata.

Thousands of chunks share one document's attributes, so indexes keep each distinct set once, as
canonical JSON, and judge a filter once a set rather than once a chunk. The judging itself is
`filters.admits` and `Scope.sees`: no index has a filter language of its own that could differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ragmem.filters import Filter, admits
from ragmem.types import IndexEntry, Metadata, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The part of an entry that decides who finds it."""

    tenant: str
    acl: frozenset[str]
    metadata: Metadata

    def admitted(self, scope: Scope, where: Filter | None) -> bool:
        """Whether the scope sees entries with these attributes and the filter admits them."""
        return scope.sees(tenant=self.tenant, acl=self.acl) and admits(where, self.metadata)


def encode(entry: IndexEntry) -> str:
    """The entry's attributes as canonical JSON: equal attributes give equal texts."""
    return json.dumps(
        [entry.tenant, sorted(entry.acl), dict(entry.metadata)],
        sort_keys=True,
        separators=(",", ":"),
    )


def decode(text: str) -> Attributes:
    """The attributes that `encode` wrote."""
    tenant, acl, metadata = json.loads(text)
    return Attributes(
        tenant=tenant,
        acl=frozenset(acl),
        metadata={k: tuple(v) if isinstance(v, list) else v for k, v in metadata.items()},
    )

"""What both kinds of index know about an entry besides its content: who may see it, and metadata.

Thousands of chunks share one document's attributes, so indexes keep each distinct value once, as
canonical JSON, and judge a filter once a value rather than once a chunk: a search without a filter
reads no metadata, one with a filter only the fields it names. The judging itself is
`filters.admits` and `Scope.sees`: no index has a filter language of its own that could differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeVar

from ragmem.filters import Condition, admits
from ragmem.types import IndexEntry, MetadataValue, Scope

Key = TypeVar("Key")


def encode_audience(entry: IndexEntry) -> str:
    """The entry's tenant and access list: equal ones give equal texts."""
    return _canonical([entry.tenant, sorted(entry.acl)])


def sees(scope: Scope, audience: str) -> bool:
    """Whether the scope sees entries with this audience, which `encode_audience` wrote."""
    tenant, acl = json.loads(audience)
    return scope.sees(tenant=tenant, acl=frozenset(acl))


def encode_value(value: MetadataValue) -> str:
    """A metadata value: equal ones of one kind give equal texts, other kinds other texts."""
    return _canonical(value)


def decode_value(text: str) -> MetadataValue:
    """The value that `encode_value` wrote."""
    value: MetadataValue | list[str] = json.loads(text)
    return tuple(value) if isinstance(value, list) else value


def chosen(
    condition: Condition, values: Iterable[tuple[Key, MetadataValue]]
) -> tuple[list[Key], bool]:
    """Which of its field's values decide a condition.

    Args:
        condition: the comparison.
        values: the distinct values of the condition's field, each with a key.

    Returns:
        Keys, and whether they are those of the values refused: then every entry passes that holds
        none of them, even one without the field; otherwise, every entry that holds one.
    """
    without_field = admits(condition, {})
    keys = [
        key
        for key, value in values
        if admits(condition, {condition.field: value}) is not without_field
    ]
    return keys, without_field


def _canonical(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))

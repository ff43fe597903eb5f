"""Values of a database as text, as metadata, as times and as access lists."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TypeGuard
from uuid import UUID

from ragmem.errors import PermanentSourceError
from ragmem.types import MetadataValue

from .storable_text import storable

_BYTES = (bytes, bytearray, memoryview)
_LARGEST_INTEGER = 2**63 - 1
_SHORT_CHARACTERS = 200


def text_of(value: object) -> str:
    """A value as a person reads it; NULL and bytes are empty."""
    if value is None or isinstance(value, _BYTES):
        return ""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if _are_texts(value):
        return storable(", ".join(value))
    if isinstance(value, dict | list | tuple):
        return storable(json.dumps(value, ensure_ascii=False, default=text_of))
    return storable(str(value))


def key_text(value: object) -> str:
    """A value as part of a key; bytes in hexadecimal."""
    return bytes(value).hex() if isinstance(value, _BYTES) else text_of(value)


def canonical(value: object) -> str:
    """A text that is another for every other value, bytes included."""
    return json.dumps(value, sort_keys=True, default=key_text)


def metadata_of(value: object, *, asked_for: bool) -> MetadataValue | None:
    """A value as a filter compares it, None where there is nothing to compare.

    Args:
        asked_for: whether the column was named; otherwise long texts and structures are left out.
    """
    if value is None or isinstance(value, _BYTES):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INTEGER else str(value)
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if _are_texts(value):
        return tuple(storable(each) for each in value)
    text = text_of(value)
    simple = isinstance(value, str | datetime | date | time | UUID)
    if asked_for or (simple and len(text) <= _SHORT_CHARACTERS and "\n" not in text):
        return text
    return None


def time_of(value: object, *, column: str) -> datetime | None:
    """A value as a time; one without a zone is in UTC, a number counts seconds from 1970.

    Raises:
        PermanentSourceError: it is no time.
    """
    if value is None:
        return None
    try:
        if isinstance(value, datetime):
            when = value
        elif isinstance(value, date):
            when = datetime(value.year, value.month, value.day)
        elif isinstance(value, int | float | Decimal):
            when = datetime.fromtimestamp(float(value), tz=UTC)
        else:
            when = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError) as error:
        raise PermanentSourceError(
            f"the column {column} holds {value!r}, which is no time; expected an ISO 8601 time or "
            "seconds since 1970"
        ) from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def principals_of(value: object, *, column: str) -> frozenset[str]:
    """A value as an access list: a list, JSON, or names with commas between them.

    Raises:
        PermanentSourceError: it names nobody, or is no list. An unclear list must not open a
            document to everyone.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise PermanentSourceError(f"the column {column} is no JSON: {error}") from error
    elif isinstance(value, str):
        value = value.split(",")
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if value is not None and not _are_texts(value):
        raise PermanentSourceError(
            f"the column {column} holds {value!r}; expected a list of names such as user:ana"
        )
    named = frozenset(each.strip() for each in value or () if each.strip())
    if not named:
        raise PermanentSourceError(
            f"the column {column} names nobody; write `everyone` for rows that all may see"
        )
    return named


def _are_texts(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)

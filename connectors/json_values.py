"""Careful readings of the fields of JSON that others wrote, for exports of every kind.

Fields may be missing or of any type: a reading answers with nothing rather than raise.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import UTC, datetime

from .storable_text import storable

# The last second that every platform's clock can name.
_LATEST_SECONDS = 253402300799
_MILLISECONDS_FROM = 100_000_000_000


def as_text(value: object) -> str:
    """A string or number as text that every store holds; anything else as none."""
    if isinstance(value, str):
        return storable(value)
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def as_line(value: object) -> str:
    """A text as one line, for names and titles."""
    return " ".join(as_text(value).split())


def as_dict(value: object) -> dict[str, object]:
    """An object's members; anything else has none."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """An array's elements; anything else has none."""
    return value if isinstance(value, list) else []


def as_dicts(value: object) -> list[dict[str, object]]:
    """The objects in an array."""
    return [each for each in as_list(value) if isinstance(each, dict)]


def as_time(value: object) -> datetime | None:
    """A time given in seconds, milliseconds or ISO 8601; UTC where it names no zone."""
    text = as_text(value).strip()
    try:
        seconds = float(text)
    except ValueError:
        return _as_iso_time(text)
    if not math.isfinite(seconds):
        return None
    seconds = seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds
    return datetime.fromtimestamp(seconds, tz=UTC) if 0 < seconds <= _LATEST_SECONDS else None


def _as_iso_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def joined(parts: Iterable[str]) -> str:
    """Paragraphs that are not blank, with a blank line between them."""
    return "\n\n".join(part.strip() for part in parts if part.strip())


def digest(*parts: str) -> str:
    """A short name made from texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]

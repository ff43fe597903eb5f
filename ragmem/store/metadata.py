"""Metadata as JSON columns hold them."""

from __future__ import annotations

from typing import Any

from ragmem.types import Metadata


def from_json(stored: dict[str, Any]) -> Metadata:
    """Metadata as values: JSON's lists become tuples."""
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
    }


def to_json(metadata: Metadata) -> dict[str, Any]:
    """Metadata as JSON: tuples become lists."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in metadata.items()
    }

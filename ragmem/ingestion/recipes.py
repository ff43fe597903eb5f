"""How a source was asked for, as the store keeps it, so that it can be asked for again."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragmem.ingestion.mapping import MetadataMapping
from ragmem.store.sources import SourceRecipe
from ragmem.types import PUBLIC, SourceDescription

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """A source and what the caller says about its documents.

    Attributes:
        tenant: whose they are.
        acl: principals who may see them.
        mapping: what becomes of their metadata.
    """

    source: SourceDescription
    tenant: str = "default"
    acl: frozenset[str] = PUBLIC
    mapping: MetadataMapping = field(default_factory=MetadataMapping)


def to_recipe(request: SourceRequest) -> SourceRecipe:
    """A request as JSON; a path is made absolute, for the next caller may be elsewhere."""
    source, mapping = request.source, request.mapping
    return {
        "location": _lasting(source.location),
        "connector": source.connector,
        "options": dict(source.options or {}),
        "acl": sorted(request.acl),
        "mapping": {
            "keep": None if mapping.keep is None else sorted(mapping.keep),
            "drop": sorted(mapping.drop),
            "rename": dict(mapping.rename),
            "add": dict(mapping.add),
        },
    }


def from_recipe(recipe: SourceRecipe, *, tenant: str) -> SourceRequest:
    """The request that a recipe was made of."""
    stored: Any = recipe
    mapping = stored["mapping"]
    return SourceRequest(
        source=SourceDescription(
            location=stored["location"],
            connector=stored["connector"],
            options=stored["options"],
        ),
        tenant=tenant,
        acl=frozenset(stored["acl"]),
        mapping=MetadataMapping(
            keep=None if mapping["keep"] is None else frozenset(mapping["keep"]),
            drop=frozenset(mapping["drop"]),
            rename=mapping["rename"],
            add={k: tuple(v) if isinstance(v, list) else v for k, v in mapping["add"].items()},
        ),
    )


def _lasting(location: str) -> str:
    if _SCHEME.match(location) and not Path(location).exists():
        return location
    return os.path.abspath(Path(location).expanduser())  # noqa: PTH100 - links are kept

"""How a source was asked for, as the store keeps it, so that it can be asked for again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ragmem.errors import UsageError
from ragmem.ingestion.checks import check_acl, check_text
from ragmem.ingestion.locations import anchored, shown
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.store.metadata import from_json, to_json
from ragmem.store.sources import SourceRecipe
from ragmem.types import PUBLIC, SourceDescription


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

    def __post_init__(self) -> None:
        """Refuse what could not be stored or would admit nobody.

        Raises:
            UsageError: a principal is none, or the tenant's name cannot be stored.
        """
        check_acl(self.acl)
        check_text(self.tenant)


def to_recipe(request: SourceRequest) -> SourceRecipe:
    """A request as JSON; a path is made absolute, for the next caller may be elsewhere.

    Raises:
        UsageError: an option is nothing that JSON can hold.
    """
    source, mapping = request.source, request.mapping
    try:
        options = to_jsonable_python(dict(source.options or {}))
    except (PydanticSerializationError, ValueError) as error:
        raise UsageError(
            f"the options for {shown(source.location)} cannot be stored as JSON: {error}; make "
            "the connector yourself and add that"
        ) from error
    return {
        "location": anchored(source.location, folder=Path.cwd()),
        "connector": source.connector,
        "options": options,
        "acl": sorted(request.acl),
        "mapping": {
            "keep": None if mapping.keep is None else sorted(mapping.keep),
            "drop": sorted(mapping.drop),
            "rename": dict(mapping.rename),
            "add": to_json(mapping.add),
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
            add=from_json(mapping["add"]),
        ),
    )

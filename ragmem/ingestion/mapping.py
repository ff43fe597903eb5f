"""How the metadata of a source become those of its documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ragmem.ingestion.checks import check_metadata
from ragmem.types import Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataMapping:
    """What becomes of the fields that connector and parser tell.

    Attributes:
        keep: only these fields are kept, by their old names; None keeps all.
        drop: these are not.
        rename: new names by old ones.
        add: fields that every document gets; they win over those of the same name.
    """

    keep: frozenset[str] | None = None
    drop: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    add: Metadata = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could not be stored.

        Raises:
            UsageError: a value to add is no metadata value.
        """
        check_metadata(self.add)

    def apply(self, metadata: Metadata) -> Metadata:
        """The metadata of a document."""
        kept = {
            self.rename.get(key, key): value
            for key, value in metadata.items()
            if key not in self.drop and (self.keep is None or key in self.keep)
        }
        return {**kept, **self.add}

    @property
    def fingerprint(self) -> list[object]:
        """Names what it does: another fingerprint may give other metadata."""
        keep = None if self.keep is None else sorted(self.keep)
        return [keep, sorted(self.drop), sorted(self.rename.items()), sorted(self.add.items())]

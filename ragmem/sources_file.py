"""A YAML file that describes many sources, for `ragmem ingest --config`.

    sources:
      - source: docs/                 # a path (from the file's folder), a glob or a URI
        connector: files              # by default the source tells
        options: {ignore: ["*.tmp"]}  # the connector's own
        tenant: default
        acl: [group:staff]
        metadata:
          add: {team: search}
          rename: {author: written_by}
          keep: [name, author]        # by default all
          drop: [suffix]
        allow_mass_delete: false

Unknown keys fail. What a connector takes as options is checked when it is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ragmem.errors import UsageError
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.ingestion.recipes import SourceRequest
from ragmem.types import SourceDescription

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+:", re.IGNORECASE)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Mapping(_Strict):
    keep: list[str] | None = None
    drop: list[str] = Field(default_factory=list)
    rename: dict[str, str] = Field(default_factory=dict)
    add: dict[str, bool | int | float | str | list[str]] = Field(default_factory=dict)


class _Source(_Strict):
    source: str = Field(min_length=1)
    connector: str | None = None
    options: dict[str, object] = Field(default_factory=dict)
    tenant: str = "default"
    acl: list[str] = Field(default_factory=list)
    metadata: _Mapping = Field(default_factory=_Mapping)
    allow_mass_delete: bool = False


class _File(_Strict):
    sources: list[_Source] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource:
    """One source of a file."""

    request: SourceRequest
    allow_mass_delete: bool


def read_sources_file(path: Path) -> list[ListedSource]:
    """The sources that a file describes, in its order.

    Raises:
        UsageError: it cannot be read, or a key or a value is wrong.
    """
    import yaml

    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise UsageError(f"the sources file {path} cannot be read: {error}") from error
    try:
        parsed = _File.model_validate(written)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in each['loc']) or 'the file'}: {each['msg']}"
            for each in error.errors()
        )
        raise UsageError(f"wrong sources in {path}: {problems}") from error
    return [_listed(each, path.parent) for each in parsed.sources]


def _listed(source: _Source, folder: Path) -> ListedSource:
    mapping = source.metadata
    return ListedSource(
        request=SourceRequest(
            source=SourceDescription(
                location=_located(source.source, folder),
                connector=source.connector,
                options=source.options,
            ),
            tenant=source.tenant,
            acl=frozenset(source.acl),
            mapping=MetadataMapping(
                keep=None if mapping.keep is None else frozenset(mapping.keep),
                drop=frozenset(mapping.drop),
                rename=mapping.rename,
                add={k: tuple(v) if isinstance(v, list) else v for k, v in mapping.add.items()},
            ),
        ),
        allow_mass_delete=source.allow_mass_delete,
    )


def _located(location: str, folder: Path) -> str:
    """A path is meant from the file's folder; a URI is as it is."""
    if _SCHEME.match(location):
        return location
    return str(folder / Path(location).expanduser())

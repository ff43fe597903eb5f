"""What `ragmem ingest` is asked to do: its sources, from the arguments or from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragmem.errors import RagmemError, UsageError
from ragmem.ingestion.locations import shown
from ragmem.types import MetadataValue, SourceDescription

if TYPE_CHECKING:
    from ragmem.ingestion.recipes import SourceRequest
    from ragmem.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A source to sync, and how.

    Attributes:
        failure: why it cannot be; empty otherwise.
    """

    request: SourceRequest
    allow_mass_delete: bool = False
    retry_failed: bool = False
    failure: str = ""

    @property
    def source(self) -> SourceDescription:
        """The source alone."""
        return self.request.source


def of_file(path: Path) -> list[Wanted]:
    """The sources that a file describes."""
    from ragmem.sources_file import read_sources_file

    return [
        Wanted(request=each.request, allow_mass_delete=each.allow_mass_delete)
        for each in read_sources_file(path)
    ]


def of_arguments(
    sources: Sequence[str],
    *,
    tenant: str,
    acl: Sequence[str],
    metadata: Sequence[str],
    connector: str | None,
    options: Sequence[str],
) -> list[Wanted]:
    """The sources of the command line, each with the same options."""
    from ragmem.ingestion.mapping import MetadataMapping
    from ragmem.ingestion.recipes import SourceRequest

    mapping = MetadataMapping(add=_metadata(metadata))
    return [
        Wanted(
            request=SourceRequest(
                source=_described(source, connector, options),
                tenant=tenant,
                acl=frozenset(acl),
                mapping=mapping,
            )
        )
        for source in sources
    ]


def checked(wanted: Sequence[Wanted], parts: Parts, *, each_by_itself: bool) -> list[Wanted]:
    """The sources with their connectors' names, after each was tried out.

    Args:
        wanted: as they were asked for.
        parts: makes the connectors.
        each_by_itself: note what cannot be made as that source's failure, rather than raise: what
            runs unattended must not lose four sources for the fifth.

    Raises:
        RagmemError: a connector cannot be made, or two sources are the same.
    """
    from ragmem.connecting import connector_name

    found: list[Wanted] = []
    places: dict[tuple[str, str], str] = {}
    for each in wanted:
        location, tenant = each.source.location, each.request.tenant
        try:
            # Kept by name: at a later retry the place may not be there to be recognized.
            source = replace(each.source, connector=connector_name(each.source))
            uri = parts.connector_for(source).source_uri
            if (tenant, uri) in places:
                # They would undo each other's work at every run.
                raise UsageError(
                    f"{shown(location)}: it is the same source as {shown(places[tenant, uri])} "
                    f"({uri}); name it once"
                )
        except RagmemError as error:
            if not each_by_itself:
                raise
            found.append(replace(each, failure=str(error)))
            continue
        places[tenant, uri] = location
        found.append(replace(each, request=replace(each.request, source=source)))
    return found


def _pair(written: str, *, of: str) -> tuple[str, str]:
    key, separator, text = written.partition("=")
    if not key or not separator:
        raise UsageError(f"{of} takes KEY=VALUE, got {written!r}")
    return key, text


def _described(location: str, connector: str | None, pairs: Sequence[str]) -> SourceDescription:
    """A source with its options by name; one that is given again becomes a list."""
    source = SourceDescription(location=location, connector=connector)
    given: dict[str, list[object]] = {}
    for written in pairs:
        key, text = _pair(written, of="--option")
        given.setdefault(key, []).append(_option_value(source, key, text))
    return replace(
        source,
        options={key: each[0] if len(each) == 1 else each for key, each in given.items()},
    )


def _option_value(source: SourceDescription, key: str, text: str) -> object:
    """What is written, as it stands where the option may be a text; otherwise read as YAML.

    `# {title}` is a template and `123456` a revision, not a comment and a number. Quotes and
    brackets are YAML everywhere.
    """
    import yaml

    from ragmem.connecting import takes_text
    from ragmem.sources_file import read_yaml

    # A source that nothing takes is told later, with all that is wrong.
    with suppress(UsageError):
        if text[:1] not in tuple("[{\"'") and takes_text(source, key):
            return text
    try:
        return read_yaml(text)
    except (yaml.YAMLError, ValueError):
        return text  # `*.tmp` is a pattern here, not an alias


def _metadata(pairs: Sequence[str]) -> dict[str, MetadataValue]:
    given: dict[str, MetadataValue] = {}
    for written in pairs:
        key, text = _pair(written, of="--metadata")
        if key in given:
            raise UsageError(f'--metadata {key} is there twice; write a list: {key}=["a", "b"]')
        given[key] = _metadata_value(text)
    return given


def _metadata_value(text: str) -> MetadataValue:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return value if isinstance(value, str | int | float) else text

"""`ragmem ingest`: bring a store in step with sources, once or while they change."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragmem.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    SettingsOption,
    StoreOption,
    TenantOption,
)
from ragmem.cli.output import print_json, print_text
from ragmem.cli.progress import SyncDisplay, sync_display
from ragmem.errors import RagmemError, UsageError
from ragmem.types import MetadataValue, SourceDescription, SyncReport

if TYPE_CHECKING:
    from ragmem.app import Agent
    from ragmem.ingestion.recipes import SourceRequest
    from ragmem.settings import Settings


@dataclass(frozen=True)
class _Wanted:
    """A source to sync, and how."""

    request: SourceRequest
    allow_mass_delete: bool
    retry_failed: bool

    @property
    def source(self) -> SourceDescription:
        return self.request.source


def ingest(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs or URIs.", metavar="[SOURCE]..."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    tenant: TenantOption = "default",
    acl: Annotated[
        list[str] | None,
        typer.Option(
            "--acl",
            help="Who may see them: user:NAME, group:NAME, or everyone to open them; repeatable.",
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", help="KEY=VALUE for filters; VALUE as JSON; repeatable."),
    ] = None,
    connector: Annotated[
        str | None,
        typer.Option("--connector", help="The connector's name; by default the source tells."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", help="KEY=VALUE for the connector; VALUE as YAML or JSON; repeatable."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A YAML file that describes sources.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: follow the changes of files until Ctrl-C.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Read again what failed and has not changed; without SOURCE, of every source.",
        ),
    ] = False,
    allow_mass_delete: Annotated[
        bool,
        typer.Option(
            "--allow-mass-delete", help="Delete even more than half of a source's documents."
        ),
    ] = False,
    settings: SettingsOption = None,
) -> None:
    """Add new documents, update changed ones, delete what the sources no longer have."""
    from ragmem.settings import load_settings

    if not sources and config is None and not retry_failed:
        raise UsageError("name a source, or a file of sources with --config")
    if config is not None and (sources or connector or option or acl or metadata):
        raise UsageError("--config says all about its sources; give no others beside it")
    wanted = [
        _Wanted(request, allow_mass_delete or listed_allows, retry_failed)
        for request, listed_allows in (
            _of_file(config)
            if config is not None
            else _of_arguments(
                sources or [],
                tenant=tenant,
                acl=acl or [],
                metadata=metadata or [],
                connector=connector,
                options=option or [],
            )
        )
    ]
    chosen = load_settings(settings)
    if watch:
        _watch(store, wanted, settings=chosen, as_json=as_json)
        return
    reports = _sync_once(store, wanted, settings=chosen, tenant=tenant)
    if as_json:
        print_json(_as_json(reports))
    else:
        for source, report in reports:
            _print_report(source, report)
    if not all(report.complete for _, report in reports):
        raise typer.Exit(3)


def _sync_once(
    store: Path, wanted: Sequence[_Wanted], *, settings: Settings, tenant: str
) -> list[tuple[str, SyncReport]]:
    from ragmem.app import Agent

    reports: list[tuple[str, SyncReport]] = []
    with Agent.open(store, settings=settings) as agent:
        if not wanted:
            requests = agent.knowledge.failing(tenant=tenant)
            wanted = [_Wanted(request, False, True) for request in requests]
        # All of them first: a mistyped one must not leave the others half done.
        for each in wanted:
            agent.knowledge.connector(each.source)
        try:
            with sync_display() as display:
                reports += [(each.source.location, _sync(agent, each, display)) for each in wanted]
        except KeyboardInterrupt:
            sys.stderr.write(
                "ragmem: interrupted; what is committed stays, run it again to go on\n"
            )
            raise typer.Exit(130) from None
    return reports


def _sync(agent: Agent, wanted: _Wanted, display: SyncDisplay) -> SyncReport:
    display.begin(wanted.source.location)
    return agent.knowledge.add(
        wanted.source,
        tenant=wanted.request.tenant,
        acl=wanted.request.acl,
        mapping=wanted.request.mapping,
        allow_mass_delete=wanted.allow_mass_delete,
        retry_failed=wanted.retry_failed,
        on_progress=display.show,
    )


def _watch(store: Path, wanted: Sequence[_Wanted], *, settings: Settings, as_json: bool) -> None:
    from ragmem.watching import watch

    by_source = {id(each.source): each for each in wanted}

    def report(source: SourceDescription, report: SyncReport) -> None:
        if as_json:
            print_json(_as_json([(source.location, report)]), indent=None)
        else:
            _print_report(source.location, report)

    def trouble(source: SourceDescription, error: RagmemError) -> None:
        sys.stderr.write(f"ragmem: {source.location}: {error}\n")

    with sync_display() as display:
        watch(
            store,
            [each.source for each in wanted],
            sync=lambda agent, source: _sync(agent, by_source[id(source)], display),
            on_report=report,
            on_trouble=trouble,
            settings=settings,
        )


def _of_file(path: Path) -> list[tuple[SourceRequest, bool]]:
    from ragmem.sources_file import read_sources_file

    return [(each.request, each.allow_mass_delete) for each in read_sources_file(path)]


def _of_arguments(
    sources: Sequence[str],
    *,
    tenant: str,
    acl: Sequence[str],
    metadata: Sequence[str],
    connector: str | None,
    options: Sequence[str],
) -> list[tuple[SourceRequest, bool]]:
    from ragmem.ingestion.mapping import MetadataMapping
    from ragmem.ingestion.recipes import SourceRequest

    mapping = MetadataMapping(add=dict(_metadata(pair) for pair in metadata))
    given = dict(_option(pair) for pair in options)
    return [
        (
            SourceRequest(
                source=SourceDescription(location=source, connector=connector, options=given),
                tenant=tenant,
                acl=frozenset(acl),
                mapping=mapping,
            ),
            False,
        )
        for source in sources
    ]


def _pair(written: str, *, of: str) -> tuple[str, str]:
    key, separator, text = written.partition("=")
    if not key or not separator:
        raise UsageError(f"{of} takes KEY=VALUE, got {written!r}")
    return key, text


def _option(written: str) -> tuple[str, object]:
    import yaml

    key, text = _pair(written, of="--option")
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError:
        return key, text


def _metadata(written: str) -> tuple[str, MetadataValue]:
    key, text = _pair(written, of="--metadata")
    try:
        value = json.loads(text)
    except ValueError:
        return key, text
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return key, tuple(value)
    return key, value if isinstance(value, str | int | float) else text


def _as_json(reports: Sequence[tuple[str, SyncReport]]) -> dict[str, object]:
    each_report = [report for _, report in reports]
    names = ("discovered", "added", "updated", "unchanged", "deleted", "copies", "chunks")
    return {
        **{name: sum(getattr(report, name) for report in each_report) for name in names},
        **{
            name: [item for report in each_report for item in getattr(report, name)]
            for name in ("failed", "skipped", "warnings")
        },
        "seconds": round(sum(report.seconds["total"] for report in each_report), 3),
    }


def _print_report(source: str, report: SyncReport) -> None:
    copies = f" ({report.copies} of them copies)" if report.copies else ""
    print_text(
        f"{source}: {report.added} added, {report.updated} updated{copies}, "
        f"{report.unchanged} unchanged, {report.deleted} deleted, {len(report.failed)} failed, "
        f"{len(report.skipped)} skipped; {report.chunks} chunks in {report.seconds['total']:.1f} s"
    )
    for label, items in (
        ("failed", report.failed),
        ("skipped", report.skipped),
        ("warning", report.warnings),
    ):
        for item in items:
            print_text(f"  {label} {item.uri}: {item.reason}")

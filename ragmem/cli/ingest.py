"""`ragmem ingest`: bring a store in step with sources."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from ragmem.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    SettingsOption,
    StoreOption,
    TenantOption,
)
from ragmem.cli.output import print_json, print_text, sync_progress
from ragmem.errors import UsageError
from ragmem.types import MetadataValue, SyncReport


def ingest(
    sources: Annotated[
        list[str], typer.Argument(help="Files, folders, globs or URIs.", metavar="SOURCE...")
    ],
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
    settings: SettingsOption = None,
) -> None:
    """Add new documents, update changed ones, delete what the sources no longer have."""
    from ragmem.app import Agent
    from ragmem.settings import load_settings

    extra = dict(_key_and_value(pair) for pair in metadata or ())
    reports = []
    with Agent.open(store, settings=load_settings(settings)) as agent:
        # All of them first: a mistyped one must not leave the others half done.
        connectors = [agent.knowledge.connector(source) for source in sources]
        try:
            for connector in connectors:
                with sync_progress() as show:
                    reports.append(
                        agent.knowledge.add(
                            connector,
                            tenant=tenant,
                            acl=acl or (),
                            metadata=extra,
                            on_progress=show,
                        )
                    )
        except KeyboardInterrupt:
            sys.stderr.write(
                "ragmem: interrupted; what is committed stays, run it again to go on\n"
            )
            raise typer.Exit(130) from None
    if as_json:
        print_json(_as_json(reports))
    else:
        for source, report in zip(sources, reports, strict=True):
            _print_report(source, report)
    if not all(report.complete for report in reports):
        raise typer.Exit(3)


def _key_and_value(pair: str) -> tuple[str, MetadataValue]:
    key, separator, text = pair.partition("=")
    if not key or not separator:
        raise UsageError(f"--metadata takes KEY=VALUE, got {pair!r}")
    try:
        value = json.loads(text)
    except ValueError:
        return key, text
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return key, tuple(value)
    return key, value if isinstance(value, str | int | float) else text


def _as_json(reports: list[SyncReport]) -> dict[str, object]:
    return {
        "added": sum(report.added for report in reports),
        "updated": sum(report.updated for report in reports),
        "unchanged": sum(report.unchanged for report in reports),
        "deleted": sum(report.deleted for report in reports),
        "failed": [item for report in reports for item in report.failed],
        "skipped": [item for report in reports for item in report.skipped],
        "warnings": [item for report in reports for item in report.warnings],
        "chunks": sum(report.chunks for report in reports),
        "seconds": round(sum(report.seconds["total"] for report in reports), 3),
    }


def _print_report(source: str, report: SyncReport) -> None:
    print_text(
        f"{source}: {report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.deleted} deleted, {len(report.failed)} failed, {len(report.skipped)} skipped; "
        f"{report.chunks} chunks in {report.seconds['total']:.1f} s"
    )
    for label, items in (
        ("failed", report.failed),
        ("skipped", report.skipped),
        ("warning", report.warnings),
    ):
        for item in items:
            print_text(f"  {label} {item.uri}: {item.reason}")

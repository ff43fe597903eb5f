"""`ragmem ingest`: bring a store in step with sources, once or while they change.

Exit codes: 0 all is in the store, 1 the store or a model failed, 2 the call was wrong and nothing
was done, 3 done with failed or skipped items, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragmem.cli.ingest_arguments import Wanted, checked, of_arguments, of_file
from ragmem.cli.ingest_report import Ran, Remark, as_json, print_report, print_sums, remarks
from ragmem.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    SettingsOption,
    StoreOption,
    TenantOption,
)
from ragmem.cli.output import print_json, print_text
from ragmem.cli.progress import sync_display
from ragmem.errors import MissingExtra, RagmemError, UsageError
from ragmem.ingestion.locations import shown

if TYPE_CHECKING:
    from ragmem.app import Agent
    from ragmem.settings import Settings
    from ragmem.types import SourceDescription, SyncReport


def ingest(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs or URIs.", metavar="SOURCE"),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
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
            "--option", help="KEY=VALUE for the connector; VALUE as YAML; a KEY twice makes a list."
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

    _refuse_conflicts(
        sources=bool(sources),
        config=config is not None,
        watch=watch,
        retry_failed=retry_failed,
        tells_more=bool(connector or option or acl or metadata),
        tenant=tenant,
    )
    wanted = (
        of_file(config)
        if config is not None
        else of_arguments(
            sources or [],
            tenant=tenant,
            acl=acl or [],
            metadata=metadata or [],
            connector=connector,
            options=option or [],
        )
    )
    wanted = [
        replace(
            each,
            allow_mass_delete=allow_mass_delete or each.allow_mass_delete,
            retry_failed=retry_failed,
        )
        for each in wanted
    ]
    chosen = load_settings(settings)
    if watch:
        _watch(store, wanted, settings=chosen, json=json)
        return
    try:
        run = _Run(store, settings=chosen, json=json)
        if wanted:
            run.sync(wanted, each_by_itself=config is not None)
        else:
            run.retry(tenant=tenant, allow_mass_delete=allow_mass_delete)
    except KeyboardInterrupt:
        sys.stderr.write("ragmem: interrupted; what is stored stays, run it again to go on\n")
        raise typer.Exit(130) from None
    if json:
        print_json(as_json(run.ran))
    elif len(run.ran) > 1:
        print_sums(run.ran)
    if not all(each.report.complete for each in run.ran):
        raise typer.Exit(3)


def _refuse_conflicts(
    *,
    sources: bool,
    config: bool,
    watch: bool,
    retry_failed: bool,
    tells_more: bool,
    tenant: str,
) -> None:
    """Refuse what makes no sense together, before anything is read."""
    if config and (sources or tells_more or tenant != "default"):
        raise UsageError(
            "--config says all about its sources; write SOURCE, --connector, --option, --acl, "
            "--metadata and --tenant into the file"
        )
    if watch and retry_failed:
        raise UsageError("--retry-failed is done once; run it before --watch")
    if sources or config:
        return
    if not retry_failed:
        raise UsageError("name a source, or a file of sources with --config")
    if tells_more:
        raise UsageError(
            "--retry-failed without SOURCE asks for each source as it was asked for; "
            "--connector, --option, --acl and --metadata need a SOURCE"
        )


class _Run:
    """One run over several sources; each report is printed as soon as it is there."""

    def __init__(self, store: Path, *, settings: Settings, json: bool) -> None:
        from ragmem.parts import Parts

        self._store = store
        self._settings = settings
        self._parts = Parts(store, settings)
        self._json = json
        self.ran: list[Ran] = []

    def sync(self, wanted: Sequence[Wanted], *, each_by_itself: bool) -> None:
        """Sync sources, those whose connector cannot be made left out."""
        from ragmem.app import Agent

        wanted = checked(wanted, self._parts, each_by_itself=each_by_itself)
        if all(each.failure for each in wanted):
            for each in wanted:
                self._done(Ran.not_begun(each, each.failure))
            return
        with Agent.open(self._store, settings=self._settings) as agent:
            self._sync_all(agent, wanted)

    def retry(self, *, tenant: str, allow_mass_delete: bool) -> None:
        """Sync the sources of the store that have failures."""
        from ragmem.app import Agent

        with Agent.open(self._store, settings=self._settings, create=False) as agent:
            wanted = [
                Wanted(request=request, allow_mass_delete=allow_mass_delete, retry_failed=True)
                for request in agent.knowledge.failing(tenant=tenant)
            ]
            if not wanted and not self._json:
                print_text("nothing has failed")
            self._sync_all(agent, checked(wanted, self._parts, each_by_itself=True))

    def _sync_all(self, agent: Agent, wanted: Sequence[Wanted]) -> None:
        for number, each in enumerate(wanted, start=1):
            if each.failure:
                self._done(Ran.not_begun(each, each.failure))
                continue
            place = f"{number} of {len(wanted)}" if len(wanted) > 1 else ""
            try:
                self._done(Ran(wanted=each, report=_sync(agent, each, place=place)))
            except (UsageError, MissingExtra) as error:  # since it was checked
                self._done(Ran.not_begun(each, str(error)))

    def _done(self, ran: Ran) -> None:
        self.ran.append(ran)
        if not self._json:
            print_report(ran)


def _sync(agent: Agent, wanted: Wanted, *, place: str = "") -> SyncReport:
    with sync_display(wanted.source.location, place=place) as show:
        return agent.knowledge.add(
            wanted.request,
            allow_mass_delete=wanted.allow_mass_delete,
            retry_failed=wanted.retry_failed,
            on_progress=show,
        )


def _watch(store: Path, wanted: Sequence[Wanted], *, settings: Settings, json: bool) -> None:
    from ragmem.parts import Parts
    from ragmem.watching import watch

    wanted = checked(wanted, Parts(store, settings), each_by_itself=False)
    by_source = {id(each.source): each for each in wanted}
    said: dict[int, set[Remark]] = {}

    def report(source: SourceDescription, report: SyncReport) -> None:
        ran = Ran(wanted=by_source[id(source)], report=report)
        if json:
            print_json(as_json([ran]), indent=None)
        else:
            # What is skipped each time is said once, not after every change.
            print_report(ran, said=said.get(id(source), ()))
            said[id(source)] = set(remarks(report))

    def trouble(source: SourceDescription, error: RagmemError) -> None:
        sys.stderr.write(f"ragmem: {shown(source.location)}: {error}\n")

    sys.stderr.write("ragmem: watching; Ctrl-C ends it\n")
    with suppress(KeyboardInterrupt):
        watch(
            store,
            [each.source for each in wanted],
            sync=lambda agent, source: _sync(agent, by_source[id(source)]),
            on_report=report,
            on_trouble=trouble,
            settings=settings,
        )

"""What a running ingest shows: a live table in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ragmem.types import SyncProgress

if TYPE_CHECKING:
    from rich.table import Table

_LINE_SECONDS = 5.0
_WIDEST_ITEM = 60
_COLUMNS = ("found", "done", "failed", "skipped", "deleted")
_STEPS = {
    "parsed": "reading",
    "embedded": "embedding",
    "indexed": "indexing",
    "committed": "stored",
    "waiting": "waiting",
    "deleted": "deleting",
}


class SyncDisplay(Protocol):
    """Shows the steps of running syncs."""

    def begin(self, source: str) -> None:
        """What follows belongs to this source."""
        ...

    def show(self, progress: SyncProgress) -> None:
        """Show a step."""
        ...


class _Counts:
    """What is known of one source's run."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._stages: Counter[str] = Counter()
        self._done = 0
        self.now = "listing"

    def add(self, progress: SyncProgress) -> None:
        if progress.uri:
            self._stages[progress.stage] += 1
            self._done = max(self._done, progress.done)
        step = _STEPS.get(progress.stage)
        if step is None:
            return
        inside = f"{progress.done} of {progress.total}" if not progress.uri else progress.uri
        self.now = f"{step} {progress.reason or inside}"

    def cells(self) -> tuple[str, ...]:
        stages = self._stages
        counted = (stages["discovered"], self._done, stages["failed"], stages["skipped"])
        return (*(str(each) for each in counted), str(stages["deleted"]))


class _Lines:
    """A line on standard error every few seconds."""

    def __init__(self) -> None:
        self._counts = _Counts("")
        self._next = 0.0

    def begin(self, source: str) -> None:
        self._counts = _Counts(source)
        self._next = time.monotonic() + _LINE_SECONDS

    def show(self, progress: SyncProgress) -> None:
        self._counts.add(progress)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LINE_SECONDS
        cells = zip(_COLUMNS, self._counts.cells(), strict=True)
        counted = ", ".join(f"{cell} {name}" for name, cell in cells)
        sys.stderr.write(f"{self._counts.source}: {counted}; {self._counts.now}\n")


class _LiveTable:
    """A row a source; drawn a few times a second by rich, from this object."""

    def __init__(self) -> None:
        self._rows: list[_Counts] = []

    def begin(self, source: str) -> None:
        if self._rows:
            self._rows[-1].now = ""
        self._rows.append(_Counts(source))

    def show(self, progress: SyncProgress) -> None:
        self._rows[-1].add(progress)

    def __rich__(self) -> Table:
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        table.add_column("source", overflow="ellipsis", no_wrap=True)
        for name in _COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("now", overflow="ellipsis", no_wrap=True, width=_WIDEST_ITEM)
        for row in list(self._rows):
            table.add_row(escape(row.source), *row.cells(), escape(row.now))
        return table


@contextmanager
def sync_display() -> Iterator[SyncDisplay]:
    """The display that fits where standard error goes."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live

    table = _LiveTable()
    with Live(table, console=Console(stderr=True), transient=True, refresh_per_second=5):
        yield table

"""What a running ingest shows: a live table in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ragmem.cli.output import name_of, one_line, remark
from ragmem.ingestion.locations import shown
from ragmem.types import SyncProgress

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_LINE_SECONDS = 5.0
_WAITING_LINE_SECONDS = 1.0
_TABLE_WIDTH = 60
# As the steps are counted, and as people call them.
_COLUMNS = {
    "discovered": "found",
    "committed": "stored",
    "unchanged": "unchanged",
    "failed": "failed",
    "skipped": "skipped",
    "deleted": "deleted",
}
_STEPS = {
    "parsed": "read",
    "contexts": "writing contexts",
    "embedded": "embedding",
    "indexed": "indexing",
    "committed": "stored",
    "deleted": "deleted",
}


class RunCounts:
    """What is known of a run: written by its threads, one at a time, read by the display."""

    def __init__(self, source: str, place: str) -> None:
        """Begin to count; see `sync_display`."""
        self.source = one_line(shown(source)) + (f" ({place})" if place else "")
        self.began = time.monotonic()
        self.stages = dict.fromkeys(_COLUMNS, 0)
        self.now = "listing"

    def __str__(self) -> str:
        return ", ".join(f"{self.stages[stage]} {name}" for stage, name in _COLUMNS.items())

    def add(self, progress: SyncProgress) -> None:
        """Count a step, and note what happens now."""
        if progress.stage in self.stages:
            self.stages[progress.stage] += 1
        if progress.stage == "waiting":
            self.now = f"waiting for {remark(progress.uri, progress.reason)}"
        elif progress.stage in _STEPS:
            of_all = f"{progress.done} of {progress.total}"
            item = (name_of(progress.uri.rstrip("/")) or progress.uri) if progress.uri else of_all
            self.now = one_line(f"{_STEPS[progress.stage]} {item}")


class _Lines:
    """A line on standard error every few seconds."""

    def __init__(self, counts: RunCounts) -> None:
        self._counts = counts
        self._last = counts.began

    def show(self, progress: SyncProgress) -> None:
        self._counts.add(progress)
        pause = _WAITING_LINE_SECONDS if progress.stage == "waiting" else _LINE_SECONDS
        if time.monotonic() < self._last + pause:
            return
        self._last = time.monotonic()
        sys.stderr.write(f"{self._counts.source}: {self._counts}; {self._counts.now}\n")


class LiveTable:
    """Drawn a few times a second by rich, from this object."""

    def __init__(self, counts: RunCounts) -> None:
        """Show these counts as they are when it is drawn."""
        self._counts = counts

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        from rich.table import Table
        from rich.text import Text

        counts = self._counts
        yield Text(counts.source, no_wrap=True, overflow="ellipsis")
        if options.max_width < _TABLE_WIDTH:
            yield Text(str(counts))
        else:
            seconds = int(time.monotonic() - counts.began)
            table = Table(box=None, pad_edge=False)
            for name in (*_COLUMNS.values(), "time"):
                table.add_column(name, justify="right")
            cells = (str(count) for count in counts.stages.values())
            table.add_row(*cells, f"{seconds // 60}:{seconds % 60:02}")
            yield table
        # Why it waits is shown whole.
        is_waiting = counts.now.startswith("waiting")
        yield Text(counts.now, no_wrap=not is_waiting, overflow="ellipsis")


@contextmanager
def sync_display(source: str, *, place: str = "") -> Iterator[Callable[[SyncProgress], None]]:
    """Show a run where standard error goes.

    Args:
        source: its location.
        place: its place among several, such as `2 of 5`.
    """
    counts = RunCounts(source, place)
    if not sys.stderr.isatty():
        yield _Lines(counts).show
        return
    from rich.console import Console
    from rich.live import Live

    # Gone when the run is done; its report stays.
    with Live(
        LiveTable(counts),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=5,
        redirect_stdout=False,
    ):
        yield counts.add

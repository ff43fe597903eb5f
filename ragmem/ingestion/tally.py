"""Counts what a run does, and tells whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ragmem.ingestion.stopwatch import Stopwatch
from ragmem.types import ItemReport, SyncProgress, SyncReport

ProgressCallback = Callable[[SyncProgress], None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of one run; `report` makes a value of them."""

    on_progress: ProgressCallback | None = None
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    found: int = 0
    _added: int = 0
    _updated: int = 0
    _unchanged: int = 0
    _deleted: int = 0
    _failed: list[ItemReport] = field(default_factory=list)
    _skipped: list[ItemReport] = field(default_factory=list)
    _warnings: list[ItemReport] = field(default_factory=list)
    _chunks: int = 0
    _embedded: int = 0

    def discovered(self, uri: str) -> None:
        """One more item was found."""
        self.found += 1
        self._tell("discovered", uri)

    def parsed(self, uri: str) -> None:
        """An item became text and chunks."""
        self._tell("parsed", uri)

    def committed(self, uri: str, *, is_new: bool, chunks: int, warnings: Sequence[str]) -> None:
        """A document is safe in the store."""
        if is_new:
            self._added += 1
        else:
            self._updated += 1
        self._chunks += chunks
        self._warnings += [ItemReport(uri=uri, reason=warning) for warning in warnings]
        self._tell("committed", uri)

    def unchanged(self, uri: str) -> None:
        """An item is as it was."""
        self._unchanged += 1
        self._tell("unchanged", uri)

    def failed(self, uri: str, reason: str) -> None:
        """An item could not be read."""
        self._failed.append(ItemReport(uri=uri, reason=reason))
        self._tell("failed", uri)

    def skipped(self, uri: str, reason: str) -> None:
        """An item was left out on purpose."""
        self._skipped.append(ItemReport(uri=uri, reason=reason))
        self._tell("skipped", uri)

    def deleted(self, uri: str) -> None:
        """A document is gone because its source no longer has it."""
        self._deleted += 1
        self._tell("deleted", uri)

    def embedding(self, done: int, total: int) -> None:
        """The embedder has read this many of a group's texts."""
        self._step("embedded", done, total)

    def embedded(self, texts: int) -> None:
        """A group's texts have vectors."""
        self._embedded += texts

    def indexing(self, done: int, total: int) -> None:
        """The indexes have made this many of the waiting changes."""
        self._step("indexed", done, total)

    def report(self) -> SyncReport:
        """The counts as they stand."""
        return SyncReport(
            added=self._added,
            updated=self._updated,
            unchanged=self._unchanged,
            deleted=self._deleted,
            failed=tuple(self._failed),
            skipped=tuple(self._skipped),
            warnings=tuple(self._warnings),
            chunks=self._chunks,
            embedded=self._embedded,
            seconds=self.stopwatch.seconds(),
        )

    @property
    def _handled(self) -> int:
        documents = self._added + self._updated + self._unchanged
        return documents + len(self._failed) + len(self._skipped)

    def _tell(
        self,
        stage: Literal[
            "discovered", "parsed", "committed", "unchanged", "failed", "skipped", "deleted"
        ],
        uri: str,
    ) -> None:
        if self.on_progress is not None:
            self.on_progress(
                SyncProgress(stage=stage, uri=uri, done=self._handled, total=self.found)
            )

    def _step(self, stage: Literal["embedded", "indexed"], done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(SyncProgress(stage=stage, uri="", done=done, total=total))

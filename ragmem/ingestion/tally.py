"""Counts what a run does, and tells whoever listens; several threads may count at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ragmem.ingestion.stopwatch import Stopwatch
from ragmem.types import ItemReport, SyncProgress, SyncReport

ProgressCallback = Callable[[SyncProgress], None]
ItemStage = Literal[
    "discovered", "parsed", "committed", "unchanged", "failed", "skipped", "deleted", "waiting"
]


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
    _copies: int = 0
    _chunks: int = 0
    _embedded: int = 0
    _telling: threading.RLock = field(default_factory=threading.RLock)

    def discovered(self, uri: str) -> None:
        """One more item was found."""
        self.found += 1
        self._tell("discovered", uri)

    def parsed(self, uri: str) -> None:
        """An item became text and chunks."""
        self._tell("parsed", uri)

    def waiting(self, uri: str, reason: str) -> None:
        """An item is tried again in a moment."""
        self._tell("waiting", uri, reason)

    def committed(self, uri: str, *, is_new: bool, chunks: int, warnings: Sequence[str]) -> None:
        """A document is safe in the store."""
        self._count(is_new)
        self._chunks += chunks
        self._warnings += [ItemReport(uri=uri, reason=warning) for warning in warnings]
        self._tell("committed", uri)

    def copied(self, uri: str, *, is_new: bool, is_copy: bool) -> None:
        """An item whose content was there already is safe in the store."""
        self._count(is_new)
        self._copies += is_copy
        self._tell("committed", uri)

    def _count(self, is_new: bool) -> None:
        if is_new:
            self._added += 1
        else:
            self._updated += 1

    def unchanged(self, uri: str) -> None:
        """An item is as it was."""
        with self._telling:  # both threads find such items
            self._unchanged += 1
        self._tell("unchanged", uri)

    def failed(self, uri: str, reason: str) -> None:
        """An item could not be read."""
        self._failed.append(ItemReport(uri=uri, reason=reason))
        self._tell("failed", uri, reason)

    def reasons_of(self, uri: str) -> list[str]:
        """Why this URI failed, each reason once."""
        return list(dict.fromkeys(each.reason for each in self._failed if each.uri == uri))

    def skipped(self, uri: str, reason: str) -> None:
        """An item was left out on purpose."""
        self._skipped.append(ItemReport(uri=uri, reason=reason))
        self._tell("skipped", uri, reason)

    def kept(self, uri: str, reason: str) -> None:
        """A document stays although its source no longer has it."""
        with self._telling:
            self._warnings.append(ItemReport(uri=uri, reason=reason))

    def deleted(self, uri: str) -> None:
        """A document is gone because its source no longer has it."""
        self._deleted += 1
        self._tell("deleted", uri)

    def writing_contexts(self, done: int, total: int) -> None:
        """The chat model has been asked about this many of a document's chunks."""
        self._step("contexts", done, total)

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
            copies=self._copies,
            chunks=self._chunks,
            embedded=self._embedded,
            seconds=self.stopwatch.seconds(),
        )

    @property
    def _handled(self) -> int:
        documents = self._added + self._updated + self._unchanged
        return documents + len(self._failed) + len(self._skipped)

    def counts(self) -> Mapping[str, int]:
        """The counts as a job remembers them."""
        return {
            "discovered": self.found,
            "added": self._added,
            "updated": self._updated,
            "unchanged": self._unchanged,
            "deleted": self._deleted,
            "failed": len(self._failed),
            "skipped": len(self._skipped),
        }

    def _tell(self, stage: ItemStage, uri: str, reason: str = "") -> None:
        if self.on_progress is not None:
            with self._telling:
                self.on_progress(
                    SyncProgress(
                        stage=stage, uri=uri, done=self._handled, total=self.found, reason=reason
                    )
                )

    def _step(
        self, stage: Literal["contexts", "embedded", "indexed"], done: int, total: int
    ) -> None:
        if self.on_progress is not None:
            with self._telling:
                self.on_progress(SyncProgress(stage=stage, uri="", done=done, total=total))

"""Timing and collecting the stages of a trace while they run; the values are in `ragmem.types`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from ragmem.types import Stage, Trace


@dataclass(slots=True)
class OpenStage:
    """A stage that is still running; what it found is written here."""

    scores: Mapping[str, float] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)


class TraceBuilder:
    """Collects stages in the order they end."""

    def __init__(self, trace: Trace | None = None) -> None:
        """Start empty, or after the stages of an earlier trace."""
        self._stages = list(trace.stages) if trace else []

    @contextmanager
    def stage(self, name: str) -> Iterator[OpenStage]:
        """Time a block; its stage is recorded even when the block raises."""
        running = OpenStage()
        started = perf_counter()
        try:
            yield running
        finally:
            self._stages.append(
                Stage(
                    name=name,
                    seconds=perf_counter() - started,
                    scores=running.scores,
                    details=running.details,
                )
            )

    def add(
        self,
        name: str,
        seconds: float,
        details: Mapping[str, object],
        *,
        scores: Mapping[str, float] | None = None,
    ) -> None:
        """Record a stage that was timed elsewhere, because it ran in pieces."""
        stage = Stage(name=name, seconds=seconds, scores=scores or {}, details=details)
        self._stages.append(stage)

    def trace(self) -> Trace:
        """What has been collected so far."""
        return Trace(stages=tuple(self._stages))

"""From kept values to figures with intervals: each configuration, and what it has over its base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..intervals import Metric, bootstrap_mean, differences, mean_of_sets, median
from .kept import Cell, Kept
from .rows import DEFAULT, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value, and the paired difference to the base where there is one."""

    value: Metric
    difference: Metric | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFigures:
    """A configuration's figures.

    Attributes:
        by_set: by set; those it was not measured on are missing.
        mean: over all sets; None where one is missing.
        milliseconds: the median search over all sets.
        ingest_seconds: of all sets together; None where it is the default's or not known.
        not_measured: why there is nothing at all; empty otherwise.
    """

    row: Row
    by_set: dict[str, Figure] = field(default_factory=dict)
    mean: Figure | None = None
    milliseconds: Metric | None = None
    ingest_seconds: float | None = None
    not_measured: str = ""


def figures(kept: Kept, rows: Sequence[Row], *, seed: int) -> list[RowFigures]:
    """The figures of each configuration, in the order of `rows`."""
    return [_figures(kept, row, seed=seed) for row in rows]


def _figures(kept: Kept, row: Row, *, seed: int) -> RowFigures:
    cells = {name: cell for name in kept.sets if (cell := kept.cell(name, row.name)) is not None}
    values = {name: _values(kept, name, row.name) for name in kept.sets}
    found = {name: each for name, each in values.items() if each}
    if not found:
        reasons = [cell.not_measured for cell in cells.values()]
        return RowFigures(row=row, not_measured=reasons[0] if reasons else _missing(row))
    base = {name: _values(kept, name, row.base) if row.base else [] for name in found}
    gains = {
        name: differences(each, base[name])
        for name, each in found.items()
        if len(base[name]) == len(each)
    }
    by_set = {
        name: Figure(
            value=bootstrap_mean(each, seed=seed),
            difference=bootstrap_mean(gains[name], seed=seed) if name in gains else None,
        )
        for name, each in found.items()
    }
    mean = None
    if len(found) == len(kept.sets):
        complete = len(gains) == len(found)
        mean = Figure(
            value=mean_of_sets(list(found.values()), seed=seed),
            difference=mean_of_sets(list(gains.values()), seed=seed) if complete else None,
        )
    milliseconds = [each for cell in cells.values() for each in cell.milliseconds]
    return RowFigures(
        row=row,
        by_set=by_set,
        mean=mean,
        milliseconds=median(milliseconds, seed=seed),
        ingest_seconds=_ingest_seconds(kept, row, cells),
    )


def _values(kept: Kept, set_name: str, row: str) -> list[float]:
    cell = kept.cell(set_name, row)
    return cell.values.get(kept.sets[set_name].measure, []) if cell else []


def _missing(row: Row) -> str:
    return "needs a chat model (--with-chat)" if row.needs_chat else "has not been run"


def _ingest_seconds(kept: Kept, row: Row, cells: dict[str, Cell]) -> float | None:
    """Seconds over all sets; only where something else is stored than by default."""
    seconds = [cell.ingest_seconds for cell in cells.values() if cell.ingest_seconds is not None]
    defaults = [kept.cell(name, DEFAULT) for name in cells]
    same = [each.store if each else "" for each in defaults] == [c.store for c in cells.values()]
    if (same and row.name != DEFAULT) or len(seconds) < len(kept.sets):
        return None
    return sum(seconds)

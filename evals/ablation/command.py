"""The command `ablate`: measures every configuration and writes the table and the plot."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ragmem import UsageError

from ..beir_data import BeirData, read_beir
from ..command_line import AsJson, Limit, Seed, Split, first_questions, print_result, progress_line
from ..intervals import Metric
from ..results import SuiteResult
from ..stores import CorpusStores
from .comparing import RowFigures, figures
from .document import measured_part, update
from .kept import JudgedSet, Kept
from .measuring import cell_key, judged_set, measure
from .plot import quality_against_latency
from .rows import ROWS, Row, settings_of

Folders = list[Path]


def ablate(
    out: Annotated[
        Path, typer.Option("--out", help="The Markdown document; .json and .svg go beside it.")
    ],
    data: Annotated[
        Folders | None, typer.Option("--data", help="A set's folder, shown by nDCG@10; repeat it.")
    ] = None,
    multihop: Annotated[
        Folders | None, typer.Option("--multihop", help="The same, shown by recall@5.")
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option("--row", help="Only this configuration; repeat it.")
    ] = None,
    with_chat: Annotated[
        bool, typer.Option("--with-chat", help="Also what a chat model generates for.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Measure also what is kept from a run before.")
    ] = False,
    as_json: AsJson = False,
    limit: Limit = None,
    split: Split = "test",
    seed: Seed = 0,
) -> None:
    """Measure what each technique is worth, alone, taken away, and all together.

    A run that was stopped goes on where it was. Without --data, the document is written again from
    what is kept.
    """
    began = time.perf_counter()
    chosen = _chosen(row or [], with_chat=with_chat)
    path = out.with_suffix(".json")
    kept = Kept.read(path)
    folders = [(each, "ndcg@10") for each in data or []]
    folders += [(each, "recall@5") for each in multihop or []]
    sets = _read_sets(folders, split=split, limit=limit)
    if not sets and not kept.sets:
        raise UsageError(f"{path} holds no results to show; name sets with --data or --multihop")
    with progress_line() as progress:
        measure(
            sets,
            chosen if sets else [],
            kept=kept,
            path=path,
            stores=CorpusStores(progress=progress),
            again=again,
            progress=progress,
        )
    if sets:  # the columns are the sets of this run, in its order
        kept.sets = {name: judged for name, (judged, _) in sets.items()}
        kept.write(path)
    _warn_of_older_figures(kept)
    found = figures(kept, ROWS, seed=seed)
    plot = out.with_suffix(".svg")
    update(out, measured_part(kept, found, plot=plot.name))
    plot.write_text(quality_against_latency(found), encoding="utf-8")
    seconds = round(time.perf_counter() - began, 1)
    print_result(_result(kept, found, seed=seed, seconds=seconds), as_json=as_json)


def _chosen(names: Sequence[str], *, with_chat: bool) -> list[Row]:
    known = {each.name: each for each in ROWS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no configuration; known are {', '.join(known)}")
    # Those that others are compared with are measured, too.
    wanted = set(names)
    for name in names:
        base = known[name].base
        while base is not None:
            wanted.add(base)
            base = known[base].base
    rows = [each for each in ROWS if not names or each.name in wanted]
    return [each for each in rows if with_chat or not each.needs_chat]


def _read_sets(
    folders: Sequence[tuple[Path, str]], *, split: str, limit: int | None
) -> dict[str, tuple[JudgedSet, BeirData]]:
    sets: dict[str, tuple[JudgedSet, BeirData]] = {}
    for folder, shown_by in folders:
        name = folder.resolve().name
        if name in sets:
            raise UsageError(f"two sets are called {name}; each needs its own name")
        data = first_questions(read_beir(folder, split=split), limit)
        sets[name] = (judged_set(name, data, measure=shown_by), data)
    return sets


def _warn_of_older_figures(kept: Kept) -> None:
    older = [
        f"{name}: {row.name}"
        for name, judged in kept.sets.items()
        for row in ROWS
        if (cell := kept.cell(name, row.name)) is not None
        and cell.key != cell_key(judged, settings_of(row.name))
    ]
    if older:
        sys.stderr.write(
            f"evals: {len(older)} figures were measured with other settings, questions or another "
            f"ragmem than today's, for instance {older[0]}; run them again with --data\n"
        )


def _result(kept: Kept, found: Sequence[RowFigures], *, seed: int, seconds: float) -> SuiteResult:
    metrics: dict[str, Metric] = {}
    by: dict[str, dict[str, Metric]] = {name: {} for name in kept.sets}
    for each in found:
        name, base = each.row.name, each.row.base
        if each.mean is not None:
            metrics[f"{name}.mean"] = each.mean.value
            if each.mean.difference is not None:
                metrics[f"{name}-{base}.mean"] = each.mean.difference
        if each.milliseconds is not None:
            metrics[f"{name}.latency_ms_p50"] = each.milliseconds
        for set_name, figure in each.by_set.items():
            shown_by = kept.sets[set_name].measure
            by[set_name][f"{name}.{shown_by}"] = figure.value
            if figure.difference is not None:
                by[set_name][f"{name}-{base}.{shown_by}"] = figure.difference
    return SuiteResult(
        suite="ablate",
        metrics=metrics,
        by=by,
        settings={"seed": seed, "rows": {row.name: dict(row.overrides) for row in ROWS}},
        versions=kept.versions,
        seconds=seconds,
    )

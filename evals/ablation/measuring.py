"""Measures configurations on judged sets, and keeps each result as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ragmem import MissingExtra, ModelUnavailable, Settings
from ragmem import __version__ as ragmem_version

from ..beir_data import BeirData
from ..results import versions
from ..retrieval import Progress, ranked_documents, score, search_milliseconds
from ..stores import CorpusStores, store_key
from .kept import Cell, JudgedSet, Kept
from .rows import Row, settings_of

_KEPT_MEASURES = ("ndcg@10", "recall@5")
_WITHOUT_SAY = {"models", "threads", "database_url"}  # where and how fast, not what is found


def judged_set(name: str, data: BeirData, *, measure: str) -> JudgedSet:
    """A set's own line."""
    facets = [[document.id for document in data.corpus], data.queries, data.qrels]
    return JudgedSet(
        name=name,
        measure=measure,
        documents=len(data.corpus),
        questions=len(data.queries),
        digest=_digest(facets),
    )


def cell_key(judged: JudgedSet, settings: Settings) -> str:
    """Names what is measured: kept figures count as long as this is the same."""
    stated = settings.model_dump(mode="json", exclude=_WITHOUT_SAY)
    return _digest([ragmem_version, judged.digest, stated])


def measure(
    sets: Mapping[str, tuple[JudgedSet, BeirData]],
    rows: Sequence[Row],
    *,
    kept: Kept,
    path: Path,
    stores: CorpusStores,
    again: bool,
    progress: Progress,
) -> None:
    """Measure what is not kept yet.

    Args:
        sets: by name.
        rows: which configurations.
        kept: what has been measured; grows.
        path: where that is written after each configuration.
        stores: where corpora are kept.
        again: whether to measure what is kept, too.
    """
    wanted = {row.name: settings_of(row.name) for row in rows}  # a wrong one fails before any run
    kept.versions = versions()
    for name, (judged, data) in sets.items():
        kept.sets[name] = judged
        cells = kept.cells.setdefault(name, {})
        for row, settings in wanted.items():
            key = cell_key(judged, settings)
            known = cells.get(row)
            if known is not None and known.key == key and known.values and not again:
                continue
            progress(f"{name}: {row}", 0, len(data.queries))
            cells[row] = _measured(data, settings, key, stores=stores, progress=progress)
            kept.write(path)
            if cells[row].not_measured:
                sys.stderr.write(f"evals: {name}: {row}: {cells[row].not_measured}\n")


def _measured(
    data: BeirData, settings: Settings, key: str, *, stores: CorpusStores, progress: Progress
) -> Cell:
    try:
        with stores.open(data, settings) as agent:
            run = ranked_documents(agent, data, progress=progress)
            milliseconds = search_milliseconds(agent, data)
    except (ModelUnavailable, MissingExtra) as error:
        return Cell(key=key, not_measured=str(error))
    values = score(data.qrels, run)
    return Cell(
        key=key,
        store=store_key(data, settings),
        values={name: [round(each, 5) for each in values[name]] for name in _KEPT_MEASURES},
        milliseconds=[round(each, 2) for each in milliseconds],
        ingest_seconds=stores.ingest_seconds(data, settings),
    )


def _digest(facets: object) -> str:
    return hashlib.sha256(json.dumps(facets, sort_keys=True).encode()).hexdigest()[:16]

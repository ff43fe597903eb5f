"""The commands `beir` and `multihop`: retrieval over a judged corpus."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ragmem import load_settings

from .beir_data import read_beir
from .command_line import (
    AsJson,
    Config,
    Data,
    Limit,
    Seed,
    Split,
    StoreFolder,
    first_questions,
    print_result,
    progress_line,
    shown,
)
from .results import SuiteResult, versions
from .retrieval import evaluate
from .stores import CorpusStores


def beir(
    data: Data,
    as_json: AsJson = False,
    limit: Limit = None,
    split: Split = "test",
    seed: Seed = 0,
    config: Config = None,
    store: StoreFolder = None,
) -> None:
    """Find the documents that answer a question: nDCG, recall, latency, paired differences.

    The corpus is ingested once and kept for the next run.
    """
    result = run_retrieval(
        "beir",
        data,
        compared_by=("ndcg@10",),
        limit=limit,
        split=split,
        seed=seed,
        config=config,
        store=store,
    )
    print_result(result, as_json=as_json)


def multihop(
    data: Data,
    as_json: AsJson = False,
    limit: Limit = None,
    split: Split = "test",
    seed: Seed = 0,
    config: Config = None,
    store: StoreFolder = None,
) -> None:
    """Find every passage that a question needs: recall of the supporting passages comes first.

    The corpus is ingested once and kept for the next run.
    """
    result = run_retrieval(
        "multihop",
        data,
        compared_by=("ndcg@10", "recall@5"),
        limit=limit,
        split=split,
        seed=seed,
        config=config,
        store=store,
    )
    print_result(result, as_json=as_json)


def run_retrieval(
    suite: Literal["beir", "multihop"],
    data: Path,
    *,
    compared_by: Sequence[str],
    limit: int | None,
    split: str,
    seed: int,
    config: Path | None,
    store: Path | None,
) -> SuiteResult:
    """Score every ranking of a data set in the BEIR layout."""
    began = time.perf_counter()
    settings = load_settings(config)
    judged = first_questions(read_beir(data, split=split), limit)
    with progress_line() as progress:
        stores = CorpusStores(progress=progress)
        with stores.open(judged, settings, at=store) as agent:
            metrics = evaluate(agent, judged, seed=seed, progress=progress, compared_by=compared_by)
    left_out = stores.left_out(judged, settings, at=store)
    return SuiteResult(
        suite=suite,
        metrics=metrics,
        settings=shown(settings)
        | {"data": data.name, "split": split, "seed": seed, "limit": limit}
        | {"documents": len(judged.corpus), "documents_left_out": left_out},
        versions=versions(),
        seconds=round(time.perf_counter() - began, 1),
    )

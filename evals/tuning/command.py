"""The command `tune`: how dense, lexical and other scores are best blended on one's own data."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer

from ragmem import Settings, UsageError, load_settings

from ..beir_data import BeirData, read_beir
from ..command_line import (
    AsJson,
    Config,
    Data,
    Limit,
    Seed,
    Split,
    StoreFolder,
    first_questions,
    metric_text,
    print_result,
    progress_line,
    shown,
)
from ..intervals import Metric, bootstrap_mean, paired_difference
from ..results import SuiteResult, versions
from ..retrieval import Progress, Run, ranked_documents, score
from ..stores import CorpusStores
from .blending import CHUNKS_A_QUESTION, NEUTRAL, blend, collect, grids, overrides
from .nested import choose, folds, others

Measure = Literal["ndcg@10", "recall@5", "recall@10"]

_OUTER_FOLDS = 5
_FEWEST_QUESTIONS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What tuning found.

    Attributes:
        chosen: the settings that differ from the given ones, chosen from all questions.
        by_fold: the same for each outer fold, chosen from the questions outside it.
        before, after: the measure with the given settings, and with those chosen for each
            question's fold, question by question.
    """

    chosen: Mapping[str, object]
    by_fold: tuple[Mapping[str, object], ...]
    before: list[float]
    after: list[float]


def tune(
    data: Data,
    as_json: AsJson = False,
    limit: Limit = None,
    split: Split = "train",
    seed: Seed = 0,
    config: Config = None,
    store: StoreFolder = None,
    measure: Annotated[Measure, typer.Option("--measure", help="What to choose by.")] = "ndcg@10",
) -> None:
    """Choose the weights of the blend from judged questions; prints a settings file.

    The figures are those of searches for questions that had no say in the choice.
    """
    began = time.perf_counter()
    settings = load_settings(config)
    judged = first_questions(read_beir(data, split=split), limit)
    if len(judged.queries) < _FEWEST_QUESTIONS:
        raise UsageError(
            f"{data} has {len(judged.queries)} judged questions in {split}; tuning on fewer than "
            f"{_FEWEST_QUESTIONS} says nothing"
        )
    with progress_line() as progress:
        stores = CorpusStores(progress=progress)
        tuned = tuned_settings(
            judged, settings, stores=stores, at=store, measure=measure, seed=seed, progress=progress
        )
    metrics = {
        f"default.{measure}": bootstrap_mean(tuned.before, seed=seed),
        f"tuned.{measure}": bootstrap_mean(tuned.after, seed=seed),
        f"tuned-default.{measure}": paired_difference(tuned.after, tuned.before, seed=seed),
    }
    given = tomllib.loads(config.read_text(encoding="utf-8")) if config else {}
    settings_file = as_toml({**given, **tuned.chosen})
    advice = advise(tuned.chosen, metrics[f"tuned-default.{measure}"])
    result = SuiteResult(
        suite="tune",
        metrics=metrics,
        settings=shown(settings)
        | {"data": data.name, "split": split, "seed": seed, "limit": limit}
        | {"chosen": tuned.chosen, "chosen_by_fold": tuned.by_fold}
        | {"settings_file": settings_file, "advice": advice},
        versions=versions(),
        seconds=round(time.perf_counter() - began, 1),
    )
    if as_json:
        print_result(result, as_json=True)
        return
    for name, metric in metrics.items():
        sys.stdout.write(f"# {name:24} {metric_text(metric)}\n")
    sys.stdout.write(f"# {advice}\n{settings_file}")


def tuned_settings(
    data: BeirData,
    base: Settings,
    *,
    stores: CorpusStores,
    at: Path | None,
    measure: Measure,
    seed: int,
    progress: Progress,
) -> Tuned:
    """Choose settings, and judge the choosing by nested cross-validation.

    Args:
        data: the questions to choose from and to judge by.
        base: the settings to start from.
        stores, at: where the corpus is kept.
        measure: what to choose by.
        seed: of the folds.
    """
    with stores.open(data, base.model_copy(update=dict(NEUTRAL)), at=at) as agent:
        collected = collect(agent, data, progress=progress)
    searched = grids(base, collected.sources)
    points = searched[-1]
    values = np.empty((len(points), len(data.queries)))
    for row, point in enumerate(points):
        values[row] = score(data.qrels, blend(collected, point))[measure]
        progress("choosing", row + 1, len(points))
    rows = [[points.index(point) for point in grid] for grid in searched]

    rng = np.random.default_rng(seed)
    count = values.shape[1]
    outer = folds(count, among=_OUTER_FOLDS, rng=rng)
    by_fold = [points[choose(values[:, others(count, fold)], rows, rng=rng)] for fold in outer]
    chosen = points[choose(values, rows, rng=rng)]

    def search(settings: Settings, questions: BeirData) -> Run:
        with stores.open(data, settings, at=at) as agent:
            return ranked_documents(agent, questions, progress=progress, k=CHUNKS_A_QUESTION)

    before = search(base, data)
    after: Run = {}
    names = list(data.queries)
    for point in dict.fromkeys(by_fold):
        held_out = [
            names[column]
            for fold, settings in zip(outer, by_fold, strict=True)
            for column in fold
            if settings == point
        ]
        found = before if point == base else search(point, data.asking(held_out))
        after |= {name: found[name] for name in held_out}
    return Tuned(
        chosen=overrides(chosen, base),
        by_fold=tuple(overrides(each, base) for each in by_fold),
        before=score(data.qrels, before)[measure],
        after=score(data.qrels, after)[measure],
    )


def advise(chosen: Mapping[str, object], gain: Metric) -> str:
    """What to do with the chosen settings, in one sentence."""
    if not chosen:
        return "Nothing did better than the settings as they are: keep them."
    if gain.high < 0.0:
        return (
            f"On questions they were not chosen by, these lose {-gain.value:.3f}: keep the default."
        )
    if gain.low <= 0.0:
        return (
            f"The gain of {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] is within noise: "
            "keep the default."
        )
    return (
        f"Use these settings: they gain {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] on "
        "questions they were not chosen by."
    )


def as_toml(values: Mapping[str, object]) -> str:
    """Settings as a TOML file, a line each; JSON's strings, numbers and lists are TOML's too."""
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "".join(f"{line}\n" for line in lines)

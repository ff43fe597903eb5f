"""What the commands share: their options, a progress line, and how results are printed.

One JSON object or a table goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ragmem import Settings, UsageError

from .beir_data import BeirData
from .intervals import Metric
from .results import SuiteResult
from .retrieval import Progress

Data = Annotated[Path, typer.Option("--data", help="The data set's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N questions.")]
Split = Annotated[str, typer.Option("--split", help="Which judgements.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the intervals and of anything drawn.")]
Config = Annotated[Path | None, typer.Option("--config", help="A TOML file with ragmem settings.")]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", help="Where the corpus is kept; a cache folder otherwise.")
]


def first_questions(data: BeirData, limit: int | None) -> BeirData:
    """The same corpus with only the first questions."""
    return data.asking(list(data.queries)[:limit])


def shown(settings: Settings) -> dict[str, object]:
    """The settings as a result shows them; a database's URL may hold a password."""
    return settings.model_dump(mode="json", exclude_none=True, exclude={"database_url"})


def with_overrides(overrides: Mapping[str, object], *, named: str) -> Settings:
    """The default settings with some of them replaced.

    Args:
        named: what the overrides belong to, for errors.

    Raises:
        UsageError: a name is no setting or a value is wrong.
    """
    from pydantic import ValidationError

    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise UsageError(f"wrong settings in {named}: {problems}") from error


def print_result(result: SuiteResult, *, as_json: bool) -> None:
    """Print a result to standard output."""
    if as_json:
        sys.stdout.write(json.dumps(result.as_json()) + "\n")
        return
    width = max(28, *map(len, result.metrics))
    for name, metric in result.metrics.items():
        sys.stdout.write(f"{name:{width}} {metric_text(metric)}\n")


def metric_text(metric: Metric) -> str:
    """A metric as a line of a table shows it."""
    return f"{metric.value:8.3f}  [{metric.low:.3f}, {metric.high:.3f}]  n={metric.n}"


@contextmanager
def progress_line() -> Iterator[Progress]:
    """A progress bar on standard error; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda stage, done, total: bar.update(
            task, description=stage, completed=done, total=total
        )

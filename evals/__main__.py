"""`python -m evals SUITE --data PATH [--json]`: runs a suite and prints one result."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from ragmem import Agent, RagmemError, Settings, UsageError, load_settings

from .beir_data import BeirData, read_beir
from .results import SuiteResult, versions
from .retrieval import Progress, evaluate, ingest

Suite = Literal["beir", "multihop"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(
    suite: Annotated[Suite, typer.Argument(help="Which suite.")],
    data: Annotated[Path, typer.Option("--data", help="The data set's folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N questions.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which judgements.")] = "test",
    seed: Annotated[int, typer.Option("--seed", help="Of the intervals.")] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with ragmem settings.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Where the corpus is kept; a cache folder otherwise."),
    ] = None,
) -> None:
    """Run a suite over a data set; the corpus is ingested once and kept for the next run."""
    began = time.perf_counter()
    settings = load_settings(config)
    judged = _limited(read_beir(data, split=split), limit)
    with (
        Agent.open(store or _kept_store(judged, settings), settings=settings) as agent,
        _progress_line() as progress,
    ):
        left_out = ingest(agent, judged, progress=progress).failed
        metrics = evaluate(agent, judged, seed=seed, progress=progress)
    if left_out:
        sys.stderr.write(
            f"evals: {len(left_out)} of {len(judged.corpus)} documents could not be ingested and "
            f"cannot be found, for instance {left_out[0].uri}: {left_out[0].reason}\n"
        )
    result = SuiteResult(
        suite=suite,
        metrics=metrics,
        settings=settings.model_dump(mode="json", exclude_none=True, exclude={"database_url"})
        | {"data": data.name, "split": split, "seed": seed, "limit": limit}
        | {"documents": len(judged.corpus), "documents_left_out": len(left_out)},
        versions=versions(),
        seconds=round(time.perf_counter() - began, 1),
    )
    if as_json:
        sys.stdout.write(json.dumps(result.as_json()) + "\n")
        return
    for name, metric in result.metrics.items():
        line = f"{name:28} {metric.value:8.3f}  [{metric.low:.3f}, {metric.high:.3f}]"
        sys.stdout.write(f"{line}  n={metric.n}\n")


def main() -> None:
    """Run the command line and exit with its code: 1 failed, 2 wrong usage."""
    try:
        app()
    except RagmemError as error:
        sys.stderr.write(f"evals: {error}\n")
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _limited(data: BeirData, limit: int | None) -> BeirData:
    queries = dict(list(data.queries.items())[:limit])
    qrels = {query_id: data.qrels[query_id] for query_id in queries}
    return BeirData(corpus=data.corpus, queries=queries, qrels=qrels)


def _kept_store(data: BeirData, settings: Settings) -> Path:
    """A folder that is the same for the same corpus and the same models."""
    import platformdirs

    # By the documents: one that has left the corpus would still be found in an older store.
    digest = hashlib.sha256()
    for key in [settings.embedding_model, settings.embedding_engine, *(d.id for d in data.corpus)]:
        digest.update(json.dumps(key).encode())
    name = digest.hexdigest()[:16]
    return Path(platformdirs.user_cache_dir("ragmem", appauthor=False)) / "evals" / name


@contextmanager
def _progress_line() -> Iterator[Progress]:
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


if __name__ == "__main__":
    main()

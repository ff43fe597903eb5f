"""A bucket of ten thousand objects, synced three times: no body travels that is known already.

    python benchmarks/s3_sync.py [--objects 10000]

An S3 server (moto) on this machine counts what it is asked. Everything is the product's own but the
embedder, which costs nothing. It needs the development extra.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from figures import Figure, arguments, in_fresh_process, peak_mebibytes, show, tell
from sync_memory import QuickEmbedder

from ragmem import Agent, Replacements, Settings, SourceDescription, SyncReport

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from s3_server import BUCKET, CREDENTIALS, S3Server, s3_server


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did, how long it took, opening the store included, and the memory it held."""

    report: SyncReport
    seconds: float
    peak: float


@dataclass(frozen=True, slots=True)
class Pass:
    """A sync and what the server was asked meanwhile."""

    synced: Synced
    listings: int
    bodies: int


def sync(url: str, store: Path) -> Synced:
    """Sync the bucket into the store."""
    began = time.perf_counter()
    source = SourceDescription(location=f"s3://{BUCKET}/docs/", options={"endpoint_url": url})
    replacements = Replacements(embedder=QuickEmbedder(max_tokens=254, tokens=None))
    with Agent.open(store, settings=Settings(chat_model=""), replacements=replacements) as agent:
        report = agent.knowledge.add(source)
    return Synced(report, time.perf_counter() - began, peak_mebibytes())


def look(server: S3Server, store: Path) -> Pass:
    """Sync in a process of its own, as a new run of a program would."""
    server.asked.clear()
    synced = in_fresh_process(sync, server.url, store)
    return Pass(synced=synced, listings=server.asked["list"], bodies=server.asked["get"])


def figures_of(name: str, done: Pass, *, bodies: int) -> list[Figure]:
    """The figures of one pass; `bodies` is how many may be read."""
    report = done.synced.report
    return [
        Figure(f"{name}: time", done.synced.seconds, "s"),
        Figure(f"{name}: added", report.added, ""),
        Figure(f"{name}: updated", report.updated, ""),
        Figure(f"{name}: unchanged", report.unchanged, ""),
        Figure(f"{name}: failed or left out", len(report.failed) + len(report.skipped), "", "0"),
        Figure(f"{name}: listing requests", done.listings, ""),
        Figure(f"{name}: bodies read", done.bodies, "", aim=str(bodies)),
        Figure(f"{name}: peak memory", done.synced.peak, "MiB"),
    ]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000)
    options = parser.parse_args()
    count = options.objects
    with (
        tempfile.TemporaryDirectory(prefix="ragmem-s3-") as store,
        patch.dict(os.environ, CREDENTIALS),
        s3_server() as server,
    ):
        tell(f"{count:,} objects")
        server.fill(count)
        first = look(server, Path(store))
        tell("again, with nothing changed")
        second = look(server, Path(store))
        tell("again, with one object changed")
        server.put("docs/00000.md", "changed")
        third = look(server, Path(store))
    show(
        "s3_sync",
        [
            *figures_of("first", first, bodies=count),
            *figures_of("second", second, bodies=0),
            *figures_of("after one change", third, bodies=1),
        ],
        as_json=options.as_json,
    )
    reports = [each.synced.report for each in (first, second, third)]
    numbers = [(each.added, each.updated, each.unchanged) for each in reports]
    expected = [(count, 0, 0), (0, 0, count), (0, 1, count - 1)]
    bodies = [first.bodies, second.bodies, third.bodies]
    if numbers != expected or bodies != [count, 0, 1]:
        raise SystemExit(f"expected {expected} with {[count, 0, 1]} bodies, got {numbers}")


if __name__ == "__main__":
    main()

"""How soon a file that is written can be found, while its folder is watched.

    python benchmarks/watch.py [--files 10 5000] [--rounds 10]

Folders of small files are made in a temporary place and watched with the default models. In each
round a new file is written, and the time taken until it is indexed and the store free for others
to search: changes gathered, store opened, folder listed, file embedded, store closed.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from figures import Figure, arguments, in_fresh_process, median, show, tell

from ragmem import Agent
from ragmem.errors import RagmemError
from ragmem.types import SourceDescription, SyncReport
from ragmem.watching import watch

AIM = "at most 2"


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[10, 5_000])
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    figures: list[Figure] = []
    for files in options.files:
        figures += in_fresh_process(measure, files, options.rounds)
    show("watch", figures, as_json=options.as_json)


def measure(files: int, rounds: int) -> list[Figure]:
    """Every figure over one folder."""
    with tempfile.TemporaryDirectory() as place:
        folder, store = Path(place) / "documents", Path(place) / "store"
        for number in range(files):
            path = folder / f"part{number // 100}" / f"{number}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# Note {number}\n\nThe kettle {number} was mended.\n")
        return _measure(folder, store, files, rounds)


def _measure(folder: Path, store: Path, files: int, rounds: int) -> list[Figure]:
    synced, stop = threading.Event(), threading.Event()
    reports: list[SyncReport] = []

    def note(_: SourceDescription, report: SyncReport) -> None:
        reports.append(report)
        synced.set()

    def warn(_: SourceDescription, error: RagmemError) -> None:
        tell(str(error))

    watcher = threading.Thread(
        target=watch,
        args=(store, [SourceDescription(location=str(folder))]),
        kwargs={
            "sync": lambda agent, source: agent.knowledge.add(source),
            "on_report": note,
            "on_trouble": warn,
            "stop": stop,
        },
    )
    tell(f"ingesting {files:,} files ...")
    watcher.start()
    synced.wait()
    waits = []
    for number in range(rounds):
        time.sleep(2)
        synced.clear()
        began = time.perf_counter()
        (folder / f"new{number}.md").write_text(f"The zeppelin {number} landed in Quito.\n")
        synced.wait()
        waits.append(time.perf_counter() - began)
    stop.set()
    watcher.join()
    _check(store, rounds)
    syncs = [report.seconds["total"] for report in reports[1:]]
    return [
        Figure(f"{files:,} files: written to searchable, p50", median(waits), "s", AIM),
        Figure(f"{files:,} files: written to searchable, longest", max(waits), "s", AIM),
        Figure(f"{files:,} files: in it the sync, p50", median(syncs), "s"),
    ]


def _check(store: Path, rounds: int) -> None:
    """Whether what was reported can be found."""
    with Agent.open(store, read_only=True) as agent:
        found: Sequence[str] = [
            hit.text for hit in agent.knowledge.search("zeppelin Quito", k=rounds).hits
        ]
    if sum("zeppelin" in text for text in found) != rounds:
        raise SystemExit(f"{rounds} files were written and not all found: {found}")


if __name__ == "__main__":
    main()

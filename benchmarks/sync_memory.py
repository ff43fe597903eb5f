"""How much memory a sync takes over a large folder: no more than 1 GB, however large it is.

    python benchmarks/sync_memory.py [--scale 0.5] [--chunk-tokens 2048] [--real-tokens]

A folder is written with files near the limit of characters, medium and many small ones, and some
over the limits. Everything is the product's own but the embedder: it gives each text 8 numbers at
once and takes four characters for a token.

What is measured is the engine. The default model takes some 250 MB more, and the dense index keeps
all vectors in memory, whoever fills it: about 1 kB and 4 bytes a dimension for each chunk. That is
why chunks are large here. Linux only, as far as the parsing processes are concerned.
"""

from __future__ import annotations

import hashlib
import os
import random
import string
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from figures import Figure, arguments, in_fresh_process, peak_mebibytes, show, tell

from ragmem import Agent, Replacements, Settings
from ragmem.models.cache import model_path
from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.types import FloatMatrix, FloatVector, SyncProgress, SyncReport

LIMIT_BYTES = 1_000_000_000
MEGABYTE = 1_000_000
_DIMENSIONS = 8
_SAMPLE_SECONDS = 0.1
_TELL_SECONDS = 10
_NUMBER = "#"
_WORDS = (
    *("warranty", "kettle", "session", "request", "timeout", "accepted", "server", "replied"),
    *("invoice", "customer", "shipped", "pending", "harbour", "lantern", "orchard", "signal"),
    *("measure", "between", "without", "another", "second", "opened", "closed", "unpaid"),
)
_WIDE = (
    "договор",
    "гарантия",
    "срок",
    "поставка",
    "клиент",
    "сервер",
    "保証",
    "期間",
    "顧客",
    "🚢",
)


class QuickEmbedder:
    """An embedder that costs nothing: its vectors are hashes."""

    dimensions = _DIMENSIONS
    model_id = "quick-8"

    def __init__(self, *, max_tokens: int, tokens: OnnxEmbedder | None) -> None:
        """Say how long a text may be, and whose tokens count; None for four characters each."""
        self.max_tokens = max_tokens
        self._tokens = tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The model's tokens where it is given, otherwise four characters each."""
        if self._tokens is not None:
            return self._tokens.count_tokens(texts)
        return [len(text) // 4 + 1 for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> FloatMatrix:
        """Shape (len(texts), 8), rows of length one."""
        digests = [hashlib.blake2b(text.encode(), digest_size=32).digest() for text in texts]
        numbers = np.frombuffer(b"".join(digests), dtype=np.uint32).astype(np.float32)
        rows = numbers.reshape(len(texts), _DIMENSIONS) / np.float32(2**31) - np.float32(1)
        vectors: FloatMatrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return vectors

    def embed_query(self, text: str) -> FloatVector:
        """Shape (8,), length one."""
        vector: FloatVector = self.embed_documents([text])[0]
        return vector


@dataclass(frozen=True, slots=True)
class Kind:
    """Files of one kind: how many, how large, and what a line of theirs is."""

    name: str
    count: int
    megabytes: float
    line: Callable[[random.Random, str], str]


def log_line(chance: random.Random, number: str) -> str:
    """A line of a server's log."""
    return f"2026-01-01T00:00:00 INFO request {number} {_words(chance, 10)}\n"


def csv_line(chance: random.Random, number: str) -> str:
    """A row."""
    return f"{number},{_words(chance, 2)},{_words(chance, 4)},{chance.random():.6f}\n"


def json_line(chance: random.Random, number: str) -> str:
    """A record."""
    return f'{{"id": "{number}", "state": "{_words(chance, 1)}", "note": "{_words(chance, 8)}"}}\n'


def prose_line(chance: random.Random, number: str) -> str:
    """A paragraph of two sentences."""
    return f"{_words(chance, 24).capitalize()}. {_words(chance, 20).capitalize()} {number}.\n\n"


def wide_line(chance: random.Random, number: str) -> str:
    """A paragraph for which Python takes four bytes a character."""
    return f"{' '.join(chance.choices(_WIDE, k=16)).capitalize()} {number}.\n\n"


def code_line(chance: random.Random, number: str) -> str:
    """A function."""
    name = "".join(chance.choices(string.ascii_lowercase, k=8))
    returned = f"    return value  # {_words(chance, 5)} {number}"
    return f"def {name}(value):\n{returned}\n\n\n"


KINDS = (
    Kind("large.log", 24, 9.7, log_line),
    Kind("large.jsonl", 20, 9.7, json_line),
    Kind("large.csv", 12, 7, csv_line),
    Kind("large.txt", 16, 9.7, prose_line),
    Kind("wide.txt", 8, 15, wide_line),
    Kind("medium.log", 60, 2, log_line),
    Kind("medium.md", 100, 2, prose_line),
    Kind("medium.py", 20, 2, code_line),
    Kind("medium.csv", 20, 2, csv_line),
    Kind("small.md", 16_000, 0.002, prose_line),
    Kind("small.jsonl", 4_000, 0.004, json_line),
    Kind("over_characters.log", 5, 60, log_line),
    Kind("over_bytes.log", 2, 110, log_line),
)


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_WORDS, k=count))


def write_folder(folder: Path, *, scale: float) -> tuple[int, int]:
    """Write the files; returns how many and how many bytes."""
    chance = random.Random(0)
    files = size = 0
    for kind in KINDS:
        lines = [kind.line(chance, _NUMBER) for _ in range(2_000)]
        for number in range(max(1, round(kind.count * scale))):
            place = folder / kind.name.partition(".")[0] / f"{number % 100:02}"
            place.mkdir(parents=True, exist_ok=True)
            path = place / f"{number:05}-{kind.name}"
            size += _write(path, lines, number, round(kind.megabytes * MEGABYTE))
            files += 1
    return files, size


def _write(path: Path, lines: Sequence[str], file: int, size: int) -> int:
    """Lines that differ from file to file, up to a size."""
    with path.open("wb") as out:
        at = 0
        while out.tell() < size:
            chosen = lines[at % len(lines) : at % len(lines) + 200]
            text = "".join(
                line.replace(_NUMBER, f"{file}-{at + n}") for n, line in enumerate(chosen)
            )
            if size < 50_000:
                text = text[: text.rindex("\n", 0, size) + 1]
            out.write(text.encode())
            at += 200
        return out.tell()


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did, and the most memory its process held, in bytes."""

    report: SyncReport
    seconds: float
    peak: float


def sync(folder: Path, store: Path, chunk_tokens: int, real_tokens: bool) -> Synced:
    """Sync the folder into a store."""
    tokens = OnnxEmbedder(model_path(Settings().embedding_model)) if real_tokens else None
    embedder = QuickEmbedder(max_tokens=chunk_tokens, tokens=tokens)
    settings = Settings(chat_model="", chunk_tokens=chunk_tokens)
    began = time.perf_counter()
    told = began

    def progress(step: SyncProgress) -> None:
        nonlocal told
        if time.perf_counter() - told > _TELL_SECONDS:
            told = time.perf_counter()
            memory = peak_mebibytes() * 2**20 / MEGABYTE
            tell(f"{told - began:.0f} s: {step.stage} {step.done} of {step.total}, {memory:.0f} MB")

    replacements = Replacements(embedder=embedder)
    with Agent.open(store, settings=settings, replacements=replacements) as agent:
        report = agent.knowledge.add(folder, on_progress=progress)
    return Synced(report, time.perf_counter() - began, peak_mebibytes() * 2**20)


@contextmanager
def descendants_watched() -> Iterator[list[int]]:
    """Look at this process's descendants now and then; yields the bytes they held together."""
    ended = threading.Event()
    seen = [0]

    def look() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            seen.append(sum(map(_held_bytes, _descendants(os.getpid()))))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _descendants(pid: int) -> list[int]:
    """Linux only; elsewhere none are seen."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found + [below for each in found for below in _descendants(each)]


def _held_bytes(pid: int) -> int:
    """What a process holds; of memory that several share, its share."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.5, help="1 is 1.8 GB of files")
    parser.add_argument("--chunk-tokens", type=int, default=2048)
    parser.add_argument("--real-tokens", action="store_true", help="count as the default model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ragmem-memory-") as temporary:
        folder, store = Path(temporary, "files"), Path(temporary, "store")
        files, size = write_folder(folder, scale=options.scale)
        tell(f"{files:,} files, {size / MEGABYTE:,.0f} MB")
        with descendants_watched() as held:
            first = in_fresh_process(sync, folder, store, options.chunk_tokens, options.real_tokens)
            second = in_fresh_process(
                sync, folder, store, options.chunk_tokens, options.real_tokens
            )
    for reason, count in Counter(
        item.reason for item in (*first.report.failed, *first.report.skipped)
    ).items():
        tell(f"{count} left out: {reason}")
    highest = max(held)
    show(
        "sync_memory",
        [
            Figure("files", files, ""),
            Figure("size", size / MEGABYTE, "MB"),
            Figure("documents", first.report.added, ""),
            Figure("left out", len(first.report.failed) + len(first.report.skipped), ""),
            Figure("chunks", first.report.chunks, ""),
            Figure("first sync", first.seconds, "s"),
            *(
                Figure(f"first sync: {stage}", seconds, "s")
                for stage, seconds in first.report.seconds.items()
            ),
            Figure("second sync, unchanged", second.report.unchanged, ""),
            Figure("second sync", second.seconds, "s"),
            Figure("peak memory, main process", first.peak / MEGABYTE, "MB", aim="1,000"),
            Figure("peak memory, with parsing processes", highest / MEGABYTE, "MB", aim="1,000"),
            Figure("second sync, peak memory", second.peak / MEGABYTE, "MB", aim="1,000"),
        ],
        as_json=options.as_json,
    )
    if max(highest, first.peak, second.peak) > LIMIT_BYTES:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

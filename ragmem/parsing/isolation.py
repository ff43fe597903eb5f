"""Parsing in worker processes, so that a hostile file costs itself and not the run.

`DocumentParser` does the work there, within a time and a memory limit; here is the pool of workers.
"""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Callable

from ragmem.errors import ParseError, UsageError
from ragmem.types import ParsedDocument, RawDocument

from .limits import MEBIBYTE, Limits
from .parser import DocumentParser
from .process import WorkerProcess
from .transfer import Answer

_DEFAULT = Limits()
_MAY_BE_LEFT_BEHIND = frozenset({"unforeseen", "memory", "crashed"})


class IsolatedParser:
    """Reads what `DocumentParser` reads, with the same results; implements `ragmem.ports.Parser`.

    Thread-safe: each call has a worker of its own and waits for one where all are busy. Workers
    start when they are first needed, and again after `close` or a fork.
    """

    def __init__(
        self,
        *,
        max_file_bytes: int = _DEFAULT.file_bytes,
        max_unpacked_bytes: int = _DEFAULT.unpacked_bytes,
        max_characters: int = _DEFAULT.characters,
        workers: int = 2,
        timeout_seconds: float = 60.0,
        memory_bytes: int = 1024 * MEBIBYTE,
    ) -> None:
        """Set the limits; nothing is started yet.

        Args:
            max_file_bytes: the largest file.
            max_unpacked_bytes: the most bytes a compressed document may unpack to.
            max_characters: the longest text.
            workers: how many documents are read at once.
            timeout_seconds: how much of a processor's time reading a document may take; by the
                clock up to five times that, for on a busy machine it has to wait.
            memory_bytes: how much memory reading a document may take, where the system can bound
                it.

        Raises:
            UsageError: there would be no worker, or no time or memory for it.
        """
        if min(workers, timeout_seconds, memory_bytes) <= 0:
            raise UsageError(
                f"expected at least one worker, some time and some memory, got {workers} workers, "
                f"{timeout_seconds} s and {memory_bytes} bytes"
            )
        limits = {
            "max_file_bytes": max_file_bytes,
            "max_unpacked_bytes": max_unpacked_bytes,
            "max_characters": max_characters,
        }
        self._limits = Limits(
            file_bytes=max_file_bytes,
            unpacked_bytes=max_unpacked_bytes,
            characters=max_characters,
        )
        self._fingerprint = DocumentParser(**limits).fingerprint
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._pool = _Pool(
            lambda: WorkerProcess(
                limits=limits, timeout_seconds=timeout_seconds, memory_bytes=memory_bytes
            ),
            size=workers,
        )
        weakref.finalize(self, self._pool.close)

    @property
    def fingerprint(self) -> str:
        """That of the parser in the workers: where a document is read changes nothing of it."""
        return self._fingerprint

    def parse(self, raw: RawDocument) -> ParsedDocument:
        """Parse one document in a worker.

        Raises:
            ParseError: the bytes cannot be read, are over a limit, hold no text, take too long or
                too much memory, or bring the process that reads them down.
            TransientSourceError: no worker can be started, or somebody ended it.
        """
        if isinstance(raw.content, bytes):
            self._limits.check_file_bytes(len(raw.content))
        answer = self._pool.ask(raw)
        if answer.document is not None:
            return answer.document
        raise ParseError(self._reason(answer))

    def _reason(self, answer: Answer) -> str:
        if answer.failure == "memory":
            return (
                f"reading it takes more than the {self._memory_bytes // MEBIBYTE:,} MiB of memory "
                "allowed; split the file, or raise parse_memory_bytes"
            )
        if answer.failure == "slow":
            return (
                f"reading it took more than {self._timeout_seconds:g} s; split or simplify the "
                "file, or raise parse_timeout_seconds"
            )
        if answer.failure == "crashed":
            return (
                f"the process that read it crashed ({answer.message}): the file is damaged or "
                "hostile, or needs too much memory; get an intact copy, or export it to another "
                "format"
            )
        if answer.failure == "unforeseen":
            return (
                f"the parser failed on it ({answer.message}); export it to another format, and "
                "report this with the file if you can"
            )
        return answer.message

    def close(self) -> None:
        """End the workers; one that is reading ends when it has read."""
        self._pool.close()


class _Pool:
    """Places for workers, each empty, idle or taken."""

    def __init__(self, start: Callable[[], WorkerProcess], *, size: int) -> None:
        self._start = start
        self._size = size
        self._reset()
        if hasattr(os, "register_at_fork"):
            pool = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (pool() or _nothing)())

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._round = object()
        # Last in, first out: a single thread needs a single worker.
        self._places: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(self._size):
            self._places.put(None)

    def ask(self, raw: RawDocument) -> Answer:
        """Have a worker read a document, as soon as one is free.

        What fails in a worker that has read others is read once more in a fresh one, so that no
        document is blamed for what another left behind.
        """
        this_round = self._round
        worker = self._places.get()
        keep = False
        try:
            if worker is not None and worker.alive:
                answer = worker.ask(raw)
                if answer.failure not in _MAY_BE_LEFT_BEHIND:
                    keep = not answer.spent
                    return answer
            if worker is not None:
                worker.kill()
                worker = None
            worker = self._start()
            answer = worker.ask(raw)
            keep = not answer.spent
            return answer
        finally:
            with self._lock:
                keep = keep and self._round is this_round
                self._places.put(worker if keep else None)
            if worker is not None and not keep:
                worker.kill()

    def close(self) -> None:
        """End the idle workers; those that are taken end when they are given back."""
        with self._lock:
            self._round = object()
            places = [self._places.get() for _ in range(self._places.qsize())]
            for _ in places:
                self._places.put(None)
        for worker in places:
            if worker is not None:
                worker.kill()

    def _after_fork(self) -> None:
        """Leave the workers to the process that started them."""
        for worker in self._places.queue:
            if worker is not None:
                worker.forget()
        self._reset()


def _nothing() -> None:
    """What is left to do after a fork for a pool that is gone."""

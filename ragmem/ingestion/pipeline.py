"""The belt between reading and committing: bounded in items and in bytes, and in order.

The thread that reads puts work on it, a pool finishes each piece (parsing, chunking, for some
sources fetching too), and one other thread takes the pieces off in the order they were put.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Piece = TypeVar("Piece")
_LOOK_SECONDS = 0.1


class Stopped(Exception):
    """The other side has given up; a signal between the two threads, never an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeltSizes:
    """How far reading may run ahead of committing.

    Attributes:
        pieces: how many pieces may wait or be worked on.
        content_bytes: how large they may be together, as fetched: parsed and chunked they take four
            to seven times that. A single larger one passes alone.
        threads: how many pieces are worked on at once.
    """

    pieces: int = 64
    content_bytes: int = 16 * 2**20
    threads: int = 2


class Belt(Generic[Piece]):
    """A bounded, ordered belt from one thread to another."""

    def __init__(self, sizes: BeltSizes, *, stop: threading.Event) -> None:
        """Make an empty belt; `stop` makes both sides give up."""
        self._sizes = sizes
        self._stop = stop
        self._queue: queue.Queue[tuple[Future[Piece], int] | None] = queue.Queue(sizes.pieces)
        self._pool = ThreadPoolExecutor(sizes.threads, thread_name_prefix="ragmem-read")
        self._free = threading.Condition()
        self._bytes = 0

    def put(self, work: Callable[[], Piece], *, content_bytes: int) -> None:
        """Have a piece worked on; waits while too much is on the belt.

        Raises:
            Stopped: the belt was stopped meanwhile.
        """
        with self._free:
            while self._bytes and self._bytes + content_bytes > self._sizes.content_bytes:
                self._check()
                self._free.wait(_LOOK_SECONDS)
            self._bytes += content_bytes
        self._enqueue((self._pool.submit(work), content_bytes))

    def end(self) -> None:
        """Say that nothing more comes.

        Raises:
            Stopped: the belt was stopped meanwhile.
        """
        self._enqueue(None)

    def take(self, *, idle_seconds: float) -> Iterator[Future[Piece] | None]:
        """The pieces in order; None whenever none was finished for a while.

        Raises:
            Stopped: the belt was stopped.
        """
        quiet_since = time.monotonic()
        for future in self._looks():
            if future is None and time.monotonic() - quiet_since < idle_seconds:
                continue
            yield future
            quiet_since = time.monotonic()

    def _looks(self) -> Iterator[Future[Piece] | None]:
        """The pieces in order; None after every look at which the next was not there yet."""
        while True:
            self._check()
            try:
                entry = self._queue.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if entry is None:
                return
            future, content_bytes = entry
            while not wait([future], timeout=_LOOK_SECONDS).done:
                self._check()
                yield None
            yield future
            with self._free:
                self._bytes -= content_bytes
                self._free.notify()

    def close(self) -> None:
        """Let go of the threads; pieces not begun are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _enqueue(self, entry: tuple[Future[Piece], int] | None) -> None:
        while True:
            self._check()
            try:
                self._queue.put(entry, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped

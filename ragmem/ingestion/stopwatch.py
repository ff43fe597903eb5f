"""Adds up wall time by stage; stages may run side by side in several threads."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Seconds by stage, and in all since its creation."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Count the time inside the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += time.perf_counter() - began

    def seconds(self) -> Mapping[str, float]:
        """Seconds by stage, with `total`."""
        with self._lock:
            return {**self._seconds, "total": time.perf_counter() - self._began}

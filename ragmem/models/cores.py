"""How many threads are worth starting on this machine."""

from __future__ import annotations

import os

# Beyond this, memory bandwidth limits the small models this is for.
_MOST_THREADS = 8


def default_threads() -> int:
    """The cores that this process may use, at most 8."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MOST_THREADS)
    return min(os.cpu_count() or 1, _MOST_THREADS)

"""Gives back memory that the allocator keeps for later; does nothing but on Linux with glibc."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Return freed memory to the system: every thread that read a large document keeps its share.

    Over a folder of large files that is a quarter of the peak (`benchmarks/sync_memory.py`).
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)

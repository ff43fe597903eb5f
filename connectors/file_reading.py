"""Opens files of this machine that anyone may replace meanwhile, and tells their names as text.

How much of a file is read, and which files are, is for the connectors to say.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from ragmem.errors import TransientSourceError


def opened(path: Path) -> BinaryIO:
    """A file for reading; a link put in its place is not followed, and a pipe does not block.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb")


def unreadable(what: str, error: OSError) -> TransientSourceError:
    """The error for what could not be read; waiting brings back no file, and lets nobody in."""
    is_for_good = isinstance(error, FileNotFoundError | PermissionError)
    return TransientSourceError(
        f"{what} cannot be read: {error.strerror}", worth_waiting=not is_for_good
    )


def printable(name: str) -> str:
    """A name as text that every store holds: bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", errors="replace")

"""Who may use a store folder: many readers or one writer, over processes."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from filelock import ReadWriteLock, Timeout

from ragmem.errors import StoreLocked

_LOCK_FILE = "lock.db"
_HOLDER_FILE = "writer.json"


class StoreLock:
    """The lock on one store folder; taken on creation, given back by `release`.

    The operating system drops it when the process dies, so a kill never leaves a store locked.
    """

    def __init__(self, folder: Path, *, shared: bool, timeout_seconds: float = 0.0) -> None:
        """Take the lock.

        Args:
            folder: the store's folder; it exists.
            shared: for reading beside other readers; otherwise alone.
            timeout_seconds: how long to wait for others to finish.

        Raises:
            StoreLocked: others hold it.
        """
        self._folder = folder
        self._shared = shared
        self._held = False
        self._lock = ReadWriteLock(folder / _LOCK_FILE, is_singleton=False)
        acquire = self._lock.acquire_read if shared else self._lock.acquire_write
        try:
            acquire(timeout=timeout_seconds)
        except Timeout as error:
            self._lock.close()
            raise StoreLocked(self._explain()) from error
        self._held = True
        if not shared:
            (folder / _HOLDER_FILE).write_text(json.dumps(_this_process()), encoding="utf-8")

    def release(self) -> None:
        """Give the lock back; doing it twice is no error."""
        if not self._held:
            return  # by now the holder's file may be another process's
        self._held = False
        if not self._shared:
            (self._folder / _HOLDER_FILE).unlink(missing_ok=True)
        self._lock.release(force=True)
        self._lock.close()

    def _explain(self) -> str:
        wanted = "reading" if self._shared else "writing"
        try:
            holder = json.loads((self._folder / _HOLDER_FILE).read_text(encoding="utf-8"))
            who = f"process {holder['pid']} on {holder['host']} ({holder['command']})"
            since = f", since {holder['since']}"
        except (OSError, ValueError, KeyError):
            who, since = "another process, for reading", ""
        return (
            f"the store {self._folder} cannot be opened for {wanted}: it is held by {who}{since}; "
            "wait until it has finished or stop it"
        )


def _this_process() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(Path(part).name for part in sys.argv[:2]) or "python",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }

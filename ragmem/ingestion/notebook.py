"""The notes that a connector keeps between runs, as a run hands them to it."""

from __future__ import annotations

import threading

from ragmem.ingestion.checks import check_text
from ragmem.store.notes import delete_notes, put_notes, read_notes
from ragmem.store.store import Store


class Notebook:
    """A source's notes; implements `ragmem.ports.Notes`. Thread-safe."""

    def __init__(self, store: Store, source_id: int) -> None:
        self._store = store
        self._source_id = source_id
        self._lock = threading.Lock()
        with store.reading() as connection:
            self._notes = read_notes(connection, source_id)
        self._unsaved: dict[str, str] = {}
        self._used: set[str] = set()

    def read(self, key: str) -> str | None:
        """What was last written under a key, None when nothing was."""
        with self._lock:
            self._used.add(key)
            return self._notes.get(key)

    def write(self, key: str, value: str) -> None:
        """Write down for later runs; saved with the next documents that are.

        Raises:
            UsageError: it cannot be stored.
        """
        check_text(key)
        check_text(value)
        with self._lock:
            self._used.add(key)
            if self._notes.get(key) != value:
                self._notes[key] = self._unsaved[key] = value

    def save(self) -> None:
        """Store what was written since the last time."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            with self._store.writing() as connection:
                put_notes(connection, self._source_id, unsaved)

    def forget_unused(self) -> None:
        """Forget what a whole run neither read nor wrote: the source has it no more."""
        with self._lock:
            unused = self._notes.keys() - self._used
        if unused:
            with self._store.writing() as connection:
                delete_notes(connection, self._source_id, sorted(unused))

"""What every kind of remote place gives the connector: entries, bytes, and shared judgements.

How each kind is asked stands in `remote_objects`, `remote_sftp`, `remote_zip`, `remote_github` and
`remote_http`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ragmem.errors import TransientSourceError

from .file_reasons import too_long


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as a listing tells it.

    Attributes:
        key: its path within the store, `/` between the parts.
        fingerprint: what the store says about its version; empty when it says nothing.
        size_bytes: None where the listing does not tell.
        problem: why it cannot be read, empty when it can.
    """

    key: str
    fingerprint: str = ""
    size_bytes: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A file's bytes and when they last changed, where the store tells."""

    content: bytes
    modified_at: datetime | None = None


class RemoteStore(Protocol):
    """A place that lists and reads files; several threads may read at once."""

    def entries(self) -> Iterator[Entry]:
        """List the named place, folders left out; what is outside of it may be among them.

        Raises:
            SourceError: it cannot be listed to its end.
        """
        ...

    def read(self, key: str, max_bytes: int) -> Body:
        """Read one file, never more than a byte over the limit.

        Raises:
            SourceError: it cannot be read, or is too large.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the next call opens them again."""
        ...


def check_size(size: int, max_bytes: int) -> None:
    """Let content pass that keeps to the limit.

    Raises:
        PermanentSourceError: it does not.
    """
    if size > max_bytes:
        raise too_long(max_bytes)


def vanished(key: str) -> TransientSourceError:
    """The error for a file that is not there any more: the next listing knows."""
    return TransientSourceError(
        f"{key} vanished since it was listed; the next run sees why", worth_waiting=False
    )

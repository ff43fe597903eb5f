"""An mbox file as a source: its messages as items, known by Message-ID and content.

How the file is cut into messages is `mail_mbox`'s.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .file_reading import unreadable
from .file_reasons import too_large
from .mail_mbox import MboxMessage, digest_of, scan_mbox, unwrapped


class MboxFile:
    """Lists and reads the messages of one file, which stays open between the two."""

    def __init__(self, path: Path, *, uri: str, max_file_bytes: int) -> None:
        self._path = path
        self._uri = uri
        self._max_file_bytes = max_file_bytes
        self._stream: BinaryIO | None = None
        # By a short hash of the URI, for a file may hold a million messages.
        self._places: dict[int, tuple[int, int]] = {}

    def items(self) -> Iterator[SourceItem | SkippedItem]:
        """The messages in the order of the file, those marked as deleted left out.

        What is delivered meanwhile is left for the next run.

        Raises:
            TransientSourceError: the file cannot be read, is none any more, or was rewritten
                while it was listed.
        """
        self.close()
        stream = self._opened()
        before = os.fstat(stream.fileno())
        repeated: Counter[int] = Counter()
        try:
            if before.st_size and not stream.read(4096).lstrip().startswith(b"From "):
                raise TransientSourceError(
                    "the file is no mbox: it does not begin with 'From '; nothing is taken as "
                    "deleted",
                    worth_waiting=False,
                )
            for message in scan_mbox(stream, size=before.st_size):
                ends_at = message.start + message.length
                if not message.hidden and not (
                    ends_at == before.st_size and self._goes_on(stream, ends_at)
                ):
                    yield self._judged(message, repeated)
            after = os.fstat(stream.fileno())
        except OSError as error:
            raise unreadable("the mbox", error) from error
        if after.st_size < before.st_size or (
            after.st_size == before.st_size and after.st_mtime_ns != before.st_mtime_ns
        ):
            raise TransientSourceError(
                "the mbox was rewritten while it was listed, so nothing is taken as deleted; run "
                "again"
            )

    def _judged(self, message: MboxMessage, repeated: Counter[int]) -> SourceItem | SkippedItem:
        name = message.message_id.strip("<> ") or f"sha256:{message.digest}"
        uri = f"{self._uri}#{quote(name, safe='@:$!+')}"
        if (first := _short(uri)) in self._places:
            repeated[first] += 1
            uri = f"{uri};{repeated[first] + 1}"
        self._places[_short(uri)] = (message.start, message.length)
        if message.length > self._max_file_bytes:
            reason = too_large(message.length, self._max_file_bytes, what="message")
            return SkippedItem(uri=uri, reason=reason)
        return SourceItem(uri=uri, fingerprint=message.digest, size_bytes=message.length)

    def read(self, item: SourceItem) -> RawDocument:
        """Read one message.

        Raises:
            TransientSourceError: it is not there any more, or the file changed meanwhile.
        """
        if not self._places:
            for _ in self.items():
                pass
        place = self._places.get(_short(item.uri))
        if place is None:
            raise TransientSourceError(
                "the message is not in the mbox any more", worth_waiting=False
            )
        start, length = place
        try:
            stream = self._opened()
            stream.seek(start)
            raw = stream.read(length)
        except OSError as error:
            raise unreadable("the mbox", error) from error
        if not item.fingerprint or digest_of(raw) != item.fingerprint:
            raise TransientSourceError("the mbox was rewritten while it was read; run again")
        content = unwrapped(raw)
        if not content.strip():
            raise PermanentSourceError("the message is empty")
        return RawDocument(
            uri=item.uri,
            name="message.eml",
            content=content,
            metadata={"mailbox": self._path.name},
        )

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._places.clear()

    def _opened(self) -> BinaryIO:
        """The file, the same until it is closed: a mailer may put another in its place."""
        if self._stream is None:
            if not self._path.is_file():
                raise TransientSourceError(
                    f"the mbox {self._path.name} is not there any more", worth_waiting=False
                )
            try:
                self._stream = self._path.open("rb")
            except OSError as error:
                raise TransientSourceError(
                    f"the mbox {self._path.name} cannot be opened: {error.strerror}",
                    worth_waiting=False,
                ) from error
        return self._stream

    def _goes_on(self, stream: BinaryIO, end: int) -> bool:
        """Whether the last message was still being delivered when the listing began."""
        stream.seek(end)
        following = stream.read(64).lstrip(b"\r\n")
        return bool(following) and not following.startswith(b"From ")


def _short(uri: str) -> int:
    return int.from_bytes(hashlib.blake2b(uri.encode(), digest_size=8).digest(), "big")

"""The messages in an mbox file of any size: where each begins, who it is, and its bytes.

The file is read once from front to back in blocks; one message at a time is in memory, and of it
only what identifies it. A reader needs no lock: what was delivered or compacted meanwhile is found
out by comparing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

_BLOCK_BYTES = 1024 * 1024
_HEAD_BYTES = 64 * 1024
_AHEAD_BYTES = 2048
_BEGINNING = b"\nFrom "
# The envelope line ends in a date with a time, or mailers wrote only the sender; headers follow.
_ENVELOPE = re.compile(rb"From [^\n]{0,300}\d\d?:\d\d[^\n]{0,40}\d{4}[^\n]{0,40}\r?\n")
_UNDATED_ENVELOPE = re.compile(rb"From +[^\s]{1,300}[ \t]*\r?\n")
_ANY_ENVELOPE = re.compile(rb"From [^\n]{0,1000}\n")
_HEADER = re.compile(rb">?[\x21-\x39\x3b-\x7e]{1,100}:|>From ")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
# What mailers rewrite in place when a message is read, flagged or moved.
_VOLATILE = re.compile(
    rb"^(?:(?:X-)?Status|X-Mozilla-(?:Status2?|Keys)|X-UID|X-Keywords|X-GMAIL-LABELS|"
    rb"Content-Length|Lines):[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*([^\r\n]{1,500})", re.IGNORECASE | re.MULTILINE)
_MOZILLA = re.compile(rb"^X-Mozilla-Status:\s*([0-9a-f]{4})", re.IGNORECASE | re.MULTILINE)
_MOZILLA_EXPUNGED = 0x0008
# A mark for deletion, and the message that some servers keep their notes in.
_HIDDEN = re.compile(
    rb"^(?:X-Status:[^\n]*D|Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL)", re.M
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxMessage:
    """One message of an mbox.

    Attributes:
        start, length: where it lies in the file, the envelope line included.
        message_id: as its headers say, empty where they do not.
        digest: of the message without its envelope line and what mailers rewrite.
        hidden: whether it is marked as deleted and only waits for compaction, or is none at all.
    """

    start: int
    length: int
    message_id: str
    digest: str
    hidden: bool


@dataclass(slots=True)
class _Sum:
    """Sums up one message as its blocks come by."""

    start: int
    length: int = 0
    head: bytearray = field(default_factory=bytearray)
    digest: Digest | None = None
    message_id: str = ""
    hidden: bool = False

    def add(self, piece: bytes) -> None:
        self.length += len(piece)
        if self.digest is not None:
            self.digest.update(piece)
            return
        self.head += piece
        if len(self.head) >= _HEAD_BYTES:
            self._read_head()

    def _read_head(self) -> Digest:
        envelope = _ANY_ENVELOPE.match(self.head)
        raw = bytes(self.head[envelope.end() if envelope else 0 :])
        end = _END_OF_HEAD.search(raw)
        head = raw[: end.start() + 1] if end else raw
        identity = _MESSAGE_ID.search(head)
        self.message_id = identity[1].decode("ascii", "replace").strip() if identity else ""
        status = _MOZILLA.search(head)
        expunged = status is not None and int(status[1], 16) & _MOZILLA_EXPUNGED > 0
        self.hidden = expunged or _HIDDEN.search(head) is not None or not raw.strip()
        self.digest = hashlib.sha256(_VOLATILE.sub(b"", head) + raw[len(head) :])
        self.head.clear()
        return self.digest

    def finished(self) -> MboxMessage:
        digest = self.digest or self._read_head()
        return MboxMessage(
            start=self.start,
            length=self.length,
            message_id=self.message_id,
            digest=digest.hexdigest()[:32],
            hidden=self.hidden,
        )


def scan_mbox(stream: BinaryIO, *, size: int) -> Iterator[MboxMessage]:
    """Every message in the first `size` bytes of a file, in order.

    The stream may be moved between two messages.
    """
    current = _Sum(start=0)
    # The end of what is summed up, then what is not yet: a beginning may lie across two blocks.
    window, summed, position = b"", 0, 0
    while position < size:
        stream.seek(position)
        block = stream.read(min(_BLOCK_BYTES, size - position))
        position += len(block)
        window += block
        at_end = not block or position >= size
        safe = len(window) if at_end else max(summed, len(window) - _AHEAD_BYTES)
        for begins in _beginnings(window, summed, safe):
            current.add(window[summed:begins])
            yield current.finished()
            current = _Sum(start=current.start + current.length)
            summed = begins
        current.add(window[summed:safe])
        cut = max(0, safe - len(b"\n\r\n"))
        window, summed = window[cut:], safe - cut
        if not block:
            break
    if current.length:
        yield current.finished()


def _beginnings(window: bytes, start: int, end: int) -> Iterator[int]:
    """Where messages begin, by an envelope line that is no sentence of a text."""
    at = window.find(_BEGINNING, max(0, start - 1))
    while 0 <= at < end - 1:
        begins = at + 1
        after_blank = window[max(0, at - 2) : at].endswith((b"\n", b"\n\r")) or at == 0
        envelope = _ENVELOPE.match(window, begins)
        if envelope is None and after_blank:
            envelope = _UNDATED_ENVELOPE.match(window, begins)
        if begins > start and envelope and _HEADER.match(window, envelope.end()):
            yield begins
        at = window.find(_BEGINNING, begins)


def unwrapped(raw: bytes) -> bytes:
    """A message as it was sent: without envelope line, its own lines unescaped."""
    envelope = _ANY_ENVELOPE.match(raw)
    return _ESCAPED.sub(rb"\1", raw[envelope.end() if envelope else 0 :])


def digest_of(raw: bytes) -> str:
    """The digest of a message as it lies in the file, envelope line included."""
    current = _Sum(start=0)
    current.add(raw)
    return current.finished().digest

"""Mail on this machine: an mbox file, or a Maildir with its folders.

The messages themselves are read by the parser; a folder of `.eml` files is the files connector's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ragmem.errors import UnknownSource, UsageError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .file_location import local_path_of
from .mail_maildir import Maildir, is_maildir, lacking
from .mail_mbox_file import MboxFile

_MEBIBYTE = 1024 * 1024
_SCHEMES = frozenset({"mbox", "maildir"})


class MailConnector:
    """Lists and reads the messages of a mailbox on disk."""

    schemes: ClassVar[frozenset[str]] = _SCHEMES

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether a path is a Maildir, a damaged one too, or an mbox file named `*.mbox`."""
        if location.partition(":")[0].lower() in _SCHEMES:
            return False  # the scheme says so already
        try:
            path = _path(location)
            return is_maildir(path) or (path.suffix.lower() == ".mbox" and _is_mbox(_inner(path)))
        except (OSError, ValueError):
            return False

    def __init__(
        self,
        location: str | Path,
        *,
        folders: tuple[str, ...] = (),
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> None:
        """Find the mailbox.

        Args:
            location: the path of an mbox file or a Maildir, or `mbox:` or `maildir:` and the path.
            folders: of a Maildir, the folders to read (`INBOX`, `Sent`, `Archive/2025`); empty for
                all.
            max_file_bytes: larger messages are skipped without being read.

        Raises:
            UnknownSource: nothing is there, or no mailbox.
            UsageError: an mbox was given folders.
        """
        path = _inner(_path(os.fspath(location)))
        self._box: MboxFile | Maildir
        if is_maildir(path):
            self._uri = path.as_uri().replace("file", "maildir", 1)
            self._box = Maildir(path, uri=self._uri, folders=folders, max_file_bytes=max_file_bytes)
            return
        if path.is_dir():
            missing = ", ".join(lacking(path))
            raise UnknownSource(f"{location}: the folder is no Maildir: it lacks {missing}")
        if not path.is_file():
            raise UnknownSource(f"{location}: no such file or folder")
        try:
            is_mbox = _is_mbox(path)
        except OSError as error:
            raise UnknownSource(f"{location}: cannot be read: {error.strerror}") from error
        if not is_mbox:
            raise UnknownSource(f"{location}: no mbox, for the file does not begin with 'From '")
        if folders:
            raise UsageError("an mbox is one folder; leave `folders` out")
        self._uri = path.as_uri().replace("file", "mbox", 1)
        self._box = MboxFile(path, uri=self._uri, max_file_bytes=max_file_bytes)

    @property
    def source_uri(self) -> str:
        """`mbox://` or `maildir://` and the absolute path."""
        return self._uri

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the messages, each once; those marked as deleted are taken as gone.

        Raises:
            TransientSourceError: the mailbox cannot be listed to its end.
        """
        return self._box.items()

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one message.

        Raises:
            PermanentSourceError: it is empty or too large.
            TransientSourceError: it is not there any more, or the mailbox changed meanwhile.
        """
        return self._box.read(item)

    def close(self) -> None:
        """Let go of the file."""
        self._box.close()


def _path(location: str) -> Path:
    """The absolute path that a location names."""
    scheme, colon, rest = location.partition(":")
    if colon and scheme.lower() in {*_SCHEMES, "file"}:
        if rest.startswith("//"):
            return local_path_of(location)
        location = rest
    return Path(os.path.abspath(Path(location).expanduser()))  # noqa: PTH100 - keeps links


def _inner(path: Path) -> Path:
    """The file itself where Apple Mail has put it into a folder of the mailbox's name."""
    packed = path / "mbox"
    return packed if path.is_dir() and not is_maildir(path) and packed.is_file() else path


def _is_mbox(path: Path) -> bool:
    """Whether a file begins as an mbox does, or is one without messages yet."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        beginning = stream.read(4096)
    return not beginning.strip() or beginning.lstrip().startswith(b"From ")

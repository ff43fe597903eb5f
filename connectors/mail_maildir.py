"""A Maildir and its folders as a source: a file a message, known by its unique name.

Mailers move messages from `new` to `cur` and write flags into their names; neither changes a
message. Folders are those of Maildir++ (`.Sent`, `.Archive.2025`) and plain ones inside each other.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .file_reading import opened, printable, unreadable
from .file_reasons import too_large
from .mail_folders import decoded_folder

_PARTS = ("cur", "new", "tmp")
_BOXES = ("new", "cur")
_INBOX = "INBOX"
# Windows and some network drives allow no colon in names.
_FLAGS = re.compile(r"[:!;]2,([A-Za-z,]*)$")
_DEEPEST = 20


def lacking(folder: Path) -> list[str]:
    """Which of the three folders that make a Maildir are not there; links do not count."""
    inner = [folder / name for name in _PARTS]
    return [path.name for path in inner if not path.is_dir() or path.is_symlink()]


def is_maildir(folder: Path) -> bool:
    """Whether a folder is a Maildir, or was one that has lost a part such as a mounted `cur`.

    Two parts leave no doubt; a folder of files may well have a `tmp` or a `new`.
    """
    return len(lacking(folder)) <= 1


class Maildir:
    """Lists and reads the messages of a Maildir."""

    def __init__(
        self, root: Path, *, uri: str, folders: tuple[str, ...], max_file_bytes: int
    ) -> None:
        self._root = root
        self._uri = uri
        self._folders = folders
        self._max_file_bytes = max_file_bytes
        self._paths: dict[str, tuple[Path, str]] = {}

    def items(self) -> Iterator[SourceItem | SkippedItem]:
        """The messages by folder and name, those marked as deleted left out.

        Raises:
            TransientSourceError: the Maildir is gone or has lost a part, or a folder cannot be
                listed.
        """
        self._paths.clear()
        if not is_maildir(self._root):
            raise _damaged({self._root.name: lacking(self._root)})
        damaged: dict[str, list[str]] = {}
        try:
            found = dict(sorted(self._mailboxes(self._root, ())))
            if missing := sorted(set(self._folders) - set(found)):
                raise TransientSourceError(
                    f"the Maildir has no folder {', '.join(missing)}; it has {', '.join(found)}",
                    worth_waiting=False,
                )
            for name, folder in found.items():
                if self._folders and name not in self._folders:
                    continue
                if missing := lacking(folder):
                    damaged[name] = missing
                else:
                    yield from self._messages(name, folder)
        except OSError as error:
            raise TransientSourceError(
                f"a folder cannot be listed, so nothing is taken as deleted: {error.strerror}"
            ) from error
        if damaged:
            raise _damaged(damaged)

    def _mailboxes(self, folder: Path, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
        """Every folder that holds messages, with its name."""
        if is_maildir(folder):
            yield "/".join(above) or _INBOX, folder
        if len(above) >= _DEEPEST:
            return
        with os.scandir(folder) as entries:
            inner = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        for entry in inner:
            if entry.name in _PARTS:
                continue
            # In Maildir++ all folders lie side by side, and dots part their names.
            parts = entry.name[1:].split(".") if entry.name.startswith(".") else [entry.name]
            names = tuple(printable(decoded_folder(part)) for part in parts if part)
            yield from self._mailboxes(Path(entry.path), (*above, *names))

    def _messages(self, name: str, folder: Path) -> Iterator[SourceItem | SkippedItem]:
        # `new` first: what a mailer moves to `cur` meanwhile is then met twice, not missed.
        entries = [entry for box in _BOXES for entry in _listed(folder / box)]
        unique = {_unique(entry.name): entry for entry in entries}
        for key, entry in sorted(unique.items()):
            if "T" in _flags(entry.name):
                continue
            within = "" if name == _INBOX else f"{quote(name)}/"
            uri = f"{self._uri}#{within}{quote(os.fsencode(key), safe='=,:')}"
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                found = _find(folder, key)
                if found is None:
                    continue  # deleted meanwhile
                entry_path, status = found, found.lstat()
            else:
                entry_path = Path(entry.path)
            yield self._judged(uri, name, entry_path, key, status)

    def _judged(
        self, uri: str, name: str, path: Path, key: str, status: os.stat_result
    ) -> SourceItem | SkippedItem:
        if not stat.S_ISREG(status.st_mode):
            return SkippedItem(uri=uri, reason="not a regular file; only those hold messages")
        if status.st_size > self._max_file_bytes:
            reason = too_large(status.st_size, self._max_file_bytes, what="message")
            return SkippedItem(uri=uri, reason=reason)
        if status.st_size == 0:
            return SkippedItem(uri=uri, reason="the message is empty")
        self._paths[uri] = (path, name)
        return SourceItem(
            uri=uri,
            fingerprint=f"{printable(key)}-{status.st_size}",
            size_bytes=status.st_size,
        )

    def read(self, item: SourceItem) -> RawDocument:
        """Read one message, wherever its flags have moved it.

        Raises:
            PermanentSourceError: it grew over the limit.
            TransientSourceError: it is not there any more or cannot be read.
        """
        if not self._paths:
            for _ in self.items():
                pass
        if item.uri not in self._paths:
            raise TransientSourceError(
                "the message is not in the Maildir any more", worth_waiting=False
            )
        path, name = self._paths[item.uri]
        try:
            if not path.exists():
                path = _find(path.parent.parent, _unique(path.name)) or path
            with opened(path) as stream:
                content = stream.read(self._max_file_bytes + 1)
                status = os.fstat(stream.fileno())
        except OSError as error:
            raise unreadable("the message", error) from error
        if len(content) > self._max_file_bytes:
            raise PermanentSourceError(
                too_large(status.st_size, self._max_file_bytes, what="message")
            )
        return RawDocument(
            uri=item.uri,
            name="message.eml",
            content=content,
            modified_at=datetime.fromtimestamp(status.st_mtime, tz=UTC),
            metadata={"folder": name},
        )

    def close(self) -> None:
        """Forget where the messages are."""
        self._paths.clear()


def _damaged(parts: dict[str, list[str]]) -> TransientSourceError:
    told = "; ".join(f"{name} lacks {', '.join(missing)}" for name, missing in parts.items())
    return TransientSourceError(
        f"a Maildir has lost a part, perhaps a mount: {told}, so nothing is taken as deleted; "
        "bring it back, or make it as an empty folder if it is meant to be gone",
        worth_waiting=False,
    )


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def _find(folder: Path, key: str) -> Path | None:
    """Where a message is now."""
    entries = (entry for box in reversed(_BOXES) for entry in _listed(folder / box))
    return next((Path(entry.path) for entry in entries if _unique(entry.name) == key), None)


def _unique(name: str) -> str:
    return _FLAGS.sub("", name)


def _flags(name: str) -> str:
    match = _FLAGS.search(name)
    return match[1] if match else ""

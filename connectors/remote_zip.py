"""Files inside a ZIP archive on this disk.

Read with the standard library, not through fsspec's wrapper, which merges members of one name and
hides what makes a member dangerous. Members that are archives themselves are not opened.
"""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ragmem.errors import PermanentSourceError, TransientSourceError

from .file_reasons import LINK, too_long
from .remote_store import Body, Entry, vanished
from .zip_members import is_encrypted, is_link, modified_at

_MOST_MEMBERS = 1_000_000


class ZipStore:
    """One archive; threads may read members side by side."""

    def __init__(self, path: Path) -> None:
        """Name the archive; it is opened when it is listed."""
        self._path = path
        self._lock = threading.Lock()
        self._archive: zipfile.ZipFile | None = None

    def entries(self) -> Iterator[Entry]:
        """List the members in the order of their names.

        Raises:
            TransientSourceError: the archive cannot be opened, or its table of contents is broken.
        """
        # An archive replaced since the last run is another one.
        self.close()
        members = self._opened().infolist()
        if len(members) > _MOST_MEMBERS:
            raise TransientSourceError(
                f"{self._path.name} has {len(members):,} members, more than {_MOST_MEMBERS:,}",
                worth_waiting=False,
            )
        times_seen: dict[str, int] = {}
        for member in members:
            times_seen[member.filename] = times_seen.get(member.filename, 0) + 1
        by_name = {member.filename: member for member in members if not member.is_dir()}
        for name, member in sorted(by_name.items()):
            yield Entry(
                key=name,
                fingerprint=f"{member.CRC:08x}-{member.file_size}",
                size_bytes=member.file_size,
                problem=_objection(member, times_seen[name]),
            )

    def read(self, key: str, max_bytes: int) -> Body:
        """Unpack one member, no further than the limit, whatever size it declares.

        Raises:
            PermanentSourceError: it is encrypted, damaged, or larger than allowed or declared.
            TransientSourceError: it is not there, or the disk failed.
        """
        archive = self._opened()
        try:
            member = archive.getinfo(key)
        except KeyError as error:
            raise vanished(key) from error
        if problem := _objection(member, 1):
            raise PermanentSourceError(problem)
        limit = min(member.file_size, max_bytes)
        try:
            with archive.open(member) as stream:
                content = stream.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise PermanentSourceError(f"the member is damaged: {error}") from error
        except NotImplementedError as error:
            raise PermanentSourceError(f"packed in a way that cannot be read: {error}") from error
        except (OSError, RuntimeError, ValueError) as error:
            raise TransientSourceError(f"the archive could not be read: {error}") from error
        if len(content) > max_bytes or member.file_size > max_bytes:
            raise too_long(max_bytes)
        if len(content) != member.file_size:
            raise PermanentSourceError(
                f"declares {member.file_size:,} bytes and unpacks to {len(content):,}: damaged, or "
                "made to fill the disk"
            )
        return Body(content=content, modified_at=modified_at(member))

    def close(self) -> None:
        """Close the archive."""
        with self._lock:
            archive, self._archive = self._archive, None
        if archive is not None:
            archive.close()

    def _opened(self) -> zipfile.ZipFile:
        with self._lock:
            if self._archive is None:
                try:
                    self._archive = zipfile.ZipFile(self._path)
                except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                    raise TransientSourceError(
                        f"{self._path} cannot be opened as a ZIP archive: {error}",
                        worth_waiting=False,
                    ) from error
            return self._archive


def _objection(member: zipfile.ZipInfo, times_seen: int) -> str:
    """Why a member is not read; empty when it is."""
    parts = member.filename.replace("\\", "/").split("/")
    if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        return "its name leads out of the archive; nothing good is called so"
    if times_seen > 1:
        return f"the archive has {times_seen} members of this name; which one is meant is unknown"
    if is_encrypted(member):
        return "encrypted; unpack it with its password and add the file"
    if is_link(member):
        return LINK
    return ""

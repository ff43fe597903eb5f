"""An export as it was downloaded: a folder, a ZIP of one, or one file of it, read the same way.

Nothing is unpacked into the file system, no link is followed, and what is read is bounded. What the
files mean is the readers' business.
"""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote

from ragmem.errors import PermanentSourceError, TransientSourceError, UnknownSource

from .file_reading import opened, unreadable
from .file_reasons import LINK, incomplete, is_hidden_name, too_large
from .zip_members import is_encrypted, is_link, modified_at

_BLOCK_BYTES = 1 << 20
_NESTED_BYTES = 16 << 30
# Text packs 5 to 20 times; what packs far better than any text is there to fill a disk.
_SUSPICIOUS_RATIO = 200
_SUSPICIOUS_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """A file of an export.

    Attributes:
        name: its path in the export, with `/`.
        stamp: changes whenever the content may have changed.
        modified_at: when it was last changed; None where the export does not tell.
        objection: why it is not read; empty when it is.
    """

    name: str
    size_bytes: int
    stamp: str
    modified_at: datetime | None
    objection: str
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An open export.

    Attributes:
        files: by name, in the order of their names.
        unlisted: folders that could not be listed, each with the reason.
    """

    files: dict[str, ExportFile]
    unlisted: tuple[str, ...]

    def check_listing(self) -> None:
        """Tell a listing that is not complete.

        Raises:
            TransientSourceError: folders could not be listed.
        """
        if self.unlisted:
            raise incomplete("folders could not be listed", self.unlisted)

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """The content of one file.

        Raises:
            PermanentSourceError: it is too large or not to be read.
            TransientSourceError: it vanished or is damaged.
        """
        with self.stream(name) as stream:
            content = stream.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise PermanentSourceError(too_large(self.files[name].size_bytes, max_bytes))
        return content

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """One file, open for reading; whatever fails while it is read becomes a source error.

        Raises:
            PermanentSourceError: it is not to be read.
            TransientSourceError: it vanished or is damaged.
        """
        file = self.files.get(name)
        if file is None:
            raise TransientSourceError(f"{name} is no longer there", worth_waiting=False)
        if file.objection:
            raise PermanentSourceError(file.objection)
        try:
            with file.open() as stream:
                yield stream
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise PermanentSourceError(f"damaged in the ZIP ({error}); download it again") from (
                error
            )
        except OSError as error:
            raise unreadable(name, error) from error


def place_of(location: str | Path, schemes: frozenset[str]) -> tuple[Path, str]:
    """The absolute path that a location names, and its scheme, empty where it has none.

    Raises:
        UnknownSource: nothing is there.
    """
    text = os.fspath(location)
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower() if colon and scheme.lower() in schemes else ""
    # After `//` it is a URI, as this source's own; else a path as people write it.
    named = (unquote("/" + rest.lstrip("/")) if rest.startswith("//") else rest) if scheme else text
    path = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - links stay as named
    if not path.exists():
        raise UnknownSource(f"{location}: no such file or folder")
    return path, scheme


def is_hidden(path: PurePosixPath) -> bool:
    """Whether a file or folder is hidden, or what programs add beside what a person wrote."""
    return is_hidden_name(path.name) or path.name == "__MACOSX"


def unwrapped_names(names: set[str]) -> set[str]:
    """Names without the folders that some archives hold everything in."""
    while len({name.partition("/")[0] for name in names}) == 1 and "/" in min(names):
        names = {name.partition("/")[2] for name in names} - {""}
    return names


@contextmanager
def open_export(
    path: Path,
    *,
    passes: Callable[[PurePosixPath], bool] = is_hidden,
    is_nested: Callable[[str], bool] = lambda _: False,
) -> Iterator[Export]:
    """Open an export for as long as it is used.

    Args:
        path: a folder, a ZIP, or a single file.
        passes: whether a folder or file is passed over; asked for each with its path.
        is_nested: whether a ZIP of this name within the export belongs to it.

    Raises:
        TransientSourceError: it cannot be opened.
    """
    unlisted: list[str] = []
    with ExitStack() as held:
        try:
            if path.is_dir():
                found = list(_folder_files(path, passes, unlisted))
            elif path.suffix.lower() == ".zip":
                archive = held.enter_context(zipfile.ZipFile(path))
                found = list(_archive_files(archive, passes))
            else:
                target = path.resolve(strict=True)
                found = [_file_of(target.parent, target.name, target.stat())]
            for file in [file for file in found if is_nested(file.name)]:
                found.remove(file)
                found += _nested_files(file, held, passes)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise TransientSourceError(
                f"{path.name} is no readable ZIP ({error}); download it again", worth_waiting=False
            ) from error
        except OSError as error:
            raise unreadable(str(path), error) from error
        files = {file.name: file for file in sorted(found, key=lambda file: file.name)}
        yield Export(files=files, unlisted=tuple(unlisted))


def _folder_files(
    root: Path, passes: Callable[[PurePosixPath], bool], unlisted: list[str]
) -> Iterator[ExportFile]:
    open_folders = [PurePosixPath()]
    while open_folders:
        inner = open_folders.pop()
        folder = root / inner
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            unlisted.append(f"{folder}: {error.strerror}")
            continue
        for entry in entries:
            name = inner / entry.name
            if passes(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                open_folders.append(name)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # it vanished since, as if it had never been listed
                continue
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield _file_of(root, str(name), status)


def _file_of(root: Path, name: str, status: os.stat_result) -> ExportFile:
    return ExportFile(
        name=name,
        size_bytes=status.st_size,
        stamp=f"{status.st_mtime_ns}-{status.st_size}",
        modified_at=datetime.fromtimestamp(status.st_mtime, tz=UTC),
        objection=LINK if stat.S_ISLNK(status.st_mode) else "",
        open=lambda: _opened(root, name),
    )


def _opened(root: Path, name: str) -> IO[bytes]:
    path = (root / name).resolve(strict=True)
    if not path.is_relative_to(root.resolve()):
        raise PermanentSourceError("now leads out of the folder; add its target by itself")
    return opened(path)


def _archive_files(
    archive: zipfile.ZipFile, passes: Callable[[PurePosixPath], bool]
) -> Iterator[ExportFile]:
    for info in archive.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if info.is_dir() or is_link(info) or path.is_absolute() or ".." in path.parts:
            continue
        if any(passes(part) for part in (*list(path.parents)[:-1], path)):
            continue
        yield ExportFile(
            name=str(path),
            size_bytes=info.file_size,
            stamp=f"{info.CRC:08x}-{info.file_size}",
            modified_at=modified_at(info),
            objection=_objection(info),
            open=lambda info=info: archive.open(info),  # type: ignore[misc]
        )


def _objection(info: zipfile.ZipInfo) -> str:
    if is_encrypted(info):
        return "encrypted; unpack the ZIP with its password and give the folder"
    if info.file_size > max(_SUSPICIOUS_BYTES, _SUSPICIOUS_RATIO * info.compress_size):
        return f"{info.compress_size:,} bytes claim to unpack to {info.file_size:,}: a ZIP bomb"
    return ""


def _nested_files(
    file: ExportFile, held: ExitStack, passes: Callable[[PurePosixPath], bool]
) -> Iterator[ExportFile]:
    """The files of a ZIP within the export, which is copied to a temporary file to be searched."""
    if file.objection or file.size_bytes > _NESTED_BYTES:
        yield file
        return
    copy = held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - held by the stack
    with file.open() as stream:
        while block := stream.read(_BLOCK_BYTES):
            copy.write(block)
    copy.seek(0)
    yield from _archive_files(held.enter_context(zipfile.ZipFile(copy)), passes)

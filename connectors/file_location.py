"""What a location names: a folder, a glob in a folder, or a single file; and file URIs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from ragmem.errors import UnknownSource

_MAGIC = re.compile(r"[*?\[]")
_GLOB_QUERY = "glob="


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLocation:
    """A place in the file system.

    Attributes:
        root: the absolute folder that nothing is read outside of.
        single: the one file, when a file was named.
        pattern: the glob's parts below the root; empty admits everything.
    """

    root: Path
    single: Path | None = None
    pattern: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """The location's own URI."""
        if self.single is not None:
            return self.single.as_uri()
        query = f"?{_GLOB_QUERY}{quote('/'.join(self.pattern), safe='/*')}" if self.pattern else ""
        return self.root.as_uri() + query

    def admits(self, parts: tuple[str, ...]) -> bool:
        """Whether a file at this path below the root is meant."""
        return not self.pattern or _matches(parts, self.pattern)


def locate(location: str | Path) -> FileLocation:
    """Find what a location names.

    Raises:
        UnknownSource: nothing is there, or it is no local file URI.
    """
    text = os.fspath(location)
    glob = ""
    if text[:5].lower() == "file:":
        path = local_path_of(text)
        glob = unquote(urlsplit(text).query.removeprefix(_GLOB_QUERY))
    else:
        path = Path(text).expanduser()
    path = Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links
    if path.is_file() and not glob:
        return FileLocation(root=path.parent, single=path)
    if path.is_dir():
        return FileLocation(root=path, pattern=tuple(filter(None, glob.split("/"))))
    if not _MAGIC.search(str(path)):
        raise UnknownSource(f"{location}: no such file or folder")
    fixed = next(at for at, part in enumerate(path.parts) if _MAGIC.search(part))
    root = Path(*path.parts[:fixed])
    if not root.is_dir():
        raise UnknownSource(f"{location}: the folder {root} does not exist")
    return FileLocation(root=root, pattern=path.parts[fixed:])


def local_path_of(uri: str) -> Path:
    """The path that a URI names on this machine.

    Raises:
        UnknownSource: it names another machine, or is no URI.
    """
    try:
        host = urlsplit(uri).netloc
    except ValueError as error:
        raise UnknownSource(f"{uri}: {error}") from error
    if host not in ("", "localhost"):
        scheme = uri.partition(":")[0]
        raise UnknownSource(
            f"{uri}: files are read of no other machine; mount its folder, or, for a path on this "
            f"one, write three slashes: {scheme}:///path"
        )
    return path_of(uri)


def path_of(uri: str) -> Path:
    """The path that a file URI names."""
    path = urlsplit(uri).path
    if os.name == "posix":
        # Byte by byte: names need not be UTF-8.
        return Path(os.fsdecode(unquote_to_bytes(path)))
    return Path(url2pathname(path))


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether a path matches a glob, `**` standing for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(parts)
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])

"""Files on this machine: a folder, a glob, a single file, or a `file://` URI of one of them.

What a file holds is the parsers' business; here it is only found, judged by its name, kind and
size, and read. What ignore files say is in `ignore_rules`. Symbolic links are never followed out of
the place that was named, and nothing but regular files is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .file_location import FileLocation, locate, path_of
from .file_reading import opened, printable
from .file_reasons import (
    CONTROL_CHARACTERS,
    EMPTY,
    IGNORED_FOLDERS,
    IRREGULAR,
    has_control_characters,
    incomplete,
    is_hidden_name,
    no_parser,
    outside,
    suffix_of,
    too_large,
)
from .ignore_rules import RULE_FILES, IgnoreRules

_MEBIBYTE = 1024 * 1024
# A virtual environment, and a store of ours.
_FOLDER_MARKS = ("pyvenv.cfg", "ragmem.db")


class FilesConnector:
    """Lists and reads files.

    Hidden files and folders, `__pycache__`, `node_modules`, virtual environments and the like are
    passed over, and so is what the rules of `.ragmemignore` and `.gitignore` files leave out;
    everything else is listed, either to be read or with the reason why not. A file that is named
    by itself is always read.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"file"})

    def __init__(
        self,
        location: str | Path,
        *,
        ignore: tuple[str, ...] = (),
        use_gitignore: bool = True,
        suffixes: frozenset[str] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> None:
        """Find the place.

        Args:
            location: a folder, a file, a glob such as `docs/**/*.md`, or a `file://` URI.
            ignore: patterns as in a `.gitignore` in the folder, stronger than all of its files;
                `!name` takes one of theirs back.
            use_gitignore: whether `.gitignore` files and git's `info/exclude` count.
            suffixes: the lower-case suffixes (with dot; empty for none) to read; None for all.
            max_file_bytes: larger files are skipped without being opened.

        Raises:
            UnknownSource: nothing is there.
            UsageError: a pattern to ignore is none.
        """
        self._location: FileLocation = locate(location)
        self._rules = IgnoreRules.of(
            self._location.root, patterns=ignore, use_gitignore=use_gitignore
        )
        self._suffixes = suffixes
        self._max_file_bytes = max_file_bytes

    @property
    def source_uri(self) -> str:
        """The absolute URI of what was named; a glob stands in its query."""
        return self._location.uri

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the files in the order of their paths.

        Raises:
            TransientSourceError: folders could not be listed (raised after all that could be), or
                no file matches the pattern.
        """
        if self._location.single is not None:
            yield self._judge(self._location.single, link_allowed=True)
            return
        unlisted: list[str] = []
        matched = 0
        for found in self._walk(unlisted):
            matched += 1
            yield found
        if self._location.pattern and not matched:
            # A mistyped pattern must not look like a source that was emptied.
            raise TransientSourceError(
                "no file matches the pattern, so nothing is taken as deleted", worth_waiting=False
            )
        if unlisted:
            raise incomplete("folders could not be listed", unlisted)

    def _walk(self, unlisted: list[str]) -> Iterator[SourceItem | SkippedItem]:
        """Every file below the root; folders that cannot be listed are noted."""
        # Not by recursion: folders may nest deeper than Python's stack.
        open_folders: list[tuple[tuple[str, ...], IgnoreRules, Iterator[os.DirEntry[str]]]] = []

        def enter(parts: tuple[str, ...], folder: Path, around: IgnoreRules | None) -> None:
            try:
                entries = _listing(folder)
                outer = around or self._rules.inherited(folder)
                rules = outer.inside(folder, {entry.name for entry in entries})
            except OSError as error:
                unlisted.append(f"{folder.as_uri()}: {error.strerror}")
            except TransientSourceError as error:
                unlisted.append(str(error))
            else:
                open_folders.append((parts, rules, iter(entries)))

        enter((), self._location.root, None)
        while open_folders:
            parts, rules, entries = open_folders[-1]
            entry = next(entries, None)
            if entry is None:
                open_folders.pop()
                continue
            inner = (*parts, entry.name)
            is_folder = entry.is_dir(follow_symlinks=False)
            if _is_passed_over(entry.path, rules, is_folder=is_folder):
                continue
            if is_folder:
                enter(inner, Path(entry.path), rules)
            elif self._location.admits(inner):
                yield self._judge(Path(entry.path))

    @property
    def watched_folder(self) -> Path:
        """The folder that everything of the source lies in."""
        return self._location.root

    @property
    def watches_subfolders(self) -> bool:
        """Whether folders within it count."""
        return self._location.single is None

    def concerns(self, paths: Collection[Path]) -> bool:
        """Whether changes at these paths may change what is listed; in doubt they may."""
        if self._location.single is not None:
            return self._location.single in paths
        known: dict[Path, IgnoreRules | None] = {}
        try:
            return any(self._concerns(path, known) for path in paths)
        except (TransientSourceError, OSError):
            return True  # the next listing says what is wrong

    def _concerns(self, path: Path, known: dict[Path, IgnoreRules | None]) -> bool:
        """The same of one path; `known` holds the rules within folders, None within ignored ones.

        Raises:
            TransientSourceError, OSError: rules or folders cannot be read.
        """
        folder = self._location.root
        if path == folder:
            return True
        *around, name = path.relative_to(folder).parts
        if folder not in known:
            known[folder] = self._rules.inherited(folder).inside(folder)
        rules = known[folder]
        for inner in around:
            folder = folder / inner
            if rules is None:
                return False
            if folder not in known:
                outside = folder.is_symlink() or _is_passed_over(str(folder), rules, is_folder=True)
                known[folder] = None if outside else rules.inside(folder)
            rules = known[folder]
        if rules is None:
            return False
        if name in RULE_FILES:
            return True
        if _is_passed_over(str(path), rules, is_folder=path.is_dir()):
            return False
        return self._location.admits((*around, name)) or not path.is_file()

    def _judge(self, path: Path, *, link_allowed: bool = False) -> SourceItem | SkippedItem:
        """An item to read, or the reason why not."""
        uri = path.as_uri()
        try:
            status = path.stat() if link_allowed else path.lstat()
        except OSError as error:
            return SkippedItem(uri=uri, reason=f"vanished while listing: {error.strerror}")
        if reason := self._objection(path, status):
            return SkippedItem(uri=uri, reason=reason)
        return SourceItem(
            uri=uri,
            fingerprint=f"{status.st_mtime_ns}-{status.st_size}",
            size_bytes=status.st_size,
        )

    def _objection(self, path: Path, status: os.stat_result) -> str:
        """Why a file is not read; empty when it is."""
        if has_control_characters(path.name):
            return CONTROL_CHARACTERS
        if stat.S_ISLNK(status.st_mode):
            return self._link(path)
        if not stat.S_ISREG(status.st_mode):
            return IRREGULAR
        suffix = suffix_of(path.name)
        if self._suffixes is not None and suffix not in self._suffixes:
            return no_parser(suffix)
        if status.st_size == 0:
            return EMPTY
        if status.st_size > self._max_file_bytes:
            return too_large(status.st_size, self._max_file_bytes)
        return ""

    def _link(self, path: Path) -> str:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "a symbolic link that leads nowhere"
        root = self._location.root.resolve()
        if target == root or root in target.parents:
            return "a symbolic link within the folder; its target is listed by itself"
        return "a symbolic link that leads out of the folder; add its target by itself"

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one file.

        Raises:
            PermanentSourceError: it became another kind of file or grew over the limit.
            TransientSourceError: it vanished, changed while it was read, may not be read, or the
                disk failed; none of these shows in the fingerprint when it is over.
        """
        path = path_of(item.uri)
        root = self._location.root
        if path != self._location.single and root not in path.parents:
            raise outside(self.source_uri)
        try:
            content, modified = self._read(path)
        except FileNotFoundError as error:
            raise TransientSourceError("vanished while being read", worth_waiting=False) from error
        except PermissionError as error:
            raise TransientSourceError(
                "permission denied; make the file readable", worth_waiting=False
            ) from error
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                raise PermanentSourceError("was replaced by another kind of file") from error
            raise TransientSourceError(f"could not be read: {error.strerror}") from error
        name = printable(path.name)
        return RawDocument(
            uri=item.uri,
            name=name,
            content=content,
            modified_at=modified,
            metadata={
                "name": name,
                "suffix": path.suffix.lower(),
                # Not relative to the source: several may hold the same document.
                "folder": printable(path.parent.as_posix()),
                "modified_at": modified.isoformat(),
            },
        )

    def _read(self, path: Path) -> tuple[bytes, datetime]:
        """The bytes of a regular file and its time, from one open descriptor."""
        real = path.resolve(strict=True)
        root = self._location.root.resolve()
        if path != self._location.single and root not in real.parents:
            raise PermanentSourceError("now leads out of the folder; add its target by itself")
        with opened(real) as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise PermanentSourceError("was replaced by another kind of file")
            content = stream.read(self._max_file_bytes + 1)
            after = os.fstat(stream.fileno())
        if len(content) > self._max_file_bytes:
            raise PermanentSourceError(too_large(after.st_size, self._max_file_bytes))
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or (
            len(content) != after.st_size
        ):
            raise TransientSourceError("changed while being read; run again when it is finished")
        return content, datetime.fromtimestamp(after.st_mtime, tz=UTC)


def _listing(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_passed_over(path: str, rules: IgnoreRules, *, is_folder: bool) -> bool:
    """Whether an entry is treated as if it were not there."""
    name = os.path.basename(path)  # noqa: PTH119 - called for every entry
    if is_hidden_name(name):
        return True
    if is_folder:
        # os.path answers False where the folder may not be looked into; listing it tells then.
        marks = (os.path.join(path, mark) for mark in _FOLDER_MARKS)  # noqa: PTH118
        if name in IGNORED_FOLDERS or any(map(os.path.exists, marks)):
            return True
    return rules.ignores(path, is_folder=is_folder)

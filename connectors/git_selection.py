"""Which files of a tree are read, which are passed over, and which are named with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ragmem.errors import UsageError

from .file_reasons import (
    CONTROL_CHARACTERS,
    has_control_characters,
    no_parser,
    suffix_of,
    too_large,
)
from .git_repository import TreeEntry

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# What stands in nearly every repository and holds no text to answer from.
_ASSETS = frozenset(
    f".{suffix}"
    for kind in (
        "png jpg jpeg gif bmp ico icns svg webp avif tif tiff psd ai woff woff2 ttf otf eot",
        "mp3 mp4 wav ogg flac webm mov avi gz xz bz2 zst 7z tar tgz",
        "o a so dll dylib exe bin class jar whl pyc wasm",
        "db sqlite dat npy npz pt onnx gguf parquet",
        "lock sum map snap po mo pot key pem crt p12 sig asc",
    )
    for suffix in kind.split()
)
_LFS_ATTRIBUTE = re.compile(r"(?:^|\s)filter=lfs(?:\s|$)")
_LFS_SIGNATURE = b"version https://git-lfs.github.com/spec/v1"
_MAX_POINTER_BYTES = 1024
_LFS_REASON = (
    "a Git LFS pointer, whose content is not in the repository; run git lfs pull in a working copy "
    "and add that folder"
)


class Selection:
    """Judges files by their path, kind and size."""

    def __init__(
        self, *, paths: Sequence[str], suffixes: frozenset[str] | None, max_file_bytes: int
    ) -> None:
        """Prepare.

        Args:
            paths: patterns in the manner of `.gitignore`, of what to read; empty for everything
                but hidden files.
            suffixes: what there is a parser for; None for everything.
            max_file_bytes: larger files are not read.

        Raises:
            UsageError: a pattern is none.
        """
        from pathspec import GitIgnoreSpec

        try:
            self._paths = GitIgnoreSpec.from_lines(paths) if paths else None
        except ValueError as error:
            raise UsageError(f"a pattern in paths cannot be read: {error}") from error
        self._suffixes = suffixes
        self._max_file_bytes = max_file_bytes

    @property
    def is_narrowed(self) -> bool:
        """Whether patterns say what to read."""
        return self._paths is not None

    def admits(self, path: str) -> bool:
        """Whether a path is meant at all."""
        if self._paths is not None:
            return self._paths.match_file(path)
        return not any(part.startswith(".") for part in path.split("/"))

    def objection(self, entry: TreeEntry, path: str) -> str | None:
        """Why a file is not read: a reason to show, empty to pass it over, None when it is read."""
        name = path.rpartition("/")[2]
        if has_control_characters(path):
            return CONTROL_CHARACTERS
        if entry.mode == "120000":
            return "a symbolic link; its target is listed by itself if it is in the repository"
        suffix = suffix_of(name)
        if self._suffixes is not None and suffix not in self._suffixes:
            return "" if suffix in _ASSETS else no_parser(suffix)
        if entry.size == 0:
            return ""
        if entry.size > self._max_file_bytes:
            return too_large(entry.size, self._max_file_bytes)
        return None


class LargeFiles:
    """Which paths `.gitattributes` gives to Git LFS."""

    def __init__(self, attributes: Iterable[tuple[str, str]]) -> None:
        """Read attributes.

        Args:
            attributes: (folder, text) of each `.gitattributes`, the folder empty at the top.
        """
        from pathspec import GitIgnoreSpec

        self._specs: list[tuple[str, GitIgnoreSpec]] = []
        for folder, text in attributes:
            lines = (line.strip() for line in text.splitlines() if _LFS_ATTRIBUTE.search(line))
            patterns = [line.split(maxsplit=1)[0] for line in lines if not line.startswith("#")]
            if patterns:
                self._specs.append((folder, GitIgnoreSpec.from_lines(patterns)))

    def objection(self, entry: TreeEntry, path: str) -> str | None:
        """Why a file's content is not in the repository; None when it is, or may be."""
        if entry.size > _MAX_POINTER_BYTES:
            return None
        for folder, spec in self._specs:
            inside = not folder or path.startswith(f"{folder}/")
            if inside and spec.match_file(path[len(folder) + 1 :] if folder else path):
                return _LFS_REASON
        return None


def pointer_objection(content: bytes) -> str | None:
    """Why a file's bytes are not its content; None when they are."""
    return _LFS_REASON if content.startswith(_LFS_SIGNATURE) else None

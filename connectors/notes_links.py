"""Which file a link names, by path or by name alone as in Obsidian, and what a file is called."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

_NOTION_ID = re.compile(r"^(.*?)[ -]?([0-9a-f]{32})((?:_all)?)$")
_NOTE_SUFFIXES = ("", ".md", ".canvas", ".html")


class NoteLinks:
    """Finds the files of one collection of notes."""

    def __init__(self, names: Iterable[str]) -> None:
        """Index the files.

        Args:
            names: their paths, with `/`.
        """
        self._by_path: dict[str, str] = {}
        self._by_name: dict[str, list[str]] = {}
        # The shortest path wins where a name is not the only one.
        for name in sorted(names, key=lambda name: (name.count("/"), name)):
            self._by_path.setdefault(name.lower(), name)
            self._by_name.setdefault(posixpath.basename(name).lower(), []).append(name)

    def resolve(self, target: str, *, source: str) -> str | None:
        """The file that a link names.

        Args:
            target: as written, without its brackets: `Note`, `folder/Note#Heading`, `../a.md`.
            source: the file that the link stands in.

        Returns:
            The file's path; None where there is no such file.
        """
        wanted = target.partition("#")[0].strip().lower()
        if not wanted:
            return source
        folder = posixpath.dirname(source).lower()
        beside = posixpath.normpath(posixpath.join(folder, wanted))
        is_relative = wanted.startswith(("./", "../"))
        exact = [beside] if is_relative else [wanted.lstrip("/"), beside]
        for path in exact:
            for suffix in _NOTE_SUFFIXES:
                if found := self._by_path.get(path + suffix):
                    return found
        if is_relative or wanted.startswith("/"):
            return None
        for suffix in _NOTE_SUFFIXES:
            ending = f"/{wanted}{suffix}"
            candidates = self._by_name.get(posixpath.basename(ending), ())
            matching = (name for name in candidates if f"/{name.lower()}".endswith(ending))
            if found := next(matching, None):
                return found
        return None


def notion_id(name: str) -> str:
    """The id that Notion puts at the end of a file's name; empty where there is none."""
    match = _NOTION_ID.match(PurePosixPath(name).stem)
    return match[2] if match else ""


def without_ids(path: str) -> str:
    """A path as its owner knows it."""
    return "/".join(_without_id(part) for part in path.split("/"))


def _without_id(part: str) -> str:
    suffix = PurePosixPath(part).suffix
    suffix = suffix if suffix.lower() in (".md", ".csv", ".html") else ""
    match = _NOTION_ID.match(part.removesuffix(suffix))
    return f"{match[1] or match[2]}{suffix}" if match else part

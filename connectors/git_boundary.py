"""Whether everything that git would read of a repository lies in one folder.

A `.git` file, `commondir`, `info/alternates` and links may name any repository of this machine, and
come with a folder that was unpacked or shared; git follows them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ragmem.errors import PermanentSourceError

_MAX_ALTERNATES_BYTES = 1024 * 1024
_OBJECTS_DEPTH = 3


def is_inside(place: Path, folder: Path) -> bool:
    """Whether a place lies in a folder, links followed."""
    return place.resolve().is_relative_to(folder.resolve())


def check_inside(folder: Path, *, places: tuple[Path, ...], objects: Path) -> None:
    """Refuse a repository that reaches out of a folder.

    Args:
        folder: what was named.
        places: the git folder and whatever else is read.
        objects: the folder of its objects.

    Raises:
        PermanentSourceError: something of it is elsewhere.
    """
    for place in places:
        _check(place, folder)
    # Each is checked before anything in it is read.
    for place in _of_objects(objects):
        _check(place, folder)


def _check(place: Path, folder: Path) -> None:
    if not is_inside(place, folder):
        raise PermanentSourceError(
            f"the repository reads {place}, outside of {folder}; name the repository there, or, if "
            "this is a worktree, a submodule's folder or a shared clone of yours, set the option "
            "allow_outside"
        )


def _of_objects(objects: Path) -> Iterator[Path]:
    """The folders that objects are looked for in, and the links in them."""
    waiting, seen = [objects], set[Path]()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        yield folder
        yield from _links(folder, _OBJECTS_DEPTH)
        waiting += _alternates(folder)


def _links(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return  # git will say so
    for entry in found:
        if entry.is_symlink():
            yield Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False):
            yield from _links(Path(entry.path), depth - 1)


def _alternates(objects: Path) -> Iterator[Path]:
    """The other folders of objects that one names."""
    try:
        with (objects / "info" / "alternates").open("rb") as stream:
            text = stream.read(_MAX_ALTERNATES_BYTES)
    except OSError:
        return
    for line in text.split(b"\n"):
        if line.startswith(b'"'):
            # Git's quoting, read differently here than there, would be a way out.
            raise PermanentSourceError(
                f"{objects}/info/alternates quotes a name, so it may lead outside of what was "
                "named; write it without quotes, or set the option allow_outside"
            )
        if line and not line.startswith(b"#"):
            named = objects.resolve() / os.fsdecode(line)
            # Versions of git differ in whether `..` goes back through links.
            yield named
            yield Path(os.path.normpath(named))

"""A repository on this machine, read through git's plumbing: revisions, trees, contents.

Objects are read by a git that sees an empty repository of ours whose object folder is the real one:
nothing in the repository's own configuration or attributes has any say, and nothing is checked out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError

from .file_reasons import too_large
from .git_boundary import check_inside
from .git_process import GitFailed, end, local_environment, reading, run, start

_SECONDS = 600.0
_READ_SECONDS = 120.0
_MAX_RECORD_BYTES = 1024 * 1024
_SHOWN_REFS = 12
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One file of a tree.

    Attributes:
        mode: git's: 100644 and 100755 files, 120000 links, 160000 submodules.
        sha: the content's name.
        size: in bytes; -1 where there is no content here: submodules, partial clones, lost objects.
        path: from the top of the repository, as it is stored.
    """

    mode: str
    sha: str
    size: int
    path: bytes


class Repository:
    """One repository; not thread-safe."""

    def __init__(self, git_folder: Path, *, within: Path | None = None) -> None:
        """Open a repository.

        Args:
            git_folder: `.git` of a working copy, a bare repository, or a `.git` file that leads
                to one.
            within: the folder that everything read has to lie in; None for anywhere.

        Raises:
            PermanentSourceError: git finds no repository there, or it reaches outside.
        """
        self._folder = git_folder
        # Reading names of revisions and paths runs no program, whatever the configuration says.
        self._named = local_environment({"GIT_DIR": str(git_folder)})
        try:
            told = run(
                ["rev-parse", "--show-object-format", "--absolute-git-dir", "--git-common-dir"]
                + [part for name in ("objects", "shallow") for part in ("--git-path", name)],
                self._named,
                timeout_seconds=_READ_SECONDS,
            )
        except GitFailed as error:
            raise PermanentSourceError(
                f"git cannot read the repository: {error.message}"
            ) from error
        hashing, own, common, objects, shallow = os.fsdecode(told).rstrip("\n").split("\n")
        self.common_folder = Path(os.path.abspath(common))  # noqa: PTH100 - links stay links
        if within is not None:
            places = (Path(own), self.common_folder, Path(shallow))
            check_inside(within, places=places, objects=Path(objects))
        self.environment = self._isolated(hashing, Path(objects), Path(shallow))
        self._contents: subprocess.Popen[bytes] | None = None

    def _isolated(self, hashing: str, objects: Path, shallow: Path) -> dict[str, str]:
        """The environment in which only the objects are the repository's own."""
        empty = Path(tempfile.mkdtemp(prefix="ragmem-git-"))
        weakref.finalize(self, shutil.rmtree, empty, ignore_errors=True)
        (empty / "refs").mkdir()
        (empty / "HEAD").write_text("ref: refs/heads/none\n")
        version = "0" if hashing == "sha1" else "1"
        extension = "" if hashing == "sha1" else f"[extensions]\n\tobjectFormat = {hashing}\n"
        config = f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = true\n{extension}"
        (empty / "config").write_text(config)
        variables = {"GIT_DIR": str(empty), "GIT_OBJECT_DIRECTORY": str(objects.absolute())}
        if shallow.exists():
            variables["GIT_SHALLOW_FILE"] = str(shallow.absolute())
        return local_environment(variables)

    def commit_of(self, revision: str) -> str | None:
        """The commit that a revision names; None in a repository without any commit.

        Raises:
            PermanentSourceError: there is no such revision.
        """
        try:
            said = run(
                ["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"],
                self._named,
                timeout_seconds=_READ_SECONDS,
            )
        except GitFailed as error:
            names = self._refs()
            if not names:
                return None
            more = f" and {len(names) - _SHOWN_REFS} more" if len(names) > _SHOWN_REFS else ""
            raise PermanentSourceError(
                f"there is no revision {revision!r}; there are {', '.join(names[:_SHOWN_REFS])}"
                f"{more}, or give a commit"
            ) from error
        return said.decode().strip()

    def has_commit(self, sha: str) -> bool:
        """Whether a commit is there."""
        try:
            run(["cat-file", "-e", f"{sha}^{{commit}}"], self.environment, timeout_seconds=_SECONDS)
        except GitFailed:
            return False
        return True

    def _refs(self) -> list[str]:
        listed = run(
            ["for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", "refs/remotes"],
            self._named,
            timeout_seconds=_READ_SECONDS,
        )
        names = listed.decode("utf-8", "replace").split()
        return [name.split("/", 2)[2] for name in names]

    def tree(self, commit: str) -> Iterator[TreeEntry]:
        """Every file of a commit, in the order of their paths.

        Raises:
            TransientSourceError: git failed on the way.
        """
        arguments = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit]
        try:
            with reading(arguments, self.environment, timeout_seconds=_SECONDS) as output:
                for record in records(output):
                    facts, _, path = record.partition(b"\t")
                    mode, _, sha, size = facts.decode("ascii").split()
                    length = int(size) if size.isdigit() else -1
                    yield TreeEntry(mode=mode, sha=sha, size=length, path=path)
        except GitFailed as error:
            raise TransientSourceError(
                f"the tree cannot be read to its end: {error.message}", worth_waiting=False
            ) from error

    def content(self, name: str, *, max_bytes: int) -> bytes:
        """A file's bytes.

        Args:
            name: its SHA, or `commit:path`.
            max_bytes: more are not read.

        Raises:
            SourceError: it is not there, is no file or is too large.
        """
        if self._contents is None or self._contents.poll() is not None:
            self._contents = start(["cat-file", "--batch"], self.environment)
        process = self._contents
        timer = threading.Timer(_READ_SECONDS, process.kill)
        timer.daemon = True
        timer.start()
        try:
            return _batch_answer(process, name, max_bytes)
        except (OSError, EOFError) as error:
            self.close()
            raise TransientSourceError(f"git stopped while reading {name}: {error}") from error
        except SourceError:
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the program that reads contents; the next read starts it again."""
        if self._contents is not None:
            end(self._contents)
            self._contents = None


def _batch_answer(process: subprocess.Popen[bytes], name: str, max_bytes: int) -> bytes:
    """Ask for one object."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
    process.stdin.flush()
    header = process.stdout.readline(_MAX_RECORD_BYTES)
    if not header:
        raise EOFError("no answer")
    words = header.split()
    if len(words) != 3 or not words[2].isdigit():
        if not is_sha(name):
            raise PermanentSourceError("is not in this revision of the repository")
        raise TransientSourceError(
            "the content is not in the repository (a partial clone, or lost objects); run git fsck "
            "or clone it whole",
            worth_waiting=False,
        )
    size = int(words[2])
    if words[1] != b"blob":
        raise PermanentSourceError(f"is no file but a {words[1].decode()}")
    if size > max_bytes:
        raise PermanentSourceError(too_large(size, max_bytes))
    content = process.stdout.read(size)
    if len(content) != size or process.stdout.read(1) != b"\n":
        raise EOFError("the answer was cut off")
    return content


def records(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands before each NUL."""
    rest = b""
    while piece := stream.read(64 * 1024):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole
        if len(rest) > _MAX_RECORD_BYTES:
            raise TransientSourceError(
                "git wrote a name longer than a megabyte", worth_waiting=False
            )


def is_sha(text: str) -> bool:
    """Whether a text is the full name of an object."""
    return len(text) in (40, 64) and set(text) <= _HEXADECIMAL

"""Which commit last touched a file: when and by whom. No blame, no renames followed.

A few files are each looked up by themselves; once there are more, one walk through the history
answers for all of them, going only as far back as is asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from ragmem.errors import TransientSourceError

from .git_process import GitFailed, reading, run
from .git_repository import Repository, records

_SINGLE_LOOKUPS = 8
_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit; `at` is None where its date is no date."""

    sha: str
    at: datetime | None
    author: str
    author_email: str


class History:
    """The last commits of the files that one commit holds."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository = repository
        self._commit = commit
        self._lookups = 0
        self._found: dict[bytes, Commit] = {}
        self._walk: Iterator[tuple[Commit, bytes]] | None = None
        self._open = ExitStack()

    def last_commit(self, path: bytes) -> Commit | None:
        """The commit that last changed a file, merges included where they changed it themselves.

        Raises:
            TransientSourceError: git failed.
        """
        if path in self._found:
            return self._found[path]
        try:
            if self._walk is None and self._lookups < _SINGLE_LOOKUPS:
                self._lookups += 1
                return self._looked_up(path)
            if self._walk is None:
                self._walk = self._walked()
            for commit, touched in self._walk:
                self._found.setdefault(touched, commit)
                if touched == path:
                    return self._found[path]
        except GitFailed as error:
            raise TransientSourceError(f"the history cannot be read: {error.message}") from error
        return None

    def close(self) -> None:
        """Stop walking."""
        self._open.close()
        self._walk = None

    def _looked_up(self, path: bytes) -> Commit | None:
        mark = secrets.token_hex(16)
        arguments = [*_log(mark), "-1", self._commit, "--"]
        literal = ":(top,literal)" + path.decode("utf-8", "surrogateescape")
        said = run([*arguments, literal], self._repository.environment, timeout_seconds=_SECONDS)
        return next((_commit(record, mark) for record in said.split(b"\0")), None) if said else None

    def _walked(self) -> Iterator[tuple[Commit, bytes]]:
        """Every commit with every file that it changed, newest first."""
        mark = secrets.token_hex(16)
        arguments = [*_log(mark), "--name-only", "-z", "-c", "--no-renames", self._commit, "--"]
        output = self._open.enter_context(
            reading(arguments, self._repository.environment, timeout_seconds=_SECONDS)
        )
        commit: Commit | None = None
        for record in records(output):
            if record.lstrip(b"\n").startswith(mark.encode()):
                commit = _commit(record.lstrip(b"\n"), mark)
            elif commit is not None and record.strip(b"\n"):
                yield commit, record.removeprefix(b"\n")
        self._open.close()


def _log(mark: str) -> list[str]:
    fields = "%x1f".join(("%H", "%ct", "%an", "%ae"))
    flags = "color ext-diff textconv mailmap show-signature notes"
    return ["log", f"--format={mark}{fields}", *(f"--no-{flag}" for flag in flags.split())]


def _commit(record: bytes, mark: str) -> Commit:
    text = record.decode("utf-8", "replace").strip().removeprefix(mark)
    sha, seconds, author, email = [*text.split("\x1f"), "", "", ""][:4]
    try:
        at = datetime.fromtimestamp(int(seconds), tz=UTC)
    except (ValueError, OverflowError, OSError):
        at = None
    return Commit(sha=sha, at=at, author=author.strip(), author_email=email.strip())

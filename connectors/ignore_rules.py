"""What ignore files leave out: `.gitignore` as git reads it, and `.ragmemignore` likewise.

Rules are judged while walking down: an ignored folder is never entered, so a rule is only asked
about the very entry at hand. Walking itself is not here, and git's index and configuration are not
looked at: a file that git tracks in spite of a rule is left out all the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ragmem.errors import TransientSourceError, UsageError

from .file_reading import opened

if TYPE_CHECKING:
    from .ignore_patterns import Rule

_GIT_RULES = ".gitignore"
_OWN_RULES = ".ragmemignore"
_REPOSITORY = ".git"
RULE_FILES = (_GIT_RULES, _OWN_RULES)
_LARGEST_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _RuleSet:
    """Rules about what lies below one folder, the strongest first."""

    folder: bytes
    rules: tuple[Rule, ...]

    def verdict(self, path: bytes, *, is_folder: bool) -> bool | None:
        """Whether an entry is left out; None where no rule speaks of it."""
        inner = path[len(self.folder) :].lstrip(b"/")
        for rule in self.rules:
            if rule.matches(inner, is_folder=is_folder):
                return rule.leaves_out
        return None


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules that hold for the entries of one folder.

    As in git a deeper file is stronger than one above it, and a later line than an earlier one.
    The caller's own patterns are stronger than any `.ragmemignore`, that than any `.gitignore`.
    """

    given: tuple[_RuleSet, ...] = ()
    own: tuple[_RuleSet, ...] = ()
    git: tuple[_RuleSet, ...] = ()
    use_gitignore: bool = True

    @classmethod
    def of(cls, root: Path, *, patterns: Iterable[str], use_gitignore: bool) -> Self:
        """Rules with the caller's patterns alone.

        Raises:
            UsageError: a pattern is none.
        """
        given = _RuleSet(_bytes_of(root), _given_rules(tuple(patterns)))
        return cls(given=(given,) if given.rules else (), use_gitignore=use_gitignore)

    def inherited(self, root: Path) -> Self:
        """These and the rules of the folders above the root; those in the root are not among them.

        Files count from the root of the git repository that the folder lies in, if it does. A
        folder that they leave out and that is named all the same inherits nothing.

        Raises:
            TransientSourceError: a file with rules cannot be read.
        """
        rules = replace(self, given=())
        above = _folders_above(root)
        for folder, entry in zip(above, [*above[1:], root], strict=False):
            rules = rules.inside(folder)
            if rules.ignores(entry, is_folder=True):
                return self
        return replace(rules, given=self.given)

    def inside(
        self, folder: Path, names: Container[str] = (_REPOSITORY, _GIT_RULES, _OWN_RULES)
    ) -> Self:
        """The rules within a folder.

        Args:
            folder: where it is.
            names: what lies in it; files with rules that are not named are not looked for.

        Raises:
            TransientSourceError: a file with rules cannot be read. Nothing should be taken from
                the folder then: it may be what the rules keep back.
        """
        own, git = self.own, self.git
        if self.use_gitignore and _REPOSITORY in names:
            git = _read(folder / _REPOSITORY / "info" / "exclude", folder) + git
        if self.use_gitignore and _GIT_RULES in names:
            git = _read(folder / _GIT_RULES, folder) + git
        if _OWN_RULES in names:
            own = _read(folder / _OWN_RULES, folder) + own
        unchanged = (own, git) == (self.own, self.git)
        return self if unchanged else replace(self, own=own, git=git)

    def ignores(self, path: str | Path, *, is_folder: bool) -> bool:
        """Whether an entry is left out, given that the folders around it are not."""
        name = _bytes_of(path)
        for rules in (*self.given, *self.own, *self.git):
            verdict = rules.verdict(name, is_folder=is_folder)
            if verdict is not None:
                return verdict
        return False


def _given_rules(patterns: tuple[str, ...]) -> tuple[Rule, ...]:
    try:
        rules = _rules(os.fsencode(pattern) for pattern in patterns)
    except ValueError as error:
        raise UsageError(f"ignore: {error}") from error
    if None in rules:
        raise UsageError(f"ignore: {patterns!r} holds what is no pattern of .gitignore syntax")
    return tuple(rule for rule in rules if rule is not None)


def _rules(lines: Iterable[bytes]) -> list[Rule | None]:
    """What lines say, the strongest first.

    Raises:
        ValueError: a line would take too long to judge.
    """
    # pathspec takes as long to import as all of this module's users together.
    from .ignore_patterns import rule_of

    return [rule_of(line) for line in lines][::-1]


def _folders_above(root: Path) -> list[Path]:
    """The folders from the repository's root down to the one above this; none outside of one."""
    for count, folder in enumerate((root, *root.parents)):
        if (folder / _REPOSITORY).exists():
            return list(reversed(root.parents[:count]))
    return []


def _read(path: Path, folder: Path) -> tuple[_RuleSet, ...]:
    """The rules of a file, none where there is no file."""
    try:
        content = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    if len(content) > _LARGEST_FILE:
        raise _unusable(path, f"it has more than the {_LARGEST_FILE:,} bytes allowed")
    if b"\0" in content:
        raise _unusable(path, "it is no text in UTF-8, save it as such")
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    try:
        rules = _rules(line.removesuffix(b"\r") for line in lines)
    except ValueError as error:
        raise _unusable(path, str(error)) from error
    said = tuple(rule for rule in rules if rule is not None)
    return (_RuleSet(_bytes_of(folder), said),) if said else ()


def _content(path: Path) -> bytes:
    """At most one byte more than allowed; git follows no link here either."""
    with opened(path) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(0, "it is not a regular file")
        return stream.read(_LARGEST_FILE + 1)


def _bytes_of(path: str | Path) -> bytes:
    return os.fsencode(path).replace(os.fsencode(os.sep), b"/")


def _unusable(path: Path, reason: str | None) -> TransientSourceError:
    return TransientSourceError(
        f"{path.as_uri()}: these rules cannot be used, so nothing is read beside them: {reason}",
        worth_waiting=False,
    )

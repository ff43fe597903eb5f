"""One line of an ignore file, judged as git does.

pathspec reads what a line says about folders; the wildcards within a name are translated here,
since a rule file may come from anyone: in time linear in the name, with the character classes and
escapes that git knows. As in git, names are bytes: `?` is one byte, not one letter. Which files
hold rules and where they count is not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_MOST_ANY_FOLDERS = 3
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_CLASS = re.compile(r"\[:([^\]]*):\]")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one line says.

    Attributes:
        pattern: what it speaks of, in a form that a path without a last slash is matched with.
        folders_only: whether it speaks of folders alone.
        leaves_out: False where the line takes back what an earlier one said.
    """

    pattern: re.Pattern[bytes]
    folders_only: bool
    leaves_out: bool

    def matches(self, path: bytes, *, is_folder: bool) -> bool:
        """Whether the rule speaks of the entry at a path, and not of one around it."""
        if self.folders_only and not is_folder:
            return False
        match = self.pattern.search(path)
        # A group takes part only where a folder on the way matched instead.
        return match is not None and match.lastindex is None


def rule_of(line: bytes) -> Rule | None:
    """What a line says; None for a comment, a blank line and what git takes for no pattern.

    Raises:
        ValueError: the line would take too long to judge.
    """
    text = _without_trailing_spaces(line)
    bare = text.removesuffix(b"/")
    if bare.split(b"/").count(b"**") > _MOST_ANY_FOLDERS:
        raise ValueError(f"{line!r} has `**` more than {_MOST_ANY_FOLDERS} times; write it shorter")
    try:
        pattern = _GitPattern(bare)
    except ValueError:
        return None
    if pattern.regex is None:
        return None
    return Rule(pattern.regex, folders_only=bare != text, leaves_out=bool(pattern.include))


def _without_trailing_spaces(line: bytes) -> bytes:
    """A line without the spaces at its end that no backslash keeps."""
    kept = line.rstrip(b" ")
    backslashes = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if kept != line and backslashes % 2 else kept


class _GitPattern(GitIgnoreSpecPattern):
    """pathspec's pattern with names matched as git matches them."""

    __slots__ = ()

    @staticmethod
    def _translate_segment_glob(pattern: str, range_error: Literal["literal", "raise"]) -> str:  # noqa: ARG004
        """A regular expression for one name; it captures nothing and never matches a slash.

        Raises:
            ValueError: no name matches.
        """
        pieces = [""]
        for piece in _pieces(pattern):
            if piece != "*":
                pieces[-1] += piece
            elif len(pieces) == 1 or pieces[-1]:
                pieces.append("")
        first, *others = pieces
        if not others:
            return first
        # Between two stars the leftmost match is as good as any other, so none is tried again.
        middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
        return f"{first}{middle}[^/]*{others[-1]}"


def _pieces(glob: str) -> Iterator[str]:
    """A regular expression for each character that a glob names; a star as it is."""
    at = 0
    while at < len(glob):
        character, at = glob[at], at + 1
        if character == "*":
            yield "*"
        elif character == "?":
            yield "[^/]"
        elif character == "[":
            piece, at = _bracket(glob, at)
            yield piece
        elif character == "\\":
            if at == len(glob):
                raise ValueError("nothing follows the backslash")
            yield re.escape(glob[at])
            at += 1
        else:
            yield re.escape(character)


def _bracket(glob: str, at: int) -> tuple[str, int]:
    """A set of characters and where it ends; `at` is behind its opening bracket.

    Raises:
        ValueError: it is not closed, or names a class that there is not.
    """
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members = ""
    opened = at
    while at == opened or glob[at : at + 1] != "]":
        if named := _CLASS.match(glob, at):
            if named[1] not in _CLASSES:
                raise ValueError(f"no characters are called {named[1]!r}")
            members += _CLASSES[named[1]]
            at = named.end()
            continue
        low, at = _member(glob, at)
        high = low
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(glob, at + 1)
        if low <= high:
            members += f"{re.escape(low)}-{re.escape(high)}"
    if negated:
        return f"[^/{members}]", at + 1
    return (f"(?!/)[{members}]" if members else "(?!)"), at + 1


def _member(glob: str, at: int) -> tuple[str, int]:
    """One character of a set, escaped or not, and where the next begins."""
    at += glob[at : at + 1] == "\\"
    if at >= len(glob):
        raise ValueError("the bracket is not closed")
    return glob[at], at + 1

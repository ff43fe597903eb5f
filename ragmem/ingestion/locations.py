"""Locations as people write them: paths and URIs told apart, made to last, made fit to show."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

# A scheme has two letters at least: `C:` is a drive.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_RELATIVE_DATABASE = re.compile(r"(?:sqlite|duckdb)(?:\+\w+)?:///(?=[^/?:])", re.IGNORECASE)
_WEB_FRAGMENT = re.compile(
    r"^((?:feed://|(?:feed[:+])?https?:)[^#]*)#.*", re.IGNORECASE | re.DOTALL
)
_LOGIN = re.compile(
    r"""(^[a-z][a-z0-9+.-]+:/{0,2} | ://)
        (?! [a-z]:[\\/])  # a drive
        (?! (?<=github://) [\w.-]+:[\w.-]+ (?:@[^@:/]*)? (?:/|$))  # an owner and a repository
        (?: [^/@[]*:(?!\d*(?:[/?#]|$)).*@  # up to the last `@`: people forget to escape one
          | [^/]*@  # a user, or a token
          | [^/?#@[]*:(?!\d*(?:[/?#]|$))[^/?#]*)  # no host, for digits alone would be a port
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def scheme_of(location: str, *, folder: Path | None = None) -> str | None:
    """The URI scheme of a location in lower case; None for a path, also for one with a colon.

    Args:
        location: a path, a glob or a URI.
        folder: where a relative path is looked for; the working directory by default.
    """
    match = _SCHEME.match(location)
    if match is None or _exists(Path(location) if folder is None else folder / location):
        return None
    return match[1].lower()


def anchored(location: str, *, folder: Path) -> str:
    """A location that means the same whatever the working directory is, as it is stored.

    The fragment of a web address is left out: no server sees it, and it may be a token.

    Args:
        location: a path, a glob, a URI, or a path after a scheme such as `mbox:mail/in.mbox`.
        folder: what relative paths start from.
    """
    scheme = scheme_of(location, folder=folder)
    if scheme is None:
        return _absolute(location, folder)
    database = _RELATIVE_DATABASE.match(location)
    if database is not None:
        path, question_mark, query = location[database.end() :].partition("?")
        return f"{database[0]}/{_absolute(path, folder).lstrip('/')}{question_mark}{query}"
    location = _WEB_FRAGMENT.sub(r"\1", location)
    rest = location[len(scheme) + 1 :]
    if scheme == "zip" and rest.startswith("//") and not rest.startswith("///"):
        return f"zip://{quote(os.path.abspath(folder))}/{rest[2:]}"  # noqa: PTH100 - links are kept
    if rest and not rest.startswith("/") and _exists(Path(_absolute(rest, folder))):
        return f"{location[: len(scheme)]}:{_absolute(rest, folder)}"
    return location


def shown(location: str) -> str:
    """A location without what may be a secret in it, for messages and reports.

    A login is masked, password or not, and the fragment of a web address is left out.
    """
    return _WEB_FRAGMENT.sub(r"\1", _LOGIN.sub(_masked, location))


def _masked(login: re.Match[str]) -> str:
    return f"{login[1]}…@" if login[0].endswith("@") else f"{login[1]}…"


def _absolute(path: str, folder: Path) -> str:
    # `Path.resolve` would follow links, and `Path.expanduser` fails where there is no such user.
    return os.path.abspath(folder / os.path.expanduser(path))  # noqa: PTH100, PTH111


def _exists(path: Path) -> bool:
    # `Path.exists` fails on names that are too long, and a URI may well be.
    return os.path.exists(path)  # noqa: PTH110

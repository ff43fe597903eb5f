"""A bare copy of a remote repository in the cache folder, fetched anew at each run."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError

from .git_location import GitLocation
from .git_process import GitFailed, remote_environment, run

HEAD = "refs/ragmem/HEAD"
"""Where the remote's own HEAD is kept."""

_FETCH_SECONDS = 3600.0
_LOCK_SECONDS = 600.0
_BRANCHES_AND_TAGS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_REFUSED = (
    "authentication failed",
    "could not read username",
    "could not read password",
    "permission denied",
    "terminal prompts disabled",
    "returned error: 401",
    "returned error: 403",
    "invalid credentials",
)
_UNTRUSTED = ("host key verification failed",)
_ABSENT = (
    "repository not found",
    "' not found",
    "does not appear to be a git repository",
    "returned error: 404",
    "access denied or repository not exported",
)
_MOVED = tuple(f"returned error: {status}" for status in (301, 302, 303, 307, 308))
_UNREACHABLE = (
    "could not resolve",
    "could not connect",
    "failed to connect",
    "connection refused",
    "connection reset",
    "connection timed out",
    "timed out",
    "network is unreachable",
    "no route to host",
    "the remote end hung up",
    "unable to access",
    "early eof",
    "rpc failed",
    "could not read from remote",
    "unable to connect",
)


def fetched(location: GitLocation, cache_folder: Path, *, follow_redirects: bool = True) -> Path:
    """Bring the copy of a remote repository up to date.

    Args:
        location: the remote.
        cache_folder: where copies are kept.
        follow_redirects: whether a web server may send git on to another address at first.

    Returns:
        The bare copy's folder.

    Raises:
        PermanentSourceError: the remote refuses, or there is no such repository.
        TransientSourceError: it cannot be reached, or another process keeps the copy.
    """
    from filelock import FileLock, Timeout

    key = hashlib.sha256(location.url.encode()).hexdigest()[:20]
    folder = cache_folder / f"{key}.git"
    try:
        cache_folder.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_folder / f"{key}.lock", timeout=_LOCK_SECONDS):
            _refresh(location, folder, follow_redirects=follow_redirects)
    except Timeout as error:
        raise TransientSourceError(f"another process has been fetching {location.uri}") from error
    except OSError as error:
        raise TransientSourceError(
            f"the cache folder {cache_folder} cannot be written: {error.strerror}; free space or "
            "give another one with the option cache_folder",
            worth_waiting=False,
        ) from error
    return folder


def _refresh(location: GitLocation, folder: Path, *, follow_redirects: bool) -> None:
    """Fetch into the copy; a copy that a killed run left broken is made anew."""
    if folder.exists():
        try:
            _fetch(location, folder, follow_redirects=follow_redirects)
            return
        except GitFailed as error:
            if (known := _known(error.message, location)) is not None:
                raise known from error
            shutil.rmtree(folder)
    # Only a whole copy gets the name.
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=folder.parent))
    try:
        run(
            ["init", "--bare", "-q", "--template=", str(fresh)],
            _variables(fresh),
            timeout_seconds=60,
        )
        _fetch(location, fresh, follow_redirects=follow_redirects)
        fresh.rename(folder)
    except GitFailed as error:
        known = _known(error.message, location)
        raise known or TransientSourceError(
            f"{location.uri} cannot be fetched: {error.message}", worth_waiting=False
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _fetch(location: GitLocation, folder: Path, *, follow_redirects: bool) -> None:
    fetch = ["fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-write-fetch-head"]
    where = ["--", location.url, *_BRANCHES_AND_TAGS]
    environment = _variables(folder)
    if not follow_redirects:
        environment |= _one_more_setting(environment, "http.followRedirects", "false")
    try:
        run([*fetch, *where, f"+HEAD:{HEAD}"], environment, timeout_seconds=_FETCH_SECONDS)
    except GitFailed as error:
        if "couldn't find remote ref HEAD" not in error.message:
            raise
        # Nothing was committed there yet, or not to the branch that its HEAD names.
        run([*fetch, *where], environment, timeout_seconds=_FETCH_SECONDS)
        run(["update-ref", "-d", HEAD], environment, timeout_seconds=60)


def _variables(folder: Path) -> dict[str, str]:
    return remote_environment({"GIT_DIR": str(folder), "GIT_ALLOW_PROTOCOL": _protocols()})


def _one_more_setting(environment: Mapping[str, str], key: str, value: str) -> dict[str, str]:
    """A setting of git's beside those that the user gives by the environment."""
    count = environment.get("GIT_CONFIG_COUNT", "")
    at = int(count) if count.isdecimal() else 0
    return {
        "GIT_CONFIG_COUNT": str(at + 1),
        f"GIT_CONFIG_KEY_{at}": key,
        f"GIT_CONFIG_VALUE_{at}": value,
    }


def _protocols() -> str:
    """What git may speak, helpers that run programs excluded."""
    return os.environ.get("GIT_ALLOW_PROTOCOL") or "https:http:ssh:git"


def _known(message: str, location: GitLocation) -> SourceError | None:
    """What a message of git means for a source; None where it may be the copy's own fault."""
    said = message.lower()
    if any(phrase in said for phrase in _REFUSED):
        return PermanentSourceError(
            f"{location.uri} refuses access: {message}; let git know a user and a token through a "
            "credential helper or GIT_ASKPASS in the environment, or ssh through a key in its agent"
        )
    if any(phrase in said for phrase in _UNTRUSTED):
        return PermanentSourceError(
            f"the host of {location.uri} is not known to ssh: {message}; connect once by hand"
        )
    if any(phrase in said for phrase in _ABSENT):
        return PermanentSourceError(
            f"there is no repository at {location.uri}, or not for this user: {message}; check the "
            "URL, and that git has the credentials for it"
        )
    if any(phrase in said for phrase in _MOVED):
        return PermanentSourceError(
            f"{location.uri} redirects to another address, which is not followed: {message}; "
            "write the new address where this one stands (for a submodule in .gitmodules)"
        )
    if any(phrase in said for phrase in _UNREACHABLE):
        return TransientSourceError(f"{location.uri} cannot be reached: {message}")
    return None

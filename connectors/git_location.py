"""What a location of a repository names: a folder on this machine, or a remote.

Nothing is asked of git or of the network here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ragmem.errors import UnknownSource, UsageError

from .file_location import local_path_of
from .file_reasons import has_control_characters
from .http_location import http_path

REMOTE_SCHEMES = frozenset({"https", "http", "ssh", "git"})
_SCP = re.compile(r"^(?:([\w.-]+)@)([\w.-]+):(?!//)(\S+)$")
_CUT_SHORT = re.compile(r"git(?:\+\w+)?:", re.IGNORECASE)
_SAFE = "/:@!$&'()*,;=~+"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLocation:
    """Where a repository is.

    Attributes:
        uri: its own URI, which holds no password.
        url: what git is given for a remote; empty for a folder on this machine.
        folder: the folder on this machine, None for a remote.
    """

    uri: str
    url: str = ""
    folder: Path | None = None

    @property
    def name(self) -> str:
        """The last part, without `.git`."""
        last = unquote(urlsplit(self.uri).path).rstrip("/").removesuffix("/.git").rpartition("/")[2]
        return last.removesuffix(".git")


def is_unmistakable(location: str) -> bool:
    """Whether it can only be a repository: `git@host:path`, `https://…/repo.git`, a bare one."""
    if (path := http_path(location)) is not None:
        return path.endswith(".git")
    if _SCP.match(location) and not Path(location).exists():
        return location.startswith("git@") or location.endswith(".git")
    return location.rstrip("/").endswith(".git") and _is_git_folder(Path(location).expanduser())


def locate(location: str | Path) -> GitLocation:
    """Find what a location names.

    Raises:
        UnknownSource: no repository is there, or it is no location of one.
        UsageError: it holds a password or a token.
    """
    text = os.fspath(location)
    if has_control_characters(text):
        raise UnknownSource(f"{text!r}: a location has no control characters")
    if "://" not in text:
        if (scp := _SCP.match(text)) and not Path(text).exists():
            return remote(f"ssh://{scp[1]}@{scp[2]}/{scp[3].lstrip('/')}")
        if _CUT_SHORT.match(text) and not Path(text).exists():
            raise UnknownSource("a git location without ://; expected git+https://HOST/PATH")
        return local(Path(text).expanduser())
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower().removeprefix("git+")
    if scheme == "file" or (scheme == "git" and rest.startswith("/")):
        return local(local_path_of(f"file://{rest}"))
    return remote(f"{scheme}://{rest}")


def local(folder: Path) -> GitLocation:
    """A repository in a folder: a working copy's top folder, or a bare one.

    Raises:
        UnknownSource: it is none.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would follow links
    if not folder.is_dir():
        raise UnknownSource(f"{folder}: no such folder; expected a git repository")
    if not (folder / ".git").exists() and not _is_git_folder(folder):
        inside = next((str(p) for p in folder.parents if (p / ".git").exists()), None)
        advice = f"; name {inside} and give the option paths" if inside else ""
        raise UnknownSource(f"{folder}: not the top folder of a git repository{advice}")
    return GitLocation(uri=f"git+{folder.as_uri()}", folder=folder)


def remote(url: str) -> GitLocation:
    """A repository on another machine.

    Raises:
        UnknownSource: it is no URL of one.
        UsageError: it holds a password or a token.
    """
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        # Its own words may hold a password that was taken for a port.
        raise UnknownSource(
            "no valid URL of a repository; expected scheme://host[:port]/path"
        ) from error
    host, user = split.hostname or "", split.username or ""
    secret = split.password is not None or (user and split.scheme != "ssh")
    if secret or re.search("[:;@]", unquote(user)) or "@" in split.path.partition("/")[0]:
        raise UsageError(
            f"the URL of {split.hostname} holds a user name, password or token, which would be "
            "stored and shown; leave it out and let git know it: a credential helper (git config "
            "--global credential.helper), GIT_ASKPASS in the environment, or ssh with a key"
        )
    if split.scheme not in REMOTE_SCHEMES:
        raise UnknownSource(
            f"git cannot be asked over {split.scheme}://; expected https, ssh, git, http or file"
        )
    if split.query or split.fragment:
        raise UnknownSource("the URL of a repository has no ? and no #; see the options")
    path = quote(unquote(split.path), safe=_SAFE)
    if not host or host.startswith("-") or user.startswith("-") or not path.strip("/"):
        raise UnknownSource(f"{split.scheme}://{host}{path}: expected scheme://host/path")
    shown = f"[{host}]" if ":" in host else host
    where = f"{user}@{shown}" if user else shown
    whole = f"{split.scheme}://{where}{f':{port}' if port else ''}{path.rstrip('/')}"
    uri = whole if split.scheme == "git" else f"git+{whole}"
    return GitLocation(uri=uri, url=whole)


def _is_git_folder(folder: Path) -> bool:
    return (folder / "HEAD").exists() and (folder / "objects").exists()

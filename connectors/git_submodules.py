"""The repositories inside a repository: where `.gitmodules` says that they come from.

What it says is the repository's content and not the user's: it may name other remotes, but a
folder of this machine only inside the one that the user named, and no host at a private address.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

from ragmem.errors import RagmemError

from .git_boundary import is_inside
from .git_location import GitLocation, local, locate, remote
from .git_process import GitFailed, run
from .git_repository import Repository
from .guarded_addresses import HostGuard

_SECONDS = 60.0
_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}


def declared(repository: Repository, gitmodules_sha: str) -> dict[bytes, tuple[str, str]]:
    """The name and URL of each submodule by its path.

    Args:
        repository: the repository around them.
        gitmodules_sha: the content of `.gitmodules`.
    """
    arguments = ["config", "--blob", gitmodules_sha, "--null", "--list"]
    try:
        said = run(arguments, repository.environment, timeout_seconds=_SECONDS)
    except GitFailed:
        return {}
    values: dict[str, dict[str, str]] = {}
    for record in said.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = record.partition("\n")
        section, _, rest = key.partition(".")
        name, _, option = rest.rpartition(".")
        if section == "submodule" and name:
            values.setdefault(name, {})[option] = value
    return {
        facts["path"].encode("utf-8", "surrogateescape"): (name, facts["url"])
        for name, facts in values.items()
        if facts.get("path") and facts.get("url")
    }


def located(url: str, parent: GitLocation) -> GitLocation:
    """Where a submodule's repository is.

    Raises:
        UnknownSource: there is none, or it is not allowed to be there.
        UsageError: the URL holds a password.
    """
    if url.startswith(("./", "../")):
        if parent.folder is not None:
            return local(parent.folder / url)
        base = urlsplit(parent.url)
        joined = PurePosixPath(urljoin(f"http://host{base.path}/", url).removeprefix("http://host"))
        return remote(f"{base.scheme}://{base.netloc}{joined}")
    found = locate(url)
    if found.folder is not None and parent.folder is None:
        raise NotAllowed(f"names the folder {url} of this machine from a remote repository")
    return found


def check_allowed(
    location: GitLocation, *, named: GitLocation, hosts: HostGuard, allow_outside: bool
) -> None:
    """Refuse to read a submodule from where only the user may lead.

    The host is resolved here and again by git, so a name server that changes its mind in between
    is not kept out; nor is a proxy or an ssh configuration of the user's that leads elsewhere.
    Redirects are switched off where git is run.

    Args:
        location: where `.gitmodules` says that it is.
        named: what the user named; the same server is allowed.
        hosts: tells which others may be asked.
        allow_outside: whether a folder may lie anywhere.

    Raises:
        NotAllowed: it is a folder outside of the named one.
        SourceError: its host is not public, or cannot be found.
    """
    if location.folder is not None:
        if not allow_outside and not (named.folder and is_inside(location.folder, named.folder)):
            raise NotAllowed(
                f"names the folder {location.folder}, outside of {named.folder}; check it out with "
                "git submodule update --init, or set the option allow_outside"
            )
        return
    asked, own = urlsplit(location.url), urlsplit(named.url)
    if (asked.scheme, asked.hostname, asked.port) != (own.scheme, own.hostname, own.port):
        hosts.check(asked.hostname or "", asked.port or _PORTS[asked.scheme])


def checked_out(repository: Repository, name: str) -> Path | None:
    """The submodule's own repository inside the one around it, where it was checked out."""
    modules = repository.common_folder / "modules"
    folder = modules.joinpath(*PurePosixPath(name).parts)
    if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
        return None
    if not (folder / "HEAD").is_file() or modules.resolve() not in folder.resolve().parents:
        return None
    return folder


class NotAllowed(RagmemError):
    """A submodule leads where it may not."""

"""The repositories inside a repository: where `.gitmodules` says that they come from.

What it says is the repository's content and not the user's: it may name other remotes, but a
folder of this machine only where the repository around it is one too.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

from ragmem.errors import RagmemError

from .git_location import GitLocation, local, locate, remote
from .git_process import GitFailed, run
from .git_repository import Repository

_SECONDS = 60.0


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

"""Git repositories, local or remote: one document a file at a revision.

Files are found in the commit's tree and read from the objects; nothing is ever checked out, so what
lies changed in a working copy is not seen. An unchanged file has an unchanged SHA and is not read.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar
from urllib.parse import quote, unquote_to_bytes

from ragmem.errors import PermanentSourceError, RagmemError, TransientSourceError, UsageError
from ragmem.types import MetadataValue, RawDocument, SkippedItem, SourceItem

from .file_reasons import incomplete, outside
from .git_clone import HEAD, fetched
from .git_history import Commit, History
from .git_location import GitLocation, is_unmistakable, locate
from .git_process import git_program
from .git_repository import Repository, TreeEntry, is_sha
from .git_selection import LargeFiles, Selection, pointer_objection
from .git_submodules import check_allowed, checked_out, declared, located
from .guarded_addresses import HostGuard

_MEBIBYTE = 1024 * 1024
_MAX_SUBMODULE_DEPTH = 8
_MAX_ATTRIBUTES_BYTES = _MEBIBYTE
_FILE_MODES = frozenset({"100644", "100755", "100664"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """A commit's tree and where it stands below the source's top, with a slash at its end."""

    location: GitLocation
    repository: Repository
    commit: str
    history: History
    prefix: bytes = b""
    around: tuple[str, ...] = ()


class GitConnector:
    """Lists and reads the files of a repository at a revision.

    Hidden files, empty files and files that hold no text (images, fonts, archives and the like) are
    passed over; everything else is listed, either to be read or with the reason why not.
    """

    schemes: ClassVar[frozenset[str]] = frozenset(
        {"git", "git+file", "git+https", "git+http", "git+ssh"}
    )

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether a location can only be a repository's: `git@host:path`, `https://…/repo.git`."""
        return is_unmistakable(location)

    def __init__(
        self,
        location: str | Path,
        *,
        revision: str = "HEAD",
        paths: tuple[str, ...] = (),
        suffixes: frozenset[str] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
        submodules: bool = False,
        allow_outside: bool = False,
        allow_hosts: tuple[str, ...] = (),
        cache_folder: str | None = None,
    ) -> None:
        """Find the place; a remote is not asked yet.

        Args:
            location: a working copy's top folder or a bare repository, `git+file://`,
                `git+https://`, `git+ssh://` or `git://` URIs, or `git@host:path`.
            revision: a branch, a tag or a commit.
            paths: what to read, as patterns in the manner of `.gitignore` (`docs/`, `*.md`,
                `!docs/old/`); empty for everything but hidden files.
            suffixes: the lower-case suffixes (with dot; empty for none) to read; None for all.
            max_file_bytes: larger files are skipped without being read.
            submodules: whether the repositories inside the repository are read, too.
            allow_outside: whether a folder on this machine may lead to a repository outside of it
                by its `.git` file, its alternates, links or submodules, as worktrees and shared
                clones do.
            allow_hosts: `host` or `host:port` that submodules may come from although its address
                is private.
            cache_folder: where copies of remotes are kept; None for the platform's cache folder.

        Raises:
            UnknownSource: no repository is there.
            UsageError: an option makes no sense, the location holds a password, or there is no git.
        """
        if revision.startswith("-") or not revision.strip() or not revision.isprintable():
            raise UsageError(f"{revision!r} is no revision; expected a branch, a tag or a commit")
        git_program()
        self._location = locate(location)
        self._revision = revision
        self._selection = Selection(paths=paths, suffixes=suffixes, max_file_bytes=max_file_bytes)
        self._max_file_bytes = max_file_bytes
        self._submodules = submodules
        self._allow_outside = allow_outside
        self._hosts = HostGuard(allow_hosts)
        self._cache_folder = cache_folder
        self._trees: list[_Tree] = []

    @property
    def source_uri(self) -> str:
        """The repository's URI."""
        return self._location.uri

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the files in the order of their paths, those of submodules where they stand.

        Raises:
            PermanentSourceError: the revision does not exist, or the remote refuses.
            TransientSourceError: the remote cannot be reached, or a submodule could not be read
                (raised after everything else was listed).
        """
        self.close()
        top = self._top()
        if top is None:
            return
        unread: list[str] = []
        found = 0
        for each in self._listed(top, unread):
            found += 1
            yield each
        if self._selection.is_narrowed and not found and not unread:
            # A mistyped pattern must not look like a repository that was emptied.
            raise TransientSourceError(
                "no file matches `paths`, so nothing is taken as deleted", worth_waiting=False
            )
        if unread:
            raise incomplete("submodules could not be read", unread)

    def _top(self) -> _Tree | None:
        repository = self._opened(self._location)
        revision = self._revision
        if self._location.folder is None and revision == "HEAD":
            revision = HEAD
        commit = repository.commit_of(revision)
        if commit is None:
            return None
        return self._tree(self._location, repository, commit)

    def _opened(self, location: GitLocation) -> Repository:
        if location.folder is None:
            # What a person named may have moved; what a repository names may lead anywhere.
            is_named = location == self._location
            cache = _cache(self._cache_folder)
            return Repository(fetched(location, cache, follow_redirects=is_named))
        inner = location.folder / ".git"
        return self._local(inner if inner.exists() else location.folder)

    def _local(self, git_folder: Path) -> Repository:
        within = None if self._allow_outside else self._location.folder
        return Repository(git_folder, within=within)

    def _tree(
        self,
        location: GitLocation,
        repository: Repository,
        commit: str,
        *,
        prefix: bytes = b"",
        around: tuple[str, ...] = (),
    ) -> _Tree:
        tree = _Tree(
            location=location,
            repository=repository,
            commit=commit,
            history=History(repository, commit),
            prefix=prefix,
            around=(*around, location.uri),
        )
        self._trees.append(tree)
        return tree

    def _listed(self, tree: _Tree, unread: list[str]) -> Iterator[SourceItem | SkippedItem]:
        entries = list(tree.repository.tree(tree.commit))
        large = LargeFiles(self._attributes(tree, entries))
        modules: dict[bytes, tuple[str, str]] = {}
        if self._submodules:
            of_modules = next((e.sha for e in entries if e.path == b".gitmodules"), None)
            modules = declared(tree.repository, of_modules) if of_modules else {}
        for entry in entries:
            path = tree.prefix + entry.path
            uri = self._uri(path)
            if entry.mode == "160000":
                yield from self._submodule(tree, entry, modules, unread)
            elif self._selection.admits(shown := _text(path)):
                reason = self._selection.objection(entry, shown)
                if reason is None:
                    reason = large.objection(entry, _text(entry.path))
                if reason is None:
                    size = entry.size if entry.size >= 0 else None
                    yield SourceItem(uri=uri, fingerprint=entry.sha, size_bytes=size)
                elif reason:
                    yield SkippedItem(uri=uri, reason=reason)

    def _attributes(self, tree: _Tree, entries: list[TreeEntry]) -> Iterator[tuple[str, str]]:
        for entry in entries:
            folder, _, name = _text(entry.path).rpartition("/")
            small = 0 <= entry.size <= _MAX_ATTRIBUTES_BYTES
            if name == ".gitattributes" and small and entry.mode in _FILE_MODES:
                content = tree.repository.content(entry.sha, max_bytes=_MAX_ATTRIBUTES_BYTES)
                yield folder, _text(content)

    def _submodule(
        self,
        tree: _Tree,
        entry: TreeEntry,
        modules: dict[bytes, tuple[str, str]],
        unread: list[str],
    ) -> Iterator[SourceItem | SkippedItem]:
        """What is inside a submodule, or the reason why it is not looked at."""
        path = tree.prefix + entry.path
        uri = self._uri(path)
        if not self._submodules:
            if self._selection.admits(_text(path)):
                reason = "a submodule; set the option submodules to read it"
                yield SkippedItem(uri=uri, reason=reason)
            return
        if entry.path not in modules:
            yield SkippedItem(uri=uri, reason="a submodule that .gitmodules does not name")
            return
        name, url = modules[entry.path]
        try:
            location = located(url, tree.location)
            if location.uri in tree.around:
                yield SkippedItem(uri=uri, reason=f"a submodule that leads back to {location.uri}")
                return
            if len(tree.around) > _MAX_SUBMODULE_DEPTH:
                yield SkippedItem(
                    uri=uri, reason=f"a submodule more than {_MAX_SUBMODULE_DEPTH} deep"
                )
                return
            repository = self._module(tree, location, name, entry.sha)
        except RagmemError as error:
            unread.append(f"{_text(path)}: {error}")
            return
        inner = self._tree(location, repository, entry.sha, prefix=path + b"/", around=tree.around)
        yield from self._listed(inner, unread)

    def _module(self, tree: _Tree, location: GitLocation, name: str, commit: str) -> Repository:
        """The submodule's repository: what was checked out, where it has the commit.

        Raises:
            SourceError: it cannot be read, or has no such commit.
            NotAllowed: it is where a repository must not lead.
        """
        own = checked_out(tree.repository, name) if tree.location.folder is not None else None
        if own is not None and (repository := self._local(own)).has_commit(commit):
            return repository
        check_allowed(
            location, named=self._location, hosts=self._hosts, allow_outside=self._allow_outside
        )
        repository = self._opened(location)
        if not repository.has_commit(commit):
            raise PermanentSourceError(f"{location.uri} has no commit {commit[:12]}; push it")
        return repository

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one file.

        Raises:
            PermanentSourceError: it is not in the revision, too large, or a Git LFS pointer.
            TransientSourceError: git failed.
        """
        path = self._path_of(item.uri)
        if not self._trees:
            for _ in self.discover():
                continue
        tree = max(
            (tree for tree in self._trees if path.startswith(tree.prefix)),
            key=lambda tree: len(tree.prefix),
            default=None,
        )
        if tree is None:
            raise PermanentSourceError("the repository holds no commit")
        own = path[len(tree.prefix) :]
        name = item.fingerprint if is_sha(item.fingerprint) else f"{tree.commit}:{os.fsdecode(own)}"
        content = tree.repository.content(name, max_bytes=self._max_file_bytes)
        if reason := pointer_objection(content):
            raise PermanentSourceError(reason)
        commit = tree.history.last_commit(own)
        shown = PurePosixPath(_text(path))
        return RawDocument(
            uri=item.uri,
            name=shown.name,
            content=content,
            modified_at=commit.at if commit else None,
            metadata={**self._place(shown), **_facts(commit)},
        )

    def _place(self, path: PurePosixPath) -> dict[str, MetadataValue]:
        folder = str(path.parent)
        return {
            "path": str(path),
            "folder": "" if folder == "." else folder,
            "name": path.name,
            "suffix": path.suffix.lower(),
            "repository": self._location.name,
            "revision": self._revision,
        }

    def _uri(self, path: bytes) -> str:
        return f"{self.source_uri}#{quote(path, safe='/')}"

    def _path_of(self, uri: str) -> bytes:
        source, _, fragment = uri.partition("#")
        path = unquote_to_bytes(fragment)
        if source != self.source_uri or not path or b"\n" in path:
            raise outside(self.source_uri)
        return path

    def close(self) -> None:
        """End the git programs that still run."""
        for tree in self._trees:
            tree.repository.close()
            tree.history.close()
        self._trees = []


def _cache(folder: str | None) -> Path:
    """Where copies of remotes are kept."""
    if folder is not None:
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ragmem", appauthor=False)) / "git"


def _facts(commit: Commit | None) -> dict[str, MetadataValue]:
    """What a commit tells about the file that it changed last."""
    if commit is None:
        return {}
    known: dict[str, MetadataValue] = {
        "commit": commit.sha,
        "author": _printable(commit.author),
        "author_email": _printable(commit.author_email),
        "committed_at": commit.at.isoformat() if commit.at else "",
    }
    return {key: value for key, value in known.items() if value}


def _printable(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Zl", "Zp"))


def _text(path: bytes) -> str:
    """A path as text that every store holds: bytes that are no UTF-8 become U+FFFD."""
    return path.decode("utf-8", errors="replace")

"""Files in other places: object stores, SSH servers, GitHub, ZIP archives, and single web files.

Which files are meant, which of them can be read, and what is told about them is decided here; how
each kind of place is asked is the business of `remote_objects` and its neighbours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from ragmem.errors import TransientSourceError, UnknownSource, UsageError
from ragmem.types import Metadata, RawDocument, SkippedItem, SourceItem

from .file_reasons import (
    CONTROL_CHARACTERS,
    EMPTY,
    has_control_characters,
    no_parser,
    suffix_of,
    too_large,
)
from .http_location import http_path, is_plain_address
from .remote_location import RemoteLocation, locate
from .remote_store import Body, Entry, RemoteStore
from .storable_text import storable

_MEBIBYTE = 1024 * 1024
_SCHEMES = frozenset({"s3", "gs", "az", "sftp", "zip", "github"})
_TAKES_ENDPOINT = frozenset({"s3", "gs", "github"})
_TAKES_ANONYMOUS = frozenset({"s3", "gs", "az"})
# What a web server sends as a file; pages belong to the web connector, `.xml` to it or to feeds.
_WEB_FILES = frozenset(
    {".csv", ".docx", ".eml", ".epub", ".geojson", ".ipynb", ".json", ".jsonl", ".log", ".md"}
    | {".markdown", ".ndjson", ".pdf", ".pptx", ".rst", ".tex", ".tsv", ".txt", ".xls", ".xlsx"}
    | {".yaml", ".yml"}
)
_NOT_DOCUMENTS = frozenset({"robots.txt", "feed.json"})


class RemoteFilesConnector:
    """Lists files by what a store says about their versions, and reads those that changed.

    Hidden files, `__MACOSX`, `node_modules` and the like are passed over; everything else is
    listed, either to be read or with the reason why not.
    """

    schemes: ClassVar[frozenset[str]] = _SCHEMES

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether it is a web address whose path ends as a document's does."""
        path = PurePosixPath(http_path(location) or "")
        return path.suffix.lower() in _WEB_FILES and path.name not in _NOT_DOCUMENTS

    def __init__(
        self,
        location: str | Path,
        *,
        suffixes: frozenset[str] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
        endpoint_url: str | None = None,
        region: str | None = None,
        anonymous: bool = False,
        allow_hosts: tuple[str, ...] = (),
        parallel_fetches: int = 8,
    ) -> None:
        """Name the place; nothing is asked yet. Credentials come from the environment.

        Args:
            location: such as `s3://bucket/docs`, `s3://bucket/docs/**/*.md`, `gs://bucket`,
                `az://container/docs`, `sftp://user@host/folder`, `zip://archive.zip/folder`,
                `github://owner:repository@ref/folder` or `https://host/file.pdf`.
            suffixes: the lower-case suffixes (with dot; empty for none) to read; None for all.
            max_file_bytes: larger files are skipped, and never read further than this.
            endpoint_url: another server than the provider's (MinIO, GitHub Enterprise).
            region: the bucket's region, where AWS_REGION does not say it.
            anonymous: whether to ask without credentials, for public buckets.
            allow_hosts: hosts that an http or https file may come from although their addresses
                are private.
            parallel_fetches: how many files may be read at once.

        Raises:
            UnknownSource: it names no place of its kind.
            UsageError: it holds a password, or an option does not fit.
        """
        self._location: RemoteLocation = locate(os.fspath(location))
        scheme = self._location.scheme
        misfits = (
            ("endpoint_url", endpoint_url is not None and scheme not in _TAKES_ENDPOINT),
            ("region", region is not None and scheme != "s3"),
            ("anonymous", anonymous and scheme not in _TAKES_ANONYMOUS),
            ("allow_hosts", bool(allow_hosts) and scheme not in ("http", "https")),
        )
        if wrong := [name for name, is_wrong in misfits if is_wrong]:
            raise UsageError(f"{scheme}:// takes no {', '.join(wrong)}; leave it out")
        if endpoint_url is not None and not is_plain_address(endpoint_url):
            raise UsageError(
                "endpoint_url is no plain address: expected http(s)://HOST:PORT/PATH without a "
                "login, ? or #; credentials come from the environment"
            )
        if parallel_fetches < 1:
            raise UsageError(f"parallel_fetches is {parallel_fetches}, expected 1 or more")
        self._suffixes = suffixes
        self._max_file_bytes = max_file_bytes
        self._parallel_fetches = parallel_fetches
        self._store = _store_for(
            self._location,
            endpoint_url=endpoint_url,
            region=region,
            anonymous=anonymous,
            allow_hosts=allow_hosts,
        )

    @property
    def source_uri(self) -> str:
        """The URI of what was named, without a login's password or an endpoint."""
        return self._location.uri

    @property
    def parallel_fetches(self) -> int:
        """How many fetches may run at once."""
        return self._parallel_fetches

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the files that are meant, with the versions that the store tells.

        Raises:
            SourceError: the store cannot be listed to its end.
            TransientSourceError: nothing is there. Stores know no empty folders: a mistyped place
                looks exactly like an emptied one, and must not empty the index.
        """
        is_empty = True
        for entry in self._store.entries():
            if self._location.admits(entry.key) and not entry.key.endswith("/"):
                is_empty = False
                yield self._judge(entry)
        if is_empty:
            raise TransientSourceError(
                f"nothing is at {self.source_uri}, so nothing is taken as deleted; check the name, "
                "or remove the source if it was emptied on purpose",
                worth_waiting=False,
            )

    def _judge(self, entry: Entry) -> SourceItem | SkippedItem:
        """An item to read, or the reason why not."""
        uri = self._location.item_uri(entry.key)
        if reason := entry.problem or self._objection(entry):
            return SkippedItem(uri=uri, reason=reason)
        return SourceItem(uri=uri, fingerprint=entry.fingerprint, size_bytes=entry.size_bytes)

    def _objection(self, entry: Entry) -> str:
        path = PurePosixPath(self._location.path_of(entry.key))
        if has_control_characters(path.name) or storable(path.name) != path.name:
            return CONTROL_CHARACTERS
        suffix = suffix_of(path.name)
        if self._suffixes is not None and suffix not in self._suffixes:
            return no_parser(suffix)
        if entry.size_bytes == 0:
            return EMPTY
        if entry.size_bytes is not None and entry.size_bytes > self._max_file_bytes:
            return too_large(entry.size_bytes, self._max_file_bytes)
        return ""

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one file.

        Raises:
            PermanentSourceError: it is too large or damaged, or not within this source.
            TransientSourceError: it vanished, the credentials are refused, or the store asks to
                wait; none of these shows in the fingerprint when it is over.
        """
        key = self._location.key_of(item.uri)
        body = self._store.read(key, self._max_file_bytes)
        path = PurePosixPath(self._location.path_of(key))
        return RawDocument(
            uri=item.uri,
            name=path.name,
            content=body.content,
            modified_at=body.modified_at,
            metadata=_metadata(path, body),
        )

    def close(self) -> None:
        """Close what is open; the next call opens it again."""
        self._store.close()


def _store_for(
    location: RemoteLocation,
    *,
    endpoint_url: str | None,
    region: str | None,
    anonymous: bool,
    allow_hosts: tuple[str, ...],
) -> RemoteStore:
    scheme = location.scheme
    if scheme == "zip":
        from .remote_zip import ZipStore

        return ZipStore(Path(location.store))
    if scheme == "sftp":
        from .remote_sftp import SftpStore

        return SftpStore(location)
    if scheme == "github":
        from .remote_github import GithubStore

        return GithubStore(location.store, endpoint_url=endpoint_url)
    if scheme in ("http", "https"):
        from .remote_http import HttpFile

        return HttpFile(location.uri, key=location.prefix, allow_hosts=allow_hosts)
    from .remote_objects import GoogleStore, ObjectStore, S3Store

    if scheme == "s3":
        return S3Store(location, endpoint_url=endpoint_url, region=region, anonymous=anonymous)
    if scheme == "gs":
        return GoogleStore(
            location,
            {
                **({"token": "anon"} if anonymous else {}),
                **({"endpoint_url": endpoint_url} if endpoint_url else {}),
            },
        )
    if scheme == "az":
        return ObjectStore(location, {"anon": True} if anonymous else {})
    raise UnknownSource(
        f"{scheme}:// is no place that is known; known: {', '.join(sorted(_SCHEMES))}"
    )


def _metadata(path: PurePosixPath, body: Body) -> Metadata:
    """What filters may ask about, named as those of local files are."""
    told: dict[str, str] = {
        "name": path.name,
        "suffix": path.suffix.lower(),
        "folder": "" if path.parent == PurePosixPath() else str(path.parent),
    }
    if body.modified_at is not None:
        told["modified_at"] = body.modified_at.isoformat()
    return told

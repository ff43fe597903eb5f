"""Object stores through fsspec: S3 page by page, Google Cloud Storage and Azure folder by folder.

Nothing is remembered between runs: fsspec's cached listings would hide changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ragmem.errors import MissingExtra, RagmemError, SourceError

from .remote_faults import judged
from .remote_location import RemoteLocation
from .remote_store import Body, Entry, check_size

_FRESH = {"use_listings_cache": False, "skip_instance_cache": True}


class ObjectStore:
    """Any object store that fsspec knows, by its `ls` and `cat_file`."""

    def __init__(self, location: RemoteLocation, options: Mapping[str, object]) -> None:
        """Prepare a store; nothing is asked yet.

        Args:
            location: the bucket or container and what is meant in it.
            options: what the file system takes beside credentials.
        """
        self._location = location
        self._options = options
        self._lock = threading.Lock()
        self._opened: Any = None

    def entries(self) -> Iterator[Entry]:
        """List the objects, one folder in memory at a time."""
        try:
            yield from self._listed(self._file_system())
        except RagmemError:
            raise
        except Exception as error:
            # The clients raise dozens of unrelated kinds, and change them.
            raise self._error(error) from error

    def read(self, key: str, max_bytes: int) -> Body:
        """Read one object by a range request that ends a byte after the limit."""
        try:
            body = self._read(self._file_system(), key, max_bytes)
        except RagmemError:
            raise
        except Exception as error:
            raise self._error(error, key) from error
        check_size(len(body.content), max_bytes)
        return body

    def close(self) -> None:
        """Let go of the client; its sockets close with it."""
        with self._lock:
            self._opened = None

    def _listed(self, files: Any) -> Iterator[Entry]:
        store, prefix = self._location.store, self._location.prefix
        if not self._location.pattern and prefix and not prefix.endswith("/"):
            found = files.info(f"{store}/{prefix}")
            if found["type"] == "file":
                yield entry_of(prefix, found)
                return
            prefix += "/"
        waiting = [f"{store}/{prefix[: prefix.rfind('/') + 1]}".rstrip("/")]
        while waiting:
            folder = waiting.pop()
            inner: list[str] = []
            for each in sorted(files.ls(folder, detail=True), key=lambda one: one["name"]):
                name = str(each["name"]).lstrip("/")
                if each["type"] != "directory":
                    yield entry_of(name.removeprefix(f"{store}/"), each)
                elif name.startswith(f"{folder}/") and name.rstrip("/") != folder:
                    # A folder's own marker is listed in it: going there again would never end.
                    inner.append(name.rstrip("/"))
            waiting += reversed(inner)

    def _read(self, files: Any, key: str, max_bytes: int) -> Body:
        content = files.cat_file(f"{self._location.store}/{key}", start=0, end=max_bytes + 1)
        return Body(content=content)

    def _file_system(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> Any:
        scheme = self._location.scheme
        try:
            return self._kind()(**_FRESH, **self._options)
        except ImportError as error:
            package = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}.get(scheme, scheme)
            raise MissingExtra(
                package=package, extra=scheme, purpose=f"reading {scheme}://"
            ) from error

    def _kind(self) -> Any:
        import fsspec

        return fsspec.get_filesystem_class(self._location.scheme)

    def _error(self, error: Exception, key: str = "") -> SourceError:
        return judged(error, scheme=self._location.scheme, store=self._location.store, key=key)


class GoogleStore(ObjectStore):
    """Google Cloud Storage by its JSON interface."""

    def _kind(self) -> Any:
        # The class that fsspec names first asks by gRPC what sort of bucket it is: another
        # permission, and a minute's wait where that is not answered.
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem


class S3Store(ObjectStore):
    """S3 and what speaks like it: a thousand keys a request, whatever folders they pretend."""

    def __init__(
        self,
        location: RemoteLocation,
        *,
        endpoint_url: str | None,
        region: str | None,
        anonymous: bool,
    ) -> None:
        """Prepare a store; nothing is asked yet."""
        options: dict[str, object] = {
            "anon": anonymous,
            "config_kwargs": {
                "connect_timeout": 15,
                "read_timeout": 60,
                "retries": {"mode": "standard", "total_max_attempts": 3},
            },
        }
        if endpoint_url is not None:
            options["endpoint_url"] = endpoint_url
        if region is not None:
            options["client_kwargs"] = {"region_name": region}
        super().__init__(location, options)

    def _listed(self, files: Any) -> Iterator[Entry]:
        prefix = self._location.prefix
        if not self._location.pattern and prefix and not prefix.endswith("/"):
            # The object of exactly this name sorts first; its neighbours (`docs-old/`) are not
            # meant and may be millions.
            page = self._page(files, prefix, limit=1)
            yield from (found for found in _of_page(page) if found.key == prefix)
            prefix += "/"
        token: str | None = None
        while True:
            page = self._page(files, prefix, token=token)
            yield from _of_page(page)
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or not token:
                return

    def _page(
        self, files: Any, prefix: str, *, token: str | None = None, limit: int = 1000
    ) -> dict[str, Any]:
        given = {"ContinuationToken": token} if token else {}
        page: dict[str, Any] = files.call_s3(
            "list_objects_v2",
            Bucket=self._location.store,
            Prefix=prefix,
            MaxKeys=limit,
            **given,
        )
        return page

    def _read(self, files: Any, key: str, max_bytes: int) -> Body:
        from fsspec.asyn import sync

        async def read() -> Body:
            answer = await files._call_s3(
                "get_object",
                Bucket=self._location.store,
                Key=key,
                Range=f"bytes=0-{max_bytes}",
            )
            async with answer["Body"] as stream:
                content = await stream.read()
            return Body(content=content, modified_at=answer.get("LastModified"))

        # Not `cat_file`: it takes a key's `?versionId=` for a version, and hides the time.
        body: Body = sync(files.loop, read)
        return body

    def _open(self) -> Any:
        files = super()._open()
        # A failed item is tried again by the engine, with its own patience.
        files.retries = 1
        return files


_MARKS = ("ETag", "md5Hash", "crc32c", "etag", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


def entry_of(key: str, info: Mapping[str, Any]) -> Entry:
    """An entry from what fsspec's file systems tell about a file, each in its own words.

    The content's own mark is preferred to a time, so that uploading the same again changes nothing.
    """
    size = info.get("size", info.get("Size"))
    modified = next((info[name] for name in _TIMES if info.get(name)), "")
    if isinstance(modified, datetime):
        modified = modified.astimezone(UTC).isoformat()
    mark = str(next((info[name] for name in _MARKS if info.get(name)), modified)).strip('"')
    return Entry(key=key, fingerprint=f"{mark}-{size}" if mark else "", size_bytes=size)


def _of_page(page: Mapping[str, Any]) -> Iterator[Entry]:
    return (entry_of(found["Key"], found) for found in page.get("Contents", ()))

"""Files of a repository on GitHub, without a clone.

Asked directly, not through fsspec's file system: that makes a request for every folder, takes a cut
listing for the whole one, and reads bodies of any size.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError

from .file_reasons import LINK
from .guarded_reply import retry_after_seconds
from .remote_store import Body, Entry, check_size, vanished

if TYPE_CHECKING:
    import httpx

_API = "https://api.github.com"
_TIMEOUT_SECONDS = 60.0
_MOST_LISTING_BYTES = 64 * 1024 * 1024
_LINK_MODE = "120000"
_LFS = b"version https://git-lfs.github.com/spec/"


class GithubStore:
    """One repository at a branch, tag or commit; `GITHUB_TOKEN` opens private ones."""

    def __init__(self, store: str, *, endpoint_url: str | None) -> None:
        """Name the repository.

        Args:
            store: `owner:repository` or `owner:repository@ref`.
            endpoint_url: the API of a GitHub Enterprise server; None for github.com.
        """
        repository, _, ref = store.partition("@")
        self._name = repository.replace(":", "/", 1)
        self._ref = ref or "HEAD"
        owner, _, name = repository.partition(":")
        api = (endpoint_url or _API).rstrip("/")
        self._url = f"{api}/repos/{quote(owner, safe='')}/{quote(name, safe='')}"
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def entries(self) -> Iterator[Entry]:
        """List the files by one request.

        Raises:
            SourceError: the repository cannot be listed, or only its beginning was.
        """
        content = self._get(
            f"git/trees/{quote(self._ref, safe='')}?recursive=1",
            accept="application/vnd.github+json",
            max_bytes=_MOST_LISTING_BYTES,
        )
        try:
            listing = json.loads(content)
            found = [_entry(each) for each in listing["tree"] if each["type"] == "blob"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise TransientSourceError(f"the listing of {self._name} is unreadable") from error
        yield from sorted(found, key=lambda entry: entry.key)
        if listing.get("truncated"):
            raise TransientSourceError(
                f"GitHub lists only the beginning of {self._name}, so nothing is taken as deleted; "
                "use a clone of it",
                worth_waiting=False,
            )

    def read(self, key: str, max_bytes: int) -> Body:
        """Read one file.

        Raises:
            PermanentSourceError: it is larger than allowed or only a pointer to Git LFS.
            TransientSourceError: it vanished, or GitHub asks to wait.
        """
        content = self._get(
            f"contents/{quote(key)}?ref={quote(self._ref, safe='')}",
            accept="application/vnd.github.raw+json",
            max_bytes=max_bytes,
            key=key,
        )
        if content.startswith(_LFS):
            raise PermanentSourceError("the content lies in Git LFS; use a clone with it")
        return Body(content=content)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _get(self, path: str, *, accept: str, max_bytes: int, key: str = "") -> bytes:
        import httpx

        with self._lock:
            if self._client is None:
                # Redirects are not followed: the token is GitHub's alone.
                self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
            client = self._client
        headers = {"accept": accept, "user-agent": "ragmem", "x-github-api-version": "2022-11-28"}
        if token := os.environ.get("GITHUB_TOKEN"):
            headers["authorization"] = f"Bearer {token}"
        content = bytearray()
        try:
            with client.stream("GET", f"{self._url}/{path}", headers=headers) as answer:
                if answer.status_code != 200:
                    raise self._refusal(answer.status_code, answer.headers, key)
                for piece in answer.iter_bytes():
                    content += piece
                    check_size(len(content), max_bytes)
        except httpx.HTTPError as error:
            raise TransientSourceError(f"GitHub could not be asked: {error}") from error
        return bytes(content)

    def _refusal(self, status: int, headers: Mapping[str, str], key: str) -> SourceError:
        wait = retry_after_seconds(headers.get("retry-after", ""))
        if wait is None and headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            is_time = reset.isascii() and reset.isdecimal()
            wait = max(0.0, float(reset) - time.time()) if is_time else None
        if status == 429 or (status == 403 and wait is not None):
            return TransientSourceError(
                "GitHub's rate limit is used up; GITHUB_TOKEN raises it", retry_after_seconds=wait
            )
        if status == 404 and key:
            return vanished(key)
        reason = {
            301: "it was renamed: use its new name",
            401: "the token in GITHUB_TOKEN is refused (expired or revoked): renew it",
            403: "access is denied: let the token in GITHUB_TOKEN read its contents",
            404: f"no such repository or ref {self._ref}, or it is private: set GITHUB_TOKEN",
            409: "it is empty",
        }.get(status, f"status {status}")
        return TransientSourceError(f"{self._name}: {reason}", worth_waiting=status >= 500)


def _entry(blob: Mapping[str, object]) -> Entry:
    size = blob.get("size")
    return Entry(
        key=str(blob["path"]),
        fingerprint=str(blob["sha"]),
        size_bytes=size if isinstance(size, int) else None,
        problem=LINK if blob.get("mode") == _LINK_MODE else "",
    )

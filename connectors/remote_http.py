"""One file behind an http or https URL.

Asked through the guarded client: fsspec's follows redirects wherever they lead, private networks
included, and reads bodies of any size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .guarded_http import GuardedHttp, RefusedByStatus
from .remote_store import Body, Entry, vanished

_NO_HEAD = frozenset({400, 403, 405, 501})


class HttpFile:
    """One file; its version is told by ETag, or by time and size."""

    def __init__(self, url: str, *, key: str, allow_hosts: Sequence[str]) -> None:
        """Name the file.

        Args:
            url: where it is.
            key: what it is called in the store.
            allow_hosts: hosts that may be reached although their addresses are private.
        """
        self._url = url
        self._key = key
        self._http = GuardedHttp(allow_hosts=allow_hosts)

    def entries(self) -> Iterator[Entry]:
        """Ask for the file's version without its content.

        Raises:
            SourceError: nothing is there, or the server does not answer.
        """
        try:
            reply = self._http.head(self._url)
        except RefusedByStatus as error:
            if error.status not in _NO_HEAD:
                raise
            # Some servers refuse HEAD alone: then only the content tells.
            yield Entry(key=self._key)
            return
        size = reply.size_bytes
        known = reply.validators
        mark = known.etag or (f"{known.last_modified}-{size}" if known.last_modified else "")
        yield Entry(key=self._key, fingerprint=mark, size_bytes=size)

    def read(self, key: str, max_bytes: int) -> Body:
        """Read the file."""
        try:
            reply = self._http.get(self._url, max_bytes=max_bytes)
        except RefusedByStatus as error:
            if error.gone:
                raise vanished(key) from error
            raise
        return Body(content=reply.content, modified_at=reply.modified_at)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

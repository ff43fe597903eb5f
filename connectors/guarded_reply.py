"""What a server answered: the reply as a value, and the errors that a status stands for.

Asking is `guarded_http`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

from ragmem.errors import PermanentSourceError, TransientSourceError

_GONE = frozenset({404, 410})
_PASSING = frozenset({408, 421, 425, 429})
_LONGEST_RETRY_SECONDS = 86_400.0
_LONGEST_SHOWN = 300
_LOGIN = re.compile(r"^([a-z][a-z0-9+.-]*:[/\\]*)[^/?#]*@", re.IGNORECASE)
# A password whose host was forgotten looks like a port that is no number.
_NO_PORT = re.compile(
    r"^([a-z][a-z0-9+.-]*:[/\\]*[^/?#@:[]*):(?!\d*(?:[/?#]|$)).*", re.IGNORECASE | re.DOTALL
)
_ADVICE = {
    401: "it asks for a login",
    403: "it does not let this program read it",
    404: "nothing is there",
    410: "it was taken away for good",
    429: "it asks for fewer requests",
    451: "it is withheld for legal reasons",
}


class RefusedByStatus(PermanentSourceError):
    """The server answered with a status that trying again does not change.

    Attributes:
        status: the HTTP status.
        gone: whether it says that nothing is there (any more).
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.gone = status in _GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server said about a version of a resource, to ask whether it is still that one."""

    etag: str = ""
    last_modified: str = ""

    def headers(self) -> dict[str, str]:
        """The headers that make a request conditional."""
        named = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in named.items() if value and value.isascii()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's answer with a status below 400.

    Attributes:
        url: where it came from, after redirects.
        status: 200 and the like, or 304.
        headers: by lower-case name; repeated ones joined by commas.
        content: the unpacked body; empty for HEAD and 304.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def is_unchanged(self) -> bool:
        """Whether the server still has what the validators named."""
        return self.status == 304

    @property
    def validators(self) -> Validators:
        """What to send next time."""
        return Validators(
            etag=self.headers.get("etag", ""),
            last_modified=self.headers.get("last-modified", ""),
        )

    @property
    def media_type(self) -> str:
        """The lower-case media type without its parameters, empty where none was given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The charset that the server names."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        return message.get_content_charset()

    @property
    def size_bytes(self) -> int | None:
        """The length that the server names; None where it is that of a packed body."""
        length = self.headers.get("content-length", "")
        is_told = length.isascii() and length.isdecimal() and len(length) < 19
        return int(length) if is_told and "content-encoding" not in self.headers else None

    @property
    def modified_at(self) -> datetime | None:
        """When the resource last changed, where the server tells."""
        return http_date(self.headers.get("last-modified", ""))


def joined_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined by commas."""
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name = name_bytes.decode("latin-1").lower()
        try:
            value = value_bytes.decode()
        except UnicodeDecodeError:
            value = value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def judged(reply: Reply) -> Reply:
    """Let a reply pass that is one.

    Raises:
        RefusedByStatus: the status says no.
        TransientSourceError: the status says "later".
    """
    status = reply.status
    if 200 <= status < 300 or status == 304:
        return reply
    advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
    message = f"{shown_url(reply.url)} answered with status {status}{advice}"
    if status in _PASSING or status >= 500:
        raise TransientSourceError(
            message, retry_after_seconds=retry_after_seconds(reply.headers.get("retry-after", ""))
        )
    raise RefusedByStatus(message, status=status)


def http_date(text: str) -> datetime | None:
    """A date as HTTP and mail write it, None where it is none."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def shown_url(url: str) -> str:
    """A URL as messages may show it: without credentials and without what its query says."""
    without_login = _LOGIN.sub(r"\1", url.partition("#")[0])
    address, mark, _ = _NO_PORT.sub(r"\1:…", without_login).partition("?")
    return address[:_LONGEST_SHOWN] + ("?…" if mark else "")


def retry_after_seconds(text: str) -> float | None:
    """The seconds that a Retry-After header asks for, at most a day; None where it is none."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        # More digits than a day has seconds, and than `float` takes.
        seconds = float(text[:9]) if len(text) < 9 else _LONGEST_RETRY_SECONDS
    else:
        date = http_date(text)
        if date is None:
            return None
        seconds = (date - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), _LONGEST_RETRY_SECONDS)

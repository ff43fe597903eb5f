"""A guarded HTTP client for the connectors: http and https, public hosts, bounded answers.

It asks, follows redirects and judges the status; what an answer means is the connectors' business.
Where it may connect to is `guarded_addresses`', sockets and time are `guarded_network`'s, the
answer as a value is `guarded_reply`'s.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin, urlsplit

from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError

from .file_reasons import too_long
from .guarded_addresses import HostGuard, Resolver, resolve
from .guarded_body import bounded, gunzipped
from .guarded_reply import (
    RefusedByStatus,
    Reply,
    Validators,
    joined_headers,
    judged,
    shown_url,
)

if TYPE_CHECKING:
    import httpcore

    from .guarded_network import Deadline

__all__ = ["ROBOTS_NAME", "GuardedHttp", "RefusedByStatus", "Reply", "Validators", "shown_url"]

ROBOTS_NAME = "ragmem"
"""What robots.txt files may call this program."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

BeforeHop = Callable[[str], None]
"""Called with the URL of each request before it is made; what it raises ends the call."""
WantsBody = Callable[[Reply], bool]
"""Told the headers; the body is read where it says so, and else left empty."""


def _any_body(_: Reply) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    pool: httpcore.ConnectionPool
    deadline: Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: Literal["GET", "HEAD"]
    max_bytes: int = 0
    wants_body: WantsBody = _any_body


class GuardedHttp:
    """Asks for resources over HTTP without being led where it was not sent.

    Threads may share one. Connections are opened when needed; `close` lets go of them and does not
    end the client's life.
    """

    def __init__(
        self,
        *,
        allow_hosts: Sequence[str] = (),
        timeout_seconds: float = 30.0,
        total_seconds: float = 300.0,
        resolver: Resolver = resolve,
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            allow_hosts: `host` or `host:port`, to be reached although their addresses are private.
            timeout_seconds: the longest silence.
            total_seconds: the longest time that one `get` may take, redirects included.
            resolver: finds the addresses of a name.

        Raises:
            UsageError: an entry of `allow_hosts` names no host.
        """
        self._guard = HostGuard(allow_hosts, resolver=resolver)
        self._timeout = timeout_seconds
        self._total = total_seconds
        self._wire: _Wire | None = None
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        validators: Validators | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        before_hop: BeforeHop | None = None,
        wants_body: WantsBody = _any_body,
    ) -> Reply:
        """Ask for a resource.

        Args:
            url: an http or https URL.
            max_bytes: the longest body, counted after unpacking.
            validators: what is known already; the reply is 304 and empty where it still holds.
            headers: sent to the URL's origin only, wherever redirects lead.
            before_hop: called with the URL of each request before it is made; what it raises ends
                the call.
            wants_body: decides by status and headers whether the body is read; what it raises ends
                the call.

        Raises:
            RefusedByStatus: the server refuses, or nothing is there.
            PermanentSourceError: it leads where it must not, is too long, or cannot be trusted.
            TransientSourceError: no answer, not in time, or "later".
        """
        conditions = validators.headers() if validators is not None else {}
        ask = _Request(method="GET", max_bytes=max_bytes, wants_body=wants_body)
        return self._follow(ask, url, conditions, headers, before_hop)

    def head(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        before_hop: BeforeHop | None = None,
    ) -> Reply:
        """Ask about a resource: as `get`, without the body."""
        return self._follow(_Request(method="HEAD"), url, {}, headers, before_hop)

    def close(self) -> None:
        """Close all connections; the next request opens them again."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.pool.close()

    def _follow(
        self,
        ask: _Request,
        url: str,
        conditions: Mapping[str, str],
        headers: Mapping[str, str],
        before_hop: BeforeHop | None,
    ) -> Reply:
        wire = self._opened()
        wire.deadline.at = time.monotonic() + self._total
        current = first = checked_url(url)
        seen: set[str] = set()
        while True:
            if before_hop is not None:
                before_hop(current)
            own = headers if _origin(current) == _origin(first) else {}
            reply = self._ask(wire, ask, current, {**own, **conditions})
            if reply.status not in _REDIRECTS or "location" not in reply.headers:
                return judged(reply)
            seen.add(current)
            current = _next_hop(current, reply.headers["location"], seen)

    def _ask(self, wire: _Wire, ask: _Request, url: str, headers: Mapping[str, str]) -> Reply:
        """One request; bodies of redirects and errors are not read."""
        import httpcore
        import httpx

        parsed = httpx.URL(url)
        target = httpcore.URL(
            scheme=parsed.raw_scheme,
            host=parsed.raw_host,
            port=parsed.port,
            target=parsed.raw_path,
        )
        sent = {
            "host": parsed.netloc.decode("ascii"),
            "user-agent": f"{ROBOTS_NAME}/{version('ragmem')} (document sync)",
            "accept": "*/*",
            "accept-encoding": "gzip",
            **{name.lower(): value for name, value in headers.items()},
        }
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        asking = wire.pool.stream(
            ask.method, target, headers=list(sent.items()), extensions={"timeout": timeouts}
        )
        with _mapped(url), asking as response:
            reply = Reply(url=url, status=response.status, headers=joined_headers(response.headers))
            has_body = ask.method == "GET" and 200 <= response.status < 300
            if not has_body or not ask.wants_body(reply):
                return reply
            parts = response.iter_stream()
            return replace(reply, content=_body(parts, reply.headers, ask.max_bytes))

    def _opened(self) -> _Wire:
        from .guarded_network import Deadline, guarded_pool

        with self._lock:
            if self._wire is None:
                deadline = Deadline()
                self._wire = _Wire(pool=guarded_pool(self._guard, deadline), deadline=deadline)
            return self._wire


def checked_url(url: str) -> str:
    """A URL in the form that is sent: escaped, its host in ASCII, without a fragment.

    Raises:
        PermanentSourceError: it is no http or https URL, or holds a login.
    """
    import httpx

    try:
        parsed = httpx.URL(url)
        if not 0 < (parsed.port or 80) < 65536:
            raise ValueError(f"there is no port {parsed.port}")
    except (httpx.InvalidURL, ValueError) as error:
        # The reason is not told in the parser's words: they may hold a password.
        raise PermanentSourceError(
            f"{shown_url(url)!r} is no URL; check its host and port"
        ) from error
    if parsed.scheme not in ("http", "https") or not parsed.raw_host:
        raise PermanentSourceError(
            f"{shown_url(url)} is no http or https address, and nothing else is read"
        )
    if parsed.userinfo:
        raise PermanentSourceError(
            f"{shown_url(url)} carries a login in its address; take it out of there"
        )
    return str(parsed.copy_with(fragment=None))


def _next_hop(current: str, location: str, seen: set[str]) -> str:
    """Where a redirect leads.

    Raises:
        PermanentSourceError: in a circle, too far, away from https, or to another scheme.
    """
    try:
        target = checked_url(urljoin(current, location))
    except (PermanentSourceError, ValueError) as error:
        raise PermanentSourceError(
            f"{shown_url(current)} redirects to something that is not followed: {error}"
        ) from error
    if target in seen:
        raise PermanentSourceError(
            f"{shown_url(current)} redirects in a circle, back to {shown_url(target)}"
        )
    if len(seen) > _MOST_REDIRECTS:
        raise PermanentSourceError(
            f"{shown_url(current)} redirects on after {_MOST_REDIRECTS} redirects"
        )
    if current.startswith("https:") and not target.startswith("https:"):
        raise PermanentSourceError(
            f"{shown_url(current)} redirects from https to http, which is not followed"
        )
    return target


def _origin(url: str) -> tuple[str, str]:
    split = urlsplit(url)
    return split.scheme, split.netloc


def _body(parts: Iterator[bytes], headers: Mapping[str, str], max_bytes: int) -> bytes:
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("gzip", "x-gzip"):
        return bounded(gunzipped(parts), max_bytes=max_bytes)
    if coding not in ("identity", ""):
        # Chains of codings are how small bodies become endless ones.
        raise PermanentSourceError(
            f"the server packed the answer as {coding!r}, which was not asked for (only gzip is)"
        )
    length = headers.get("content-length", "")
    if length.isdecimal() and len(length) < 19 and int(length) > max_bytes:
        raise too_long(max_bytes)
    return bounded(parts, max_bytes=max_bytes)


@contextmanager
def _mapped(url: str) -> Iterator[None]:
    """Turn the errors of the layers below into ours, naming the URL."""
    import httpcore

    where = shown_url(url)
    try:
        yield
    except SourceError as error:
        error.args = (f"{where}: {error}", *error.args[1:])
        raise
    except httpcore.TimeoutException as error:
        raise TransientSourceError(f"{where} did not answer in time") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        problem = _tls_problem(error)
        if problem:
            raise PermanentSourceError(
                f"{where} cannot be trusted: {problem}; check the server's certificate"
            ) from error
        raise TransientSourceError(f"{where} could not be read: {error}") from error


def _tls_problem(error: BaseException) -> str:
    """What is wrong with the encryption, empty where something else failed."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, ssl.SSLCertVerificationError):
            return at.verify_message
        if isinstance(at, ssl.SSLError) and not isinstance(at, ssl.SSLEOFError):
            return at.reason or str(at)
        at = at.__cause__ or at.__context__
    return ""

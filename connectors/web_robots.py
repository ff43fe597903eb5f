"""Manners towards a host: what its robots.txt allows (RFC 9309), and how often it is asked.

robots.txt is read by protego, which knows wildcards, the longest match and `Crawl-delay`; the
standard library's parser takes the first match and no wildcards.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ragmem.errors import PermanentSourceError

from .guarded_http import ROBOTS_NAME, GuardedHttp, RefusedByStatus

if TYPE_CHECKING:
    from protego import Protego

_READ_BYTES = 500 * 1024
_MOST_BYTES = 10 * _READ_BYTES
_LONGEST_DELAY_SECONDS = 60.0


class RefusedByRobots(PermanentSourceError):
    """The host's robots.txt does not allow it."""


@dataclass(slots=True)
class _Host:
    rules: Protego | None = None
    is_read: bool = False
    delay_seconds: float = 0.0
    next_at: float = field(default=float("-inf"))


class Manners:
    """Asks each host no more often than wanted, and for nothing that its robots.txt forbids.

    Args:
        http: reads the robots.txt files.
        requests_per_second: the most requests to one host; a `Crawl-delay` of up to a minute is
            honoured where it asks for fewer.
        respect_robots: whether robots.txt files are read at all.
    """

    def __init__(
        self,
        http: GuardedHttp,
        *,
        requests_per_second: float,
        respect_robots: bool,
    ) -> None:
        self._http = http
        self._delay_seconds = 1.0 / requests_per_second
        self._respect_robots = respect_robots
        self._hosts: dict[str, _Host] = {}

    def before(self, url: str) -> None:
        """Wait until a request may be made.

        Raises:
            RefusedByRobots: it may never.
            SourceError: robots.txt cannot be read now, so that nothing may be asked for.
        """
        host = self._known(url)
        if host.rules is not None and not host.rules.can_fetch(url, ROBOTS_NAME):
            raise RefusedByRobots("the site's robots.txt does not allow reading it")
        self._wait(host)

    def sitemaps(self, url: str) -> list[str]:
        """The sitemaps that the robots.txt of a host names.

        Raises:
            SourceError: robots.txt cannot be read now.
        """
        rules = self._known(url).rules
        return [] if rules is None else list(dict.fromkeys(rules.sitemaps))

    def _known(self, url: str) -> _Host:
        split = urlsplit(url)
        origin = f"{split.scheme}://{split.netloc}"
        host = self._hosts.setdefault(origin, _Host(delay_seconds=self._delay_seconds))
        if self._respect_robots and not host.is_read:
            self._wait(host)
            host.rules = self._rules(origin)
            host.is_read = True
            asked = host.rules.crawl_delay(ROBOTS_NAME) if host.rules is not None else None
            if asked is not None:
                asked = min(float(asked), _LONGEST_DELAY_SECONDS)
                host.delay_seconds = max(host.delay_seconds, asked)
        return host

    def _rules(self, origin: str) -> Protego | None:
        from protego import Protego

        try:
            reply = self._http.get(f"{origin}/robots.txt", max_bytes=_MOST_BYTES)
        except RefusedByStatus:
            return None  # no robots.txt, no rules; "later" is another error and goes up
        text = reply.content[:_READ_BYTES].decode("utf-8", errors="replace")
        return Protego.parse(text.removeprefix("\ufeff"))

    def _wait(self, host: _Host) -> None:
        now = time.monotonic()
        if host.next_at > now:
            time.sleep(host.next_at - now)
        host.next_at = max(now, host.next_at) + host.delay_seconds

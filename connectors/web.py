"""Web sites: a page and what it links to, or what a sitemap lists.

Here stand the options and the beginning of a walk. The walk itself is `web_crawl`'s business,
requests are `web_reading`'s, pages `web_page`'s, addresses `web_address`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from ragmem.errors import PermanentSourceError, UnknownSource, UsageError
from ragmem.ports import Notes
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .guarded_http import GuardedHttp
from .http_location import http_path
from .web_address import plain_address, scope_of
from .web_crawl import Crawl
from .web_frontier import Frontier
from .web_notes import NoNotes
from .web_reading import PageReader
from .web_robots import Manners

_MEBIBYTE = 1024 * 1024
_SITEMAP = re.compile(r"sitemap[^/]*\.txt$|\.xml(\.gz)?$", re.IGNORECASE)


class WebConnector:
    """Lists and reads the pages of a web site, and the files that they link to.

    A location is a page, or a sitemap (`…/sitemap.xml`, or `…/robots.txt` for those it names). From
    a page, links are followed that lie in its folder: `https://site/docs/` and
    `https://site/docs` admit what is below `/docs/`, `https://site/docs/a.html` as well. From a
    sitemap, the pages it lists on the same host are read and no links are followed.

    Images, styles and recordings are passed over without a word.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"http", "https"})

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether the location is a sitemap."""
        last = (http_path(location) or "").rpartition("/")[2].lower()
        return last == "robots.txt" or ("sitemap" in last and bool(_SITEMAP.search(last)))

    def __init__(
        self,
        location: str,
        *,
        depth: int = 3,
        max_pages: int = 1000,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        other_hosts: tuple[str, ...] = (),
        allow_hosts: tuple[str, ...] = (),
        requests_per_second: float = 2.0,
        respect_robots: bool = True,
        use_sitemaps: bool = True,
        suffixes: frozenset[str] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
        timeout_seconds: float = 30.0,
    ) -> None:
        """Prepare the connector; nothing is asked for yet.

        Args:
            location: an http or https address.
            depth: how many links away from the location a page may be.
            max_pages: the most requests for pages; where there are more, the run says so and
                nothing is deleted.
            include: globs over the address's path and query, of which a page must match one; the
                location itself is read for its links in any case.
            exclude: globs of which it must match none.
            other_hosts: hosts whose pages belong to the source as well.
            allow_hosts: `host` or `host:port` that may be reached at a private address.
            requests_per_second: the most requests to one host.
            respect_robots: whether robots.txt, `noindex` and `nofollow` are heeded.
            use_sitemaps: whether the sitemaps that robots.txt names count as links of the location.
            suffixes: lower-case suffixes for which a parser exists; None lists every file.
            max_file_bytes: longer pages and files fail.
            timeout_seconds: the longest silence of a server.

        Raises:
            UnknownSource: the location is no http or https address.
            UsageError: an option is out of range.
        """
        try:
            self._location = plain_address(location)
        except PermanentSourceError as error:
            raise UnknownSource(str(error)) from error
        if depth < 0 or max_pages < 1 or requests_per_second <= 0 or timeout_seconds <= 0:
            raise UsageError(
                "depth must be 0 or more, max_pages 1 or more, requests_per_second and "
                "timeout_seconds more than 0"
            )
        path = urlsplit(self._location).path
        self._is_robots = path == "/robots.txt"
        self._is_sitemap = self._is_robots or bool(_SITEMAP.search(path))
        self._depth = depth
        self._max_pages = max_pages
        self._scope = scope_of(
            self._location,
            whole_host=self._is_sitemap,
            other_hosts=other_hosts,
            include=include,
            exclude=exclude,
        )
        self._requests_per_second = requests_per_second
        self._respect_robots = respect_robots
        self._use_sitemaps = use_sitemaps
        self._suffixes = suffixes
        self._max_file_bytes = max_file_bytes
        self._http = GuardedHttp(allow_hosts=allow_hosts, timeout_seconds=timeout_seconds)
        self._notes: Notes = NoNotes()
        self._crawl: Crawl | None = None

    @property
    def source_uri(self) -> str:
        """The address, without what only tracks people."""
        return self._location

    def use_notes(self, notes: Notes) -> None:
        """Remember pages between runs, so that unchanged ones are not sent again."""
        self._notes = notes

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """Visit pages, nearest first, and list them, each under its canonical address.

        Raises:
            SourceError: a page could not be reached, or there are more than `max_pages`: what was
                found was listed before.
        """
        manners, crawl = self._begin()
        if self._is_robots:
            crawl.add_sitemaps(manners.sitemaps(self._location), depth=self._depth, is_all=True)
        elif self._is_sitemap:
            crawl.add_sitemaps([self._location], depth=self._depth, is_all=True)
        else:
            yield from crawl.start(self._location)
            if self._use_sitemaps and self._depth > 0:
                crawl.add_sitemaps(manners.sitemaps(self._location), depth=1, is_all=False)
        yield from crawl.pages()

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one page: from memory where `discover` has just listed it, else again.

        Raises:
            SourceError: it cannot be read, or does not belong to the source.
        """
        crawl = self._crawl if self._crawl is not None else self._begin()[1]
        return crawl.document(item.uri)

    def close(self) -> None:
        """Close the connections and forget the crawl."""
        self._http.close()
        self._crawl = None

    def _begin(self) -> tuple[Manners, Crawl]:
        manners = Manners(
            self._http,
            requests_per_second=self._requests_per_second,
            respect_robots=self._respect_robots,
        )
        reader = PageReader(
            self._http,
            manners,
            admits=self._scope.contains,
            suffixes=self._suffixes,
            max_file_bytes=self._max_file_bytes,
            respect_robots=self._respect_robots,
            notes=self._notes,
        )
        frontier = Frontier(self._scope, depth=self._depth, max_pages=self._max_pages)
        self._crawl = Crawl(reader, frontier, scope=self._scope, suffixes=self._suffixes)
        return manners, self._crawl

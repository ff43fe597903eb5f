"""One walk over a site: which pages become items, under which address, and what went wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .guarded_http import RefusedByStatus, shown_url
from .web_address import Scope, address_key, resolved, suffix_of
from .web_frontier import Frontier
from .web_page import Page
from .web_reading import OutOfScope, PageReader
from .web_robots import RefusedByRobots
from .web_sitemap import MAX_SITEMAP_BYTES, sitemap_addresses

_PATIENCE = 5
"""How many pages in a row may fail to answer before the site is left alone."""
_NO_DOCUMENTS = frozenset({
    ".apng", ".avif", ".bmp", ".css", ".eot", ".gif", ".ico", ".jpeg", ".jpg", ".js", ".m4a",
    ".m4v", ".map", ".mjs", ".mov", ".mp3", ".mp4", ".mpeg", ".ogg", ".otf", ".png", ".svg",
    ".tif", ".tiff", ".ttf", ".wav", ".webm", ".webp", ".woff", ".woff2",
})  # fmt: skip


class Crawl:
    """The state of one walk; it holds one document at a time."""

    def __init__(
        self,
        reader: PageReader,
        frontier: Frontier,
        *,
        scope: Scope,
        suffixes: frozenset[str] | None,
    ) -> None:
        """Begin with nothing.

        Args:
            reader: reads pages.
            frontier: what waits to be visited.
            scope: what belongs to the source.
            suffixes: the formats that a parser exists for; None for any.
        """
        self._reader = reader
        self._frontier = frontier
        self._scope = scope
        self._passed_over = _NO_DOCUMENTS - (suffixes or frozenset())
        self._fingerprints: dict[str, str] = {}
        self._asked_as: dict[str, str] = {}
        self._held: tuple[str, RawDocument | SourceError] | None = None
        self._late: Page | None = None
        self._problems: list[str] = []
        self._unanswered = 0

    def add_sitemaps(self, sitemaps: Iterable[str], *, depth: int, is_all: bool) -> None:
        """Queue the pages that sitemaps list, as if a page at `depth - 1` linked to them.

        Args:
            sitemaps: their addresses.
            depth: the depth of the pages.
            is_all: whether they are all there is; otherwise one that is gone, or lies on another
                host, does no harm.
        """

        def failed(url: str, error: SourceError) -> None:
            if is_all or not _is_elsewhere(error):
                self._problems.append(f"the sitemap {shown_url(url)}: {error}")

        def content(url: str) -> bytes:
            if not self._scope.holds_host(url):
                raise OutOfScope("it is on another host; name that one in other_hosts")
            return self._reader.content(url, max_bytes=MAX_SITEMAP_BYTES)

        listed = sitemap_addresses(
            list(sitemaps),
            read=content,
            on_problem=failed,
        )
        for address in listed:
            self._add(resolved([address]), depth=depth)
            if self._frontier.cut_off:
                return

    def start(self, address: str) -> Iterator[SourceItem | SkippedItem]:
        """Visit the page that everything begins with.

        Raises:
            SourceError: it cannot be read, so that nothing is known about the rest.
        """
        self._frontier.begin(address)
        yield from self._found(address, 0, self._reader.visit(address))

    def pages(self) -> Iterator[SourceItem | SkippedItem]:
        """Visit what waits and what that links to.

        Raises:
            SourceError: after the last item, where the walk is not complete.
        """
        for address, depth in self._frontier:
            try:
                page = self._reader.visit(address)
            except SourceError as error:
                yield from self._failed(address, depth, error)
                continue
            self._unanswered = 0
            if self._frontier.arrived(address, at=page.address):
                yield from self._found(address, depth, page)
        if self._problems:
            raise TransientSourceError(
                f"could not read {len(self._problems):,} of the addresses, so that what they link "
                f"to is not known; the first: {self._problems[0]}",
                worth_waiting=False,
            )
        if self._frontier.cut_off:
            raise PermanentSourceError(
                "there are more pages than max_pages allows; raise it, or narrow the source by "
                "depth, include or exclude"
            )

    def document(self, uri: str) -> RawDocument:
        """The document of an item: the one just listed, or read anew.

        Raises:
            SourceError: it cannot be read, or is none.
        """
        held, self._held = self._held, None
        if held is not None and held[0] == uri:
            if isinstance(held[1], SourceError):
                raise held[1]
            return held[1]
        page = self._late = self._reader.read(self._asked_as.get(uri, uri))
        if page.raw is None or page.reason:
            raise PermanentSourceError(page.reason)
        return replace(page.raw, uri=uri)

    def _found(self, asked: str, depth: int, page: Page) -> Iterator[SourceItem | SkippedItem]:
        """The item that a page is, unless another address of it was listed already."""
        self._add(page.links, depth=depth + 1)
        if not self._scope.admits(page.address):
            return
        if page.reason:
            yield SkippedItem(uri=page.address, reason=page.reason)
            return
        uri = self._uri(page)
        key = address_key(uri)
        before = self._fingerprints.get(key)
        if before is not None:
            if before not in ("", page.fingerprint):
                yield SkippedItem(
                    uri=page.address,
                    reason=f"it calls {shown_url(uri)} its proper address, which reads differently",
                )
            return
        self._fingerprints[key] = page.fingerprint
        self._frontier.arrived(uri, at=uri)
        if page.raw is not None:
            self._held = uri, replace(page.raw, uri=uri)
        if uri != asked:
            self._asked_as[uri] = asked
        yield SourceItem(uri=uri, fingerprint=page.fingerprint)

    def _failed(
        self, address: str, depth: int, error: SourceError
    ) -> Iterator[SourceItem | SkippedItem]:
        """What a page is that could not be read: nothing, skipped, failed, or to be tried again."""
        if _is_elsewhere(error):
            return
        if isinstance(error, RefusedByRobots):
            yield SkippedItem(uri=address, reason=str(error))
            return
        noted = self._reader.noted(address)
        uri = address if noted is None else self._uri(noted)
        key = address_key(uri)
        if key in self._fingerprints:
            return
        self._fingerprints[key] = ""
        if uri != address:
            self._asked_as[uri] = address
        if isinstance(error, PermanentSourceError):
            self._held = uri, error
            token = hashlib.sha256(str(error).encode()).hexdigest()[:16]
            yield SourceItem(uri=uri, fingerprint=f"failed:{token}")
            return
        self._read_late()
        # Without a fingerprint it is fetched, and that is tried again as long as is worthwhile.
        yield SourceItem(uri=uri)
        late = self._read_late()
        if late is not None:
            self._add(late.links, depth=depth + 1)
            return
        self._problems.append(str(error))
        self._unanswered += 1
        if self._unanswered >= _PATIENCE:
            raise TransientSourceError(
                f"the site stopped answering: {_PATIENCE} pages in a row, the last with: {error}",
                worth_waiting=False,
            )

    def _read_late(self) -> Page | None:
        """The page that `document` had to read, told once."""
        late, self._late = self._late, None
        return late

    def _add(self, addresses: Iterable[str], *, depth: int) -> None:
        documents = (each for each in addresses if suffix_of(each) not in self._passed_over)
        self._frontier.add(documents, depth=depth)

    def _uri(self, page: Page) -> str:
        """The address that a page is listed under."""
        is_ours = bool(page.canonical) and self._scope.admits(page.canonical)
        return page.canonical if is_ours else page.address


def _is_elsewhere(error: SourceError) -> bool:
    """Whether nothing of this source is there: gone, or another place's."""
    return isinstance(error, OutOfScope) or (isinstance(error, RefusedByStatus) and error.gone)

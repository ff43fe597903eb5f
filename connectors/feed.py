"""Feeds: the entries of an RSS or Atom feed, each with the full text of its page.

Reading the feed's XML is `feed_entries`' business, reading pages `web_reading`'s.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, UnknownSource, UsageError
from ragmem.ports import Notes
from ragmem.types import MetadataValue, RawDocument, SourceItem

from .feed_entries import Entry, Feed, plain_text, read_feed
from .file_location import path_of
from .file_reading import unreadable
from .guarded_http import GuardedHttp, Reply
from .http_location import http_path
from .web_address import plain_address
from .web_notes import NoNotes
from .web_page import Page
from .web_reading import PageReader
from .web_robots import Manners

_MEBIBYTE = 1024 * 1024
_LARGEST_FEED = 32 * _MEBIBYTE
_LARGEST_NOTED = 4 * _MEBIBYTE
_PREFIX = re.compile(r"^feed(?:\+(?=https?:)|:(?=https?:)|:)", re.IGNORECASE)
_FEED_PATH = re.compile(
    r"\.(?:rss|atom|rdf)$|/(?:feed|rss|atom)(?:\.xml|/)?$|/(?:feeds?|rss|atom)/[^/]+\.xml$",
    re.IGNORECASE,
)
_REMOTE = re.compile(r"(?:feed|https?)[:+]", re.IGNORECASE)
_FILE_SUFFIXES = (".rss", ".atom")


class FeedConnector:
    """Lists and reads the entries of a feed.

    Entries that the feed no longer names stay. An entry's URI is the feed's own: a feed may link to
    any page, and must not take the place of that page in the store.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"feed", "feed+http", "feed+https"})

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether the location is a feed by its name: `…/feed`, `…/rss.xml`, `….atom`."""
        if (path := http_path(location)) is not None:
            return _FEED_PATH.search(path) is not None
        return location.lower().endswith(_FILE_SUFFIXES) and _file_at(location) is not None

    def __init__(
        self,
        location: str | Path,
        *,
        full_text: bool = True,
        allow_hosts: tuple[str, ...] = (),
        requests_per_second: float = 2.0,
        respect_robots: bool = True,
        suffixes: frozenset[str] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
        timeout_seconds: float = 30.0,
    ) -> None:
        """Prepare the connector; nothing is asked for yet.

        Args:
            location: the feed's address, as http(s) or with `feed:` or `feed+` before it; or a file
                that holds one.
            full_text: whether each entry's page is read. Where that is refused or says less, the
                document is what the feed itself holds, and its `text_from` is `feed`.
            allow_hosts: `host` or `host:port` that may be reached at a private address.
            requests_per_second: the most requests to one host.
            respect_robots: whether the robots.txt, `noindex` and the like of the pages are heeded.
            suffixes: lower-case suffixes for which a parser exists; None for any.
            max_file_bytes: longer pages and feeds fail.
            timeout_seconds: the longest silence of a server.

        Raises:
            UnknownSource: the location is no address, and no file.
            UsageError: an option is out of range.
        """
        if requests_per_second <= 0 or timeout_seconds <= 0:
            raise UsageError("requests_per_second and timeout_seconds must be more than 0")
        self._file = _file_at(location)
        self._address = "" if self._file is not None else _address_of(str(location))
        self._full_text = full_text
        self._max_file_bytes = max_file_bytes
        self._http = GuardedHttp(allow_hosts=allow_hosts, timeout_seconds=timeout_seconds)
        self._reader = PageReader(
            self._http,
            Manners(
                self._http,
                requests_per_second=requests_per_second,
                respect_robots=respect_robots,
            ),
            admits=lambda _: True,
            suffixes=suffixes,
            max_file_bytes=max_file_bytes,
            respect_robots=respect_robots,
            notes=NoNotes(),
        )
        self._notes: Notes = NoNotes()
        self._feed = Feed(title="", entries=())
        self._entries: dict[str, Entry] = {}

    @property
    def source_uri(self) -> str:
        """The feed's address with `feed+` before it, or the file's URI."""
        return self._file.as_uri() if self._file is not None else f"feed+{self._address}"

    @property
    def lists_only_news(self) -> bool:
        """Feeds name only their latest entries."""
        return True

    def use_notes(self, notes: Notes) -> None:
        """Remember the feed between runs, so that an unchanged one is not sent again."""
        self._notes = notes

    def discover(self) -> Iterator[SourceItem]:
        """List the feed's entries.

        Raises:
            SourceError: the feed cannot be read.
        """
        self._feed = self._read_feed()
        self._entries = {
            f"{self.source_uri}#{quote(entry.id, safe='')}": entry for entry in self._feed.entries
        }
        for uri, entry in self._entries.items():
            yield SourceItem(uri=uri, fingerprint=entry.fingerprint)

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one entry: its page, or what the feed holds of it.

        Raises:
            PermanentSourceError: the feed does not name it, or nothing can be read.
            TransientSourceError: its page may be readable later.
        """
        entry = self._entries.get(item.uri)
        if entry is None:
            raise PermanentSourceError(f"the feed does not name {item.uri}")
        page, problem = self._page(entry)
        if page is None and not plain_text(entry.html):
            raise PermanentSourceError(problem or "the entry holds no text and has no page")
        raw = page.raw if page is not None else None
        told: dict[str, MetadataValue | None] = {
            "feed": self._feed.title,
            "entry_id": entry.id,
            "link": entry.link,
            "author": entry.authors,
            "tags": entry.tags,
            "published_at": entry.published.isoformat() if entry.published else None,
            "updated_at": entry.updated.isoformat() if entry.updated else None,
            "text_from": "feed" if raw is None else "page",
            "page_problem": problem,
        }
        return RawDocument(
            uri=item.uri,
            name="entry.html" if raw is None else raw.name,
            content=f"<html><body>{entry.html}</body></html>" if raw is None else raw.content,
            title=entry.title or (raw.title if raw is not None else None),
            modified_at=entry.updated or entry.published or (raw.modified_at if raw else None),
            metadata={
                **(raw.metadata if raw is not None else {}),
                **{name: value for name, value in told.items() if value},
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _page(self, entry: Entry) -> tuple[Page | None, str]:
        """The entry's page where it says more than the feed, else why it is not used."""
        if not (self._full_text and entry.link):
            return None, ""
        try:
            page = self._reader.read(entry.link)
        except PermanentSourceError as error:
            return None, str(error)
        if page.raw is None or page.reason:
            return None, page.reason
        content = page.raw.content
        if isinstance(content, str) and len(plain_text(content)) < len(plain_text(entry.html)):
            return None, "the page says less than the feed"
        return page, ""

    def _read_feed(self) -> Feed:
        if self._file is not None:
            return self._read_file(self._file)
        noted = self._noted()
        limit = min(self._max_file_bytes, _LARGEST_FEED)
        reply = self._http.get(
            self._address, max_bytes=limit, validators=noted.validators if noted else None
        )
        if reply.is_unchanged and noted is not None:
            reply = noted
        feed = read_feed(reply.content, base=reply.url, charset=reply.charset)
        self._note(reply)
        return feed

    def _read_file(self, path: Path) -> Feed:
        try:
            with path.open("rb") as stream:
                content = stream.read(_LARGEST_FEED + 1)
        except OSError as error:
            raise unreadable(str(path), error) from error
        if len(content) > _LARGEST_FEED:
            raise PermanentSourceError(f"{path} has more than {_LARGEST_FEED:,} bytes")
        return read_feed(content, base="")

    def _noted(self) -> Reply | None:
        """The feed as it was at the last run."""
        try:
            noted = json.loads(self._notes.read("feed") or "")
            content = zlib.decompress(base64.b64decode(noted.pop("content")))
            return Reply(status=200, content=content, **noted)
        except (ValueError, KeyError, TypeError, zlib.error):
            return None

    def _note(self, reply: Reply) -> None:
        if not reply.validators.headers() or len(reply.content) > _LARGEST_NOTED:
            return
        kept = ("etag", "last-modified", "content-type")
        noted = {
            "url": reply.url,
            "headers": {name: reply.headers[name] for name in kept if name in reply.headers},
            "content": base64.b64encode(zlib.compress(reply.content)).decode("ascii"),
        }
        self._notes.write("feed", json.dumps(noted))


def _file_at(location: str | Path) -> Path | None:
    text = str(location)
    if _REMOTE.match(text):
        return None
    try:
        path = path_of(text) if text[:5].lower() == "file:" else Path(text).expanduser()
    except ValueError:
        return None
    return path.absolute() if path.is_file() else None


def _address_of(location: str) -> str:
    """The feed's http(s) address.

    Raises:
        UnknownSource: it has none.
    """
    rest = _PREFIX.sub("", location)
    try:
        return plain_address(f"https:{rest}" if rest.startswith("//") else rest)
    except PermanentSourceError as error:
        raise UnknownSource(
            "no file, and no http or https address without a login; expected feed+https://HOST/PATH"
        ) from error

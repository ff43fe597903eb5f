"""Sitemaps: lists of addresses, and lists of such lists, as XML or as text, packed or not.

Reading them is all that happens here; whether an address is visited is the crawl's business.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ragmem.errors import PermanentSourceError, SourceError

from .guarded_body import GZIP_MAGIC, bounded, gunzipped

MAX_SITEMAP_BYTES = 50 * 1024 * 1024
"""The protocol's own limit, counted after unpacking."""

_MOST_SITEMAPS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One address in a sitemap; of a page, or of another sitemap."""

    address: str
    is_sitemap: bool


def sitemap_addresses(
    starts: list[str],
    *,
    read: Callable[[str], bytes],
    on_problem: Callable[[str, SourceError], None],
) -> Iterator[str]:
    """The addresses of the pages that sitemaps list, following lists of sitemaps once each.

    Args:
        starts: the sitemaps to begin with.
        read: gets the bytes at an address.
        on_problem: told of each sitemap that cannot be read.
    """
    waiting = list(dict.fromkeys(starts))
    seen = set(waiting)
    for sitemap in waiting:  # grows while it is walked through
        try:
            for entry in sitemap_entries(read(sitemap)):
                if not entry.is_sitemap:
                    yield entry.address
                elif entry.address not in seen:
                    if len(seen) >= _MOST_SITEMAPS:
                        raise PermanentSourceError(f"more than {_MOST_SITEMAPS:,} sitemaps")
                    seen.add(entry.address)
                    waiting.append(entry.address)
        except SourceError as error:
            on_problem(sitemap, error)


def sitemap_entries(content: bytes) -> Iterator[Entry]:
    """The entries of one sitemap, in order.

    Raises:
        SourceError: it is no sitemap, or breaks off.
    """
    if content.startswith(GZIP_MAGIC):
        content = bounded(gunzipped([content]), max_bytes=MAX_SITEMAP_BYTES)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        yield from _xml_entries(content)
        return
    for line in content.decode("utf-8", errors="replace").removeprefix("\ufeff").splitlines():
        if line.strip().lower().startswith(("http://", "https://")):
            yield Entry(address=line.strip(), is_sitemap=False)


def _xml_entries(content: bytes) -> Iterator[Entry]:
    from lxml import etree

    # Entities stay as they are written: nothing is expanded, nothing is loaded.
    events = etree.iterparse(
        io.BytesIO(content.lstrip()),
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    root = ""
    try:
        for event, element in events:
            name = etree.QName(element).localname
            if event == "start":
                root = root or name
                if root not in ("urlset", "sitemapindex"):
                    raise PermanentSourceError(f"no sitemap: its first element is <{root[:40]}>")
                continue
            parent = element.getparent()
            if name == "loc" and parent is not None and element.text:
                kind = etree.QName(parent).localname
                if kind in ("url", "sitemap"):
                    yield Entry(address=element.text.strip(), is_sitemap=kind == "sitemap")
            if name in ("url", "sitemap"):
                element.clear()
                while element.getprevious() is not None and parent is not None:
                    del parent[0]
    except etree.XMLSyntaxError as error:
        raise PermanentSourceError(f"the sitemap's XML is broken: {error.msg}") from error

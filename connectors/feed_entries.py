"""RSS 0.9 to 2.0, RDF and Atom as values: a feed's title and its entries.

Read by lxml with document types switched off and broken markup repaired. Nothing here talks to the
network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape, unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ragmem.errors import PermanentSourceError

from .guarded_reply import http_date
from .web_address import plain_address

if TYPE_CHECKING:
    from lxml import etree

_RSS = frozenset({
    "",
    "http://purl.org/rss/1.0/",
    "http://my.netscape.com/rdf/simple/0.9/",
    "http://www.w3.org/2005/Atom",
    "http://purl.org/atom/ns#",
    "http://backend.userland.com/rss2",
})  # fmt: skip
_DUBLIN_CORE = frozenset({"http://purl.org/dc/elements/1.1/", "http://purl.org/dc/terms/"})
_CONTENT = frozenset({"http://purl.org/rss/1.0/modules/content/"})
_RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_ROOTS = frozenset({"rss", "RDF", "feed"})
_MOST_ENTRIES = 10_000
_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}encoding\s*=")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a feed.

    Attributes:
        id: what the feed calls it; unique and lasting.
        link: the address of its page, empty where it has none.
        published, updated: where the feed tells.
        html: what the feed itself holds of the text.
    """

    id: str
    link: str
    title: str
    published: datetime | None
    updated: datetime | None
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    html: str

    @property
    def fingerprint(self) -> str:
        """Changes whenever the feed says anything else about the entry."""
        return hashlib.sha256(repr(self).encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed with its entries in the order they stand there."""

    title: str
    entries: tuple[Entry, ...]


def read_feed(content: bytes, *, base: str, charset: str | None = None) -> Feed:
    """Read a feed.

    Args:
        content: its bytes.
        base: its address, which relative links start from; empty where it has none.
        charset: what its server says; the XML's own declaration wins.

    Raises:
        PermanentSourceError: it is no feed.
    """
    root = _root(content, charset)
    name = _local(root) if root is not None else ""
    if root is None or name not in _ROOTS:
        what = f"its first element is <{name[:40]}>" if name else "it is no XML"
        raise PermanentSourceError(f"no RSS or Atom feed: {what}; give the feed's own address")
    channel = next((child for child in root if _local(child) == "channel"), root)
    entries: dict[str, Entry] = {}
    for element in root.iter("{*}item", "{*}entry"):
        entry = _entry(element, base=base)
        entries.setdefault(entry.id, entry)
        if len(entries) >= _MOST_ENTRIES:
            break
    title = next(_texts(channel, "title"), "")
    return Feed(title=plain_text(title), entries=tuple(entries.values()))


def plain_text(html: str) -> str:
    """The words of a piece of HTML on one line."""
    return " ".join(unescape(_TAG.sub(" ", html)).split())


def _root(content: bytes, charset: str | None) -> etree._Element | None:
    from lxml import etree

    content = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    encodings = (None,) if _ENCODING.match(content) or charset is None else (charset, None)
    for encoding in encodings:
        try:
            parser = etree.XMLParser(
                encoding=encoding,
                recover=True,
                resolve_entities=False,
                load_dtd=False,
                no_network=True,
                remove_comments=True,
                remove_pis=True,
            )
            root: etree._Element | None = etree.fromstring(content, parser)
        except LookupError:
            continue  # a charset that nobody knows
        except (etree.XMLSyntaxError, ValueError):
            return None
        return root
    return None


def _entry(element: etree._Element, *, base: str) -> Entry:
    title = plain_text(next(_texts(element, "title"), ""))
    link = _link(element, base=_base(element, base))
    html = _html(element)
    published = _date(element, "published", "pubDate", "issued", "created", "date")
    updated = _date(element, "updated", "modified")
    named = next(_texts(element, "id", "guid"), "") or element.get(_RDF_ABOUT, "") or link
    authors = (plain_text(text) for text in _authors(element))
    tags = (plain_text(text) for text in _tags(element))
    return Entry(
        id=named or hashlib.sha256(f"{title}\n{html}".encode("utf-8", "replace")).hexdigest()[:32],
        link=link,
        title=title,
        published=published,
        updated=updated,
        authors=tuple(dict.fromkeys(filter(None, authors))),
        tags=tuple(dict.fromkeys(filter(None, tags))),
        html=html,
    )


def _base(element: etree._Element, base: str) -> str:
    """What relative links start from: `xml:base` of the entry or the feed, else the address."""
    try:
        return urljoin(base, element.base or "")
    except ValueError:
        return base


def _link(element: etree._Element, *, base: str) -> str:
    """The address of an entry's page."""
    found = [
        child.get("href") or "".join(map(str, child.itertext()))
        for child in _children(element, "link")
        if child.get("rel", "alternate") == "alternate"
    ]
    found += [
        "".join(map(str, guid.itertext()))
        for guid in _children(element, "guid")
        if guid.get("isPermaLink", "true") == "true"
    ]
    for text in filter(None, map(str.strip, (*found, element.get(_RDF_ABOUT, "")))):
        try:
            return plain_address(text, base=base)
        except PermanentSourceError:
            continue
    return ""


def _html(element: etree._Element) -> str:
    """The longest of what an entry holds of its text."""
    from lxml import etree

    held = [*_texts(element, "encoded", spaces=_CONTENT), *_texts(element, "description")]
    for child in (*_children(element, "content"), *_children(element, "summary")):
        kind = child.get("type", "text")
        if len(child) and kind in ("xhtml", "application/xhtml+xml"):
            held += [etree.tostring(each, encoding="unicode", with_tail=False) for each in child]
            continue
        text = "".join(map(str, child.itertext()))
        held.append(text if "html" in kind else escape(text))
    return max(held, key=len, default="").strip()


def _authors(element: etree._Element) -> Iterator[str]:
    for author in _children(element, "author"):
        yield next(_texts(author, "name"), "") or ("" if len(author) else author.text or "")
    yield from _texts(element, "creator", spaces=_DUBLIN_CORE)


def _tags(element: etree._Element) -> Iterator[str]:
    for category in _children(element, "category"):
        yield category.get("label") or category.get("term") or category.text or ""
    yield from _texts(element, "subject", spaces=_DUBLIN_CORE)


def _date(element: etree._Element, *names: str) -> datetime | None:
    for text in _texts(element, *names, spaces=_RSS | _DUBLIN_CORE):
        try:
            found: datetime | None = datetime.fromisoformat(text)
        except ValueError:
            found = http_date(text)
        if found is not None:
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return None


def _texts(element: etree._Element, *names: str, spaces: frozenset[str] = _RSS) -> Iterator[str]:
    for child in _children(element, *names, spaces=spaces):
        if text := "".join(map(str, child.itertext())).strip():
            yield text


def _children(
    element: etree._Element, *names: str, spaces: frozenset[str] = _RSS
) -> Iterator[etree._Element]:
    """The children of these names, in the order of the names."""
    from lxml import etree

    for name in names:
        for child in element.iterchildren("{*}" + name):
            if (etree.QName(child).namespace or "") in spaces:
                yield child


def _local(element: etree._Element) -> str:
    from lxml import etree

    return etree.QName(element).localname

"""One page as a server sent it: decoding, links, what it asks of robots, and its main part.

Files that are no HTML are passed on by their type. Nothing here talks to the network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ragmem.errors import PermanentSourceError
from ragmem.types import MetadataValue, RawDocument

from .guarded_http import ROBOTS_NAME, Reply
from .web_address import plain_address, resolved, suffix_of
from .web_article import Article, read_article

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LARGEST_EXAMINED = 4 * 1024 * 1024
"""Bytes; a longer page is passed on whole and its links are not read."""
_LONG_TAG = re.compile(r"<[^<>]{5000,}")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_MOST_ATTRIBUTES = 2_000
"""Reading a tag takes time that grows with their square; pages with more are passed on whole."""
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", ""})
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/json": ".json",
    "application/ld+json": ".json",
    "application/msword": ".doc",
    "application/rtf": ".rtf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "message/rfc822": ".eml",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/tab-separated-values": ".tsv",
    "text/xml": ".xml",
}
_OPAQUE_TYPES = frozenset({"application/octet-stream", "binary/octet-stream"})
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)
_STATEFUL = ("iso-2022", "utf-16", "utf-32", "hz")
_REFRESH = re.compile(r"^\s*[\d.]*\s*[;,]\s*url\s*=\s*['\"]?([^'\"\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is at an address.

    Attributes:
        address: where it was found, after redirects.
        canonical: the address that the page says is its own, empty where it says nothing.
        links: the addresses it links to, as they may be followed.
        fingerprint: changes with what it says, not with what is around it.
        reason: why it is no document, empty where it is one.
        raw: the document; None where it is none, or only its note is known.
    """

    address: str
    canonical: str = ""
    links: tuple[str, ...] = ()
    fingerprint: str = ""
    reason: str = ""
    raw: RawDocument | None = None


def suffix_of_reply(reply: Reply) -> str:
    """The suffix that tells a parser the format: by media type, else by the address."""
    media, suffix = reply.media_type, suffix_of(reply.url)
    if media in _HTML_TYPES:
        return ".html"
    if media in _OPAQUE_TYPES or (media.startswith(("text/", "application/x-")) and suffix):
        return suffix
    return _SUFFIXES.get(media, suffix if media.startswith("application/") else f" ({media})")


def page_of(reply: Reply, *, respect_robots: bool) -> Page:
    """Read what a server sent.

    Args:
        reply: with its content.
        respect_robots: whether `noindex` and `nofollow` are heeded.
    """
    address = plain_address(reply.url)
    asked = _directives(reply.headers.get("x-robots-tag", "")) if respect_robots else set()
    if suffix_of_reply(reply) != ".html" or len(reply.content) > _LARGEST_EXAMINED:
        return _finished(address, reply, asked, content=reply.content)
    markup = decoded(reply)
    if _is_crowded(markup):
        return _finished(address, reply, asked, content=reply.content)
    tree = tree_of(markup)
    if tree is None:
        return Page(address=address, reason="the page is empty")
    if respect_robots:
        for meta in tree.iter("meta"):
            if meta.get("name", "").lower() in ("robots", ROBOTS_NAME):
                asked |= _directives(meta.get("content", ""))
    base = _base(tree, address)
    links = () if "nofollow" in asked else _links(tree, base, respect_robots=respect_robots)
    canonical = next(iter(resolved(tree.xpath("//link[@rel='canonical']/@href"), base)), "")
    article = read_article(tree, url=address)
    return _finished(
        address,
        reply,
        asked,
        content=article.html,
        article=article,
        canonical=canonical,
        links=links,
    )


def decoded(reply: Reply) -> str:
    """The text of a reply.

    What decodes as UTF-8 is UTF-8, whatever the server or the page says: wrong declarations are
    common, and other text hardly ever passes for it. Charsets that look like ASCII or hold zero
    bytes are believed first.
    """
    declared = reply.charset or ""
    if not declared and (found := _META_CHARSET.search(reply.content[:4096])):
        declared = found[1].decode("ascii").lower()
    if declared in ("iso-8859-1", "latin-1", "latin1", "us-ascii"):
        declared = "windows-1252"  # as browsers read them
    names = ("utf-8-sig", declared)
    for name in names[::-1] if declared.startswith(_STATEFUL) else names:
        try:
            return reply.content.decode(name).replace("\x00", "")
        except (LookupError, ValueError):
            continue
    return reply.content.decode("windows-1252", errors="replace").replace("\x00", "")


def tree_of(markup: str) -> HtmlElement | None:
    """The tree of an HTML text, None when there is nothing in it."""
    from lxml import etree, html

    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True
    )
    try:
        return html.document_fromstring(markup.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def _is_crowded(markup: str) -> bool:
    long_tags = (_QUOTED.sub("", tag) for tag in _LONG_TAG.findall(markup))
    return any(len(re.split(r"[\s/=]+", tag)) > _MOST_ATTRIBUTES for tag in long_tags)


def _finished(
    address: str,
    reply: Reply,
    asked: set[str],
    *,
    content: bytes | str,
    article: Article | None = None,
    canonical: str = "",
    links: tuple[str, ...] = (),
) -> Page:
    reason = "the page asks not to be indexed (noindex)" if "noindex" in asked else ""
    if not reason and not content:
        reason = "the page holds no text (it may be made by JavaScript)"
    title = article.title if article is not None else ""
    metadata = dict(article.metadata) if article is not None else {}
    return Page(
        address=address,
        canonical=canonical,
        links=links,
        fingerprint=_fingerprint(content, title, metadata),
        reason=reason,
        raw=RawDocument(
            uri=address,
            name=_name(address, suffix_of_reply(reply)),
            content=content,
            title=title or None,
            modified_at=reply.modified_at,
            metadata={
                **metadata,
                "host": urlsplit(address).netloc,
                "path": unquote(urlsplit(address).path),
            },
        ),
    )


def _fingerprint(content: bytes | str, title: str, metadata: Mapping[str, MetadataValue]) -> str:
    digest = hashlib.sha256(json.dumps([title, metadata], sort_keys=True).encode())
    digest.update(content.encode("utf-8", "replace") if isinstance(content, str) else content)
    return digest.hexdigest()[:32]


def _name(address: str, suffix: str) -> str:
    """A file name: the address's last part with the suffix of its format."""
    split = urlsplit(address)
    last = PurePosixPath(unquote(split.path)).name or split.netloc.partition(":")[0]
    return last if suffix_of(address) == suffix else f"{last}{suffix}"


def _directives(text: str) -> set[str]:
    """What a robots header or tag asks of everyone or of this program: noindex, nofollow."""
    asked: set[str] = set()
    agent = ""
    for part in text.lower().split(","):
        name, colon, rest = part.partition(":")
        if colon and name.strip() != "unavailable_after":
            agent, part = name.strip(), rest
        if agent in ("", ROBOTS_NAME):
            asked.add(part.strip())
    return asked | {"noindex", "nofollow"} if "none" in asked else asked


def _base(tree: HtmlElement, address: str) -> str:
    for href in tree.xpath("//base/@href"):
        try:
            return plain_address(str(href), base=address)
        except PermanentSourceError:
            break
    return address


def _links(tree: HtmlElement, base: str, *, respect_robots: bool) -> tuple[str, ...]:
    found: list[str] = []
    for link in tree.iter("a", "area", "frame"):
        unwanted = respect_robots and "nofollow" in link.get("rel", "").lower().split()
        href = link.get("src" if link.tag == "frame" else "href", "")
        if href and not unwanted and not href.startswith("#"):
            found.append(href)
    refreshes = tree.xpath("//meta[translate(@http-equiv,'REFSH','refsh')='refresh']/@content")
    found += [refresh[1] for each in refreshes if (refresh := _REFRESH.match(str(each)))]
    return resolved(found, base)

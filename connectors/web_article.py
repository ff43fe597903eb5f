"""The main part of an HTML page: which of its elements say what the page is about.

trafilatura judges what is text and what is decoration, and reads the metadata. The text itself
stays the page's own markup, which the HTML parser renders: lists, tables and code keep their form.
Nothing here talks to the network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from ragmem.types import MetadataValue

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MOST_JUDGED = 30_000
_DEEPEST_JUDGED = 150
"""Elements of a page, and elements within elements; beyond, judging would take many seconds."""
_LEAST_LINE = 25
_MOST_LINES = 60
_MOST_OF_THEM = 0.95
_SHORT_PAGE = 500
_LEAST_CLEARED = 0.2
_LEAST_MAIN = 0.5
_LINK_SHARE = 0.8
_NO_WORD = re.compile(r"\W+")
_NO_TEXT = ("script", "style", "noscript", "template", "svg", "iframe", "button", "dialog")
_AROUND = frozenset({"nav", "header", "footer", "aside", "form"})
_MENUS = frozenset({"ul", "ol", "table", "div", "section"})
_LEAST_LINKS = 5
_TEXT_MARKS = ("h2", "h3", "h4", "h5", "h6", "pre", "code", "th")
_LONGEST_AUTHOR = 80
_AROUND_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """What a page says.

    Attributes:
        html: the main part as an HTML page of its own, empty where the page holds no text.
        title: the title, empty where none was found.
        metadata: author, date, site, description and tags, where the page tells.
    """

    html: str
    title: str = ""
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


def read_article(page: HtmlElement, *, url: str) -> Article:
    """Find the main part of a page and its metadata; a page without one is taken whole.

    Args:
        page: the parsed page; not changed.
        url: where it came from.
    """
    body = page.find("body")
    whole = deepcopy(page if body is None else body)
    _drop(whole, whole.iter(*_NO_TEXT))
    if not str(whole.text_content()).strip():
        return Article(html="")
    if not _is_modest(page):
        return Article(html=_as_page(whole, page), title=_title(page))
    judged = _judge(page, url)
    return Article(
        html=_as_page(_main_part(whole, _lines(judged.text)), page),
        title=_title(page) or judged.title,
        metadata=judged.metadata,
    )


def _main_part(whole: HtmlElement, lines: tuple[str, ...]) -> HtmlElement:
    """The element to keep, without decoration; all where little else would be left."""
    length = len(_squeezed(whole))
    if length < _SHORT_PAGE:
        return whole
    cleared = deepcopy(whole)
    _drop(cleared, (part for part in cleared.iter("*") if _is_decoration(part, lines)))
    remaining = len(_squeezed(cleared))
    if remaining < _LEAST_CLEARED * length:
        return whole
    main = _container(cleared, lines)
    return main if len(_squeezed(main)) >= _LEAST_MAIN * remaining else cleared


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    text: str = ""
    title: str = ""
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


def _judge(page: HtmlElement, url: str) -> _Judgement:
    """What trafilatura makes of a page."""
    from trafilatura import bare_extraction

    # It reports on pages without text, which is no news here.
    logging.getLogger("trafilatura").addHandler(_SILENCE)
    try:
        found = bare_extraction(
            deepcopy(page),
            url=url,
            with_metadata=True,
            include_comments=False,
            # A date that stands anywhere in the text is rarely the page's own.
            date_extraction_params={"extensive_search": False},
        )
    except Exception:  # noqa: BLE001 - heuristics over any markup raise anything; the page is kept
        return _Judgement()
    if found is None or isinstance(found, dict):
        return _Judgement()
    author = found.author or ""
    told: dict[str, MetadataValue | None] = {
        # Longer ones are whole boxes of the page.
        "author": author if len(author) <= _LONGEST_AUTHOR else None,
        "published_at": found.date,
        # Where the page names none, it is the host again.
        "site": found.sitename if found.sitename not in url.split("/") else None,
        "description": found.description,
        "tags": tuple(found.tags or ()),
    }
    metadata = {name: value for name, value in told.items() if value}
    return _Judgement(text=found.text or "", title=found.title or "", metadata=metadata)


_SILENCE = logging.NullHandler()


def _lines(text: str) -> tuple[str, ...]:
    """Some long lines of a text, spread over it, without all that markup could change."""
    squeezed = (_NO_WORD.sub("", line).lower() for line in text.splitlines())
    lines = tuple(dict.fromkeys(line for line in squeezed if len(line) >= _LEAST_LINE))
    return lines[:: max(1, -(-len(lines) // _MOST_LINES))]


def _squeezed(element: HtmlElement) -> str:
    return _NO_WORD.sub("", str(element.text_content())).lower()


def _container(whole: HtmlElement, lines: tuple[str, ...]) -> HtmlElement:
    """The smallest element that holds nearly all of the lines that the page holds."""
    text = _squeezed(whole)
    lines = tuple(line for line in lines if line in text)
    needed = _MOST_OF_THEM * len(lines)
    found = whole
    while lines:
        for child in found.iterchildren("*"):
            text = _squeezed(child)
            if sum(line in text for line in lines) >= needed:
                found = child
                break
        else:
            break
    return found


def _is_decoration(part: HtmlElement, lines: tuple[str, ...]) -> bool:
    """Whether an element is there for moving around and holds nothing of the text."""
    around = part.tag in _AROUND or part.get("role", "") in _AROUND_ROLES
    if not around and part.tag not in _MENUS:
        return False
    links = list(part.iter("a"))
    if not around and (len(links) < _LEAST_LINKS or _is_worded(part)):
        return False
    if next(part.iter("h1"), None) is not None:
        return False
    text = _squeezed(part)
    linked = sum(len(_squeezed(link)) for link in links)
    return (around or linked >= _LINK_SHARE * len(text)) and not any(line in text for line in lines)


def _is_worded(part: HtmlElement) -> bool:
    """Whether an element is or holds code or headings, where links are the text."""
    marked = (*part.iter(*_TEXT_MARKS), *part.iterancestors(*_TEXT_MARKS))
    return bool(marked)


def _is_modest(page: HtmlElement) -> bool:
    """Whether a page has no more elements, and none deeper, than real pages have."""
    level, seen = [page], 1
    for _ in range(_DEEPEST_JUDGED):
        level = [child for element in level for child in element.iterchildren("*")]
        seen += len(level)
        if not level or seen > _MOST_JUDGED:
            break
    return not level and seen <= _MOST_JUDGED


def _drop(root: HtmlElement, parts: Iterable[HtmlElement]) -> None:
    for part in list(parts):
        if part is not root and part.getparent() is not None:
            part.drop_tree()


def _title(page: HtmlElement) -> str:
    """The title that the page declares."""
    for path in ("string(//meta[@property='og:title'][1]/@content)", "string(//title[1])"):
        if title := " ".join(str(page.xpath(path)).split()):
            return title
    return ""


def _as_page(main: HtmlElement, page: HtmlElement) -> str:
    from lxml import html

    language = escape(page.get("lang", ""))
    markup = html.tostring(main, encoding="unicode", with_tail=False)
    return f'<html lang="{language}"><head></head><body>{markup}</body></html>'

"""HTML pages: decoding, title and description; the rendering is `html_blocks`'.

Where a page marks its main part, that is the document, and what lies around it (menus, banners,
footers) is left out with a warning. Otherwise everything that the page says is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument

from .assembly import clean_text, one_line
from .encoding import decode_text

if TYPE_CHECKING:
    from lxml import etree

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_LEAST_SHARE = 0.2
_META = {"author": "author", "description": "description", "keywords": "keywords"}


def parse_html(content: bytes) -> ParsedDocument:
    """Parse an HTML page.

    Raises:
        ParseError: the bytes are not text.
    """
    declared = _CHARSET.search(content[:4096]) or _XML_ENCODING.search(content[:1024])
    name = declared[1].decode("ascii", errors="replace") if declared else None
    markup, warnings = decode_text(content, declared=name)
    root = parse_tree(markup)
    if root is None:
        return ParsedDocument(text="", text_format="markdown", media_type="text/html")
    metadata = {
        _META[key]: one_line(value)
        for meta in root.iter("meta")
        if (key := meta.get("name", "").lower()) in _META and (value := meta.get("content", ""))
    }
    title = next((one_line("".join(node.itertext())) for node in root.iter("title")), "")
    text, left_out = _main_part(root)
    return ParsedDocument(
        text=text,
        text_format="markdown",
        title=title,
        language=_language(root),
        media_type="text/html",
        metadata=metadata,
        warnings=warnings + left_out,
    )


def _main_part(root: etree._Element) -> tuple[str, tuple[str, ...]]:
    """The page's text, and a warning when that is only its main part's."""
    found = root.xpath("//main | //*[@role='main' and not(self::main)]")
    whole = render_html(root)
    if not isinstance(found, list) or len(found) != 1:
        return whole, ()
    part = render_html(found[0])
    if len(part) < _LEAST_SHARE * len(whole):
        return whole, ()
    outside = len(whole) - len(part)
    note = f"{outside:,} characters outside the page's main part (menus, footers) were left out"
    return part, (note,) if outside > 0 else ()


def parse_tree(markup: str) -> etree._Element | None:
    """The tree of an HTML text, repaired as browsers do; None when there is nothing in it."""
    from lxml import etree

    parser = etree.HTMLParser(no_network=True, huge_tree=True, remove_comments=True)
    text = _DECLARATION.sub("", clean_text(markup)).strip()
    if not text:
        return None
    try:
        root = etree.fromstring(text, parser)
    except etree.ParserError:
        return None
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ParseError(f"the HTML cannot be read: {error}") from error
    # The parser goes on without a word where elements are nested too deeply.
    if any("depth" in entry.message.lower() for entry in parser.error_log):
        raise ParseError("the HTML is nested too deeply to be read")
    return root


def render_html(root: etree._Element) -> str:
    """The Markdown of a parsed page."""
    from .html_blocks import render_blocks

    return render_blocks(root)


def _language(root: etree._Element) -> str:
    """The language that the page declares, as an ISO 639-1 code."""
    code = root.get("lang", "").split("-")[0].lower()
    return code if re.fullmatch("[a-z]{2}", code) else ""

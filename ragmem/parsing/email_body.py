"""The text of one part of a message as Markdown: plain, wrapped as `format=flowed`, or HTML.

Quotes come out as lines with `>` whatever the mailer that marked them; folding them is
`email_quotes`'.
"""

from __future__ import annotations

import re
from email.message import Message
from typing import TYPE_CHECKING

from ragmem.errors import ParseError

from .assembly import clean_text, literal
from .email_charsets import decode_body
from .html_page import parse_tree, render_html

if TYPE_CHECKING:
    from lxml import etree

_QUOTE_MARKS = re.compile(r"^>+")
# Containers of quotes that are no <blockquote> themselves and hold none.
_QUOTES = "//div[contains(@class, 'yahoo_quoted') or contains(@class, 'zmail_extra')]"
_SIGNATURES = (
    "//div[contains(@class, 'gmail_signature') or contains(@class, 'moz-signature') or "
    "@id='Signature' or @id='signature']"
)
_BASE64_DEFECTS = ("InvalidBase64CharactersDefect", "InvalidBase64PaddingDefect")


def part_bytes(part: Message) -> tuple[bytes, tuple[str, ...]]:
    """The decoded bytes of a part that is no container, and what was repaired."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AssertionError) as error:
        return b"", (f"a part cannot be decoded: {error}",)
    names = {type(defect).__name__ for defect in part.defects}
    damaged = not names.isdisjoint({*_BASE64_DEFECTS, "InvalidBase64LengthDefect"})
    warnings = ("damaged base64 was repaired as far as possible",) if damaged else ()
    return (payload if isinstance(payload, bytes) else b""), warnings


def part_text(part: Message) -> tuple[str, tuple[str, ...]]:
    """The Markdown of a plain or HTML part, and warnings; a part that is no text gives none."""
    content, repaired = part_bytes(part)
    try:
        text, warnings = decode_body(content, part.get_content_charset())
        if part.get_content_type() == "text/html":
            tree = parse_tree(text)
            rendered = "" if tree is None else render_html(_with_marked_quotes(tree))
        else:
            plain = clean_text(text)
            flowed = str(part.get_param("format", "")).lower() == "flowed"
            joined = str(part.get_param("delsp", "")).lower() == "yes"
            rendered = literal(_unwrapped(plain, spaces_kept=not joined) if flowed else plain)
    except ParseError as error:
        return "", (*repaired, f"a part of the text was not read: {error}")
    return rendered.strip("\n").rstrip(), repaired + warnings


def _unwrapped(text: str, *, spaces_kept: bool) -> str:
    """Text in `format=flowed` (RFC 3676): a line that ends in a space goes on in the next."""
    lines: list[str] = []
    before = None
    for line in text.split("\n"):
        match = _QUOTE_MARKS.match(line)
        marks = match[0] if match else ""
        content = line[len(marks) :].removeprefix(" ")
        is_rule = content == "-- "
        if before == marks and not is_rule:
            lines[-1] += content
        else:
            lines.append(f"{marks} {content}" if marks else content)
        goes_on = content.endswith(" ") and not is_rule
        before = marks if goes_on else None
        if goes_on and not spaces_kept:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _with_marked_quotes(root: etree._Element) -> etree._Element:
    """The tree with every mailer's quotes as block quotes and a rule before signatures."""
    for quote in root.xpath(_QUOTES):
        if quote.find(".//blockquote") is None:
            quote.tag = "blockquote"
    for signature in root.xpath(_SIGNATURES):
        text = "".join(signature.itertext()).lstrip()
        if not text.startswith("--"):
            rule = signature.makeelement("div")
            rule.text = "--"
            signature.insert(0, rule)
            rule.tail, signature.text = signature.text, None
    return root

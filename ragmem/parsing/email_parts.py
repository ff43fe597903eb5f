"""Which parts of a message are its text and which are attached; nothing is decoded here.

Of alternatives the plain one is taken, unless it says less than the HTML one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from .assembly import clean_text, one_line
from .email_headers import decoded_words

_MOST_PARTS = 2_000
_DEEPEST = 40
_SIGNATURES = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_LONGEST_NAME = 200
# Binary formats are told by their bytes.
_SUFFIXES = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "application/json": ".json",
    "application/pdf": ".pdf",
    "message/rfc822": ".eml",
}
_READABLE = ("text/plain", "text/html")


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of a message in order.

    Attributes:
        texts: each the renderings of one text, the preferred one first.
        attached: files and messages.
        unread: parts that were not looked at because there are too many or too deep.
    """

    texts: list[list[Message]] = field(default_factory=list)
    attached: list[Message] = field(default_factory=list)
    unread: int = 0


def parts_of(message: Message) -> Parts:
    """Sort the parts of a message, without recursion."""
    found = Parts()
    waiting: list[tuple[Message, int]] = [(message, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if seen > _MOST_PARTS or depth > _DEEPEST:
            found.unread += 1
            continue
        kind = part.get_content_type()
        if kind in _SIGNATURES:
            continue
        inner = inner_parts(part)
        if part.get_content_maintype() != "multipart" or not inner:
            _place(part, found)
            continue
        if kind == "multipart/alternative":
            inner = _alternatives(inner, found)
        waiting += [(each, depth + 1) for each in reversed(inner)]
    return found


def inner_parts(part: Message) -> list[Message]:
    """The parts of a container, none of any other part."""
    # Only then: of other parts it tries to decode the content, by whatever charset they name.
    payload = part.get_payload() if part.is_multipart() else None
    return (
        [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []
    )


def _place(part: Message, found: Parts) -> None:
    """A part that is no container: text to be read as such, or attached."""
    is_text = part.get_content_type() in _READABLE and not _is_attachment(part)
    if is_text and not (found.texts and file_name(part)):
        found.texts.append([part])
    else:
        found.attached.append(part)


def _alternatives(inner: list[Message], found: Parts) -> list[Message]:
    """Take the texts out of alternatives as one text; what else is inside is left to be sorted.

    Calendars, rich text and the like say the same again and are left out where there is a text.
    """
    leaves = [leaf for each in inner for leaf in _first_texts(each)]
    texts = [each for kind in _READABLE for each in leaves if each.get_content_type() == kind]
    if not texts or len(inner) == 1:
        return inner
    kinds = [each.get_content_type() for each in texts]
    found.texts.append([texts[kinds.index(kind)] for kind in _READABLE if kind in kinds])
    others = [each for each in inner if each.is_multipart()]
    taken = {id(each) for each in texts}
    return [leaf for each in others for leaf in _leaves(each) if id(leaf) not in taken]


def _first_texts(part: Message) -> list[Message]:
    """The texts in one alternative; only the beginning of each, for the rest may differ."""
    return [
        leaf
        for leaf in _leaves(part)
        if leaf.get_content_type() in _READABLE and not _is_attachment(leaf)
    ]


def _leaves(part: Message) -> Iterator[Message]:
    waiting = [part]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        each = waiting.pop()
        if each.get_content_maintype() == "multipart" and each.is_multipart():
            waiting += reversed(inner_parts(each))
        else:
            yield each


def _is_attachment(part: Message) -> bool:
    return str(part.get("Content-Disposition", "")).split(";")[0].strip().lower() == "attachment"


def file_name(part: Message) -> str:
    """The file name that a part is given, without a path; empty where it has none."""
    try:
        given = part.get_filename() or ""
    except (TypeError, ValueError, LookupError):
        return ""  # parameters that contradict each other
    name = re.split(r"[/\\]", decoded_words(given))[-1]
    return one_line(clean_text(name)).strip(". ")[-_LONGEST_NAME:]


def name_for(part: Message, number: int) -> str:
    """A file name whose suffix tells the format."""
    given = file_name(part)
    if re.search(r"\.\w{1,8}$", given):
        return given
    suffix = _SUFFIXES.get(part.get_content_type(), "")
    return f"{given or f'attachment-{number}'}{suffix}"

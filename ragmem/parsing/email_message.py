"""Messages (EML): what a reader sees of the headers, the text without repetitions, attachments.

Attachments are read by the parsers of their formats, each as a section of the message; how deep,
how many and how much is bounded. Pages of an attachment are not kept: a message has none.
"""

from __future__ import annotations

import email.errors
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser

from ragmem.errors import ParseError
from ragmem.types import MetadataValue, ParsedDocument

from .assembly import fence, literal, one_line
from .email_body import part_bytes, part_text
from .email_headers import MessageHeaders, ReadableHeaders, read_headers
from .email_parts import inner_parts, name_for, parts_of
from .email_quotes import fold_repetitions
from .limits import Limits

FileParser = Callable[[str, bytes], ParsedDocument]

_DEEPEST = 5
_MOST_ATTACHMENTS = 100
_MOST_WARNINGS = 50
_FEW_WORDS = 40
_HEADING = re.compile(r"^#{1,6}(?=[ \t])")
_FENCE = re.compile(r"^(`{3,}|~{3,})")
_NOT_READ = {
    "image": "an image",
    "audio": "a recording",
    "video": "a video",
    "application/ms-tnef": "Outlook's own container; ask the sender to send in HTML instead",
    "application/pkcs7-mime": "an encrypted or sealed message; save a copy without encryption",
    "application/x-pkcs7-mime": "an encrypted or sealed message; save a copy without encryption",
    "application/pgp-encrypted": "an encrypted message; save a copy without encryption",
    "application/pgp-keys": "a key",
    "message/external-body": "only a reference to a file elsewhere",
    "message/partial": "a piece of a message that was sent in several",
}


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is used up and found while a message and those inside it are read."""

    limits: Limits
    parse_file: FileParser
    attachments: int = 0
    characters: int = 0
    quoted_lines: int = 0
    names: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse_email(content: bytes, *, parse_file: FileParser, limits: Limits) -> ParsedDocument:
    """Parse a message.

    Args:
        content: the message as it was sent.
        parse_file: parses an attachment, given its name and bytes.
        limits: how much text all attachments may bring.

    Raises:
        ParseError: it has neither sender nor subject nor date, or cannot be read.
    """
    reading = _Reading(limits=limits, parse_file=parse_file)
    try:
        message = _message_of(content)
        headers = read_headers(message)
        if not any(message.get(name) for name in ("From", "Date", "Subject")):
            raise ParseError("not a message: it has neither From nor Date nor Subject")
        reading.warnings += headers.warnings
        sections = _sections(message, headers, reading, depth=0)
    except RecursionError as error:
        raise ParseError("the parts of the message are nested too deeply to be read") from error
    except (email.errors.MessageError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, ParseError):
            raise
        # What the standard library makes of broken messages is not documented.
        raise ParseError(f"the message cannot be read: {error}") from error
    heading = [f"# {headers.subject}"] if headers.subject else []
    author = headers.metadata.get("author", "")
    return ParsedDocument(
        text="\n\n".join([*heading, *sections]),
        text_format="markdown",
        title=headers.subject or (f"Message from {author}" if author else ""),
        media_type="message/rfc822",
        metadata=headers.metadata | _counted(reading),
        warnings=_all_warnings(reading),
    )


def _message_of(content: bytes) -> Message:
    return BytesParser(policy=ReadableHeaders()).parsebytes(content)


def _counted(reading: _Reading) -> dict[str, MetadataValue]:
    found: dict[str, MetadataValue] = {}
    if reading.names:
        found["attachments"] = tuple(reading.names)
    if reading.quoted_lines:
        found["quoted_lines_left_out"] = reading.quoted_lines
    return found


def _all_warnings(reading: _Reading) -> tuple[str, ...]:
    warnings = list(dict.fromkeys(reading.warnings))
    if reading.images:
        shown = ", ".join(reading.images[:10]) + (" and others" if reading.images[10:] else "")
        plural = "s were" if len(reading.images) > 1 else " was"
        warnings.append(f"{len(reading.images)} image{plural} not read: {shown}")
    others = len(warnings) - _MOST_WARNINGS
    return (*warnings[:_MOST_WARNINGS], *([f"and {others:,} more"] if others > 0 else []))


def _sections(
    message: Message, headers: MessageHeaders, reading: _Reading, *, depth: int
) -> list[str]:
    """The headers shown, the texts, then each attachment."""
    parts = parts_of(message)
    shown = "\n".join(literal(f"{name}: {text}") for name, text in headers.shown)
    texts = [_text(renderings, headers, reading) for renderings in parts.texts]
    attached = [_attached(part, reading, depth=depth) for part in parts.attached]
    if parts.unread:
        reading.warnings.append(
            "some parts were not read: there are too many, or too deeply nested"
        )
    return [section for section in (shown, *texts, *attached) if section]


def _text(renderings: list[Message], headers: MessageHeaders, reading: _Reading) -> str:
    text, warnings = part_text(renderings[0])
    if len(renderings) > 1 and len(text.split()) < _FEW_WORDS:
        # Many mailers send a plain text that only says that there is another.
        fuller, other_warnings = part_text(renderings[1])
        if len(fuller.split()) > 3 * len(text.split()):
            text, warnings = fuller, other_warnings
    reading.warnings += warnings
    folded = fold_repetitions(text, is_reply=headers.is_reply, is_forward=headers.is_forward)
    reading.quoted_lines += folded.quoted_lines
    reading.characters += len(folded.text)
    return folded.text


def _attached(part: Message, reading: _Reading, *, depth: int) -> str:
    """The section of one attachment; empty, with a warning, where it is not read."""
    kind = part.get_content_type()
    if kind == "message/delivery-status":
        return "\n".join(f"{name}: {text}" for each in part.walk() for name, text in each.items())
    reading.attachments += 1
    name = name_for(part, reading.attachments)
    if reading.attachments <= _MOST_ATTACHMENTS:
        reading.names.append(name)
    if part.get_content_maintype() == "image":
        reading.images.append(name)
        return ""
    try:
        if reading.attachments > _MOST_ATTACHMENTS:
            raise ParseError(f"only the first {_MOST_ATTACHMENTS} attachments are read")
        if reason := _NOT_READ.get(kind) or _NOT_READ.get(part.get_content_maintype()):
            raise ParseError(reason)
        if name.lower() == "winmail.dat":
            raise ParseError(_NOT_READ["application/ms-tnef"])
        section = _read(part, name, reading, depth=depth)
        reading.limits.check_characters(reading.characters + len(section))
        reading.characters += len(section)
    except ParseError as error:
        reading.warnings.append(f"attachment {name!r} was not read: {error}")
        return ""
    return section


def _read(part: Message, name: str, reading: _Reading, *, depth: int) -> str:
    """The section of an attachment.

    Raises:
        ParseError: it cannot be read.
    """
    inner = _inner_message(part, name, reading)
    if inner is not None:
        return _nested(inner, name, reading, depth=depth + 1)
    content, repaired = part_bytes(part)
    reading.warnings += [f"attachment {name!r}: {warning}" for warning in repaired]
    parsed = reading.parse_file(name, content)
    reading.warnings += [f"attachment {name!r}: {warning}" for warning in parsed.warnings]
    if parsed.text_format == "code":
        text = fence(parsed.text, parsed.language)
    else:
        text = _lowered(parsed.text) if parsed.text_format == "markdown" else literal(parsed.text)
    return f"## Attachment: {one_line(name)}\n\n{text}"


def _inner_message(part: Message, name: str, reading: _Reading) -> Message | None:
    """The message that a part holds, None where it holds another kind of file."""
    held = inner_parts(part) if part.get_content_type() == "message/rfc822" else []
    if held:
        # Against the rules, some mailers encode the whole message.
        encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        if encoding not in ("base64", "quoted-printable"):
            return held[0]
        encoded = Message()
        encoded["Content-Transfer-Encoding"] = encoding
        encoded.set_payload(held[0].get_payload())
        return _message_of(part_bytes(encoded)[0])
    if not name.lower().endswith(".eml"):
        return None
    content, repaired = part_bytes(part)
    reading.warnings += [f"attachment {name!r}: {warning}" for warning in repaired]
    return _message_of(content)


def _nested(message: Message, name: str, reading: _Reading, *, depth: int) -> str:
    if depth > _DEEPEST:
        raise ParseError(f"messages in messages are read {_DEEPEST} deep")
    headers = read_headers(message)
    reading.warnings += [f"attachment {name!r}: {warning}" for warning in headers.warnings]
    sections = _sections(message, headers, reading, depth=depth)
    if not sections:
        raise ParseError("the message is empty")
    title = headers.subject or one_line(name)
    inside = "\n\n".join(sections)
    return f"## Attached message: {title}\n\n{_lowered(inside)}"


def _lowered(text: str) -> str:
    """Markdown whose headings lie below an attachment's."""
    lines = text.split("\n")
    fenced = ""
    for at, line in enumerate(lines):
        if mark := _FENCE.match(line):
            if not fenced:
                fenced = mark[1]
            elif line.strip() == mark[1] and mark[1].startswith(fenced):
                fenced = ""
        elif not fenced and (heading := _HEADING.match(line)):
            lines[at] = "#" * min(6, len(heading[0]) + 2) + line[len(heading[0]) :]
    return "\n".join(lines)

"""The headers of a message as text, people, dates and identities, however badly they are written.

Nothing here looks at the body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime

from ragmem.types import MetadataValue

from .assembly import clean_text, one_line
from .email_charsets import decode_as

_MOST_PEOPLE = 200
_SHOWN_PEOPLE = 20
_LONGEST_HEADER = 1_000_000
_LONGEST_DECODED = 20_000
_LONGEST_SHOWN = 2_000
_ADDRESS = re.compile(r"[^\s<>@,;:\"()]{1,64}@[^\s<>@,;:\"()]{1,255}")
_ID = re.compile(r"<([^<>\s]{1,500})>")
_EARLIEST_YEAR = 1970


class ReadableHeaders(Compat32):
    """Gives raw headers as text: bytes beyond ASCII decoded, folded lines joined."""

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002
        """The value of a header; addresses and encoded words are left as they are."""
        raw = value[:_LONGEST_HEADER].encode("utf-8", "surrogateescape")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        return re.sub(r"\r?\n[ \t]*|\r", " ", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeaders:
    """What the headers of a message say.

    Attributes:
        shown: what a reader sees, such as `("From", "Ana <ana@example.org>")`, subject left out.
        metadata: what filters may ask about.
        is_reply, is_forward: whether it answers or passes on an earlier message.
        warnings: what was repaired.
    """

    subject: str
    shown: tuple[tuple[str, str], ...]
    metadata: dict[str, MetadataValue]
    is_reply: bool
    is_forward: bool
    warnings: tuple[str, ...]


_REPLY = re.compile(
    r"^(?:re|aw|antw|sv|vs|odp|ynt|res|回复|回覆|答复|返信)(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)
_FORWARD = re.compile(
    r"^(?:fwd?|wg|tr|rv|enc|vl|doorst|vb|пересл|转发|轉寄|転送)\s*[:：]", re.IGNORECASE
)


def read_headers(message: Message) -> MessageHeaders:
    """Read what a message's headers say; what cannot be read is left out with a warning."""
    warnings: list[str] = []
    subject = header_text(message, "Subject")
    metadata: dict[str, MetadataValue] = {}
    shown: list[tuple[str, str]] = []
    for name in ("From", "To", "Cc"):
        people = _people(message, name)
        if not people:
            continue
        text = ", ".join(text for text, _ in people[:_SHOWN_PEOPLE])
        others = len(people) - _SHOWN_PEOPLE
        shown.append((name, f"{text} and {others:,} others" if others > 0 else text))
        if name == "From":
            metadata |= {"author": text, "from": people[0][1]}
            continue
        metadata[name.lower()] = tuple(address for _, address in people[:_MOST_PEOPLE])
        if len(people) > _MOST_PEOPLE:
            warnings.append(
                f"of {len(people):,} recipients in {name} the first {_MOST_PEOPLE} were kept"
            )
    if date := header_text(message, "Date"):
        shown.append(("Date", date))
    if (sent_at := _sent_at(message, date, warnings)) is not None:
        metadata |= {"sent_at": sent_at.isoformat(), "created_at": sent_at.isoformat()}
    if subject:
        metadata["subject"] = subject
    metadata |= _thread(message)
    answers = "in_reply_to" in metadata or bool(_REPLY.match(subject))
    return MessageHeaders(
        subject=subject,
        shown=tuple(shown),
        metadata=metadata,
        is_reply=answers,
        is_forward=bool(_FORWARD.match(subject)),
        warnings=tuple(warnings),
    )


def header_text(message: Message, name: str) -> str:
    """A header on one line, encoded words decoded; empty where it is missing."""
    return decoded_words(str(message.get(name, "")))[:_LONGEST_SHOWN]


def decoded_words(value: str) -> str:
    """A text with its encoded words (RFC 2047) decoded; broken ones stay as they are."""
    text = value
    if "=?" in value and len(value) <= _LONGEST_DECODED:
        try:
            parts = decode_header(value)
            text = "".join(
                part if isinstance(part, str) else decode_as(part, charset)
                for part, charset in parts
            )
        except (HeaderParseError, ValueError):
            text = value
    return one_line(clean_text(text))


def _people(message: Message, name: str) -> list[tuple[str, str]]:
    """Each person as shown and as an address in lower case, which is all that is compared."""
    values = [str(value) for value in message.get_all(name, [])]
    pairs = [pair for pair in getaddresses(values) if pair[1]]
    # A comma that nobody quoted makes half a name look like a person.
    pairs = [pair for pair in pairs if "@" in pair[1]] or pairs
    if not pairs:
        text = decoded_words(" ".join(values))
        found = _ADDRESS.findall(text)
        if not found and text and not text.endswith(":;"):
            return [(text, text)]  # a name without an address
        pairs = [("", address) for address in found]
    people: list[tuple[str, str]] = []
    for at, (display, raw) in enumerate(pairs):
        address = one_line(clean_text(raw)).lower()
        label = decoded_words(display) if at < _SHOWN_PEOPLE else ""
        people.append((f"{label} <{address}>" if label and label != address else address, address))
    return people


def _sent_at(message: Message, date: str, warnings: list[str]) -> datetime | None:
    """When it was sent: its own date, else when the first server received it."""
    if (sent := _moment(date)) is not None:
        return sent
    received = [str(value).rpartition(";")[2] for value in message.get_all("Received", [])]
    fallback = next((at for value in reversed(received) if (at := _moment(value))), None)
    if date:
        instead = ", so the time of receipt was taken" if fallback else ""
        warnings.append(f"the date {date[:80]!r} cannot be read{instead}")
    return fallback


def _moment(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text.strip())
            if moment.year < _EARLIEST_YEAR:
                continue
            # "-0000" and no zone at all both mean that the zone is unknown.
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            aware.astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return aware
    return None


def _thread(message: Message) -> dict[str, MetadataValue]:
    """The message's identity, what it answers, and the message that the thread began with."""
    own = _ids(message, "Message-ID")
    answered = _ids(message, "In-Reply-To")
    earlier = _ids(message, "References") or answered
    found: dict[str, MetadataValue] = {}
    if own:
        found["message_id"] = own[0]
    if answered or earlier:
        found["in_reply_to"] = answered[0] if answered else earlier[-1]
    if root := (earlier or own):
        found["thread"] = root[0]
    return found


def _ids(message: Message, name: str) -> list[str]:
    value = one_line(clean_text(str(message.get(name, ""))))
    bare = [] if " " in value or not value else [value[:500]]
    return _ID.findall(value) or bare
